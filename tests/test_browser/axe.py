"""Findings of axe-core on a page, in light and dark, on a phone and on a desk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from playwright.async_api import Page

AXE = (Path(__file__).resolve().parents[1] / "vendor" / "axe-core" / "axe.min.js").read_text()
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_OF_COLOURS = ["color-contrast", "link-in-text-block"]
# What axe is to run, in its own terms.
ALL = {"runOnly": _TAGS}
COLOURS = {"runOnly": {"type": "rule", "values": _OF_COLOURS}}
# By width and scheme. Only colours differ between schemes, and most rules read the same page at both widths: what all
# pages are made of is judged in dark on a desk by its colours and in light on a phone by everything, and the pages in
# one of the schemes on a phone, each second one in dark. With EVERY_LOOK (`make walks`) all are judged in all.
Looks = dict[int, dict[Any, dict[str, Any]]]
LOOKS: Looks = {
    1280: {"dark": COLOURS},
    360: {"light": ALL},
}
PHONE: Looks = {360: {"light": ALL}}
DARK_PHONE: Looks = {360: {"dark": ALL}}
EVERY_LOOK = bool(os.environ.get("EVERY_LOOK"))
if EVERY_LOOK:
    LOOKS = PHONE = DARK_PHONE = {width: {"light": ALL, "dark": COLOURS} for width in LOOKS}


async def findings(page: Page, rules: dict[str, Any] = ALL) -> list[str]:
    """Return the violations on the page as it is now, each with its places."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    # No details of what passed: they take longer than the rules.
    result = await page.evaluate("(options) => axe.run(options)", {**rules, "resultTypes": ["violations"]})
    return [
        f"{violation['id']}: {', '.join(str(node['target']) for node in violation['nodes'])}"
        for violation in result["violations"]
    ]


async def findings_in_looks(page: Page, looks: Looks = LOOKS) -> list[str]:
    """Return what axe finds on the page in each scheme and width, and where it is wider than the screen."""
    found = []
    for width, schemes in looks.items():
        await page.set_viewport_size({"width": width, "height": 800})
        # Nothing moves: else colours would be in between for a moment.
        for scheme, rules in schemes.items():
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found += [f"{page.url} {scheme} {width}: {finding}" for finding in await findings(page, rules)]
        if await page.evaluate("document.documentElement.scrollWidth") > width:
            found.append(f"{page.url} {width}: wider than the screen")
    return found
