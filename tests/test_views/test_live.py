"""Open pages keep up: the status that is polled, and the events that are pushed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from accounts import services as accounts
from democracy import services
from democracy.live import publishing
from democracy.live.hub import hub, overview_topic, result_topic
from democracy.live.shared import shared
from democracy.notices import outbox
from democracy.notices.kinds import Kind
from democracy.recalculation import recalculate_community
from democracy.recalculation.storing import record_failure
from democracy.views import live
from tests import factories
from tests.recalculation import until
from tests.test_views.browsing import as_, text

PATIENCE = 10.0


class Scene:
    def __init__(self, **fields: Any) -> None:
        self.community, self.members = factories.community("ada", "ben", **fields)
        self.decision = factories.decision(self.community, self.members["manager"].user)

    def address(self, name: str) -> str:
        return reverse(name, args=(self.community.pk, self.decision.pk))

    def vote(self, **stars: int) -> None:
        factories.vote(self.members["ada"], self.decision, **stars or {"Ash": 5})

    def calculate(self) -> None:
        recalculate_community(self.community.pk)

    def client(self, who: str) -> Client:
        return as_(self.members[who].user)


def seen_in(response: Any) -> str:
    """The text that names what a panel shows."""
    (found,) = re.findall(r'name="seen" value="([^"]*)"', response.content.decode())
    return str(found)


# --- Polling ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def scene(db: None) -> Scene:
    return Scene()


def test_the_panel_is_polled_every_five_seconds_and_shows_a_spinner_while_it_is_stale(scene: Scene) -> None:
    scene.calculate()
    client = scene.client("ben")
    assert "Calculating results..." not in text(client.get(scene.address("decision-status")))
    scene.vote(Ash=5)
    assert "Calculating results..." in text(client.get(scene.address("decision-status")))
    assert 'hx-trigger="live, every 5s, voted from:body"' in text(client.get(scene.address("decision")))
    scene.calculate()
    page = text(client.get(scene.address("decision-status")))
    assert ("Calculating results..." in page, "Last calculated:" in page, "Ahead right now: Ash" in page) == (
        False,
        True,
        True,
    )


def test_the_panel_on_the_results_page_has_no_result_of_its_own(scene: Scene) -> None:
    scene.vote(Ash=5)
    scene.calculate()
    page = text(scene.client("ben").get(scene.address("decision-status"), {"place": "results"}))
    assert ("Last calculated:" in page, "Ahead right now: Ash" in page) == (True, False)


def test_a_page_learns_what_is_new_since_what_it_has_seen(scene: Scene) -> None:
    scene.calculate()
    client = scene.client("ben")
    seen = seen_in(client.get(scene.address("decision-status")))

    def news() -> str | None:
        return client.get(scene.address("decision-status"), {"seen": seen}).headers.get("HX-Trigger")

    assert news() is None
    scene.vote(Ash=5)
    assert news() is None
    scene.calculate()
    assert news() == "calculated, own"
    factories.close(scene.decision, at=timezone.now())
    assert news() == "phase, calculated, own"


def test_a_failed_calculation_is_said_and_its_reason_only_to_managers(scene: Scene) -> None:
    scene.vote(Ash=5)
    scene.decision.refresh_from_db()
    record_failure(scene.decision, scene.decision.input_revision, "ValueError: the reason")
    pages = {who: text(scene.client(who).get(scene.address("decision-status"))) for who in ("ben", "manager")}
    assert {who: ("calculation failed" in page, "the reason" in page) for who, page in pages.items()} == {
        "ben": (True, False),
        "manager": (True, True),
    }
    assert "The result below" not in pages["ben"]


def test_as_long_as_nothing_happens_the_answer_is_the_same_to_the_letter(scene: Scene) -> None:
    # Then nothing is put on the page, and whoever is reading or pressing something there is left alone.
    client = scene.client("manager")
    scene.calculate()
    answers = [client.get(scene.address("decision-status")).content for _ in range(2)]
    scene.vote(Ash=5)
    answers.append(client.get(scene.address("decision-status")).content)
    assert (answers[0] == answers[1], answers[1] == answers[2]) == (True, False)


def test_nobody_keeps_an_answer_about_the_status(scene: Scene) -> None:
    assert "no-store" in scene.client("ben").get(scene.address("decision-status"))["Cache-Control"]


# --- Events -----------------------------------------------------------------------------------------------------------


ALIVE = "event: alive\ndata:\n\n"


class Stream:
    """The events of an open page, in order, signs of life left out."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self._parts: AsyncIterator[bytes] = aiter(response.streaming_content)
        # Events that came in one part with those before.
        self._waiting: list[str] = []

    async def part(self) -> str:
        if not self._waiting:
            arrived = (await asyncio.wait_for(anext(self._parts), PATIENCE)).decode()
            self._waiting = [f"{event}\n\n" for event in arrived.removesuffix("\n\n").split("\n\n")]
        return self._waiting.pop(0)

    async def event(self) -> str:
        while (part := await self.part()) == ALIVE:
            pass
        return part.partition("\n")[0].removeprefix("event: ")

    async def rest(self, *before: str) -> list[str]:
        """Every event until the stream ends, those `before` included."""
        events = list(before) or [await self.event()]
        while events[-1] != "end":
            events.append(await self.event())
        with pytest.raises(StopAsyncIteration):
            await self.part()
        return events

    async def close(self) -> None:
        await self._parts.aclose()  # type: ignore[attr-defined]


