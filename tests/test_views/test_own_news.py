"""Own ballots that moved: rendered for all who watch, and each pushed to its own member alone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext

from democracy import services
from democracy.live import publishing
from democracy.models import Membership
from democracy.reading.own_ballots import remember_ballots
from democracy.views import _watching, live
from democracy.views._own_news import own_ballots_as_html
from democracy.views._watching import Watching, watching
from tests import factories
from tests.recalculation import until
from tests.test_views.browsing import as_
from tests.test_views.test_live import PATIENCE, Scene, shown_to

# Those who inherit, in different ways; cas has cast a ballot, non inherits none.
INHERIT = ("ben", "lea", "ann", "cleo")
EVERYBODY = ("ada", "cas", "non", *INHERIT)


class Town(Scene):
    def __init__(self) -> None:
        super().__init__(visibility="members")
        names = ("lea", "ann", "cleo", "cas", "non", "dora")
        joined = factories.voters(self.community, [f"{name}_{self.community.pk}" for name in names])
        self.members |= {
            one.user.handle.split("_")[0]: one
            for one in Membership.objects.select_related("user", "community").filter(pk__in=[row.pk for row in joined])
        }
        manager = self.members["manager"].user
        services.update_membership(manager, self.members["lea"].pk, role=Membership.Role.LOBBYIST)
        services.set_anonymity(self.members["ann"].user, self.community.pk, anonymous=True)
        for who in INHERIT:
            factories.follow(self.members[who], self.members["ada"])
        factories.follow(self.members["cleo"], self.members["cas"])
        factories.follow(self.members["cleo"], self.members["ben"])
        factories.follow(self.members["non"], self.members["dora"])
        self.vote(Ash=5)
        factories.vote(self.members["cas"], self.decision, Cedar=3)
        factories.vote(self.members["dora"], self.decision, Cedar=3)
        self.calculate()

    def sign_out(self) -> None:
        """End the streams of all members, so that what came before it can be told."""
        Session.objects.all().delete()
        for member in self.members.values():
            publishing.access_changed(member.user_id)

    def asked_for(self, who: str) -> str:
        """The fragment of their own ballot as it is answered to whoever asks for it."""
        headers = {"HX-Request": "true", "HX-Target": "own-ballot"}
        return shown(as_(self.members[who].user).get(self.address("decision"), headers=headers).content.decode())

    def rendered(self, *who: str) -> dict[str, str]:
        names = {self.members[name].pk: name for name in who}
        found = own_ballots_as_html(self.decision.pk, list(names))
        return {names[pk]: shown(html) for pk, html in found.items()}


@pytest.fixture
def town(transactional_db: None) -> Town:
    return Town()


def shown(content: str) -> str:
    """The lines of a fragment that show something."""
    return "\n".join(line.strip() for line in content.splitlines() if line.strip())


def test_each_is_the_fragment_that_its_member_would_be_answered(town: Town) -> None:
    services.withdraw_ballot(town.members["dora"].user, town.decision.pk)
    town.calculate()
    found = town.rendered(*EVERYBODY)
    # A cast one is left to be asked for: it has a form.
    assert set(found) == {*INHERIT, "non"}
    assert found == {who: town.asked_for(who) for who in found}
    assert "5: all from Ada" in found["ben"]
    assert "No ballot" in found["non"]
    assert len(set(found.values())) == len(found)


def test_whoever_has_left_and_what_is_hidden_is_not_among_them(town: Town) -> None:
    services.leave_community(town.members["ben"].user, town.community.pk)
    assert set(town.rendered("ben", "ann")) == {"ann"}
    hidden = factories.decision(town.community, town.members["manager"].user, results_visibility="after_close")
    assert own_ballots_as_html(hidden.pk, [town.members["ann"].pk]) == {}


def test_many_take_no_more_queries_than_one(town: Town) -> None:
    def queries(*who: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            town.rendered(*who)
        return len(captured)

    assert queries("ben") == queries(*EVERYBODY)


# --- Streams ----------------------------------------------------------------------------------------------------------

Events = list[tuple[str, str]]


class Pages:
    """Open pages that show what there is, and the events that each is told, with their content, by who has it open."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.told: dict[str, Events] = {}
        self._reading: list[asyncio.Task[None]] = []

    async def open(self, who: str, **query: str) -> None:
        client = AsyncClient()
        await client.aforce_login(self._town.members[who].user, backend="accounts.backends.SignInLinkBackend")
        shown = {"seen": await shown_to(self._town, who), "place": ""}
        response: Any = await client.get(self._town.address("decision-events"), shown | query)
        self.told[who] = []
        self._reading.append(asyncio.create_task(self._read(response, self.told[who])))
        key, decision = self._town.members[who].pk, self._town.decision.pk
        await asyncio.to_thread(until, lambda: key in watching._remembered[decision])

    async def _read(self, response: Any, told: Events) -> None:
        async for part in response.streaming_content:
            for event in part.decode().removesuffix("\n\n").split("\n\n"):
                name, *content = event.split("\n")
                data = "\n".join(line.removeprefix("data:").removeprefix(" ") for line in content)
                told.append((name.removeprefix("event: "), data))

    def own(self) -> dict[str, list[str]]:
        return {who: [content for name, content in events if name == "own"] for who, events in self.told.items()}

    async def until_told(self, *who: str) -> None:
        """Wait until these are told of their own ballots, then end all streams and wait for that."""
        await asyncio.to_thread(until, lambda: all(self.own()[one] for one in who))
        await sync_to_async(self._town.sign_out)()
        await asyncio.wait_for(asyncio.gather(*self._reading), PATIENCE)


