"""Three people's jobs from end to end, on a phone and a desk, by the mails that really reach a mail server on loopback:

a manager who must get people with addresses in a spreadsheet to vote, somebody who follows a neighbour, and a board
that tells others what came out, one of whom leaves.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests import servers
from tests.servers import prepared_directory
from tests.test_browser.axe import EVERY_LOOK
from tests.test_browser.conftest import Witness
from tests.test_browser.crawling import send
from tests.test_browser.elsewhere import another_site
from tests.test_browser.test_passkeys import code_in
from tests.test_browser.test_walk import SOON, Look
from tests.test_notices.smtp import Mailbox, serving

__all__ = ["prepared_directory"]

PHONE, DESK = Look("dark", 360), Look("light", 1280)
# The words and pictures that a page shows, besides buttons and what is only for the screen.
SHOWN = """
    () => [...document.querySelectorAll("main :not(button, button *, .no-print, .no-print *)")]
      .filter((one) => !one.children.length && one.checkVisibility())
      .map((one) => one.textContent.trim() || one.getAttribute("alt"))
      .filter(Boolean)
"""
# A house for each walk in each look, and who lives there; written into a file by the server, before it serves.
SCENE = """
    import json
    from itertools import count
    from pathlib import Path
    from django.conf import settings
    from democracy import services
    from democracy.models import NoticeMark
    from tests import factories
    # Others were made when the directory was prepared.
    factories.numbers = count(100)
    houses = {}
    for walk in ("invites", "follows", "tells"):
        for width in (360, 1280):
            community, members = factories.community("ada", "ben", "cleo", name=f"Larch Lane {walk} {width} e. V.")
            manager = members["manager"].user
            factories.follow(members["ada"], members["ben"])
            services.set_notice_preferences(members["ada"].user, community.pk, {"inherited_moved": "at_once"})
            services.update_community(manager, community.pk, joining="invited")
            decision = factories.decision(community, manager, title="Which tree?", description="By the *gate*.")
            for name in ("ben", "cleo"):
                factories.vote(members[name], decision, Ash=4, Birch=2)
            if walk == "tells":
                services.add_clarification(manager, decision.pk, text="It will be planted in spring.")
                factories.close(decision)
            for what in NoticeMark.What.values:
                NoticeMark.objects.create(decision=decision, what=what)
            houses[f"{walk} {width}"] = {
                "page": f"/communities/{community.pk}/",
                "question": f"/communities/{community.pk}/decisions/{decision.pk}/",
                "people": {name: member.user.email for name, member in members.items()},
            }
    Path(settings.DATA_DIR, "houses.json").write_text(json.dumps(houses))
"""


@dataclass(frozen=True)
class Site:
    url: str
    mailbox: Mailbox
    houses: dict[str, dict[str, object]]


@pytest.fixture(scope="module")
def site(prepared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server whose mails reach a mail server."""
    mailbox = Mailbox()
    directory = shutil.copytree(prepared_directory, tmp_path_factory.mktemp("three") / "data")
    with (
        serving(mailbox) as port,
        servers.serving(
            directory,
            program=SCENE,
            CROWDVOTE_EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            CROWDVOTE_EMAIL_HOST="127.0.0.1",
            CROWDVOTE_EMAIL_PORT=str(port),
            CROWDVOTE_MAILS_PER_MINUTE="0",
            CROWDVOTE_SWEEP_INTERVAL="0.3",
        ) as started,
    ):
        houses = json.loads((directory / "houses.json").read_text())
        yield Site(f"http://localhost:{started.port}", mailbox, houses)


