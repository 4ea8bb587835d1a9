"""Communities, following and the network in a browser: with the mouse, without scripts, and by axe."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Page, expect

from tests.test_browser.axe import DARK_PHONE, EVERY_LOOK, PHONE, findings, findings_in_looks
from tests.test_browser.conftest import Server
from tests.test_browser.crawling import ADDRESSES, enter


async def open_springfield(page: Page, tab: str = "") -> None:
    await page.goto(f"{ADDRESSES['Springfield']}{tab}")


async def turn_to(page: Page, tab: str) -> None:
    await page.get_by_role("link", name=tab, exact=True).click()
    await expect(page.get_by_role("link", name=tab, exact=True)).to_have_attribute("aria-current", "page")


@pytest.mark.skipif(not EVERY_LOOK, reason="a manager's pages are judged; `make walks` judges a member's, too")
async def test_axe_finds_nothing_on_the_pages_of_a_community(page: Page) -> None:
    await enter(page, "Amara")
    await page.goto("/communities/?q=springfield")
    await page.get_by_role("link", name="Springfield").first.click()
    await turn_to(page, "Decisions")
    found = await findings_in_looks(page, PHONE)
    for tab in ("Members", "Who follows whom", "History"):
        await page.set_viewport_size({"width": 1280, "height": 800})
        await turn_to(page, tab)
        found += await findings_in_looks(page, PHONE)
    assert found == []


async def test_axe_finds_nothing_in_the_dialog_and_before_what_cannot_be_undone(page: Page) -> None:
    await enter(page, "Mei Tanaka")
    await open_springfield(page, "members/")
    await page.get_by_role("link", name=re.compile("^Follow ")).first.click()
    await expect(page.get_by_role("dialog").get_by_text("What this would change")).to_be_visible()
    found = await findings(page)
    await open_springfield(page)
    await page.get_by_role("link", name="Become anonymous").click()
    await page.get_by_role("button", name="Become anonymous").click()
    await expect(page.get_by_role("alert")).to_contain_text("1 member follows you")
    assert found + await findings(page) == []


async def test_axe_finds_nothing_where_somebody_applies_and_is_refused(tolerant_page: Page) -> None:
    page = tolerant_page
    await enter(page, "Theo Lindqvist")
    await page.goto("/communities/?q=maple")
    await page.get_by_role("link", name="Maple Court").click()
    address = page.url
    found = await findings_in_looks(page, PHONE)
    await page.get_by_label("Message to the managers").fill("I live in number 12.")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_role("heading", name="You applied")).to_be_visible()
    found += await findings_in_looks(page, DARK_PHONE)
    await page.get_by_role("button", name="Withdraw the application").click()
    await expect(page.get_by_role("button", name="Apply")).to_be_visible()
    await page.goto(f"{address}manage/")
    found += await findings_in_looks(page, DARK_PHONE)
    assert found == []


async def test_a_communitys_open_page_shows_who_joined_and_leaves_the_reader_where_they_are(
    page: Page, chromium: Browser, server: Server
) -> None:
    await enter(page, "Mei Tanaka")
    await page.goto("/communities/create/")
    await page.get_by_label("Name").fill("Chess club")
    await page.get_by_text("Everybody who asks is in at once").click()
    await page.get_by_role("button", name="Start it").click()
    await expect(page.get_by_text("1 member", exact=True)).to_be_visible()
    await page.get_by_role("link", name="Leave this community").focus()
    await page.evaluate("document.getElementById('you').dataset.mark = 'mine'")
    context = await chromium.new_context(base_url=server.url)
    newcomer = await context.new_page()
    await enter(newcomer, "Theo Lindqvist")
    await newcomer.goto(page.url)
    await newcomer.get_by_role("button", name="Join").click()
    await expect(newcomer.locator("#messages")).to_contain_text("Welcome to Chess club!")
    await context.close()
    await expect(page.get_by_text("2 members", exact=True)).to_be_visible()
    await expect(page.locator("#you[data-mark=mine]")).to_be_visible()
    await expect(page.get_by_role("link", name="Leave this community")).to_be_focused()


async def test_the_dialog_says_what_following_would_change_and_returns_to_the_list(page: Page) -> None:
    await enter(page, "Amara")
    await open_springfield(page, "members/")
    over = page.url
    follow = page.get_by_role("link", name=re.compile("^Follow "))

    # It closes by the keyboard and gives the focus back.
    await follow.last.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(follow.last).to_be_focused()

    name = (await follow.first.inner_text()).replace("Follow", "").strip()
    await follow.first.click()
    dialog = page.get_by_role("dialog", name=f"Follow {name}")
    await expect(dialog.get_by_text(re.compile("What this would change|No decision is open"))).to_be_visible()
    await dialog.get_by_role("button", name="Follow", exact=True).click()
    await expect(page.locator("#messages")).to_contain_text("Following updated!")
    assert page.url == over
    await expect(page.get_by_role("link", name=f"Following {name}")).to_be_visible()


async def test_the_dialog_fits_on_a_phone(page: Page) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await enter(page, "Theo Lindqvist")
    await open_springfield(page, "members/")
    await page.get_by_role("link", name="Follow Abena Mensah").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("Your ballot would change").first).to_be_visible()
    assert await dialog.evaluate("dialog => dialog.scrollWidth - dialog.clientWidth") == 0


async def test_without_scripts_following_works_and_the_network_is_a_list(chromium: Browser, server: Server) -> None:
    context = await chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = await context.new_page()
    await enter(page, "Amara")
    await page.goto("/communities/?q=springfield")
    await page.get_by_role("link", name="Springfield").first.click()
    await turn_to(page, "Members")
    await page.get_by_role("link", name=re.compile("^Follow ")).last.click()
    await page.get_by_label("Topics").fill("parks")
    await page.get_by_role("button", name="See what changes first").click()
    await expect(page.get_by_label("Topics")).to_have_value("parks")
    await page.get_by_role("button", name="Follow", exact=True).click()
    await expect(page.locator("#messages")).to_contain_text("Following updated!")
    await open_springfield(page)
    await turn_to(page, "Who follows whom")
    await expect(page.locator("canvas")).to_be_hidden()
    await expect(page.get_by_role("table").get_by_role("row").nth(1)).to_be_visible()
    await context.close()


async def test_the_network_is_drawn_and_says_who_the_chosen_one_is_or_that_nobody_is_called_so(page: Page) -> None:
    await enter(page, "Amara")
    await open_springfield(page, "network/")
    await expect(page.locator("[data-network]")).to_have_attribute("data-state", "done", timeout=30_000)
    drawn = await page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas");
          const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
          return pixels.some((value) => value > 0);
        }"""
    )
    assert drawn
    followed = page.get_by_role("table").get_by_role("row").nth(1).get_by_role("link").nth(1)
    name = await followed.inner_text()
    await page.get_by_label("Find somebody").fill(name)
    await page.keyboard.press("Tab")
    card = page.locator(".network-card")
    await expect(card.get_by_role("link", name=name)).to_be_visible()
    await expect(card).to_contain_text(re.compile(r"Followed by [1-9]"))
    await page.get_by_role("button", name="Close").click()
    await expect(card).to_be_hidden()

    note = page.locator(".network-note")
    await expect(note).to_be_hidden()
    await page.get_by_label("Find somebody").fill("Nobody at all")
    await page.keyboard.press("Tab")
    await expect(note).to_have_text("Nobody here has this name or @name.")
    await page.get_by_label("Find somebody").fill("")
    await page.keyboard.press("Tab")
    await expect(note).to_be_hidden()


