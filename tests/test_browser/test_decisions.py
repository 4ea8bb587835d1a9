"""Decisions in a browser: voting by mouse, by keyboard and without scripts, pages that keep up, and axe."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.test_browser.axe import DARK_PHONE, EVERY_LOOK, PHONE, findings, findings_in_looks
from tests.test_browser.conftest import Server
from tests.test_browser.crawling import ADDRESSES, enter

SURPLUS = "What do we do with the budget surplus?"
CLOSED = "Street lights after midnight"
RECORDED = "Vote recorded! Results are being recalculated - watch the live stats panel for updates."


async def open_decision(page: Page, title: str, tab: str = "") -> None:
    await page.goto(f"{ADDRESSES[title]}{tab}")


async def draft(page: Page) -> None:
    await page.goto(f"{ADDRESSES['Springfield']}decisions/create/")


@pytest_asyncio.fixture(loop_scope="session")
async def another(chromium: Browser, server: Server) -> AsyncIterator[Page]:
    """Open a second person's browser."""
    context = await chromium.new_context(base_url=server.url)
    page = await context.new_page()
    await enter(page, "Theo")
    yield page
    await context.close()


# The crawl of a manager's pages judges those of an open decision, too.
@pytest.mark.parametrize("title", [CLOSED, SURPLUS] if EVERY_LOOK else [CLOSED])
async def test_axe_finds_nothing_on_the_pages_of_a_decision(page: Page, title: str) -> None:
    await enter(page, "Theo")
    await open_decision(page, title)
    found = []
    for tab in ("Vote", "Results", "All ballots", "Who votes through whom", "Over time"):
        link = page.get_by_role("navigation", name="This decision").get_by_role("link", name=tab, exact=True)
        await link.click()
        await expect(link).to_have_attribute("aria-current", "page")
        found += await findings_in_looks(page, DARK_PHONE)
    assert found == []


async def test_axe_finds_nothing_in_what_a_visit_brings_up(page: Page) -> None:
    """Some states have no address: a refused ballot, an answered question, a dialog, a search without a match."""
    await enter(page, "Mei")
    await open_decision(page, SURPLUS)
    await page.get_by_role("button", name=re.compile("Cast my ballot|Save changes")).click()
    await expect(page.get_by_role("alert")).to_contain_text("Rate at least one choice, or abstain.")
    assert await findings(page) == []
    await page.locator("#vote .rating").first.locator("label").nth(4).click()
    await page.get_by_role("button", name="What would this change?").click()
    await expect(page.locator("#what-if")).to_contain_text("Nothing is saved yet.")
    assert await findings(page) == []
    await open_decision(page, SURPLUS, "ballots/")
    await page.get_by_role("link", name=re.compile("^Inherited by")).first.click()
    await expect(page.get_by_role("dialog").get_by_text("As a tree")).to_be_visible()
    assert await findings(page) == []
    await page.keyboard.press("Escape")
    await page.get_by_label("Voter, by name or @name").fill("nobody is called this")
    await expect(page.get_by_text("Nothing found")).to_be_visible()
    assert await findings(page) == []


async def test_axe_finds_nothing_where_managers_draft(page: Page) -> None:
    await enter(page, "Rosa")
    await page.goto(ADDRESSES["Springfield"])
    await page.get_by_role("link", name="New decision").click()
    assert await findings_in_looks(page, PHONE) == []
    await page.goto(ADDRESSES["Springfield"])
    await page.get_by_role("link", name="Winter market: how many weekends?").click()
    assert await findings_in_looks(page, DARK_PHONE) == []


async def test_a_vote_appears_on_another_open_page_without_a_jump(page: Page, another: Page) -> None:
    await open_decision(another, SURPLUS, "results/")
    await another.evaluate("scrollTo(0, 700)")
    place = await another.evaluate("scrollY")
    before = await another.locator("#result-scores").inner_text()
    untouched = await another.locator("#verify").element_handle()
    await enter(page, "Mei")
    await open_decision(page, SURPLUS)
    for rating, stars in zip(await page.locator("#vote .rating").all(), (1, 5, 2, 5, 0), strict=True):
        await rating.locator("label").nth(stars).click()
    await page.get_by_role("button", name="Cast my ballot").click()
    await expect(page.locator("#messages")).to_contain_text(RECORDED)
    await expect(another.locator("#result-scores")).not_to_have_text(before, timeout=5_000)
    assert await another.evaluate("scrollY") == place
    assert await untouched.evaluate("element => element.isConnected")
    await page.get_by_role("button", name="Withdraw my ballot").click()
    await expect(page.locator("#own-ballot .badge")).to_have_text("Inherited", timeout=5_000)


