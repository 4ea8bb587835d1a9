"""Nothing typed is lost and nothing happens unseen: ended sessions, refusals, keyboard, offline, many windows."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Browser, Page, Route, expect

from tests.test_browser.conftest import Server
from tests.test_browser.crawling import ADDRESSES, enter
from tests.test_browser.test_decisions import RECORDED, SURPLUS, draft, open_decision

PLAYGROUND = "A new playground at Mill Pond"
SIGNED_OUT = "You are signed out. Nothing was saved; what you typed stays here."
OUTSIDE = """
    () => [...document.querySelectorAll(".card, main")].flatMap((card) => {
      const edge = card.getBoundingClientRect().right + 1.5;
      return [...card.querySelectorAll("a, b, button, span, li, dd, label, td, th, p")]
        .filter((one) => !one.closest(".visually-hidden, .table-scroll, .tabs, .tree, [hidden]"))
        .filter((one) => one.getBoundingClientRect().right > edge)
        .map((one) => `${one.textContent.trim()} in ${card.id || card.className}`);
    })
"""


async def star(page: Page, choice: int, stars: int) -> None:
    await page.locator("#vote .rating").nth(choice).locator("label").nth(stars).click()


async def sign_out_elsewhere(page: Page) -> None:
    await page.context.clear_cookies(name="sessionid")


async def test_a_session_that_ends_takes_no_star_and_no_word_from_a_ballot(tolerant_page: Page) -> None:
    page = tolerant_page
    await enter(page, "Theo")
    await open_decision(page, PLAYGROUND)
    address = page.url
    await star(page, 0, 4)
    # The topics of the question stand there, and what stands there is not folded.
    await page.locator("#tags").fill("roads,")
    await page.get_by_label("Comment").fill("I thought about it all day.")
    await sign_out_elsewhere(page)

    # A part that refreshes itself says it once, and swaps nothing in.
    await page.evaluate("document.getElementById('decision-status').dispatchEvent(new CustomEvent('live'))")
    await expect(page.locator("#signed-out")).to_contain_text(SIGNED_OUT)
    await expect(page.locator("#decision-panel")).to_have_count(1)
    await page.get_by_role("button", name=re.compile("Cast my ballot|Save changes")).click()
    link = page.locator("#signed-out").get_by_role("link", name="Sign in")
    await expect(link).to_be_focused()
    await expect(page.get_by_label("Comment")).to_have_value("I thought about it all day.")
    wanted = parse_qs(urlsplit(str(await link.get_attribute("href"))).query)["next"][0]
    assert wanted == f"{urlsplit(address).path}?unsaved="

    # The mailed link opens another window. The typed text is there too, and can be sent from either.
    other = await page.context.new_page()
    await enter(other, "Theo")
    await other.goto(wanted)
    await expect(other.locator("#messages")).to_contain_text("What you typed before you signed in is back.")
    first = other.locator("#vote .rating").first
    await expect(first.get_by_role("radio", name="4 stars")).to_be_checked()
    await expect(other.get_by_label("Comment")).to_have_value("I thought about it all day.")
    await expect(other.locator("#vote input[type=hidden][name=tags]")).to_have_value("parks, schools, roads")
    assert other.url == address
    await page.get_by_role("button", name=re.compile("Cast my ballot|Save changes")).click()
    await expect(page.locator("#own-ballot")).to_contain_text("I thought about it all day.")
    await expect(page.locator("#signed-out")).to_have_count(0)
    await other.reload()
    await expect(other.locator("#unsaved")).to_have_count(0)


async def test_a_form_that_leaves_the_page_comes_back_with_all_its_rows_for_the_same_person_only(
    tolerant_page: Page,
) -> None:
    page = tolerant_page
    await enter(page, "Rosa")
    await draft(page)
    await page.get_by_label("Question").fill("Which bench?")
    await page.get_by_role("button", name="Add a choice").click()
    await expect(page.get_by_label("Choice 3", exact=True)).to_be_focused()
    for number, title in enumerate(("Oak", "Steel", "Stone"), start=1):
        await page.get_by_label(f"Choice {number}", exact=True).fill(title)
    await page.get_by_label("Voting closes").fill("2099-01-02T09:00")
    await sign_out_elsewhere(page)
    await page.get_by_role("button", name="Save and preview").click()
    await expect(page.get_by_role("alert")).to_contain_text("was not saved yet")
    wanted = parse_qs(urlsplit(page.url).query)["next"][0]
    kept = await page.evaluate("localStorage.getItem('crowdvote.unsaved')")

    await enter(page, "Rosa")
    await page.goto(wanted)
    await expect(page.get_by_label("Choice 3", exact=True)).to_have_value("Stone")
    await expect(page.get_by_label("Choice 1", exact=True)).to_have_value("Oak")
    await expect(page.get_by_label("Question")).to_have_value("Which bench?")
    await expect(page.get_by_label("Voting closes")).to_have_value("2099-01-02T09:00")
    assert await page.evaluate("localStorage.getItem('crowdvote.unsaved')") is None

    # Somebody else at the same computer sees nothing of it.
    await page.evaluate("kept => localStorage.setItem('crowdvote.unsaved', kept)", kept)
    await enter(page, "Mei")
    await page.goto("/communities/create/?unsaved=")
    await expect(page.locator("#unsaved")).to_contain_text("was not saved")
    assert await page.evaluate("localStorage.getItem('crowdvote.unsaved')") is None


async def test_by_keyboard_a_star_keeps_the_focus_and_a_refusal_has_it(tolerant_page: Page) -> None:
    page = tolerant_page
    await page.set_viewport_size({"width": 360, "height": 640})
    await enter(page, "Gideon")
    await open_decision(page, PLAYGROUND)
    cast = page.get_by_role("button", name=re.compile("Cast my ballot|Save changes"))
    await cast.focus()
    await page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("Rate at least one choice, or abstain.")
    await expect(alert).to_be_focused()
    await expect(alert).to_be_in_viewport()
    await star(page, 1, 3)
    three = page.locator("#vote .rating").nth(1).get_by_role("radio", name="3 stars")
    await three.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#messages")).to_contain_text(RECORDED)
    await expect(three).to_be_focused()

    # One press removes the stars, the next restores them.
    abstain = page.get_by_role("button", name="Abstain instead")
    boxes = [await button.bounding_box() for button in (cast, abstain)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[1]["y"] - boxes[0]["y"] - boxes[0]["height"] > 48
    await abstain.click()
    await expect(page.locator("#messages")).to_contain_text("You abstained.")
    await expect(three).to_be_checked()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("#own-ballot .badge")).to_have_text("You voted")
    five = page.locator("#vote .rating").nth(0).get_by_role("radio", name="5 stars")
    await star(page, 0, 5)
    await page.get_by_role("button", name="Withdraw my ballot").click()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("#own-ballot .badge")).to_have_text("You voted")
    await expect(five).to_be_checked()
    await page.get_by_role("button", name="Withdraw my ballot").click()
    await expect(page.locator("#own-ballot .badge")).not_to_have_text("You voted")


async def test_what_is_being_written_outlasts_what_refreshes_itself(page: Page) -> None:
    await enter(page, "Mei")
    await open_decision(page, SURPLUS)
    await star(page, 1, 2)
    await page.get_by_label("Comment").fill("Half a sent")
    # As if voting had closed; here it goes on.
    await page.evaluate("document.body.dispatchEvent(new CustomEvent('phase'))")
    await expect(page.locator("#vote form")).to_have_attribute("data-typed", "")
    await expect(page.get_by_label("Comment")).to_have_value("Half a sent")
    await expect(page.locator("#vote .rating").nth(1).get_by_role("radio", name="2 stars")).to_be_checked()


async def test_what_is_typed_in_a_part_of_a_page_stands_in_the_one_that_comes_in_its_place(page: Page) -> None:
    async def changed(route: Route) -> None:
        # Without what the page shows, or the answer is that nothing is new.
        answer = await route.fetch(url=re.sub(r"seen=[^&]*", "seen=", route.request.url))
        await route.fulfill(
            response=answer, body=(await answer.text()).replace("Everybody who applies", "Whoever applies")
        )

    await enter(page, "Samuel")
    await page.goto(ADDRESSES["Riverside Assembly"])
    message = page.locator("#join textarea")
    await message.fill("I live next door.")
    await page.route(re.compile(r"/communities/\d+/(\?.*)?$"), changed)
    await page.evaluate("document.getElementById('community-now').dispatchEvent(new CustomEvent('live'))")
    await expect(page.locator("#join")).to_contain_text("Whoever applies becomes a member at once.")
    await expect(message).to_have_value("I live next door.")
    await expect(message).to_be_focused()


async def test_going_back_to_a_search_finds_its_words_in_the_field(page: Page) -> None:
    await enter(page, "Mei")
    await page.goto(f"{ADDRESSES['Springfield']}members/")
    field = page.get_by_role("searchbox")
    for text, found in (("amara", "Amara Okafor"), ("hana", "Hana Sato")):
        await field.fill(text)
        await expect(page.locator("#member-list")).to_contain_text(found)
        await expect(page).to_have_url(re.compile(f"q={text}"))
    await page.get_by_role("link", name="Hana Sato", exact=True).click()
    await expect(page.get_by_role("heading", name="Hana Sato")).to_be_visible()
    for text, found in (("hana", "Hana Sato"), ("amara", "Amara Okafor"), ("", "Nadia Benali")):
        await page.go_back()
        await expect(field).to_have_value(text)
        await expect(page.locator("#member-list")).to_contain_text(found)


async def test_a_page_that_is_offline_says_so_at_its_live_parts(tolerant_page: Page) -> None:
    await open_decision(tolerant_page, SURPLUS)
    await tolerant_page.context.set_offline(True)
    sign = tolerant_page.locator(".cut-off + #decision-status")
    await expect(sign).to_have_count(1)
    await tolerant_page.context.set_offline(False)
    await expect(sign).to_have_count(0)


async def test_more_windows_than_a_browser_has_connections_all_work(chromium: Browser, server: Server) -> None:
    context = await chromium.new_context(base_url=server.url)
    pages = [await context.new_page() for _ in range(8)]
    await open_decision(pages[0], SURPLUS)
    states = []
    for page in pages:
        await page.goto(pages[0].url)
        place = page.locator("[data-live-source]")
        await expect(place).to_have_attribute("data-live-state", re.compile("open|polling"))
        states.append(await place.get_attribute("data-live-state"))
    assert states == ["open"] * 4 + ["polling"] * 4
    # A window that closes gives its place to one that waits.
    await pages[0].close()
    await expect(pages[4].locator("[data-live-source]")).to_have_attribute("data-live-state", "open", timeout=20_000)
    await context.close()


async def test_in_forced_colours_what_is_chosen_differs_from_what_is_not(chromium: Browser, server: Server) -> None:
    context = await chromium.new_context(base_url=server.url, forced_colors="active")
    page = await context.new_page()
    await enter(page, "Mei")
    await open_decision(page, SURPLUS)
    await star(page, 0, 0)
    colours = """
        ([selector, name]) => [...document.querySelectorAll(selector)].map((one) => getComputedStyle(one)[name])
    """
    for selector, name in ((".tabs a", "borderBottomColor"), ("#vote .zero > span", "backgroundColor")):
        chosen, *others = await page.evaluate(colours, [selector, name])
        assert (chosen not in others, len(set(others))) == (True, 1)
    (cast,) = await page.evaluate(colours, ["#vote-cast", "backgroundColor"])
    assert cast not in await page.evaluate(colours, ["#vote-cast", "color"])
    await context.close()


async def test_with_letters_twice_as_large_nothing_leaves_its_card_on_a_phone(
    chromium: Browser, server: Server
) -> None:
    context = await chromium.new_context(base_url=server.url, viewport={"width": 360, "height": 780})
    await context.add_init_script(
        "document.addEventListener('DOMContentLoaded', () => { document.documentElement.style.fontSize = '200%'; })"
    )
    page = await context.new_page()
    await enter(page, "Theo")
    await open_decision(page, SURPLUS)
    for tab in ("", "results/", "ballots/", "history/"):
        if tab:
            await page.goto(re.sub(r"(decisions/\d+/).*", r"\1", page.url) + tab)
        await page.wait_for_load_state("networkidle") if not tab else None
        assert await page.evaluate(OUTSIDE) == []
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
    community, _, decision = page.url.removesuffix("/history/").partition("decisions/")
    await page.goto(f"{community}members/")
    await page.goto(str(await page.locator("#member-list a[href$='/follow/']").first.get_attribute("href")))
    await expect(page.locator("#follow-preview h2")).to_be_visible()
    assert await page.evaluate(OUTSIDE) == []
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    # Times and seeds are long words, and still nobody has to scroll sideways.
    await page.goto(f"{community}ledger/?kind=decision&decision={decision}")
    await page.locator("#ledger a.count").first.click()
    table = page.get_by_role("region", name="Table: before and after")
    await expect(table).to_be_visible()
    # The letters grow when the page has loaded.
    await page.wait_for_load_state("load")
    await page.evaluate("document.documentElement.style.fontSize = ''")
    assert await table.evaluate("table => table.scrollWidth <= table.clientWidth")
    await context.close()
