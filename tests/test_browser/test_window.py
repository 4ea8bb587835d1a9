"""The page that tests take in turns is as new for each."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser, Page

from tests.test_browser.conftest import Server, Window
from tests.test_browser.crawling import enter

# What a page can tell of those who had it before.
TOLD = """async () => ({
    cookies: document.cookie.replaceAll(/=[^;]*/g, ""),
    local: localStorage.length,
    session: sessionStorage.length,
    databases: (await indexedDB.databases()).length,
    width: innerWidth,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    print: matchMedia("print").matches,
    still: matchMedia("(prefers-reduced-motion: reduce)").matches,
    forced: matchMedia("(forced-colors: active)").matches,
    kept: performance.getEntriesByType("resource").some((one) => one.deliveryType === "cache"),
    mayLocate: (await navigator.permissions.query({ name: "geolocation" })).state,
    visited: history.length,
    online: navigator.onLine,
})"""


async def told(page: Page) -> dict[str, Any]:
    await page.goto("/docs/")
    signed_in = await page.get_by_role("button", name="Sign out").count()
    return {**await page.evaluate(TOLD), "pages": len(page.context.pages), "signed in": signed_in}


async def test_it_knows_nothing_of_the_test_before(chromium: Browser, server: Server) -> None:
    window = Window(chromium, server.url)
    page = await window.lend()
    new = await told(page)

    await enter(page, "Mei")
    await page.goto("/")
    await page.evaluate("""() => {
        localStorage.setItem("a", "1"); sessionStorage.setItem("a", "1"); document.cookie = "a=1";
        return new Promise((done) => { indexedDB.open("a").onsuccess = done; });
    }""")
    await page.context.new_page()
    await page.context.grant_permissions(["geolocation"])
    await page.context.route("**/docs/", lambda route: route.abort())
    await page.route("**/docs/*", lambda route: route.abort())
    await page.set_viewport_size({"width": 400, "height": 300})
    await page.emulate_media(media="print", color_scheme="dark", reduced_motion="reduce", forced_colors="active")
    await page.keyboard.down("Shift")
    await page.mouse.down()
    await page.context.set_offline(True)

    again = await window.lend()
    assert again is page
    assert await told(page) == new
    await page.evaluate("addEventListener('click', (event) => { window.held = event.shiftKey; })")
    await page.get_by_role("main").click(position={"x": 2, "y": 2})
    assert await page.evaluate("held") is False
    await window.close()


async def test_one_that_was_closed_is_opened_anew(chromium: Browser, server: Server) -> None:
    window = Window(chromium, server.url)
    first = await window.lend()
    await first.close()
    second = await window.lend()
    assert (await second.goto("/healthz")).ok
    await window.close()