@dataclass
class House:
    """A community of the scene, and browsers of the people in it."""

    site: Site
    page: str
    question: str
    people: dict[str, str]
    browse: Callable[[], Awaitable[Page]]

    async def mail(self, to: str, about: str) -> EmailMessage:
        """Wait for the newest mail to an address whose subject has this in it."""

        def found() -> list[EmailMessage]:
            return [mail for mail in self.site.mailbox.mails if mail["To"] == to and about in mail["Subject"]]

        def wait() -> EmailMessage:
            with self.site.mailbox.arrived:
                there = self.site.mailbox.arrived.wait_for(found, 20)
                assert there, [(mail["To"], mail["Subject"]) for mail in self.site.mailbox.mails]
                return found()[-1]

        return await asyncio.to_thread(wait)

    def addressees(self, about: str) -> set[str]:
        """The people here to whom mails were sent whose subject has this in it."""
        mails = [mail for mail in self.site.mailbox.mails if about in mail["Subject"]]
        return {name for name, address in self.people.items() for mail in mails if mail["To"] == address}

    async def sign_in(self, name: str, path: str) -> Page:
        """Sign somebody in by the mail that they ask for, in a browser of their own, on the way to a page."""
        page = await self.browse()
        await page.goto(f"/sign-in/?next={path}")
        await page.get_by_label("E-mail address").fill(self.people[name])
        await page.get_by_role("button", name="Send me a link").click()
        mail = await self.mail(self.people[name], "ign in")
        await page.goto(link_in(mail, "sign-in"))
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page).to_have_url(re.compile(re.escape(path)))
        return page

    async def enter(self, name: str, path: str) -> Page:
        """Sign somebody in by the code that is mailed, with what those pages send, and open a page: that is cheaper."""
        page = await self.browse()
        await send(page, "/sign-in/", email=self.people[name])
        mail = await self.mail(self.people[name], "ign in")
        await send(page, "/sign-in/sent/", code=code_in(text_of(mail)))
        await page.goto(path)
        return page


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def link_in(mail: EmailMessage, part: str) -> str:
    """The address in a mail that has this part, as the reader's mail program would open it."""
    found = re.search(rf"http://localhost:\d+/\S*{part}\S*", text_of(mail))
    assert found, text_of(mail)
    return found[0]


def walks(name: str, look: Look) -> pytest.MarkDecorator:
    """Have a test walk in a look, or with EVERY_LOOK (`make walks`) in each, in a house of its own."""
    looks = [PHONE, DESK] if EVERY_LOOK else [look]
    return pytest.mark.parametrize("house", [(name, one) for one in looks], ids=map(str, looks), indirect=True)


@pytest_asyncio.fixture(loop_scope="session")
async def house(request: pytest.FixtureRequest, site: Site, chromium: Browser) -> AsyncIterator[House]:
    """The house of a walk in a look. No page complains, asks other hosts, or is wider than the screen."""
    walk, look = request.param
    witness, wide = Witness(), []
    async with AsyncExitStack() as browsers:

        async def browse() -> Page:
            context = await chromium.new_context(
                base_url=site.url,
                color_scheme="dark" if look.scheme == "dark" else "light",
                viewport={"width": look.width, "height": 800},
            )
            browsers.push_async_callback(context.close)
            page = await context.new_page()
            witness.watch(page)
            opened.append(page)
            return page

        opened: list[Page] = []
        yield House(site=site, browse=browse, **site.houses[f"{walk} {look.width}"])
        for page in opened:
            width = await page.evaluate("document.documentElement.scrollWidth")
            wide += [f"{page.url}: {width}"] if width > look.width else []
    assert (witness.complaints, wide) == ([], [])


@walks("invites", PHONE)
async def test_a_manager_invites_people_from_a_spreadsheet_and_one_press_leads_to_the_ballot(house: House) -> None:
    manager = await house.sign_in("manager", f"{house.page}invitations/")
    new = f"dora-{house.page.strip('/').rpartition('/')[2]}@example.net"
    table = f"E-Mail;Name;Tags to follow\n{new};Dora Díaz;trees\n"
    sheet = {"name": "people.csv", "mimeType": "text/csv", "buffer": table.encode("utf-16")}
    await manager.get_by_label("Or a file").set_input_files([sheet])
    await manager.get_by_role("button", name="Send the invitations").click()
    await expect(manager.get_by_text("1 person is invited.")).to_be_visible()

    mail = await house.mail(new, "Which tree?")
    assert "e. V.." not in text_of(mail)
    dora = await house.browse()
    await dora.goto(link_in(mail, "invitation"))
    await expect(dora.get_by_role("heading", name="Join Larch Lane")).to_be_visible()
    await expect(dora.get_by_text("Dora Díaz")).to_be_visible()
    await dora.get_by_role("button", name="Join and see the question").click()
    await expect(dora).to_have_url(re.compile(re.escape(house.question)))
    await dora.get_by_role("group", name="Ash").locator("input[value='5']").check(force=True)
    await dora.get_by_role("button", name="Cast my ballot").click()
    await expect(dora.locator("#own-ballot")).to_contain_text("You voted", timeout=SOON)

    await manager.reload()
    await expect(manager.locator("#invitations")).to_contain_text("Joined")
    await expect(manager.locator("#invitations")).to_contain_text("Dora Díaz")


