"""A server of its own for the browser, started as by `make run`, and pages that notice what must not happen.

Playwright runs through asyncio, in one event loop for all browser tests: its synchronous form keeps a loop running in
the main thread, in which no asynchronous test can run. The database belongs to the server; these tests see only what a
browser sees.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, async_playwright

from tests import servers
from tests.conftest import CHROMIUM
from tests.test_browser.crawling import ADDRESSES
from tests.test_browser.elsewhere import another_site

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@dataclass(frozen=True)
class Server:
    url: str
    directory: Path


DEMO = """
    import json
    from django.core.management import call_command
    from django.urls import reverse
    from democracy.models import Community, Decision
    call_command("load_demo", verbosity=0)
    addresses = {one.name: reverse("community", args=[one.pk]) for one in Community.objects.all()}
    for one in Decision.objects.all():
        addresses[one.title] = reverse("decision", args=[one.community_id, one.pk])
    print(json.dumps(addresses))
"""


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A wall</title><link rel=icon href=data:,>")

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="session")
def wall() -> Iterator[int]:
    """Serve an empty page of other origins, and return its port: as 127.0.0.1, pages of it may use the API."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        yield pages.server_port
        pages.shutdown()


@pytest.fixture(scope="session")
def server(wall: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start CrowdVote on the embedded default with the demo communities, in its own process and data directory."""

    def prepare(directory: Path) -> None:
        servers.copy_empty_site(tmp_path_factory, directory)
        (directory / "demo.txt").write_text(servers.run(directory, DEMO))

    demo = servers.prepared(tmp_path_factory, "demo", prepare)
    data_dir = shutil.copytree(demo, tmp_path_factory.mktemp("browser") / "data")
    *_, setting, addresses = (data_dir / "demo.txt").read_text().splitlines()
    ADDRESSES.update(json.loads(addresses))
    name, _, example = setting.partition("=")
    settings = {name: example, "CROWDVOTE_DEMO_SIGN_IN": "1", "CROWDVOTE_PASSKEYS": "1"}
    # One person founds a community for each walk.
    settings |= {"CROWDVOTE_COMMUNITIES_PER_DAY": "100", "CROWDVOTE_CORS_ORIGINS": f"http://127.0.0.1:{wall}"}
    with another_site(_provider, "application/json") as issuer:
        settings |= {"CROWDVOTE_OIDC_ISSUER": issuer, "CROWDVOTE_OIDC_NAME": "Elsewhere"}
        settings |= {"CROWDVOTE_OIDC_CLIENT_ID": "crowdvote", "CROWDVOTE_OIDC_CLIENT_SECRET": "secret"}
        with servers.serving(data_dir, **settings) as started:
            yield Server(f"http://localhost:{started.port}", data_dir)


def _provider(address: str) -> str:
    """Say what a provider of OpenID Connect says of itself: the way to it is looked at here, and no further."""
    places = {name: f"{address}{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    return json.dumps({"issuer": address, **places})


@dataclass
class Witness:
    """The complaints of a page: in its console, and errors that nobody caught."""

    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self.console)
        page.on("pageerror", self.error)

    def look_away(self, page: Page) -> None:
        page.remove_listener("console", self.console)
        page.remove_listener("pageerror", self.error)

    def error(self, error: Error) -> None:
        self.complaints.append(str(error))

    def console(self, message: ConsoleMessage) -> None:
        # Browsers record the status of a refused form as an error.
        is_refusal = re.search(r"responded with a status of (400|409)\b", message.text)
        if message.type in {"error", "warning"} and not is_refusal:
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url')})")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # What draws has no process of its own: that takes a tenth of the time. No other host is found, and a page that
        # asks one complains. Looking at each request would take another tenth.
        arguments = ["--no-sandbox", "--disable-gpu", "--in-process-gpu"]
        arguments.append("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1")
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        await browser.close()


class Window:
    """A page that tests take in turns: the first visit of a new one costs as much as three visits more."""

    def __init__(self, chromium: Browser, url: str) -> None:
        self._chromium, self._url = chromium, url
        self._page: Page | None = None

    async def lend(self) -> Page:
        """Return the page, made as new or opened, in a browser that has visited nothing.

        What cannot be taken back, as a clock, a script or a function of one's own, needs a new context.
        """
        if self._page is not None:
            try:
                await self._clean(self._page)
            except Error:
                await self.close()
        if self._page is None:
            context = await self._chromium.new_context(base_url=self._url)
            self._page = await context.new_page()
        return self._page

    async def close(self) -> None:
        if self._page is not None:
            await self._page.context.close()
            self._page = None

    async def _clean(self, page: Page) -> None:
        """Raises Error where that cannot be done, as of a page that was closed."""
        context = page.context
        await context.set_offline(False)
        await context.clear_permissions()
        for other in context.pages:
            if other is not page:
                await other.close()
        await context.unroute_all(behavior="ignoreErrors")
        await page.unroute_all(behavior="ignoreErrors")
        for key in ("Alt", "Control", "Meta", "Shift"):
            await page.keyboard.up(key)
        await page.mouse.up()
        await page.mouse.move(0, 0)
        # No page of ours, so that nothing is kept of what was typed.
        await page.goto("/healthz")
        devtools = await context.new_cdp_session(page)
        # "all" has cookies and the storage of the session, too.
        await devtools.send("Storage.clearDataForOrigin", {"origin": self._url, "storageTypes": "all"})
        await devtools.send("Network.clearBrowserCache")
        await devtools.send("Page.resetNavigationHistory")
        await devtools.detach()
        await page.set_viewport_size({"width": 1280, "height": 720})
        await page.emulate_media(media="null", color_scheme="light", reduced_motion="null", forced_colors="null")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def window(chromium: Browser, server: Server) -> AsyncIterator[Window]:
    window = Window(chromium, server.url)
    yield window
    await window.close()


@pytest_asyncio.fixture(loop_scope="session")
async def tolerant_page(window: Window) -> Page:
    """Lend the page as new, and ignore its console: browsers complain there of refusals."""
    return await window.lend()


@pytest_asyncio.fixture(loop_scope="session")
async def page(tolerant_page: Page) -> AsyncIterator[Page]:
    """Lend the page as new.

    The test fails if the page complains in its console, throws, or asks another host for anything.
    """
    witness = Witness()
    witness.watch(tolerant_page)
    yield tolerant_page
    # What it has complained of by now is told before it answers. It cannot while it loads the next page.
    with suppress(Error):
        await tolerant_page.evaluate("0")
    witness.look_away(tolerant_page)
    assert witness.complaints == []
