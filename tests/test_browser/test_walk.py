"""The walks of three people from an empty community to a final result, in every look and without scripts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Page, expect

from tests.test_browser.axe import EVERY_LOOK, findings
from tests.test_browser.conftest import Server, Witness
from tests.test_browser.crawling import enter

# A result of others' doings is there within two seconds; a busy machine may take this long.
SOON = 20_000
# Between one loading of a page without scripts and the next: half a minute in all.
PAUSES = (0.25, 0.5, 1, *[2] * 14)
_numbers = count(1)


@dataclass(frozen=True)
class Look:
    scheme: str = "light"
    width: int = 1280
    scripts: bool = True

    def __str__(self) -> str:
        return f"{self.scheme} {self.width}{'' if self.scripts else ' without scripts'}"


# One walk is taken in dark on a phone, the other in light on a desk, and both without scripts. With EVERY_LOOK (`make
# walks`) each is taken in every combination.
LOOKS = [Look("dark", 360), Look(scripts=False)]
OTHER_LOOKS = [Look("light", 1280), Look(scripts=False)]
if EVERY_LOOK:
    LOOKS = OTHER_LOOKS = [Look("light", 360), Look("dark", 1280), LOOKS[0], *OTHER_LOOKS]


@dataclass
class Person:
    """Somebody before a page of their own, which axe looks at wherever they go."""

    page: Page
    look: Look
    found: list[str] = field(default_factory=list)

    async def go(self, address: str, *, again: bool = False) -> None:
        try:
            await self.page.goto(address)
        except Error as error:
            # The open page was just loading itself anew.
            if "ERR_ABORTED" not in str(error):
                raise
            await self.page.goto(address)
        await self.look_around(again=again)

    async def press(self, name: str | re.Pattern[str], *, within: str = "main") -> None:
        await self.page.locator(within).get_by_role("button", name=name).click()
        await self.page.wait_for_load_state()

    async def look_around(self, *, again: bool = False) -> None:
        """Have axe look at the page; if it sees such a page elsewhere, too, `again` with EVERY_LOOK only."""
        if self.look.scripts and (EVERY_LOOK or not again):
            self.found += [f"{self.page.url}: {finding}" for finding in await findings(self.page)]
            width = await self.page.evaluate("document.documentElement.scrollWidth")
            if width > self.look.width:
                self.found.append(f"{self.page.url}: {width} wide")

    async def sees(self, text: str | re.Pattern[str], *, within: str = "body") -> None:
        """Wait to see this on the open page; without scripts, after loading the page again."""
        place = self.page.locator(within)
        if self.look.scripts:
            await expect(place).to_contain_text(text, timeout=SOON)
            return
        for pause in PAUSES:
            if await place.get_by_text(text).count():
                return
            await asyncio.sleep(pause)
            await self.page.reload()
        await expect(place).to_contain_text(text)

    async def stars(self, **given: int) -> None:
        for choice, number in given.items():
            group = self.page.get_by_role("group", name=choice)
            await group.locator(f"input[value='{number}']").check(force=True)


Entering = Callable[[str, Look], Awaitable[Person]]


@pytest_asyncio.fixture(loop_scope="session")
async def entering(chromium: Browser, server: Server) -> AsyncIterator[Entering]:
    """Sign a person of the demo in, in a browser of their own. No page may complain or ask other hosts."""
    witness, people = Witness(), []
    async with AsyncExitStack() as browsers:

        async def somebody(name: str, look: Look) -> Person:
            context = await chromium.new_context(
                base_url=server.url,
                color_scheme="dark" if look.scheme == "dark" else "light",
                viewport={"width": look.width, "height": 800},
                java_script_enabled=look.scripts,
            )
            browsers.push_async_callback(context.close)
            page = await context.new_page()
            witness.watch(page)
            people.append(Person(page, look))
            await enter(page, name)
            return people[-1]

        yield somebody
    assert witness.complaints == []
    assert [finding for person in people for finding in person.found] == []


async def found_community(manager: Person) -> str:
    """Start a community; return its address."""
    await manager.go("/communities/create/")
    await manager.page.get_by_label("Name").fill(f"Book club {next(_numbers)}")
    await manager.press("Start it")
    await expect(manager.page).to_have_url(re.compile(r"/communities/\d+/$"))
    await manager.look_around()
    return manager.page.url


async def publish(manager: Person, community: str, question: str, closes: datetime) -> str:
    """Create a decision between Dune and Emma and publish it; return its address."""
    page = manager.page
    await manager.go(f"{community}decisions/create/")
    await page.get_by_label("Question").fill(question)
    for number, title in enumerate(("Dune", "Emma"), start=1):
        await page.get_by_label(f"Choice {number}", exact=True).fill(title)
    moment = closes.strftime("%Y-%m-%dT%H:%M:%S")
    if manager.look.scripts:
        # People type minutes; the form sends seconds too.
        await page.locator("input[type=hidden][name=closes_at]").evaluate(
            "(field, moment) => { field.value = moment; }", moment
        )
    else:
        await page.get_by_label("Voting closes").fill(moment)
    await manager.press("Save and preview")
    await expect(page.get_by_role("heading", name="This is a draft")).to_be_visible()
    await manager.look_around()
    await manager.press("Publish")
    await expect(page.get_by_role("heading", name=question)).to_be_visible()
    return page.url


async def join(newcomer: Person, manager: Person, community: str, name: str, *, again: bool = False) -> None:
    await newcomer.go(community, again=again)
    await newcomer.page.get_by_label("Message").fill("I read a lot.")
    await newcomer.press("Apply")
    await newcomer.sees("You applied")
    await newcomer.look_around(again=again)
    await manager.go(f"{community}manage/", again=again)
    await manager.press(f"Approve {name}")
    await manager.look_around(again=again)
    await newcomer.go(community, again=again)
    await newcomer.sees("You are a member")


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_a_community_decides(entering: Entering, look: Look) -> None:
    mei, samuel, amara = [await entering(name, look) for name in ("Mei Tanaka", "Samuel Brandt", "Amara Okafor")]
    community = await found_community(mei)
    await join(samuel, mei, community, "Samuel Brandt")
    await join(amara, mei, community, "Amara Okafor", again=True)
    decision = await publish(mei, community, "What do we read next?", datetime.now(UTC) + timedelta(days=3))

    # One votes, and the manager sees it on her open page.
    await samuel.go(decision)
    await samuel.stars(Dune=5, Emma=1)
    await samuel.press("Cast my ballot")
    await samuel.sees("Vote recorded! Results are being recalculated - watch the live stats panel for updates.")
    await samuel.look_around()
    await mei.sees("1 cast", within="#decision-status")

    # The other sees a following's effect, follows, and inherits.
    await amara.go(f"{community}members/")
    await amara.page.get_by_role("link", name=re.compile("Follow Samuel Brandt")).click()
    if look.scripts:
        dialog = amara.page.get_by_role("dialog")
        await expect(dialog).to_contain_text("Your ballot would change", timeout=SOON)
        await amara.look_around()
        await dialog.get_by_role("button", name="Follow", exact=True).click()
    else:
        await amara.press("See what changes first")
        await amara.sees("Your ballot would change")
        await amara.press("Follow")
    await amara.sees("Following updated! Keep an eye on decision results as they recalculate")
    await mei.sees("1 inherited", within="#decision-status")
    await amara.go(decision, again=True)
    await amara.sees("Inherited", within="#own-ballot")
    if not look.scripts:
        await amara.page.get_by_role("link", name="Where it comes from").click()
    await amara.sees("Samuel Brandt", within="main")
    await amara.look_around()

    # She overrides the inherited ballot.
    await amara.go(decision, again=True)
    await amara.stars(Dune=0, Emma=5)
    await amara.press("Cast my ballot")
    await amara.sees("You voted", within="#own-ballot")
    await mei.sees("2 cast", within="#decision-status")

    await mei.press("Recalculate")
    await mei.sees("Recalculation started - results will update shortly")
    for view in ("results/", "ballots/", "delegation/", "history/"):
        await mei.go(f"{decision}{view}", again=True)


@pytest.mark.parametrize("look", OTHER_LOOKS, ids=str)
async def test_an_open_page_sees_the_decision_close_and_become_final(entering: Entering, look: Look) -> None:
    mei = await entering("Mei Tanaka", look)
    community = await found_community(mei)
    await publish(mei, community, "Tea or coffee?", datetime.now(UTC) + timedelta(seconds=11))
    await mei.stars(Dune=2, Emma=4)
    await mei.press("Cast my ballot")
    await mei.sees("1 cast", within="#decision-status")
    await mei.sees("FINAL", within="#decision-status")
    await mei.sees("Voting closed", within="#decision-header")
    # No action is offered that would be refused.
    await expect(mei.page.get_by_role("button", name=re.compile("Cast|Save changes|Recalculate"))).to_have_count(0)
    await expect(mei.page.get_by_role("link", name="Edit")).to_have_count(0)
    await mei.look_around()
