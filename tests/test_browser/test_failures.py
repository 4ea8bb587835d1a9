"""Pages shown when something fails, and while the database is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.servers import Server, data_directory, prepared_directory, serving
from tests.test_browser.axe import findings_in_looks
from tests.test_browser.conftest import Witness

__all__ = ["data_directory", "prepared_directory"]

FAILING = """
    from django.db import OperationalError
    from democracy.reading import communities as directory
    def fail(*arguments, **named):
        raise RuntimeError("a mistake of ours")
    def be_away(*arguments, **named):
        raise OperationalError("connection refused")
    directory.communities_listed = fail
    directory.community_listed = be_away
"""


@pytest.fixture
def failing(data_directory: Path) -> Iterator[Server]:
    with serving(data_directory, program=FAILING) as server:
        yield server


FAILURES = [("/communities/", 500, "Something went wrong"), ("/communities/1/", 503, "Back in a moment")]


async def test_axe_finds_nothing_where_something_failed_and_the_policy_forbids_nothing_there(
    chromium: Browser, failing: Server
) -> None:
    for address, status, heading in FAILURES:
        await looks_well(chromium, failing, address, status, heading)


async def looks_well(chromium: Browser, failing: Server, address: str, status: int, heading: str) -> None:
    context = await chromium.new_context(base_url=failing.url)
    page = await context.new_page()
    witness = Witness()
    witness.watch(page)
    response = await page.goto(address)
    assert response is not None
    assert (response.status, "script-src 'self'" in response.headers["content-security-policy"]) == (status, True)
    await expect(page.get_by_role("heading", name=heading)).to_be_visible()
    # It has the site's look: its type, and a button to the start page.
    assert await page.evaluate("document.fonts.check('16px \"Public Sans\"')")
    await expect(page.get_by_role("link", name="To the start page")).to_have_css("font-weight", "600")
    assert await findings_in_looks(page) == []
    # A browser reports the status of such a page as an error.
    about = f"the server responded with a status of {status}"
    assert [complaint for complaint in witness.complaints if about not in complaint] == []
    await context.close()