@sync_to_async
def shown_to(scene: Scene, who: str | None) -> str:
    """The text that names what somebody's page of the decision shows now."""
    client = scene.client(who) if who is not None else Client()
    return seen_in(client.get(scene.address("decision-status")))


async def opened(scene: Scene, who: str | None, seen: str = "") -> Any:
    client = AsyncClient()
    if who is not None:
        user = scene.members[who].user
        await client.aforce_login(user, backend="accounts.backends.SignInLinkBackend")
    return await client.get(scene.address("decision-events"), {"seen": seen})


async def until_subscribed(scene: Scene) -> None:
    await asyncio.to_thread(until, lambda: result_topic(scene.decision.pk) in hub.topics("result:"))


@pytest.fixture
async def open_scene(transactional_db: None) -> Scene:
    return await sync_to_async(Scene)(visibility="members")


async def listening(scene: Scene, who: str | None, seen: str | None = None) -> tuple[Stream, asyncio.Task[str]]:
    """The stream of a page that shows `seen`, or everything there is, and the event that it waits for."""
    stream = Stream(await opened(scene, who, await shown_to(scene, who) if seen is None else seen))
    first = asyncio.create_task(stream.event())
    await until_subscribed(scene)
    return stream, first


async def sign_out(scene: Scene, who: str) -> None:
    """Ends the streams of this person, so that what came before it can be told."""
    user = scene.members[who].user
    await sync_to_async(Session.objects.all().delete)()
    publishing.access_changed(user.pk)


async def test_a_new_status_and_a_new_result_are_pushed_once(open_scene: Scene) -> None:
    await sync_to_async(open_scene.calculate)()
    stream, first = await listening(open_scene, "ben")
    assert stream.response["Content-Type"] == "text/event-stream"
    assert (stream.response["X-Accel-Buffering"], "no-store" in stream.response["Cache-Control"]) == ("no", True)
    await sync_to_async(open_scene.vote)(Ash=5)
    assert await first == "status"
    await sync_to_async(open_scene.calculate)()
    assert await stream.event() == "result"
    await sign_out(open_scene, "ben")
    assert await stream.rest() == ["calculated", "end"]


async def test_the_bell_of_an_open_page_rings_for_its_viewer_alone(open_scene: Scene) -> None:
    stream, waiting = await listening(open_scene, "ada")
    for name in ("ben", "ada"):
        person, community = open_scene.members[name].user_id, open_scene.community.pk
        await sync_to_async(outbox.add)(Kind.NEW_FOLLOWER, "x", person_id=person, community_id=community)
    assert await waiting == "notices"
    await sync_to_async(services.mark_notices_read)(open_scene.members["ada"].user)
    assert await stream.event() == "notices"
    await stream.close()


async def test_a_page_that_shows_everything_hears_nothing_from_the_sweep(open_scene: Scene) -> None:
    await sync_to_async(open_scene.vote)(Ash=5)
    await sync_to_async(open_scene.calculate)()
    publishing._told.clear()
    stream, first = await listening(open_scene, "ben")
    await sync_to_async(publishing.catch_up)()
    await sign_out(open_scene, "ben")
    assert await first == "end"
    await stream.close()


def fail(scene: Scene) -> None:
    scene.decision.refresh_from_db()
    record_failure(scene.decision, scene.decision.input_revision, "ValueError: the reason")


