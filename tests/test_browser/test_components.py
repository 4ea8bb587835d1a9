"""The components of pages in a browser: their look by axe, and their behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.test_browser.axe import findings, findings_in_looks
from tests.test_browser.conftest import Server, Witness
from tests.test_browser.gallery import DIALOG, gallery


async def show_gallery(page: Page) -> None:
    """Serve the gallery to this page at /gallery, under the content security policy of all pages."""
    policy = (await page.request.get("/")).headers["content-security-policy"]
    html = gallery()

    async def answer(route: Route) -> None:
        await route.fulfill(
            body=html, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy}
        )

    async def dialog(route: Route) -> None:
        await route.fulfill(body=DIALOG, content_type="text/html")

    async def nothing(route: Route) -> None:
        await route.fulfill(body=": nothing happens\n\n", content_type="text/event-stream")

    async def unchanged(route: Route) -> None:
        await route.fulfill(status=204)

    await page.route("**/gallery", answer)
    await page.route("**/gallery-part", unchanged)
    await page.route("**/gallery-dialog", dialog)
    await page.route("**/gallery-events*", nothing)


@pytest_asyncio.fixture(loop_scope="session")
async def shown(page: Page) -> AsyncIterator[Page]:
    await show_gallery(page)
    await page.goto("/gallery")
    yield page


async def test_axe_finds_nothing_in_any_look_and_it_fits_a_wide_screen(shown: Page) -> None:
    assert await findings_in_looks(shown) == []
    await shown.set_viewport_size({"width": 1600, "height": 900})
    assert await shown.evaluate("document.documentElement.scrollWidth") == 1600


# True if as many stars of the group have the colour of a full star.
LIT = """([legend, wanted]) => {
  const group = [...document.querySelectorAll("fieldset.rating")].find((g) => g.textContent.includes(legend));
  const full = getComputedStyle(document.querySelector(".stars .full-stars")).fill;
  const stars = [...group.querySelectorAll(".one-star > svg")];
  return stars.filter((star) => getComputedStyle(star).fill === full).length === wanted;
}"""


class TestRating:
    async def test_stars_are_sent_given_taken_and_cleared_by_the_keyboard_and_lit(self, shown: Page) -> None:
        # What is not rated is sent as nothing.
        sent = await shown.evaluate(
            "Object.fromEntries([...new FormData(document.querySelector('form:has(.ratings)'))].slice(0, 3))"
        )
        assert sent == {"c1": "4", "c2": "0", "c3": ""}

        tiles = shown.get_by_role("group", name="Tiles")
        await tiles.get_by_role("radio", name="0 stars").focus()
        await shown.keyboard.press("ArrowRight")
        await shown.keyboard.press("ArrowRight")
        await expect(tiles.get_by_role("radio", name="2 stars")).to_be_checked()
        await shown.keyboard.press("ArrowLeft")
        await expect(tiles.get_by_role("radio", name="1 star")).to_be_checked()
        for _ in range(2):
            await shown.keyboard.press("ArrowLeft")
        await expect(tiles.get_by_role("radio", name="Not rated")).to_be_checked()

        # The stars up to the chosen one are lit.
        roof = shown.get_by_role("group", name="Green roof")
        for number in (3, 5, 1):
            await roof.get_by_role("radio", name=f"{number} star").check()
            await shown.mouse.move(0, 0)
            await shown.wait_for_function(LIT, arg=["Green roof", number])
        await roof.get_by_role("radio", name="Not rated").check()
        await shown.mouse.move(0, 0)
        await shown.wait_for_function(LIT, arg=["Green roof", 0])


class TestTags:
    async def test_what_is_typed_becomes_chips_and_is_sent_as_text(self, shown: Page) -> None:
        field = shown.get_by_role("textbox", name="Tags")
        sent = shown.locator("input[name=tags]")
        await field.press_sequentially(" Water ,budget,")
        await expect(sent).to_have_value("budget, roads, water")
        await field.press("Backspace")
        await expect(sent).to_have_value("budget, roads")
        await shown.get_by_role("button", name="Remove budget").click()
        await expect(sent).to_have_value("roads")
        await expect(field).to_be_focused()
        await shown.get_by_role("button", name="parks & trees").click()
        await expect(sent).to_have_value("roads, parks & trees")
        await expect(shown.get_by_role("button", name="parks & trees", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )

    async def test_what_is_no_tag_stays_where_it_was_typed_is_sent_and_says_why(self, shown: Page) -> None:
        field = shown.get_by_role("textbox", name="Tags")
        sent, long = shown.locator("input[name=tags]"), "y" * 51
        await field.fill(f"{long},water,")
        await expect(field).to_have_value(long)
        await expect(sent).to_have_value(f"budget, roads, water, {long}")
        await expect(shown.get_by_text("A tag has at most 50 characters.")).to_be_in_viewport()
        many = [f"topic {number}" for number in range(19)]
        await field.fill(",".join(many) + ",")
        await expect(field).to_have_value("topic 17,topic 18")
        await expect(sent).to_have_value("budget, roads, water, " + ", ".join(many[:17]) + ", topic 17,topic 18")
        await expect(shown.get_by_text("No more than 20 tags.")).to_be_in_viewport()
        await field.fill("")
        await field.press("Tab")
        await expect(sent).to_have_value("budget, roads, water, " + ", ".join(many[:17]))
        await expect(shown.get_by_text("No more than 20 tags.")).to_have_count(0)

    async def test_enter_adds_a_tag_and_sends_nothing(self, shown: Page) -> None:
        await shown.get_by_role("textbox", name="Tags").fill("ＷＡＴＥＲ")  # full width
        await shown.keyboard.press("Enter")
        await expect(shown.locator("input[name=tags]")).to_have_value("budget, roads, water")
        assert shown.url.endswith("/gallery")


class TestDialog:
    async def test_it_opens_takes_the_focus_and_gives_it_back_by_keyboard_or_closes_by_its_button(
        self, shown: Page
    ) -> None:
        opener = shown.get_by_role("button", name="Open the dialog")
        await opener.click()
        dialog = shown.get_by_role("dialog", name="Follow Ann")
        await expect(dialog).to_be_visible()
        assert await shown.evaluate("document.querySelector('dialog').contains(document.activeElement)")
        assert await findings(shown) == []
        await shown.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(opener).to_be_focused()
        await opener.click()
        await shown.get_by_role("dialog").get_by_role("button", name="Close").click()
        await expect(shown.get_by_role("dialog")).to_be_hidden()


class TestTheme:
    async def test_a_chosen_one_stays_on_the_next_page_and_the_systems_comes_back(self, shown: Page) -> None:
        await shown.emulate_media(color_scheme="light")
        light = await shown.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        for address, choice, is_light in (("/gallery", "Dark", False), ("/", "As my system", True)):
            await shown.goto(address)
            await shown.locator("[data-theme-switch] summary").click()
            await shown.get_by_role("button", name=choice, exact=True).click()
            await shown.goto("/docs/")
            ground = await shown.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            assert (ground == light) == is_light

    async def test_escape_and_going_on_by_the_keyboard_close_the_menu(self, shown: Page) -> None:
        summary = shown.locator("[data-theme-switch] summary")
        await summary.click()
        await shown.keyboard.press("Escape")
        await expect(shown.get_by_role("button", name="Dark", exact=True)).to_be_hidden()
        await expect(summary).to_be_focused()
        await summary.press("Enter")
        dark = shown.get_by_role("button", name="Dark", exact=True)
        await dark.focus()
        await expect(dark).to_be_visible()
        await dark.press("Tab")
        await expect(dark).to_be_hidden()


class TestTimes:
    async def test_they_are_in_the_readers_zone_and_count_down(self, chromium: Browser, server: Server) -> None:
        context = await chromium.new_context(base_url=server.url, timezone_id="Asia/Tokyo", locale="en-GB")
        page = await context.new_page()
        await show_gallery(page)
        await page.goto("/gallery")
        await expect(page.locator("time[data-time=countdown]")).to_have_text("2 days 4 hours")
        await expect(page.locator("time[data-time=relative]")).to_have_text("3 minutes ago")
        assert "GMT+9" in await page.locator("time[data-time=relative]").get_attribute("title")
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def clocked(chromium: Browser, server: Server) -> AsyncIterator[Page]:
    """Open the gallery's page in a browser of its own, whose clock the test puts forward: no page gets its own back."""
    context = await chromium.new_context(base_url=server.url)
    page = await context.new_page()
    await show_gallery(page)
    await page.clock.install()
    yield page
    await context.close()


