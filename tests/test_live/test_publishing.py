"""Publishing: from any thread to the loops of those who watch, the newest only, and nothing lost for good."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import Mock

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from democracy.live import publishing
from democracy.live.hub import (
    Hub,
    Inbox,
    access_topic,
    community_topic,
    hub,
    overview_topic,
    result_topic,
    status_topic,
)
from democracy.models import Community, Decision, DecisionSnapshot, Membership
from democracy.recalculation import recalculate_community
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import forget_everything
from democracy.recalculation.storing import record_failure
from tests import factories

PATIENCE = 10.0


async def news(inbox: Inbox) -> dict[str, Any]:
    return await asyncio.wait_for(inbox.next(), PATIENCE)


async def nothing(inbox: Inbox) -> bool:
    """Whether the inbox is empty once all that was sent from this process so far has arrived."""
    await asyncio.sleep(0)
    return not inbox._unread


class TestHub:
    async def test_a_value_from_another_thread_wakes_a_sleeping_subscriber(self) -> None:
        one = Hub()
        async with one.subscribe("a") as inbox:
            waiting = asyncio.create_task(inbox.next())
            await asyncio.sleep(0)
            threading.Thread(target=one.publish, args=("a", 7)).start()
            assert await asyncio.wait_for(waiting, PATIENCE) == {"a": 7}

    async def test_a_slow_subscriber_gets_the_newest_of_each_topic(self) -> None:
        one = Hub()
        async with one.subscribe("a", "b") as inbox:
            for number in range(5):
                one.publish("a", number)
            one.publish("b", "x")
            await asyncio.sleep(0)
            assert await news(inbox) == {"a": 4, "b": "x"}
            one.publish("a", 9)
            assert await news(inbox) == {"a": 9}

    async def test_only_subscribers_of_a_topic_hear_it_and_all_of_them_do(self) -> None:
        one = Hub()
        async with one.subscribe("a") as first, one.subscribe("a", "b") as second, one.subscribe("b") as third:
            one.publish("a", 1)
            assert (await news(first), await news(second), await nothing(third)) == ({"a": 1}, {"a": 1}, True)

    async def test_whoever_has_left_hears_nothing_and_is_not_remembered(self) -> None:
        one = Hub()
        async with one.subscribe("a", "b") as inbox:
            assert sorted(one.topics("")) == ["a", "b"]
        one.publish("a", 1)
        assert await nothing(inbox)
        assert one.topics("") == []

    async def test_many_threads_reach_subscribers_in_several_loops(self) -> None:
        one = Hub()
        heard: dict[int, set[str]] = {}
        ready = threading.Barrier(4)

        def listen(number: int) -> None:
            async def run() -> None:
                async with one.subscribe(*[f"topic {source}" for source in range(4)]) as inbox:
                    ready.wait()
                    while len(heard.setdefault(number, set())) < 4:
                        heard[number].update(await news(inbox))

            asyncio.run(run())

        def speak(number: int) -> None:
            for value in range(50):
                one.publish(f"topic {number}", value)

        listeners = [threading.Thread(target=listen, args=(number,)) for number in range(3)]
        for thread in listeners:
            thread.start()
        await asyncio.to_thread(ready.wait)
        for number in range(4):
            threading.Thread(target=speak, args=(number,)).start()
        for thread in listeners:
            await asyncio.to_thread(thread.join)
        everything = {f"topic {number}" for number in range(4)}
        assert heard == {0: everything, 1: everything, 2: everything}

    async def test_a_subscriber_whose_loop_was_closed_is_dropped_and_the_others_hear(self) -> None:
        one = Hub()

        def die() -> None:
            loop = asyncio.new_event_loop()
            subscription = one.subscribe("a", "b")
            loop.run_until_complete(subscription.__aenter__())
            loop.close()

        thread = threading.Thread(target=die)
        thread.start()
        await asyncio.to_thread(thread.join)
        async with one.subscribe("a") as inbox:
            one.publish("a", 1)
            assert await news(inbox) == {"a": 1}
            assert one.topics("") == ["a"]

    async def test_topics_are_asked_for_by_their_beginning(self) -> None:
        one = Hub()
        async with one.subscribe("status:1", "status:12", "result:1"):
            assert sorted(one.topics("status:")) == ["status:1", "status:12"]

    async def test_whoever_subscribes_first_and_reads_second_misses_nothing(self) -> None:
        """The value changes at every moment between; it is either read or heard of."""
        for moment in range(3):
            one, value = Hub(), 0

            def change(now: int, then: int = moment, hub: Hub = one) -> None:
                nonlocal value
                if now == then:
                    value = 1
                    hub.publish("a", value)

            change(0)
            async with one.subscribe("a") as inbox:
                change(1)
                read = value
                change(2)
                assert read == 1 or await news(inbox) == {"a": 1}


Scene = tuple[Community, dict[str, Membership], Decision]


@pytest.fixture
def scene(transactional_db: None) -> Iterator[Scene]:
    forget_everything()
    publishing._told.clear()
    community, members = factories.community("ada", "ben")
    yield community, members, factories.decision(community, members["manager"].user)
    publishing._told.clear()


@asynccontextmanager
async def watching(*topics: str) -> AsyncIterator[Inbox]:
    async with hub.subscribe(*topics) as inbox:
        yield inbox


def in_database(change: Callable[..., Any], *args: Any, **fields: Any) -> Any:
    # As the server does it: the thread gives its connection back.
    return database_sync_to_async(change)(*args, **fields)


def show(decision: Decision, revision: int, *, is_final: bool = False) -> DecisionSnapshot:
    """A result as another process stores it: in the database, without a word to this process."""
    return DecisionSnapshot.objects.create(
        decision=decision, revision=revision, calculated_at=timezone.now(), is_final=is_final, result={}
    )


@pytest.mark.django_db(transaction=True)
class TestCommittedChanges:
    async def test_a_change_tells_its_community_and_the_status_of_its_decision(self, scene: Scene) -> None:
        community, members, decision = scene
        other, _ = await in_database(factories.community)
        async with (
            watching(community_topic(community.pk), status_topic(decision.pk)) as inbox,
            watching(community_topic(other.pk)) as bystander,
        ):
            await in_database(factories.vote, members["ada"], decision, Ash=5)
            told = await news(inbox)
            while len(told) < 2:
                told |= await news(inbox)
            revision = await in_database(lambda: Community.objects.get(pk=community.pk).revision)
            assert told[community_topic(community.pk)] == revision
            state = told[status_topic(decision.pk)]
            assert (state.decision_id, state.status, state.input_revision) == (decision.pk, "stale", revision)
            assert await nothing(bystander)

    async def test_a_communitys_page_is_told_of_what_it_shows_and_neither_of_votes_nor_of_followings(
        self, scene: Scene
    ) -> None:
        community, members, decision = scene
        everything, overview = community_topic(community.pk), overview_topic(community.pk)
        async with watching(everything, overview) as inbox:
            await in_database(publishing.catch_up)
            while overview not in await news(inbox):
                pass
            for change in (
                lambda: factories.vote(members["ada"], decision, Ash=5),
                lambda: factories.follow(members["ada"], members["ben"]),
            ):
                await in_database(change)
                await in_database(publishing.catch_up)
                assert set(await news(inbox)) == {everything}
            await in_database(factories.decision, community, members["manager"].user, title="Which tree?")
            told = await news(inbox)
            while len(told) < 2:
                told |= await news(inbox)
            assert told[overview] == told[everything]

    async def test_a_communitys_page_alone_hears_of_what_another_process_changed(self, scene: Scene) -> None:
        community, members, _ = scene
        overview = overview_topic(community.pk)
        async with watching(overview) as inbox:
            await in_database(publishing.catch_up)
            first = (await news(inbox))[overview]
            await in_database(factories.draft, community, members["manager"].user)
            publishing._told[overview] = first
            await in_database(publishing.catch_up)
            told = await news(inbox)
            assert told[overview] > first

    async def test_watchers_are_told_how_a_calculation_ended_failed_or_final(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        community, members, decision = scene
        overview = overview_topic(community.pk)
        async with watching(status_topic(decision.pk)) as inbox, watching(overview) as page:

            async def calculated() -> Any:
                await in_database(recalculate_community, community.pk)
                hub.publish(status_topic(0), None)
                await asyncio.sleep(0)
                return (await news(inbox))[status_topic(decision.pk)]

            await in_database(factories.vote, members["ada"], decision, Ash=5)
            with monkeypatch.context() as broken:
                broken.setattr(Tally, "process", Mock(side_effect=ArithmeticError("cannot count")))
                assert (await calculated()).status == "failed"
            await in_database(factories.close, decision)
            await in_database(lambda: Decision.objects.update(failed_at=None, failed_revision=0))
            while page._unread:
                await news(page)
            state = await calculated()
            assert (state.status, state.is_final) == ("current", True)
            # What won stands on the community's page.
            assert overview in await news(page)

    async def test_watchers_are_told_of_a_failure_as_soon_as_it_is_recorded(self, scene: Scene) -> None:
        community, members, decision = scene
        other = await in_database(factories.decision, community, members["manager"].user)
        await in_database(factories.vote, members["ada"], decision, Ash=5)
        row = await in_database(Decision.objects.get, pk=decision.pk)
        async with watching(status_topic(decision.pk)) as inbox, watching(status_topic(other.pk)) as bystander:
            await in_database(record_failure, row, row.input_revision, "cannot count")
            assert not await nothing(inbox)
            assert (await news(inbox))[status_topic(decision.pk)].status == "failed"
            assert await nothing(bystander)

    async def test_the_same_is_told_once(self, scene: Scene) -> None:
        _, _, decision = scene
        snapshot = await in_database(show, decision, 1)
        async with watching(result_topic(decision.pk), status_topic(decision.pk)) as inbox:
            for _ in range(2):
                publishing.result_stored(snapshot)
                await in_database(publishing.status_changed, [decision.pk])
            told = await news(inbox)
            while len(told) < 2:
                told |= await news(inbox)
            publishing.result_stored(snapshot)
            await in_database(publishing.status_changed, [decision.pk])
            await in_database(publishing.catch_up)
            assert await nothing(inbox)

    async def test_whoever_may_see_something_else_now_is_told_to_look_again(self) -> None:
        async with watching(access_topic(5)) as inbox, watching(access_topic(6)) as bystander:
            publishing.access_changed(5)
            assert await news(inbox) == {"access:5": None}
            publishing.access_changed(5)
            assert await news(inbox) == {"access:5": None}
            assert await nothing(bystander)


@pytest.mark.django_db(transaction=True)
class TestCatchingUp:
    async def test_what_other_processes_changed_is_told(self, scene: Scene) -> None:
        community, _, decision = scene
        topics = (community_topic(community.pk), result_topic(decision.pk), status_topic(decision.pk))
        async with watching(*topics) as inbox:
            await in_database(publishing.catch_up)
            await news(inbox)
            snapshot = await in_database(show, decision, 7)
            await in_database(lambda: Decision.objects.filter(pk=decision.pk).update(input_revision=70))
            await in_database(lambda: Community.objects.filter(pk=community.pk).update(revision=71))
            await in_database(publishing.catch_up)
            told = await news(inbox)
            while len(told) < 3:
                told |= await news(inbox)
            assert (told[topics[0]], told[topics[1]], told[topics[2]].input_revision) == (71, snapshot, 70)
            await in_database(publishing.catch_up)
            assert await nothing(inbox)

    async def test_the_newest_result_is_told_and_a_final_one_before_all_others(self, scene: Scene) -> None:
        _, _, decision = scene
        for revision in (7, 9, 8):
            await in_database(show, decision, revision)
        async with watching(result_topic(decision.pk)) as inbox:
            await in_database(publishing.catch_up)
            assert (await news(inbox))[result_topic(decision.pk)].revision == 9
            await in_database(show, decision, 8, is_final=True)
            await in_database(publishing.catch_up)
            told = (await news(inbox))[result_topic(decision.pk)]
            assert (told.revision, told.is_final) == (8, True)

    async def test_what_nobody_watches_is_forgotten(self, scene: Scene) -> None:
        community, members, decision = scene
        await in_database(factories.vote, members["ada"], decision, Ash=5)
        assert community_topic(community.pk) in publishing._told
        async with watching(community_topic(community.pk)):
            await in_database(publishing.catch_up)
            assert set(publishing._told) == {community_topic(community.pk)}
        await in_database(publishing.catch_up)
        assert publishing._told == {}

    async def test_a_change_during_catching_up_does_not_disturb_it(self, scene: Scene) -> None:
        """Threads of requests tell their news while the sweep forgets old ones."""
        stop = threading.Event()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)

        def tell() -> None:
            number = 0
            while not stop.is_set():
                publishing._tell(f"community:{number % 5_000}", number)
                number += 1

        thread = threading.Thread(target=tell)
        thread.start()
        try:
            for _ in range(30):
                await in_database(publishing.catch_up)
        finally:
            stop.set()
            await asyncio.to_thread(thread.join)
            sys.setswitchinterval(interval)