def close(scene: Scene) -> None:
    """Let it be over. A closing never moves closer by itself, so what is kept of it is not told."""
    factories.close(scene.decision, at=timezone.now())
    shared.forget_all()


@pytest.mark.parametrize(
    ("changes", "events"),
    [
        ([Scene.vote], ["status"]),
        # Who had which ballot before the stream began is not remembered.
        ([Scene.vote, Scene.calculate], ["result", "calculated", "own"]),
        ([Scene.vote, fail], ["status"]),
        ([close], ["status", "phase", "calculated"]),
    ],
)
async def test_what_changed_between_the_page_and_its_stream_is_told_at_once(
    open_scene: Scene, changes: list[Callable[[Scene], None]], events: list[str]
) -> None:
    await sync_to_async(open_scene.calculate)()
    seen = await shown_to(open_scene, "ben")
    for change in changes:
        await sync_to_async(change)(open_scene)
    stream, first = await listening(open_scene, "ben", seen)
    told = [await first, *[await stream.event() for _ in events[1:]]]
    await sign_out(open_scene, "ben")
    assert [*told, *await stream.rest()] == [*events, "end"]


@pytest.mark.parametrize("seen", ["", "0.0", "nonsense", "a.b.c.d.e"])
async def test_a_page_that_does_not_say_what_it_shows_is_told_at_once(open_scene: Scene, seen: str) -> None:
    stream, first = await listening(open_scene, "ben", seen)
    assert await first == "result"
    await stream.close()