async def test_on_a_small_phone_the_first_stars_are_on_the_first_screen(page: Page) -> None:
    await page.set_viewport_size({"width": 360, "height": 640})
    # Who manages a community has buttons above them, too.
    await enter(page, "Rosa")
    await page.goto("/")
    await page.get_by_role("region", name="Waiting for your vote").get_by_role("link").first.click()
    await expect(page.get_by_role("link", name="Edit")).to_be_in_viewport()
    stars = page.locator("#vote .rating").first.locator("label")
    assert [(await stars.nth(place).bounding_box())["y"] < 600 for place in (0, 5)] == [True, True]
    tabs = await page.locator("#decision-header .tabs a").evaluate_all("(tabs) => tabs.map((tab) => tab.offsetTop)")
    assert len(set(tabs)) == 1
    await page.locator("#vote").get_by_role("radio", name="5 stars").first.check(force=True)
    await page.get_by_role("button", name="Cast my ballot").click()
    await expect(page.locator("#ballot-standing")).to_contain_text("You voted. You can change your ballot until")


async def test_the_keyboard_alone_votes_changes_and_abstains(page: Page) -> None:
    await enter(page, "Amara")
    await open_decision(page, "A new playground at Mill Pond")
    rating = page.get_by_role("group").filter(has=page.get_by_role("radio")).first
    await rating.get_by_role("radio", name="0 stars").focus()
    await page.keyboard.press("Space")
    for _ in range(4):
        await page.keyboard.press("ArrowRight")
    await expect(rating.get_by_role("radio", name="4 stars")).to_be_checked()
    await page.get_by_role("button", name=re.compile("Cast my ballot|Save changes")).focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#messages")).to_contain_text(RECORDED)
    await expect(page.locator("#own-ballot .ballot-lines li").first).to_contain_text("4")
    await page.get_by_role("button", name="Abstain instead").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#own-ballot .badge")).to_have_text("You abstain")


async def test_one_can_try_a_ballot_before_casting_it(page: Page) -> None:
    await enter(page, "Mei")
    await open_decision(page, SURPLUS)
    for rating, stars in zip(await page.locator("#vote .rating").all(), (0, 0, 0, 0, 5), strict=True):
        await rating.locator("label").nth(stars).click()
    await page.get_by_role("button", name="What would this change?").click()
    await expect(page.locator("#what-if")).to_contain_text("Nothing is saved yet.")
    await expect(page.locator("#own-ballot .badge")).to_have_text("Inherited")
    await expect(page.locator("#vote .rating").last.get_by_role("radio", name="5 stars")).to_be_checked()


async def test_without_scripts_one_votes_and_reads_where_a_ballot_comes_from(chromium: Browser, server: Server) -> None:
    context = await chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = await context.new_page()
    await enter(page, "Mei")
    await open_decision(page, SURPLUS)
    await page.get_by_role("link", name="Where it comes from").click()
    await expect(page.get_by_text(re.compile("all from Amara Okafor")).first).to_be_visible()
    await page.go_back()
    await page.locator("#vote .rating").first.locator("label").nth(3).click()
    await page.get_by_role("button", name="Cast my ballot").click()
    await expect(page.locator("#messages")).to_contain_text(RECORDED)
    await page.get_by_role("button", name="Withdraw my ballot").click()
    await expect(page.locator("#messages")).to_contain_text("Your ballot is withdrawn.")
    await context.close()


async def test_choices_are_added_and_removed_and_times_are_the_readers(chromium: Browser, server: Server) -> None:
    context = await chromium.new_context(base_url=server.url, timezone_id="Asia/Tokyo")
    page = await context.new_page()
    await enter(page, "Rosa")
    await draft(page)
    await page.get_by_label("Question").fill("Which bench?")
    await page.get_by_label("Choice 1", exact=True).fill("Oak")
    await page.get_by_label("Choice 2", exact=True).fill("Steel")
    await page.get_by_role("button", name="Add a choice").click()
    await page.get_by_label("Choice 3", exact=True).fill("Stone")
    await page.get_by_role("button", name="Remove choice 2").click()
    await expect(page.get_by_label("Choice 2", exact=True)).to_have_value("Stone")
    await page.get_by_label("Voting closes").fill("2099-01-02T09:00")
    await page.get_by_role("button", name="Save and preview").click()
    await expect(page.get_by_role("heading", name="Which bench?")).to_be_visible()
    closing = page.locator("#publish-title ~ p time")
    await expect(closing).to_have_attribute("datetime", "2099-01-02T00:00:00+00:00")
    await expect(closing).to_contain_text("9:00")
    await page.get_by_role("link", name="Edit").last.click()
    await expect(page.get_by_label("Voting closes")).to_have_value("2099-01-02T09:00")
    await expect(page.get_by_label("Question")).to_have_value("Which bench?")
    await context.close()


