"""What axe-core finds on a page, in light and dark, on a phone and on a desk."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

AXE = (Path(__file__).resolve().parents[1] / "vendor" / "axe-core" / "axe.min.js").read_text()
WIDTHS = (360, 1280)
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def findings(page: Page) -> list[str]:
    """The violations on the page as it is now, each with the places where it is."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    # What a rule passed is not told of in detail: that takes longer than the rules.
    options = {"runOnly": _RULES, "resultTypes": ["violations"]}
    result = await page.evaluate("(options) => axe.run(options)", options)
    return [
        f"{violation['id']}: {', '.join(str(node['target']) for node in violation['nodes'])}"
        for violation in result["violations"]
    ]


async def findings_in_all_looks(page: Page, address: str) -> list[str]:
    """What axe finds, and pages wider than the screen, at `address` in every scheme and width."""
    found = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        await page.goto(address)
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            look = f"{address} {scheme} {width}"
            found += [f"{look}: {finding}" for finding in await findings(page)]
            if await page.evaluate("document.documentElement.scrollWidth") > width:
                found.append(f"{look}: wider than the screen")
    return found