async def vote_and_calculate(town: Town) -> None:
    await sync_to_async(town.vote)(Birch=4)
    await sync_to_async(town.calculate)()


async def test_each_page_gets_the_ballot_of_its_own_member_and_of_nobody_else(town: Town) -> None:
    pages = Pages(town)
    for who in EVERYBODY:
        await pages.open(who)
    await vote_and_calculate(town)
    await pages.until_told("ada", *INHERIT)
    asked = {who: await sync_to_async(town.asked_for)(who) for who in INHERIT}
    own = {who: [shown(content) for content in contents] for who, contents in pages.own().items()}
    # Ada has cast hers, and asks. Those whose ballots did not move are told nothing.
    assert own == {who: [asked[who]] for who in INHERIT} | {"ada": [""], "cas": [], "non": []}


async def test_a_page_without_a_place_for_it_is_given_no_ballot(town: Town) -> None:
    pages = Pages(town)
    await pages.open("ben", place="results")
    await vote_and_calculate(town)
    await pages.until_told("ben")
    assert pages.own() == {"ben": [""]}


async def test_whoever_signed_out_while_it_was_rendered_is_given_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rendered_too_late(decision_id: int, members: Collection[int]) -> dict[int, str]:
        found = own_ballots_as_html(decision_id, members)
        town.sign_out()
        return found

    pages = Pages(town)
    await pages.open("ben")
    monkeypatch.setattr(_watching, "own_ballots_as_html", rendered_too_late)
    await vote_and_calculate(town)
    await asyncio.to_thread(until, lambda: ("end", "") in pages.told["ben"])
    assert pages.own() == {"ben": []}


