"""A server of its own for the browser, as `make run` starts it, and pages that notice what must not happen.

Playwright is used through asyncio, in one event loop for all browser tests: its synchronous form keeps a loop running
in the main thread, in which no asynchronous test can run. The database belongs to the server; these tests see only what
a browser sees.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from tests.conftest import CHROMIUM

PROJECT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@dataclass(frozen=True)
class Server:
    url: str
    data_dir: Path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """CrowdVote on the embedded default with the demo communities, in its own process and data directory."""
    data_dir = tmp_path_factory.mktemp("browser")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CROWDVOTE_")}
    for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"):
        environment.pop(name, None)
    environment |= {"CROWDVOTE_DATA_DIR": str(data_dir), "CROWDVOTE_DEMO_SIGN_IN": "1", "PORT": str(port)}
    for command in ("migrate", "collectstatic --no-input", "load_demo"):
        subprocess.run(
            [sys.executable, "manage.py", *command.split(), "--verbosity", "0"],
            cwd=PROJECT,
            env=environment,
            check=True,
        )
    output = data_dir / "server.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"], cwd=PROJECT, env=environment, stdout=file, stderr=file
        )
        try:
            _wait_until_answering(f"http://localhost:{port}/healthz", process, output)
            yield Server(f"http://localhost:{port}", data_dir)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_answering(url: str, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server does not answer:\n{output.read_text()}")
            time.sleep(0.1)


@dataclass
class Witness:
    """What a page did beside showing itself."""

    site: str
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.site}/", "data:", "blob:")):
            self.foreign.append(request.url)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, server: Server) -> AsyncIterator[Page]:
    """A page of a fresh browser profile.

    The test fails if the page complains in its console, throws, or asks another host for anything.
    """
    context = await chromium.new_context(base_url=server.url)
    page = await context.new_page()
    witness = Witness(server.url)
    page.on("console", witness.console)
    page.on("pageerror", lambda error: witness.complaints.append(str(error)))
    page.on("request", witness.request)
    page.on("websocket", lambda ws: witness.foreign.append(ws.url) if not _same_host(ws.url, server.url) else None)
    yield page
    await context.close()
    assert (witness.complaints, witness.foreign) == ([], [])


def _same_host(websocket_url: str, site: str) -> bool:
    return websocket_url.startswith(site.replace("http", "ws", 1) + "/")