async def test_whoever_presses_a_button_by_the_keyboard_goes_on_from_there(page: Page) -> None:
    """An answer must not throw somebody with a screen reader back to the top of the page."""
    await enter(page, "Mei")
    await open_decision(page, SURPLUS)
    await page.locator("#vote .rating").first.locator("label").nth(4).click()
    for name in ("What would this change?", "Cast my ballot"):
        await page.get_by_role("button", name=name).focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Nothing is saved yet." if "?" in name else RECORDED)).to_be_visible()
        await expect(
            page.get_by_role("button", name=re.compile(f"{re.escape(name)}|Save changes")).last
        ).to_be_focused()
    withdraw = page.get_by_role("button", name="Withdraw my ballot")
    # Her ballot begins to refresh before she reaches its button, and is answered while she is on it.
    asked, answer = asyncio.Event(), asyncio.Event()

    async def wait(route: Route) -> None:
        if route.request.headers.get("hx-target") == "own-ballot":
            asked.set()
            await answer.wait()
        await route.continue_()

    await page.route(page.url, wait)
    async with asyncio.timeout(20):
        while not asked.is_set():
            # The refresh is skipped while one is under way, after the calculation of her own ballot.
            await page.evaluate("document.body.dispatchEvent(new CustomEvent('calculated'))")
            with suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), 1)
    before = await withdraw.element_handle()
    await withdraw.focus()
    answer.set()
    await page.wait_for_function("(before) => !before.isConnected", arg=before)
    await expect(withdraw).to_be_focused()
    await page.unroute(page.url)
    await page.keyboard.press("Enter")
    await expect(page.locator("#vote-title")).to_be_focused()
    # What refreshes itself leaves them on a heading.
    heading = page.get_by_role("heading", name="Your ballot", exact=True)
    await heading.evaluate("(heading) => { heading.tabIndex = -1; heading.focus(); }")
    before = await heading.element_handle()
    await page.evaluate("document.body.dispatchEvent(new CustomEvent('calculated'))")
    await page.wait_for_function("(before) => !before.isConnected", arg=before)
    await expect(heading).to_be_focused()
    await open_decision(page, SURPLUS, "ballots/")
    sort = page.get_by_role("columnheader").get_by_role("link", name="Keep it in reserve")
    await sort.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Keep it in reserve")
    await expect(sort).to_be_focused()


async def test_what_somebody_does_is_answered_while_the_page_refreshes(page: Page) -> None:
    """A refresh must not remove the form before its answer comes, or a message would have no place."""
    await enter(page, "Mei")
    await open_decision(page, SURPLUS)
    await page.locator("#vote .rating").first.locator("label").nth(4).click()
    await page.get_by_role("button", name="Cast my ballot").click()
    await expect(page.get_by_text(RECORDED)).to_be_visible()
    answer = asyncio.Event()

    async def wait(route: Route) -> None:
        if route.request.method == "POST":
            await answer.wait()
        await route.continue_()

    await page.route("**/*", wait)
    await page.get_by_role("button", name="Withdraw my ballot").click()
    async with page.expect_response(lambda response: response.request.headers.get("hx-target") == "own-ballot"):
        await page.evaluate("document.body.dispatchEvent(new CustomEvent('calculated'))")
    answer.set()
    await expect(page.locator("#messages")).to_contain_text("withdrawn")
    await expect(page.locator("#own-ballot .badge")).to_have_text("Inherited", timeout=5_000)


async def test_whoever_edits_choices_by_the_keyboard_stays_with_them(page: Page) -> None:
    await enter(page, "Rosa")
    await draft(page)
    await page.get_by_role("button", name="Add a choice").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Choice 3", exact=True)).to_be_focused()
    await page.keyboard.type("Oak")
    await page.get_by_role("button", name="Move choice 3 up").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Move choice 2 up")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Choice 1", exact=True)).to_be_focused()
    await expect(page.get_by_label("Choice 1", exact=True)).to_have_value("Oak")
    await page.get_by_role("button", name="Remove choice 3").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Choice 2", exact=True)).to_be_focused()