async def follow_many(page: Page) -> None:
    """Follow thirteen members of Riverside: one more than a page of followings shows."""
    await page.goto(f"{ADDRESSES['Riverside Assembly']}members/")
    follows = page.get_by_role("link", name=re.compile("^Follow "))
    addresses = [await link.get_attribute("href") for link in (await follows.all())[:13]]
    await page.goto(str(addresses[0]))
    token = await page.locator("main input[name=csrfmiddlewaretoken]").first.input_value()
    for address in addresses:
        form = {"csrfmiddlewaretoken": token, "tags": ""}
        answer = await page.request.post(str(address), form=form, headers={"Referer": page.url}, max_redirects=0)
        assert answer.status == 302
    # The messages that answer them would lie over what is looked at.
    await page.request.get("/profile/")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_following_is_moved_over_the_edge_of_a_page_and_back(
    chromium: Browser, server: Server, scripts: bool
) -> None:
    context = await chromium.new_context(base_url=server.url, java_script_enabled=scripts)
    page = await context.new_page()
    await enter(page, "Theo Lindqvist")
    await follow_many(page)
    await page.goto("/following/")
    await page.get_by_label("Community").select_option("Riverside Assembly")
    if not scripts:
        await page.get_by_role("button", name="Show").click()
    mine = page.get_by_role("region", name="You follow")
    rows = mine.get_by_role("list").first.locator("> li")
    await expect(rows).to_have_count(12)
    await expect(mine.get_by_role("heading", level=3)).to_have_count(0)
    last = rows.last
    name = await last.get_by_role("link").first.inner_text()
    await last.get_by_role("button", name=f"Move {name} down").press("Enter")
    await expect(page).to_have_url(re.compile("following=2"))
    await expect(rows.first).to_contain_text(name)
    if scripts:
        # The keyboard goes on from there.
        await expect(page.get_by_role("button", name=f"Move {name} down")).to_be_focused()
    await page.get_by_role("button", name=f"Move {name} up").press("Enter")
    await expect(page).to_have_url(re.compile("following=1"))
    await expect(rows.last).to_contain_text(name)
    await mine.get_by_role("link", name="Next").click()
    await expect(page).to_have_url(re.compile("following=2"))
    await mine.get_by_role("button", name="Unfollow").last.click()
    await expect(page.locator("#messages")).to_contain_text("Following updated!")
    await expect(page).to_have_url(re.compile("following=2"))
    await context.close()


async def test_another_page_of_a_list_is_read_from_its_top(page: Page) -> None:
    await enter(page, "Amara")
    await open_springfield(page, "members/")
    await page.get_by_role("link", name="Next").press("Enter")
    await expect(page.get_by_text("26 to")).to_be_visible()
    members = page.locator("#member-list")
    await expect(members).to_be_focused()
    await expect(members).to_be_in_viewport()
    await page.keyboard.press("Tab")
    await expect(members.get_by_role("link").first).to_be_focused()


async def test_a_message_that_is_put_away_leaves_the_keyboard_at_the_content(page: Page) -> None:
    await enter(page, "Amara")
    await page.goto("/profile/")
    await page.get_by_role("button", name="Save").click()
    message = page.locator("#messages").get_by_text("Your profile was saved.")
    await expect(message).to_be_visible()
    await page.get_by_role("button", name="Dismiss").press("Enter")
    await expect(message).to_be_hidden()
    await expect(page.locator("#content")).to_be_focused()
