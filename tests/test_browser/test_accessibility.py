"""axe-core finds nothing on a page of every kind, in light and dark, on a phone and on a desk."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.test_browser.axe import DARK_PHONE, EVERY_LOOK, PHONE, findings_in_looks
from tests.test_browser.crawling import enter, kind, pages

# All of these can be reached by a manager who follows links.
EXPECTED = {
    "/",
    "/docs/",
    "/communities/",
    "/communities/create/",
    "/communities/*/",
    "/communities/*/members/",
    "/communities/*/members/*/",
    "/communities/*/members/*/follow/",
    "/communities/*/members/*/remove/",
    "/communities/*/network/",
    "/communities/*/manage/",
    "/communities/*/settings/",
    "/communities/*/webhooks/",
    "/communities/*/ledger/",
    "/communities/*/leave/",
    "/communities/*/anonymity/",
    "/communities/*/decisions/create/",
    "/communities/*/decisions/*/",
    "/communities/*/decisions/*/edit/",
    "/communities/*/decisions/*/results/",
    "/communities/*/decisions/*/report/",
    "/communities/*/decisions/*/ballots/",
    "/communities/*/decisions/*/ballots/*/",
    "/communities/*/decisions/*/delegation/",
    "/communities/*/decisions/*/history/",
    "/following/",
    "/mails/",
    "/profile/",
}
# What test_coming_and_going judges, too.
JUDGED = {
    "/notices/preferences/",
    "/profile/",
    "/search/",
    "/communities/*/decisions/*/call-off/",
    "/communities/*/invitations/",
    "/communities/*/invitation-links/*/poster/",
}


async def test_axe_finds_nothing_on_any_page_a_manager_sees(page: Page) -> None:
    await enter(page, "Mei Tanaka")
    # Other links may lead to closed decisions, and to communities that somebody else manages.
    await page.goto("/communities/")
    await page.get_by_role("link", name="Maple Court").first.click()
    await page.get_by_role("link", name="Which roof should we build?").first.click()
    await expect(page.get_by_role("link", name="Edit")).to_be_visible()
    reached, found = set(), []
    async for address in pages(page, page.url, "/"):
        reached.add(kind(address))
        if EVERY_LOOK or kind(address) not in JUDGED:
            found += await findings_in_looks(page, (PHONE, DARK_PHONE)[len(reached) % 2])
    assert found == []
    assert EXPECTED - reached == set()
