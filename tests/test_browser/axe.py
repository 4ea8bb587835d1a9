"""Findings of axe-core on a page, in light and dark, on a phone and on a desk."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

AXE = (Path(__file__).resolve().parents[1] / "vendor" / "axe-core" / "axe.min.js").read_text()
WIDTHS = (360, 1280)
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_COLOURS: dict[str, object] = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}


async def findings(page: Page, rules: list[str] | dict[str, object] = _STANDARDS) -> list[str]:
    """Return the violations on the page as it is now, each with its places."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    # No details of what passed: they take longer than the rules.
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    result = await page.evaluate("(options) => axe.run(options)", options)
    return [
        f"{violation['id']}: {', '.join(str(node['target']) for node in violation['nodes'])}"
        for violation in result["violations"]
    ]


async def findings_in_all_looks(page: Page) -> list[str]:
    """Return axe's findings on the page as it is now, and where it is wider than the screen, in every look."""
    found = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        # The schemes differ only in colours. Without motion, no colour is in between for a moment.
        for scheme, rules in (("light", _STANDARDS), ("dark", _COLOURS)):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found += [f"{page.url} {scheme} {width}: {finding}" for finding in await findings(page, rules)]
        if await page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"{page.url} {width}: wider than the screen")
    return found
