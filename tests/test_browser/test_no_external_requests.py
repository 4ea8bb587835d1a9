"""No page asks another host for anything, and none complains in its console.

The fixture `page` watches both, here and wherever axe looks at a manager's pages.
"""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.test_browser.crawling import enter, pages


@pytest.mark.parametrize("somebody", ["", "Samuel Brandt"])
async def test_pages_of_every_kind_are_served_from_here_alone(page: Page, somebody: str) -> None:
    if somebody:
        await enter(page, somebody)
    seen = [address async for address in pages(page, "/", "/graphql/")]
    assert len(seen) > (10 if somebody else 5)