async def answer_by(
    page: Page, events: Callable[[Route], Awaitable[None]], part: Callable[[Route], Awaitable[None]]
) -> None:
    """Replace the answers of the gallery's stream of events, and of the part that they refresh."""
    for address, handler in (("**/gallery-events*", events), ("**/gallery-part", part)):
        await page.unroute(address)
        await page.route(address, handler)


async def what_was_missed(route: Route) -> None:
    await route.fulfill(body='<p id="part">What was missed</p>', content_type="text/html")


class TestLive:
    async def test_an_event_refreshes_its_part_and_an_unchanged_answer_leaves_it_alone(self, page: Page) -> None:
        await show_gallery(page)
        versions, asked = iter(["1", "1", "2"]), asyncio.Semaphore(0)

        async def events(route: Route) -> None:
            # The answer ends after one event: the next one comes over a new connection.
            await route.fulfill(body="event: result\ndata:\n\n", content_type="text/event-stream")

        async def part(route: Route) -> None:
            version = next(versions, "2")
            await route.fulfill(
                body=f'<p id="part" data-live-on="result" data-quiet data-version="{version}" hx-get="/gallery-part" '
                f'hx-trigger="live" hx-swap="outerHTML">Version {version}</p>',
                content_type="text/html",
            )
            asked.release()

        await answer_by(page, events, part)
        await page.goto("/gallery")
        await expect(page.locator("#part")).to_have_text("Version 1")
        await page.evaluate("document.getElementById('part').dataset.mark = 'mine'")
        await asyncio.wait_for(asked.acquire(), 20)
        await asyncio.wait_for(asked.acquire(), 20)
        await expect(page.locator("#part[data-mark=mine]")).to_have_text("Version 1")
        await expect(page.locator("#part")).to_have_text("Version 2", timeout=20_000)
        await expect(page.locator("#part[data-mark=mine]")).to_have_count(0)

    async def test_a_lost_connection_is_made_again_and_says_what_the_page_shows_by_then(
        self, tolerant_page: Page
    ) -> None:
        page = tolerant_page
        await show_gallery(page)
        told: list[str] = []

        async def events(route: Route) -> None:
            told.append(urlsplit(route.request.url).query)
            if len(told) < 3:
                await page.evaluate("document.querySelector('[name=seen]').value = 'c&d'")
                await route.fulfill(status=503, body="starting")
            else:
                await route.fulfill(body="event: result\ndata:\n\n", content_type="text/event-stream")

        await answer_by(page, events, what_was_missed)
        await page.goto("/gallery")
        await expect(page.locator("#part")).to_have_text("What was missed", timeout=20_000)
        assert told[:3] == ["seen=a+b&viewer=", "seen=c%26d&viewer=", "seen=c%26d&viewer="]

    async def test_a_connection_that_is_silent_for_too_long_is_made_again(self, clocked: Page) -> None:
        page, witness = clocked, Witness()
        witness.watch(page)
        connections, asked = count(1), asyncio.Event()

        async def events(route: Route) -> None:
            if next(connections) == 1:
                asked.set()  # and never answered
            else:
                await route.fulfill(body="event: result\ndata:\n\n", content_type="text/event-stream")

        await answer_by(page, events, what_was_missed)
        await page.goto("/gallery")
        await asyncio.wait_for(asked.wait(), 20)
        await expect(page.locator("#part")).to_have_text("Nothing yet")
        await page.clock.fast_forward(60_000)
        await expect(page.locator("#part")).to_have_text("What was missed", timeout=20_000)
        assert witness.complaints == []

    async def test_a_server_that_answers_with_errors_is_asked_no_more_often_than_by_polling(
        self, clocked: Page
    ) -> None:
        page = clocked
        connections = asyncio.Semaphore(0)

        async def events(route: Route) -> None:
            connections.release()  # and never answered

        async def part(route: Route) -> None:
            await route.fulfill(status=500, body="a mistake of ours")

        await answer_by(page, events, part)
        await page.goto("/gallery")
        await asyncio.wait_for(connections.acquire(), 20)
        await page.evaluate("document.getElementById('part').dispatchEvent(new CustomEvent('live'))")
        await expect(page.locator("[data-live-state=lost]")).to_have_count(1)
        await page.clock.run_for(4_000)
        await expect(page.locator("[data-live-state=lost]")).to_have_count(1)
        assert connections.locked()
        await page.clock.run_for(8_000)
        await asyncio.wait_for(connections.acquire(), 20)


class TestPrint:
    async def test_paper_gets_the_content_alone(self, shown: Page) -> None:
        await shown.emulate_media(media="print")
        await expect(shown.get_by_role("heading", name="Which roof should we build?")).to_be_visible()
        for selector in ("header.site-header", "footer.site-footer", ".breadcrumb", ".actions"):
            await expect(shown.locator(selector).first).to_be_hidden()
