"""The start page and the frame around every page, in a browser."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.test_browser.axe import DARK_PHONE, EVERY_LOOK, PHONE, findings_in_looks
from tests.test_browser.conftest import Server
from tests.test_browser.crawling import enter


async def test_a_visitor_enters_the_demo_with_one_click_and_leaves_it_again(page: Page) -> None:
    await page.goto("/")
    await expect(page).to_have_title("CrowdVote: decide together")
    person = page.get_by_role("region", name="Try the demo").get_by_role("button").first
    name = await person.locator("strong").inner_text()
    await person.click()
    await page.goto("/")
    navigation = page.get_by_role("navigation", name="Main")
    await navigation.get_by_text(f"Your account: {name}").click()
    await navigation.get_by_role("button", name="Sign out").click()
    await expect(navigation.get_by_role("link", name="Sign in")).to_be_visible()


async def test_without_scripts_the_demo_can_be_entered_too(chromium: Browser, server: Server) -> None:
    context = await chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_role("region", name="Try the demo").get_by_role("button", name="Theo Lindqvist").click()
    await page.goto("/")
    await page.get_by_role("navigation", name="Main").locator("summary").last.click()
    await expect(page.get_by_role("navigation", name="Main")).to_contain_text("Theo Lindqvist")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    await context.close()


async def test_the_keyboard_reaches_the_content_first(page: Page) -> None:
    await page.goto("/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


VISITED = ["/", "/sign-in/", "/sign-in/sent/", "/sign-in/no-such-link/", "/invitation/no-such/", "/nothing/here/"]
# What somebody signed in sees there, too, is judged once.
if EVERY_LOOK:
    VISITED.append("/docs/")


@pytest.mark.parametrize("address", VISITED)
async def test_axe_finds_nothing_on_what_visitors_see(tolerant_page: Page, address: str) -> None:
    await tolerant_page.goto(address)
    assert await findings_in_looks(tolerant_page, PHONE) == []


async def test_axe_finds_nothing_where_newcomers_say_who_they_are(page: Page) -> None:
    await enter(page, "Amara")
    await page.goto("/welcome/")
    assert await findings_in_looks(page, DARK_PHONE) == []


async def test_newcomers_see_while_typing_whether_a_handle_is_free(page: Page) -> None:
    # Other tests look for people by their names, but not for hers.
    await enter(page, "Inês")
    await page.goto("/welcome/")
    handle = page.get_by_role("textbox", name="Handle")
    await handle.fill("somebody_new")
    await expect(page.get_by_text("somebody_new can be yours.")).to_be_visible()
    await handle.fill("x y")
    await page.get_by_role("button", name="x_y").click()
    await expect(handle).to_have_value("x_y")
    await expect(page.get_by_text("x_y can be yours.")).to_be_visible()
    await page.get_by_role("textbox", name="Name").fill("Inês the First")
    await page.get_by_role("button", name="That's me").click()
    await expect(page.get_by_text("Welcome, Inês the First!")).to_be_visible()


async def test_a_phone_needs_no_sideways_scrolling(page: Page) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto("/")
    assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_the_frame_is_readable_in_light_and_dark(page: Page) -> None:
    """Text has a contrast of at least 4.5 with its background, by the formula of WCAG 2.2."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        await page.goto("/")
        contrasts = await page.evaluate(CONTRASTS)
        assert contrasts
        assert {text: ratio for text, ratio in contrasts.items() if ratio < 4.5} == {}, scheme


CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = channels(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
  };
  const found = {};
  for (const element of document.querySelectorAll("p, a, button, h1, h2, span, strong")) {
    const colours = [channels(getComputedStyle(element).color), ground(element)];
    const [light, dark] = colours.map(luminance).sort((a, b) => b - a);
    found[element.tagName + " " + element.textContent.trim().slice(0, 20)] = (light + 0.05) / (dark + 0.05);
  }
  return found;
}"""
