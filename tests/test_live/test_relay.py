"""Hints between processes: heard by the others, by nobody else, and never in the way of whoever sends them."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from democracy.live import publishing
from democracy.live import relay as relay_module
from democracy.live.hub import (
    access_topic,
    community_topic,
    hub,
    overview_topic,
    readers_topic,
    result_topic,
    status_topic,
)
from democracy.live.relay import Hint, Relay, relay
from democracy.models import Community
from tests import factories
from tests.recalculation import PATIENCE, until
from tests.test_live.test_publishing import in_database, news, nothing, show

NOWHERE = "redis://127.0.0.1:1/0"


class Process:
    """A process with a relay, and what it hears."""

    def __init__(self) -> None:
        self.relay = Relay()
        self.heard: queue.Queue[set[Hint]] = queue.Queue()
        self.caught_up = 0

    def _catch_up(self) -> None:
        self.caught_up += 1

    def start(self) -> None:
        self.relay.start(hear=self.heard.put, catch_up=self._catch_up)


@pytest.fixture
def process() -> Iterator[Callable[[], Process]]:
    started: list[Process] = []

    def start() -> Process:
        one = Process()
        started.append(one)
        one.start()
        return one

    yield start
    for one in started:
        one.relay.stop()


@pytest.mark.services("redis")
class TestBetweenProcesses:
    def test_what_one_sends_the_others_hear_and_it_does_not(self, process) -> None:
        here, there, elsewhere = process(), process(), process()
        until(lambda: all(one.relay.listening.is_set() for one in (here, there, elsewhere)), "all to listen")
        here.relay.send([("result", 7)])
        there.relay.send([("status", 8)])
        assert there.heard.get(timeout=PATIENCE) == {("result", 7)}
        assert here.heard.get(timeout=PATIENCE) == {("status", 8)}
        assert {*elsewhere.heard.get(timeout=PATIENCE), *elsewhere.heard.get(timeout=PATIENCE)} == {
            ("result", 7),
            ("status", 8),
        }
        assert here.heard.empty()
        assert there.heard.empty()

    def test_whoever_begins_to_listen_catches_up_first(self, process) -> None:
        one = process()
        until(lambda: one.caught_up == 1, "catching up")

    def test_another_installation_on_the_same_redis_hears_nothing(self, process, settings: Settings) -> None:
        here, there = process(), process()
        until(lambda: here.relay.listening.is_set() and there.relay.listening.is_set())
        settings.INSTALLATION = "another"
        other = process()
        until(other.relay.listening.is_set)
        here.relay.send([("result", 1)])  # on the other installation's channel: both senders share these settings now
        assert other.heard.get(timeout=PATIENCE) == {("result", 1)}
        assert there.heard.empty()


class TestWithoutRedis:
    def test_nothing_is_started_and_sending_does_nothing(self, process, settings: Settings) -> None:
        settings.REDIS_URL = ""
        one = process()
        one.relay.send([("result", 1)])
        assert one.relay._threads == []

    @pytest.mark.services("celery")  # the package is there
    def test_a_redis_that_does_not_answer_fails_nobody_and_what_waits_is_bounded(
        self, process, settings: Settings, monkeypatch
    ) -> None:
        monkeypatch.setattr(relay_module, "_PAUSE", 0.01)
        settings.REDIS_URL = NOWHERE
        one = process()
        one.relay.send(("result", number) for number in range(50_000))
        until(one.relay._outgoing.empty, "the sender to give up what it cannot send")
        assert not one.relay.listening.is_set()


@pytest.mark.services("redis")
@pytest.mark.django_db(transaction=True)
class TestNewsFromElsewhere:
    """News of another process, which reach who watches here, read from the database."""

    @pytest.fixture
    def elsewhere(self) -> Iterator[Relay]:
        publishing._told.clear()
        publishing.start_relay()
        other = Process()
        other.start()
        until(lambda: relay.listening.is_set() and other.relay.listening.is_set())
        yield other.relay
        other.relay.stop()
        relay.stop()
        publishing._told.clear()

    async def test_a_result_a_status_and_a_community(self, elsewhere: Relay) -> None:
        community, members = await in_database(factories.community, "ada")
        decision = await in_database(factories.decision, community, members["manager"].user)
        topics = (
            result_topic(decision.pk),
            status_topic(decision.pk),
            community_topic(community.pk),
            overview_topic(community.pk),
        )
        async with hub.subscribe(*topics) as inbox, hub.subscribe(result_topic(decision.pk + 1)) as bystander:
            snapshot = await in_database(show, decision, 7)
            await in_database(lambda: Community.objects.filter(pk=community.pk).update(revision=71))
            elsewhere.send([("result", decision.pk), ("community", community.pk)])
            told = await news(inbox)
            while len(told) < 4:
                told |= await news(inbox)
            assert told[topics[0]] == snapshot
            assert told[topics[1]].decision_id == decision.pk
            assert (told[topics[2]], told[topics[3]]) == (71, 71)
            assert await nothing(bystander)

    async def test_that_somebody_may_see_something_else_now(self, elsewhere: Relay) -> None:
        topics = (access_topic(5), readers_topic(6), overview_topic(7))
        async with hub.subscribe(*topics) as inbox, hub.subscribe(access_topic(6)) as other:
            elsewhere.send([("access", 5), ("readers", 6), ("overview", 7)])
            told = await news(inbox)
            while len(told) < 3:
                told |= await news(inbox)
            assert told == dict.fromkeys(topics)
            assert await nothing(other)

    async def test_what_is_published_here_is_told_there(self, elsewhere: Relay) -> None:
        heard: queue.Queue[set[Hint]] = queue.Queue()
        listener = Relay()
        listener.start(hear=heard.put, catch_up=lambda: None)
        try:
            await asyncio.to_thread(until, listener.listening.is_set)
            community, members = await in_database(factories.community, "ada")
            decision = await in_database(factories.decision, community, members["manager"].user)
            await in_database(factories.vote, members["ada"], decision, Ash=5)
            wanted = {("community", community.pk)}
            publishing.result_stored(await in_database(show, decision, 3, is_final=True))
            await in_database(publishing.status_changed, [decision.pk])
            publishing.access_changed(9)
            publishing.readers_changed(8)
            wanted |= {
                ("overview", community.pk),
                ("result", decision.pk),
                ("status", decision.pk),
                ("access", 9),
                ("readers", 8),
            }
            seen: set[Hint] = set()
            while not wanted <= seen:
                seen |= await asyncio.to_thread(heard.get, timeout=PATIENCE)
        finally:
            await asyncio.to_thread(listener.stop)
