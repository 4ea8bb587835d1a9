"""No page asks another host for anything, and none complains in its console.

The fixture `page` watches both, here on the pages of a visitor and where axe looks at those of a manager.
"""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.test_browser.conftest import Witness
from tests.test_browser.crawling import pages


async def test_pages_of_every_kind_are_served_from_here_alone(page: Page) -> None:
    seen = [address async for address in pages(page, "/", "/graphql/")]
    assert len(seen) > 5


@pytest.mark.parametrize(
    "asking",
    [
        "fetch('https://elsewhere.example/').catch(() => null)",
        "new Promise((done) => Object.assign(new Image(), { src: 'https://elsewhere.example/', onerror: done }))",
        "new Promise((done) => { new WebSocket('wss://elsewhere.example/').onerror = () => done(); })",
    ],
    ids=["request", "picture", "socket"],
)
async def test_whoever_asks_another_host_is_found_out(tolerant_page: Page, asking: str) -> None:
    witness = Witness()
    witness.watch(tolerant_page)
    await tolerant_page.goto("about:blank")
    await tolerant_page.evaluate(asking)
    assert any("elsewhere.example" in complaint for complaint in witness.complaints), witness.complaints
