"""The picture of who follows whom: its drawing on the canvas, and how people move about in it."""

from __future__ import annotations

import asyncio
import re
from itertools import combinations
from statistics import median
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.test_browser.conftest import Server
from tests.test_browser.crawling import ADDRESSES, enter

# Half the height of a line of text, without the room around it.
HALF_A_LINE = 5
# Records the parts of the latest picture, in the order in which they are drawn.
WATCH = """
    const kept = { circles: [], texts: [] };
    const { clearRect, arc, fillText } = CanvasRenderingContext2D.prototype;
    Object.assign(CanvasRenderingContext2D.prototype, {
      clearRect(...box) {
        kept.circles = [];
        kept.texts = [];
        clearRect.apply(this, box);
      },
      arc(x, y, r, ...angles) {
        kept.circles.push({ x, y, r });
        arc.call(this, x, y, r, ...angles);
      },
      fillText(text, x, y) {
        kept.texts.push({ text, x, y, width: this.measureText(text).width });
        fillText.call(this, text, x, y);
      },
    });
    globalThis.drawn = () => kept;
"""


async def open_network(page: Page, community: str) -> None:
    await enter(page, "Samuel Brandt")
    async with await page.add_init_script(WATCH):
        await page.goto(f"{ADDRESSES[community]}network/")
    await expect(page.locator("[data-network]")).to_have_attribute("data-state", "done", timeout=30_000)


async def drawn(page: Page) -> dict[str, Any]:
    """Return the parts of the picture once it stands still."""
    before: dict[str, Any] = {}
    while (now := await page.evaluate("structuredClone(drawn())")) != before:
        before = now
        await asyncio.sleep(0.3)
    return now


async def picture(page: Page) -> dict[str, Any]:
    """Return the server's description of the picture."""
    return await page.evaluate("fetch(document.querySelector('[data-network]').dataset.source).then((it) => it.json())")


def overlap(text: dict[str, Any], circle: dict[str, Any]) -> bool:
    x = min(max(circle["x"], text["x"]), text["x"] + text["width"])
    y = min(max(circle["y"], text["y"] - HALF_A_LINE), text["y"] + HALF_A_LINE)
    return (x - circle["x"]) ** 2 + (y - circle["y"]) ** 2 < circle["r"] ** 2


def collide(one: dict[str, Any], other: dict[str, Any]) -> bool:
    beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
    return not beside and abs(one["y"] - other["y"]) < 2 * HALF_A_LINE


async def keeps_names_apart(page: Page) -> None:
    """See that no name lies over a circle or another name, from afar and nearer."""
    for _ in range(3):
        shown = await drawn(page)
        assert len(shown["texts"]) > 8
        assert [(t["text"], c) for t in shown["texts"] for c in shown["circles"] if overlap(t, c)] == []
        assert [(a["text"], b["text"]) for a, b in combinations(shown["texts"], 2) if collide(a, b)] == []
        await page.get_by_role("button", name="Zoom in").click()


async def test_in_a_large_community_hubs_are_named_first_and_no_name_lies_over_anything(page: Page) -> None:
    await open_network(page, "Riverside Assembly")
    said, shown = await picture(page), await drawn(page)
    assert len(shown["circles"]) == len(said["members"]) == 2_002
    followers = [0] * len(said["members"])
    for _, followee, _ in said["followings"]:
        followers[followee] += 1
    hubs = sorted(range(len(followers)), key=lambda i: -followers[i])
    # The names of the largest come first, and hardly one of them is left out.
    first = [text["text"] for text in shown["texts"][:10]]
    assert len({said["members"][i][2] for i in hubs[:12]} & set(first)) >= 9
    radii = [circle["r"] for circle in shown["circles"]]
    assert max(radii) > 3 * median(radii) > 3
    # More followers make a larger circle.
    in_order = [radii[i] for i in hubs]
    assert in_order == sorted(in_order, reverse=True)
    await keeps_names_apart(page)


async def test_around_the_chosen_all_have_their_names_and_no_name_lies_over_anything(page: Page) -> None:
    await open_network(page, "Springfield")
    await keeps_names_apart(page)
    # The next press of a key is for the whole picture again.
    await page.locator("canvas").press("0")
    await page.get_by_label("Find somebody").fill("Amara Okafor")
    await page.keyboard.press("Tab")
    await page.get_by_label("Show").select_option("Neighbours of the chosen")
    await expect(page.locator(".network-card")).to_contain_text("Amara Okafor")
    said, shown = await picture(page), await drawn(page)
    names = [member[2] for member in said["members"]]
    chosen = names.index("Amara Okafor")
    near = {i for following in said["followings"] if chosen in following[:2] for i in following[:2]}
    assert len(shown["circles"]) == len(near)
    assert {names[i] for i in near} <= {text["text"] for text in shown["texts"]}


async def test_the_picture_is_moved_and_zoomed_by_mouse_and_keys(page: Page) -> None:
    await open_network(page, "Springfield")
    canvas, whole = page.locator("canvas"), await drawn(page)
    hub = max(whole["circles"], key=lambda circle: circle["r"])
    await canvas.click(position={"x": hub["x"], "y": hub["y"]})
    await expect(page.locator(".network-card")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".network-card")).to_be_hidden()

    await page.mouse.wheel(0, -300)
    near = await drawn(page)
    assert max(circle["r"] for circle in near["circles"]) > 1.2 * hub["r"]
    await page.keyboard.press("-")
    await page.keyboard.press("ArrowLeft")
    assert await drawn(page) != near
    await page.keyboard.press("0")
    assert await drawn(page) == whole

    box = await canvas.bounding_box()
    await page.mouse.move(box["x"] + 20, box["y"] + 20)
    await page.mouse.down()
    await page.mouse.move(box["x"] + 90, box["y"] + 60, steps=4)
    await page.mouse.up()
    moved = await drawn(page)
    assert moved["circles"][0]["x"] == pytest.approx(whole["circles"][0]["x"] + 70)
    assert moved["circles"][0]["y"] == pytest.approx(whole["circles"][0]["y"] + 40)
    # The press moved the picture, and chose nobody.
    await expect(page.locator(".network-card")).to_be_hidden()


async def test_two_fingers_zoom_and_one_chooses(chromium: Browser, server: Server) -> None:
    context = await chromium.new_context(
        base_url=server.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = await context.new_page()
    await open_network(page, "Springfield")
    await page.locator("canvas").scroll_into_view_if_needed()
    box, whole = await page.locator("canvas").bounding_box(), await drawn(page)
    hub = max(whole["circles"], key=lambda circle: circle["r"])
    await page.touchscreen.tap(box["x"] + hub["x"], box["y"] + hub["y"])
    await expect(page.locator(".network-card")).to_be_visible()

    fingers = await context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    async def touch(kind: str, apart: float | None) -> None:
        points = [] if apart is None else [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        await fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    await touch("touchStart", 30)
    for apart in (40, 50, 60):
        await touch("touchMove", apart)
    await touch("touchEnd", None)
    now = await drawn(page)
    assert max(circle["r"] for circle in now["circles"]) == pytest.approx(2 * hub["r"], rel=0.1)
    await context.close()


async def test_a_picture_that_cannot_be_laid_out_is_said_to_be_in_the_list(tolerant_page: Page) -> None:
    await tolerant_page.route(re.compile(r"/worker\.\w+\.js$"), lambda route: route.abort())
    await enter(tolerant_page, "Samuel Brandt")
    await tolerant_page.goto(f"{ADDRESSES['Springfield']}network/")
    await expect(tolerant_page.locator(".network-note")).to_have_text(
        "The picture could not be drawn. The list below has the same."
    )