async def test_a_silent_stream_shows_that_it_lives(open_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    stream = Stream(await opened(open_scene, "ben", await shown_to(open_scene, "ben")))
    assert [await stream.part(), await stream.part()] == [ALIVE] * 2
    await stream.close()


@pytest.mark.parametrize("who", [None, "stranger", "gone"])
async def test_whoever_may_not_see_the_decision_gets_no_stream(open_scene: Scene, who: str | None) -> None:
    if who == "stranger":
        _, others = await sync_to_async(factories.community)("sue")
        open_scene.members["stranger"] = others["sue"]
    elif who == "gone":
        open_scene.members["gone"] = open_scene.members["ada"]
        await sync_to_async(services.leave_community)(open_scene.members["ada"].user, open_scene.community.pk)
    assert (await opened(open_scene, who)).status_code == 404


async def test_a_stream_ends_when_its_viewer_loses_access(open_scene: Scene) -> None:
    stream, first = await listening(open_scene, "ben")
    ben = open_scene.members["ben"].user
    await sync_to_async(services.leave_community)(ben, open_scene.community.pk)
    publishing.access_changed(ben.pk)
    # Leaving changed the decision's status, too.
    assert set(await stream.rest(await first)) <= {"status", "end"}


async def test_a_stream_of_a_visitor_ends_when_the_community_closes_its_doors(transactional_db: None) -> None:
    scene = await sync_to_async(Scene)(visibility="public")
    stream, first = await listening(scene, None)
    manager = scene.members["manager"].user
    await sync_to_async(services.update_community)(manager, scene.community.pk, visibility="members")
    assert await first == "end"
    await stream.close()


async def test_a_stream_ends_by_itself_soon_after_somebody_signed_out(
    open_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    client = AsyncClient()
    await client.aforce_login(open_scene.members["ben"].user, backend="accounts.backends.SignInLinkBackend")
    seen = await shown_to(open_scene, "ben")
    stream = Stream(await client.get(open_scene.address("decision-events"), {"seen": seen}))
    assert await stream.part() == ALIVE
    await client.alogout()
    assert await stream.rest() == ["end"]


async def test_a_stream_by_a_token_ends_with_the_token_and_is_told_nothing_more(open_scene: Scene) -> None:
    ben = open_scene.members["ben"].user
    token, raw = await sync_to_async(accounts.create_api_token)(ben, "script")
    seen, by_token = await shown_to(open_scene, "ben"), {"Authorization": f"Bearer {raw}"}
    stream = Stream(await AsyncClient().get(open_scene.address("decision-events"), {"seen": seen}, headers=by_token))
    first = asyncio.create_task(stream.event())
    await until_subscribed(open_scene)
    await sync_to_async(accounts.revoke_api_token)(ben, token.pk)
    await sync_to_async(open_scene.vote)(Ash=5)
    assert await stream.rest(await first) == ["end"]


async def test_a_stream_ends_when_its_viewers_account_is_made_inactive(open_scene: Scene) -> None:
    stream, first = await listening(open_scene, "ben")
    ben = open_scene.members["ben"].user
    ben.is_active = False
    await sync_to_async(ben.save)()
    await sync_to_async(open_scene.vote)(Ash=5)
    assert await stream.rest(await first) == ["end"]


async def test_events_tell_nothing_but_that_there_is_something(open_scene: Scene) -> None:
    await sync_to_async(open_scene.vote)(Ash=5)
    seen = await shown_to(open_scene, "ben")
    await sync_to_async(open_scene.calculate)()
    stream = Stream(await opened(open_scene, "ben", seen))
    assert await stream.part() == "event: result\ndata:\n\n"
    await stream.close()


# --- The page of a community ------------------------------------------------------------------------------------------


@sync_to_async
def overview(scene: Scene, who: str) -> str:
    """The text that names what somebody's page of the community shows now."""
    return str(scene.client(who).get(reverse("community", args=[scene.community.pk])).context["seen"])


async def followed(scene: Scene, who: str, seen: str | None = None) -> tuple[Stream, asyncio.Task[str]]:
    """The stream of a page that shows `seen`, or everything there is, and the event that it waits for."""
    client = AsyncClient()
    await client.aforce_login(scene.members[who].user, backend="accounts.backends.SignInLinkBackend")
    query = {"seen": await overview(scene, who) if seen is None else seen}
    stream = Stream(await client.get(reverse("community-events", args=[scene.community.pk]), query))
    first = asyncio.create_task(stream.event())
    topic = overview_topic(scene.community.pk)
    await asyncio.to_thread(until, lambda: first.done() or topic in hub.topics("overview:"))
    return stream, first


def decide(scene: Scene) -> None:
    factories.decision(scene.community, scene.members["manager"].user, title="Which tree?")


async def test_a_new_decision_is_pushed_to_the_communitys_page(open_scene: Scene) -> None:
    stream, first = await followed(open_scene, "ben")
    await sync_to_async(decide)(open_scene)
    assert await first == "community"
    await stream.close()


async def test_a_final_result_is_pushed_to_the_communitys_page(open_scene: Scene) -> None:
    await sync_to_async(close)(open_scene)
    stream, first = await followed(open_scene, "ben")
    await sync_to_async(open_scene.calculate)()
    assert await first == "community"
    await stream.close()


async def test_a_communitys_page_that_shows_everything_hears_nothing_from_the_sweep(open_scene: Scene) -> None:
    publishing._told.clear()
    stream, first = await followed(open_scene, "ben")
    await sync_to_async(publishing.catch_up)()
    await sync_to_async(open_scene.vote)(Ash=5)
    await sync_to_async(publishing.catch_up)()
    await sign_out(open_scene, "ben")
    assert await first == "end"
    await stream.close()


@pytest.mark.parametrize(
    ("changes", "events"),
    [([decide], ["community", "end"]), ([close, Scene.calculate], ["community", "end"]), ([Scene.vote], ["end"])],
)
async def test_what_was_missed_before_the_stream_opened_is_told_where_the_page_shows_it(
    open_scene: Scene, changes: list[Callable[[Scene], None]], events: list[str]
) -> None:
    seen = await overview(open_scene, "ben")
    for change in changes:
        await sync_to_async(change)(open_scene)
    stream, first = await followed(open_scene, "ben", seen)
    if events != ["end"]:
        # Whoever signs out before the stream has looked is told nothing more.
        await first
    await sign_out(open_scene, "ben")
    assert await stream.rest(await first) == events


@pytest.mark.parametrize("seen", ["", "x.y", "-1.0"])
async def test_a_communitys_page_that_does_not_say_what_it_shows_is_told_at_once(open_scene: Scene, seen: str) -> None:
    stream, first = await followed(open_scene, "ben", seen)
    assert await first == "community"
    await stream.close()


async def test_the_stream_of_a_community_is_for_its_readers_and_ends_for_those_who_leave(open_scene: Scene) -> None:
    address = reverse("community-events", args=[open_scene.community.pk])
    assert (await AsyncClient().get(address)).status_code == 404
    stream, first = await followed(open_scene, "ben")
    await sync_to_async(services.leave_community)(open_scene.members["ben"].user, open_scene.community.pk)
    assert set(await stream.rest(await first)) <= {"community", "end"}
