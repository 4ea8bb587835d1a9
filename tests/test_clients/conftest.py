from __future__ import annotations

import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.conftest import CHROMIUM
from tests.servers import Server, data_directory, prepared_directory, serving, tokens
from tests.test_clients.making import made_in_python, made_in_typescript, made_of_others, operations_copied

__all__ = ["data_directory", "prepared_directory", "tokens"]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Serve a directory of pages, and return it with its origin, which the server allows."""
    directory = tmp_path_factory.mktemp("elsewhere")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory))) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        yield directory, f"http://127.0.0.1:{pages.server_port}"
        pages.shutdown()


@pytest.fixture(scope="module")
def server(
    prepared_directory: Path, elsewhere: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    directory = shutil.copytree(prepared_directory, tmp_path_factory.mktemp("clients") / "data")
    with serving(directory, CROWDVOTE_CORS_ORIGINS=elsewhere[1]) as running:
        yield running
        # Refusals are a line each; none is a failure.
        assert not {"ERROR", "Traceback"} & {*running.output.split()}


@pytest.fixture
def decision(server: Server) -> str:
    """Return the id of the open decision, as a visitor finds it."""
    query = "{ communities(first: 1) { edges { node { decisions(first: 1) { edges { node { id } } } } } } }"
    answer = server.http.post("/graphql", json={"query": query}).json()
    found: str = answer["data"]["communities"]["edges"][0]["node"]["decisions"]["edges"][0]["node"]["id"]
    return found


@pytest.fixture(scope="session")
def python_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_in_python(tmp_path_factory.mktemp("python"))


@pytest.fixture(scope="session")
def typescript_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_in_typescript(tmp_path_factory.mktemp("typescript"))


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_of_others(operations_copied(tmp_path_factory.mktemp("others")))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()