async def test_what_can_not_be_rendered_is_left_to_be_asked_for(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(decision_id: int, members: Collection[int]) -> dict[int, str]:
        raise ValueError

    monkeypatch.setattr(_watching, "own_ballots_as_html", broken)
    pages = Pages(town)
    await pages.open("ben")
    await vote_and_calculate(town)
    await pages.until_told("ben")
    assert pages.own() == {"ben": [""]}


async def test_many_are_rendered_in_portions_each_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    portions: list[set[int]] = []

    def noting(decision_id: int, members: Collection[int]) -> dict[int, str]:
        portions.append(set(members))
        return own_ballots_as_html(decision_id, members)

    monkeypatch.setattr(_watching, "own_ballots_as_html", noting)
    monkeypatch.setattr(_watching, "_AT_ONCE", 2)
    pages = Pages(town)
    for who in INHERIT:
        await pages.open(who)
    await vote_and_calculate(town)
    await pages.until_told(*INHERIT)
    assert [len(one) for one in portions] == [2, 2]
    assert set().union(*portions) == {town.members[who].pk for who in INHERIT}


async def test_those_who_open_their_pages_while_others_are_read_are_remembered_together(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[set[int]] = []
    monkeypatch.setattr(_watching, "remember_ballots", lambda decision_id, members: read.append(set(members)))
    one, keys = Watching(), [town.members[who].pk for who in EVERYBODY]
    await asyncio.gather(*(one.remember(town.decision.pk, key) for key in keys))
    await one.remember(town.decision.pk, keys[0])
    assert read == [set(keys)]
    with one.of(town.decision.pk, keys[0]):
        pass
    # Once nobody watches any more, it begins anew.
    await one.remember(town.decision.pk, keys[0])
    assert read == [set(keys), {keys[0]}]


# --- What a page says that it shows -----------------------------------------------------------------------------------


async def events_until(town: Town, who: str, seen: str, name: str = "own") -> str:
    """Wait for an event that a page gets which says that it shows `seen`; return all that it got by then."""
    client = AsyncClient()
    await client.aforce_login(town.members[who].user, backend="accounts.backends.SignInLinkBackend")
    response: Any = await client.get(town.address("decision-events"), {"seen": seen, "place": ""})
    got = ""

    async def read() -> None:
        nonlocal got
        async for part in response.streaming_content:
            got += part.decode()
            if f"event: {name}" in got:
                return

    await asyncio.wait_for(read(), PATIENCE)
    await response.streaming_content.aclose()
    return got


async def test_where_ballots_are_hidden_all_are_told_alike_whatever_they_say_that_they_show(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ben follows Ada: that his own ballot did not move would tell that she has not voted."""

    def hidden() -> int:
        town.decision = factories.decision(
            town.community, town.members["manager"].user, results_visibility="after_close"
        )
        town.vote(Ash=5)
        town.calculate()
        town.decision.refresh_from_db()
        remember_ballots(town.decision.pk, {town.members["ben"].pk})
        return town.decision.calculated_revision

    revision = await sync_to_async(hidden)()
    assert "event: own\ndata:\n" in await events_until(town, "ben", f"open.{revision}.1.done.0")
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    assert "own" not in await events_until(town, "ben", await shown_to(town, "ben"), "alive")
    assert town.members["ben"].pk not in watching._remembered[town.decision.pk]


async def test_a_revision_of_which_nobody_knows_has_nothing_rendered(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[int] = []

    def noting(decision_id: int, members: Collection[int]) -> dict[int, str]:
        rendered.extend(members)
        return {}

    monkeypatch.setattr(_watching, "own_ballots_as_html", noting)
    phase, _, *others = (await shown_to(town, "ben")).split(".")
    assert "event: own\ndata:\n" in await events_until(town, "ben", ".".join([phase, "2", *others]))
    assert rendered == []


async def test_a_ballot_that_moves_while_the_result_stays_is_told_to_an_older_page(town: Town) -> None:
    def lobbyists() -> None:
        manager = town.members["manager"].user
        services.update_membership(manager, town.members["dora"].pk, role=Membership.Role.LOBBYIST)
        factories.follow(town.members["lea"], town.members["dora"])
        services.unfollow(town.members["lea"].user, town.members["ada"].pk)
        services.unfollow(town.members["non"].user, town.members["dora"].pk)
        town.calculate()
        remember_ballots(town.decision.pk, {town.members["lea"].pk})

    await sync_to_async(lobbyists)()
    seen = await shown_to(town, "lea")
    await vote_and_calculate(town)
    with watching.of(town.decision.pk, town.members["lea"].pk):
        assert await watching.own_news(town.decision.pk, town.members["lea"].pk, since=seen) is None

        def moved() -> None:
            factories.vote(town.members["dora"], town.decision, Cedar=1)
            town.calculate()

        await sync_to_async(moved)()
        assert await watching.own_news(town.decision.pk, town.members["lea"].pk, since=seen) is not None
