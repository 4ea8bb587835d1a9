"""A server of its own for the browser, started as by `make run`, and pages that notice what must not happen.

Playwright runs through asyncio, in one event loop for all browser tests: its synchronous form keeps a loop running in
the main thread, in which no asynchronous test can run. The database belongs to the server; these tests see only what a
browser sees.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from tests import servers
from tests.conftest import CHROMIUM

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@dataclass(frozen=True)
class Server:
    url: str
    mails: Path


DEMO = """
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("load_demo", verbosity=0)
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start CrowdVote on the embedded default with the demo communities, in its own process and data directory."""

    def prepare(directory: Path) -> None:
        (directory / "demo.txt").write_text(servers.run(directory, DEMO))

    demo = servers.prepared(tmp_path_factory, "demo", prepare)
    data_dir = shutil.copytree(demo, tmp_path_factory.mktemp("browser") / "data")
    name, _, example = (data_dir / "demo.txt").read_text().splitlines()[-1].partition("=")
    with servers.serving(data_dir, CROWDVOTE_DEMO_SIGN_IN="1", CROWDVOTE_PASSKEYS="1", **{name: example}) as started:
        yield Server(f"http://localhost:{started.port}", data_dir / "mail")


@dataclass
class Witness:
    """The complaints of a page: in its console, and errors that nobody caught."""

    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self.console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

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


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, server: Server) -> AsyncIterator[Page]:
    """Open a page of a fresh browser profile.

    The test fails if the page complains in its console, throws, or asks another host for anything.
    """
    context = await chromium.new_context(base_url=server.url)
    page = await context.new_page()
    witness = Witness()
    witness.watch(page)
    yield page
    await context.close()
    assert witness.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def tolerant_page(chromium: Browser, server: Server) -> AsyncIterator[Page]:
    """Open a page of a fresh browser profile, and ignore its console: browsers complain there of refusals."""
    context = await chromium.new_context(base_url=server.url)
    yield await context.new_page()
    await context.close()