@walks("follows", PHONE)
async def test_somebody_follows_a_neighbour_and_hears_what_closes_and_what_moved(house: House) -> None:
    manager = await house.enter("manager", house.question)
    await manager.get_by_text("More for managers").click()
    await manager.get_by_role("button", name="Remind those who have not voted").click()
    await expect(manager.get_by_text("Nobody is told who they are.")).to_be_visible()

    ada, ben = house.people["ada"], house.people["ben"]
    # Whoever only inherits is reminded, too; the manager has not voted either.
    reminder = await house.mail(ada, "Reminder: Which tree?")
    await house.mail(house.people["manager"], "Reminder: Which tree?")
    assert link_in(reminder, "decisions").endswith(house.question)

    voter = await house.enter("ben", house.question)
    await voter.get_by_role("group", name="Ash").locator("input[value='1']").check(force=True)
    await voter.get_by_role("button", name=re.compile("Save changes|Cast my ballot")).click()
    await expect(voter.get_by_text("Vote recorded!")).to_be_visible(timeout=SOON)
    mail = await house.mail(ada, "Your inherited ballot has changed: Which tree?")
    said = text_of(mail)
    name = ben.partition("@")[0].replace("_", " ").title()
    assert f"Through {name}, what you inherit for “Ash” has changed." in said
    assert not re.search(r"your \d", said), "no mail has stars"
    # It came later than all reminders: there is none for those who have voted.
    assert house.addressees("Reminder") == {"ada", "manager"}

    follower = await house.enter("ada", "/notices/")
    await expect(follower.get_by_text(f"Through {name}, your 4 for “Ash” is now a 1.")).to_be_visible()
    await follower.goto(link_in(mail, "decisions"))
    await expect(follower.locator("#own-ballot")).to_contain_text("Inherited", timeout=SOON)
    stop = str(mail["List-Unsubscribe"]).strip(" <>")
    await follower.goto(stop)
    await follower.get_by_role("button", name="No more mails").click()
    await expect(follower.get_by_role("heading", name="You get no more mails like this")).to_be_visible()


@walks("tells", DESK)
async def test_a_board_tells_others_what_came_out_files_it_and_one_of_them_leaves(house: House) -> None:
    manager = await house.enter("manager", house.question)
    await expect(manager.locator("#decision-status")).to_contain_text("FINAL", timeout=SOON)
    await manager.goto(f"{house.question}results/")
    await manager.get_by_role("button", name="Publish the result").click()
    address = await manager.locator("#share-address").inner_text()
    code = await manager.locator("#embed-code").text_content()

    # Somebody outside, and another site.
    outsider = await house.browse()
    await outsider.goto(house.question)
    await expect(outsider.get_by_role("heading", name="Which tree?")).to_have_count(0)
    await outsider.goto(address)
    await expect(outsider.get_by_role("heading", name="Which tree?")).to_be_visible()
    await expect(outsider.locator("main")).to_contain_text("Ash")
    await expect(outsider.locator("main")).not_to_contain_text("Ben")
    with another_site(lambda _: f"<!doctype html><meta name=viewport content='width=device-width'>{code}") as elsewhere:
        framing = await (await outsider.context.browser.new_context()).new_page()
        await framing.goto(elsewhere)
        frame = framing.frame_locator("iframe")
        await expect(frame.get_by_role("heading", name="Which tree?")).to_be_visible()
        await expect(frame.get_by_text("Larch Lane").first).to_contain_text("e. V. ")
        await framing.context.close()

    # For the file: on paper stands everything that stands on the screen, but for the way to the printer.
    await manager.goto(f"{house.question}report/?ballots=1")
    on_screen = await manager.evaluate(SHOWN)
    await manager.emulate_media(media="print")
    on_paper = await manager.evaluate(SHOWN)
    assert [one for one in on_screen if one not in on_paper] == []
    report = await manager.locator("main").inner_text()
    question = ("Larch Lane", "Which tree?", "By the gate.", "It will be planted in spring.", "Voting closed")
    for word in (
        *question,
        "Runoff",
        "Voters in all",
        "Ben 1",
        "Cleo 1",
        "Seed of the lots",
        f"{house.question}results/",
        "checkpoint",
    ):
        assert word.casefold() in report.casefold(), word
    assert "Print it" not in report
    assert await manager.locator(".report img").evaluate("(picture) => picture.complete && picture.naturalWidth > 0")
    await manager.emulate_media(media="screen")

    ben = await house.enter("ben", "/profile/close/")
    await ben.get_by_label("Close my account for good").check()
    await ben.get_by_role("button", name="Close my account").click()
    await expect(ben.get_by_text("Your account is closed.")).to_be_visible()
    await house.mail(house.people["ben"], "Your account is closed")
    await manager.goto(f"{house.question}ballots/")
    await expect(manager.locator("main")).to_contain_text("Closed account")
    await expect(manager.locator("main")).not_to_contain_text("Ben 1")
