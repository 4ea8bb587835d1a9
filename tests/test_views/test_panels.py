"""Panels that many viewers are pushed alike: nothing in it is of one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.test import AsyncClient
from django.urls import reverse

from accounts.models import User
from democracy import services
from democracy.live import publishing
from democracy.live.shared import shared
from democracy.models import DecisionSnapshot, Membership
from democracy.recalculation.storing import record_failure
from democracy.views._panels import PanelKey, panel
from democracy.views._watching import watching
from tests import factories
from tests.recalculation import until
from tests.test_views.browsing import as_
from tests.test_views.test_live import PATIENCE, Scene, shown_to

KINDS = ("manager", "ada", "ben", "lea", "ann", "stranger", None)


class Crowd(Scene):
    """Everybody there is: a manager, voters with and without a ballot, a lobbyist, an anonymous voter, outsiders."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        for name in ("lea", "ann"):
            self.members[name] = factories.join(self.community, factories.person(name))
        manager = self.members["manager"].user
        services.update_membership(manager, self.members["lea"].pk, role=Membership.Role.LOBBYIST)
        services.set_anonymity(self.members["ann"].user, self.community.pk, anonymous=True)
        _, others = factories.community("stranger")
        self.members["stranger"] = others["stranger"]
        factories.follow(self.members["ben"], self.members["ada"])
        factories.vote(self.members["ada"], self.decision, Ash=5)
        factories.vote(self.members["ann"], self.decision, Ash=3)

    def panels(self, *, place: str = "") -> dict[str | None, str]:
        """The panel as everybody is answered who polls it."""
        return {
            who: as_(self.user(who)).get(self.address("decision-status"), {"place": place}).content.decode()
            for who in KINDS
        }

    def sign_out(self) -> None:
        """End the streams of all members, so that what came before it can be told."""
        Session.objects.all().delete()
        for member in self.members.values():
            publishing.access_changed(member.user_id)

    def user(self, who: str | None) -> User | None:
        return self.members[who].user if who is not None else None


@pytest.fixture
def crowd(transactional_db: None) -> Crowd:
    return Crowd(visibility="public")


@pytest.mark.parametrize("place", ["", "results"])
@pytest.mark.parametrize("change", [lambda crowd: None, Crowd.calculate])
def test_a_panel_is_the_same_to_the_letter_for_all_kinds_of_viewers(
    crowd: Crowd, place: str, change: Callable[[Crowd], None]
) -> None:
    change(crowd)
    pages = crowd.panels(place=place)
    assert set(pages.values()) == {pages[None]}
    people = [one.user for one in crowd.members.values()]
    private = [word for user in people for word in (user.handle, user.email, user.name)] + ["csrf", "<form"]
    assert [word for word in private if word in pages[None]] == []


def test_why_a_calculation_failed_is_on_no_panel_but_the_managers(crowd: Crowd) -> None:
    crowd.decision.refresh_from_db()
    record_failure(crowd.decision, crowd.decision.input_revision, "ValueError: the reason")
    assert {who for who, page in crowd.panels().items() if "the reason" in page} == {"manager"}
    # Nor do the others' pages tell by their names what only managers see.
    others = {panel(PanelKey(crowd.decision.pk, place, is_manager=False)).seen for place in ("", "results")}
    assert len(others) == 1
    assert panel(PanelKey(crowd.decision.pk, "", is_manager=True)).seen not in others


def test_a_page_is_not_told_the_number_of_the_result_it_shows(crowd: Crowd) -> None:
    """Those of other decisions would tell between which of them it was stored."""
    crowd.calculate()
    first = DecisionSnapshot.objects.latest("pk")
    seen = panel(PanelKey(crowd.decision.pk, "", is_manager=False)).seen.split(".")
    assert str(first.pk) not in seen
    crowd.vote(Birch=5)
    crowd.calculate()
    assert panel(PanelKey(crowd.decision.pk, "", is_manager=False)).seen.split(".")[2] != seen[2]


def test_nothing_is_kept_of_what_no_page_would_say_that_it_shows(crowd: Crowd) -> None:
    headers = {"HX-Request": "true", "HX-Target": "community-now"}
    address = reverse("community", args=[crowd.community.pk])
    before = len(shared._made)
    answer = crowd.client("ben").get(address, {"seen": "x" * 10_000}, headers=headers)
    assert (answer.status_code, len(shared._made)) == (200, before)


