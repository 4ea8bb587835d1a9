"""No page asks another host for anything, and none complains in its console.

The fixture `page` watches both, here on the pages of a visitor and where axe looks at those of a manager.
"""

from __future__ import annotations

from playwright.async_api import Page

from tests.test_browser.crawling import pages


async def test_pages_of_every_kind_are_served_from_here_alone(page: Page) -> None:
    seen = [address async for address in pages(page, "/", "/graphql/")]
    assert len(seen) > 5
