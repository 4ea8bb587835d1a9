"""A provider of OpenID Connect on this machine, in a thread, whose people and faults tests decide."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

CLIENT_ID, SECRET = "crowdvote", "a secret of both"


class Provider:
    issuer: str

    def __init__(self, app: Any) -> None:
        self._app = app
        # By path: what to do to a request before it is answered.
        self.before: dict[str, Callable[[dict[str, Any]], None]] = {}
        # By path: what to make of its answer.
        self.after: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        # Parameters of the requests for tokens.
        self.asked: list[dict[str, list[str]]] = []

    def says(self, person: str, **claims: object) -> None:
        """Have the provider say this of a person from now on."""
        assert self._app.test_client().put(f"/users/{person}", json=claims).status_code == 204

    def answers(self, url: str, *, person: str, agrees: bool = True) -> str:
        """Let the person sign in at the address that they were led to, and return the address that they are sent to."""
        form = {"sub": person} if agrees else {"action": "deny"}
        parts = urlsplit(url)
        answer = self._app.test_client().post(f"{parts.path}?{parts.query}", base_url=self.issuer, data=form)
        assert answer.status_code == 302, answer.text
        location: str = answer.headers["Location"]
        return location

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path in self.before:
            self.before[path](environ)
        if path == "/oauth2/token":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            self.asked.append(parse_qs(body.decode()))
            environ["wsgi.input"] = io.BytesIO(body)
        if path not in self.after:
            return self._app(environ, start_response)
        from werkzeug.test import run_wsgi_app

        body, status, _ = run_wsgi_app(self._app, environ)
        said = json.dumps(self.after[path](json.loads(b"".join(body)))).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(said)))])
        return [said]


@contextmanager
def running() -> Iterator[Provider]:
    """Serve a provider on a free port of this machine."""
    pytest.importorskip("authlib")
    # Authlib gives up parts that the provider was written for.
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        mock = pytest.importorskip("oidc_provider_mock")
        app = mock.app(require_nonce=True)
    from werkzeug.serving import make_server

    provider = Provider(app)
    server = make_server("127.0.0.1", 0, provider, threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def begin(browser: Client, **form: str) -> str:
    """Press the provider's button, and return the address to which the page leads."""
    answer = browser.post("/sign-in/provider/", form)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["Refresh"]).removeprefix("0;url=")


def come_back(browser: Client, address: str) -> Any:
    """Open the address that the provider sent the browser to."""
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}" == "http://localhost:8000"
    return browser.get(f"{parts.path}?{parts.query}")