def test_a_hidden_decision_shows_the_same_panel_whoever_voted_how(crowd: Crowd) -> None:
    panels = []
    for casters, stars in ((("ada", "ben"), 5), (("ben", "ann"), 1)):
        hidden = factories.decision(
            crowd.community, crowd.members["manager"].user, title="Hidden", results_visibility="after_close"
        )
        for who in casters:
            factories.vote(crowd.members[who], hidden, Ash=stars)
            panels.append(panel(PanelKey(hidden.pk, "", is_manager=False)))
    assert [(one.seen, one.html) for one in panels] == [(panels[0].seen, panels[0].html)] * 4


# --- Streams ----------------------------------------------------------------------------------------------------------


class Listener:
    """An open page's stream, as the events with their contents."""

    def __init__(self, response: Any) -> None:
        self._parts = aiter(response.streaming_content)

    async def events(self) -> list[tuple[str, str]]:
        """The next events that come together."""
        while True:
            text = (await asyncio.wait_for(anext(self._parts), PATIENCE)).decode()
            found = [
                (event.split("\n")[0].removeprefix("event: "), event.partition("\n")[2].removeprefix("data:").strip())
                for event in text.removesuffix("\n\n").split("\n\n")
            ]
            if found != [("alive", "")]:
                return found

    async def close(self) -> None:
        await self._parts.aclose()


async def listen(crowd: Crowd, who: str | None, **query: str) -> Listener:
    """Open the stream of a page that shows what there is now."""
    client, user = AsyncClient(), crowd.user(who)
    if user is not None:
        await client.aforce_login(user, backend="accounts.backends.SignInLinkBackend")
    seen = await shown_to(crowd, who)
    viewer = str(user.pk) if user is not None else ""
    address = crowd.address("decision-events")
    return Listener(await client.get(address, {"seen": seen, "place": "", "viewer": viewer} | query))


async def test_everybody_is_pushed_the_same_panel_and_those_whose_ballot_moved_are_told(crowd: Crowd) -> None:
    await sync_to_async(crowd.calculate)()
    people = ("ada", "ben", "lea", None)
    streams = {who: await listen(crowd, who) for who in people}
    waiting = {who: asyncio.create_task(stream.events()) for who, stream in streams.items()}
    member = crowd.members["ben"].pk
    await asyncio.to_thread(until, lambda: member in watching._members[crowd.decision.pk])
    await sync_to_async(factories.vote)(crowd.members["ada"], crowd.decision, Birch=5)
    stale = {who: await task for who, task in waiting.items()}
    assert {who: [name for name, _ in events] for who, events in stale.items()} == {who: ["status"] for who in people}
    await sync_to_async(crowd.calculate)()
    found = {who: await stream.events() for who, stream in streams.items()}
    assert len({events[0] for events in found.values()}) == 1
    assert "Ahead right now: Birch" in found[None][0][1]
    assert {who: [name for name, _ in events] for who, events in found.items()} == {
        who: ["result", "calculated"] for who in people
    }
    # Ben inherits from ada, who cast hers; the lobbyist has no ballot.
    assert await streams["ada"].events() == [("own", "")]
    ((name, content),) = await streams["ben"].events()
    assert (name, "You have not voted yourself" in content) == ("own", True)
    await sync_to_async(crowd.sign_out)()
    rest = {who: await stream.events() for who, stream in streams.items() if who is not None}
    assert rest == {who: [("end", "")] for who in rest}
    for stream in streams.values():
        await stream.close()


async def test_nothing_goes_to_a_page_that_was_made_for_somebody_else(crowd: Crowd) -> None:
    stream = await listen(crowd, "ada", viewer=str(crowd.members["manager"].user_id), seen="")
    assert await stream.events() == [("end", "")]


async def test_whoever_stops_being_a_manager_is_pushed_what_members_are(crowd: Crowd) -> None:
    await sync_to_async(crowd.calculate)()
    await sync_to_async(services.update_membership)(
        crowd.members["manager"].user, crowd.members["ada"].pk, is_manager=True
    )
    stream = await listen(crowd, "ada")
    waiting = asyncio.create_task(stream.events())
    member = crowd.members["ada"].pk
    await asyncio.to_thread(until, lambda: member in watching._members[crowd.decision.pk])
    await sync_to_async(services.update_membership)(
        crowd.members["manager"].user, crowd.members["ada"].pk, is_manager=False
    )

    def fail() -> None:
        crowd.vote(Ash=1)
        crowd.decision.refresh_from_db()
        record_failure(crowd.decision, crowd.decision.input_revision, "ValueError: the reason")
        publishing.status_changed([crowd.decision.pk])

    await sync_to_async(fail)()
    told = await waiting
    while "calculation failed" not in told[0][1]:
        told = await stream.events()
    assert "the reason" not in told[0][1]
    await stream.close()
