"""Open pages keep up: the status that is polled, and the events that are pushed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from democracy import publishing, services
from democracy.models import DecisionSnapshot
from democracy.publishing import hub
from democracy.recalculation import recalculate_community
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
        factories.vote(self.members["ada"], self.decision, **stars)

    def calculate(self) -> None:
        recalculate_community(self.community.pk)

    def client(self, who: str) -> Client:
        return as_(self.members[who].user)


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
    seen = client.get(scene.address("decision-status")).context["seen"]

    def news() -> str | None:
        return client.get(scene.address("decision-status"), {"seen": seen}).headers.get("HX-Trigger")

    assert news() is None
    scene.vote(Ash=5)
    assert news() is None
    scene.calculate()
    assert news() == "calculated"
    factories.close(scene.decision, at=timezone.now())
    assert news() == "phase, calculated"


def test_a_failed_calculation_is_said_and_its_reason_only_to_managers(scene: Scene) -> None:
    from democracy.services.storing import record_failure

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


class Stream:
    """The events of an open page, in order, heartbeats left out."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self._parts: AsyncIterator[bytes] = aiter(response.streaming_content)

    async def part(self) -> str:
        return (await asyncio.wait_for(anext(self._parts), PATIENCE)).decode()

    async def event(self) -> str:
        while (part := await self.part()).startswith(":"):
            pass
        return part.partition("\n")[0].removeprefix("event: ")

    async def events(self, count: int) -> set[str]:
        return {await self.event() for _ in range(count)}

    async def close(self) -> None:
        await self._parts.aclose()  # type: ignore[attr-defined]


async def opened(scene: Scene, who: str | None, **query: str) -> Any:
    client = AsyncClient()
    if who is not None:
        user = scene.members[who].user
        await client.aforce_login(user, backend="accounts.backends.SignInLinkBackend")
    return await client.get(scene.address("decision-events"), query)


async def until_subscribed(scene: Scene) -> None:
    await asyncio.to_thread(until, lambda: publishing.result_topic(scene.decision.pk) in hub.topics("result:"))


@pytest.fixture
async def open_scene(transactional_db: None) -> Scene:
    return await sync_to_async(Scene)(visibility="members")


async def listening(scene: Scene, who: str) -> tuple[Stream, asyncio.Task[str]]:
    stream = Stream(await opened(scene, who))
    first = asyncio.create_task(stream.event())
    await until_subscribed(scene)
    return stream, first


async def test_a_new_result_and_a_new_status_are_pushed(open_scene: Scene) -> None:
    stream, first = await listening(open_scene, "ben")
    assert stream.response["Content-Type"] == "text/event-stream"
    assert (stream.response["X-Accel-Buffering"], "no-store" in stream.response["Cache-Control"]) == ("no", True)
    await sync_to_async(open_scene.vote)(Ash=5)
    assert await first == "status"
    await sync_to_async(open_scene.calculate)()
    seen: list[str] = []
    while "result" not in seen:
        seen.append(await stream.event())
    assert set(seen) <= {"status", "result"}
    await stream.close()


async def test_what_changed_before_the_stream_opened_is_told_at_once(open_scene: Scene) -> None:
    status = await sync_to_async(lambda: open_scene.client("ben").get(open_scene.address("decision-status")))()
    await sync_to_async(open_scene.vote)(Ash=5)
    await sync_to_async(open_scene.calculate)()
    stream = Stream(await opened(open_scene, "ben", seen=status.context["seen"]))
    assert await stream.event() == "result"
    await stream.close()


async def test_a_silent_stream_shows_that_it_lives(open_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    stream = Stream(await opened(open_scene, "ben"))
    assert [await stream.part(), await stream.part()] == [": still here\n\n"] * 2
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
    events = [await first]
    while events[-1] != "end":
        events.append(await stream.event())
    # Leaving changed the decision's status, too.
    assert set(events) <= {"status", "end"}
    with pytest.raises(StopAsyncIteration):
        await stream.part()


async def test_a_stream_of_a_visitor_ends_when_the_community_closes_its_doors(transactional_db: None) -> None:
    scene = await sync_to_async(Scene)(visibility="public")
    stream = Stream(await opened(scene, None))
    first = asyncio.create_task(stream.event())
    await until_subscribed(scene)
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
    stream = Stream(await client.get(open_scene.address("decision-events")))
    assert await stream.part() == ": still here\n\n"
    await client.alogout()
    assert await stream.event() == "end"
    with pytest.raises(StopAsyncIteration):
        await stream.part()


async def test_events_tell_nothing_but_that_there_is_something(open_scene: Scene) -> None:
    stream = Stream(await opened(open_scene, "ben"))
    part = asyncio.create_task(stream.part())
    await until_subscribed(open_scene)
    publishing.result_stored(
        DecisionSnapshot(decision_id=open_scene.decision.pk, revision=1, calculated_at=timezone.now(), result={})
    )
    assert await part == "event: result\ndata:\n\n"
    await stream.close()


# --- The page of a community ------------------------------------------------------------------------------------------


async def followed(scene: Scene, who: str | None, **query: str) -> tuple[Stream, asyncio.Task[str]]:
    """The open page of the community, with the event that it waits for."""
    client = AsyncClient()
    if who is not None:
        await client.aforce_login(scene.members[who].user, backend="accounts.backends.SignInLinkBackend")
    stream = Stream(await client.get(reverse("community-events", args=[scene.community.pk]), query))
    first = asyncio.create_task(stream.event())
    topic = publishing.overview_topic(scene.community.pk)
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
    await sync_to_async(factories.close)(open_scene.decision, at=timezone.now())
    stream, first = await followed(open_scene, "ben")
    await sync_to_async(open_scene.calculate)()
    assert await first == "community"
    await stream.close()


@pytest.mark.parametrize(("change", "event"), [(decide, "community"), (lambda scene: scene.vote(Ash=5), None)])
async def test_what_was_missed_before_the_stream_opened_is_told_where_the_page_shows_it(
    open_scene: Scene, monkeypatch: pytest.MonkeyPatch, change: Any, event: str | None
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    await sync_to_async(open_scene.community.refresh_from_db)()
    seen = str(open_scene.community.revision)
    await sync_to_async(change)(open_scene)
    client = AsyncClient()
    await client.aforce_login(open_scene.members["ben"].user, backend="accounts.backends.SignInLinkBackend")
    stream = Stream(await client.get(reverse("community-events", args=[open_scene.community.pk]), {"seen": seen}))
    part = await stream.part()
    assert part == (f"event: {event}\ndata:\n\n" if event else ": still here\n\n")
    await stream.close()


async def test_the_stream_of_a_community_is_for_its_readers_and_ends_for_those_who_leave(open_scene: Scene) -> None:
    address = reverse("community-events", args=[open_scene.community.pk])
    assert (await AsyncClient().get(address)).status_code == 404
    stream, first = await followed(open_scene, "ben")
    await sync_to_async(services.leave_community)(open_scene.members["ben"].user, open_scene.community.pk)
    events = [await first]
    while events[-1] != "end":
        events.append(await stream.event())
    assert set(events) <= {"community", "end"}
