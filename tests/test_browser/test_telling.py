"""A result in a page of another site."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.test_browser.conftest import Server
from tests.test_browser.elsewhere import another_site


async def test_a_result_can_be_embedded_in_a_page_of_another_site_and_the_rest_of_this_site_cannot(
    tolerant_page: Page, server: Server
) -> None:
    await tolerant_page.goto("/communities/")
    await tolerant_page.get_by_role("link", name="Springfield").first.click()
    question = tolerant_page.locator("#open").get_by_role("link").first
    title, decision = await question.inner_text(), f"{server.url}{await question.get_attribute('href')}"
    frames = "".join(
        f'<iframe src="{decision}{part}" width="360" height="600"></iframe>' for part in ("embed/", "results/")
    )
    with another_site(lambda _: f"<!doctype html><title>Elsewhere</title>{frames}") as address:
        await tolerant_page.goto(address)
        embed, results = tolerant_page.frame_locator("iframe").nth(0), tolerant_page.frame_locator("iframe").nth(1)
        await expect(embed.get_by_role("heading", level=1)).to_have_text(title)
        await expect(embed.get_by_text("Ahead right now:")).to_be_visible()
        await expect(results.get_by_role("heading", name=title)).to_have_count(0)
        is_too_wide = await embed.locator("html").evaluate("(page) => page.scrollWidth > page.clientWidth")
        assert not is_too_wide
