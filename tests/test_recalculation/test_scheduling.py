"""The scheduler with its thread: what it does by itself, at once and between its sweeps."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from democracy import recalculation
from democracy.live.hub import community_topic, hub
from democracy.models import Community, Decision, DecisionSnapshot
from democracy.recalculation import executors, pruning
from tests import factories
from tests.recalculation import PATIENCE, until
from tests.test_live.test_publishing import in_database, news

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3_600.0


class ByHand:
    """An executor whose runs last until the test ends them."""

    def __init__(self, *, sweeps: bool = True) -> None:
        self.sweeps = sweeps
        self.started: list[int] = []
        self._done: dict[int, Callable[[], None]] = {}

    def start(self, community_id: int, done: Callable[[], None]) -> None:
        self._done[community_id] = done
        self.started.append(community_id)

    def end(self, community_id: int) -> None:
        self._done.pop(community_id)()

    def problem(self) -> str | None:
        return None


@pytest.fixture
def scheduler(settings: Settings) -> Iterator[recalculation.Scheduler]:
    """It looks around when it starts and then not for an hour."""
    settings.RECALCULATION_SWEEP_INTERVAL = HOUR
    settings.RECALCULATION_DEBOUNCE = 0.0
    one = recalculation.Scheduler()
    yield one
    one.stop(timeout=0)


@pytest.fixture
def stale() -> Decision:
    community, members = factories.community()
    return factories.decision(community, members["manager"].user)


class TestAtTheStart:
    def test_what_is_stale_is_found_at_once(self, scheduler: recalculation.Scheduler, stale: Decision) -> None:
        executor = ByHand()
        scheduler.start(executor)
        until(lambda: executor.started == [stale.community_id], "the sweep at the start")

    async def test_watchers_are_told_what_no_message_told_of_and_a_server_of_a_queue_leaves_the_sweep_to_workers(
        self, scheduler: recalculation.Scheduler, settings: Settings
    ) -> None:
        community, members = await in_database(factories.community)
        await in_database(factories.decision, community, members["manager"].user)
        topic = community_topic(community.pk)
        settings.RECALCULATION_SWEEP_INTERVAL = 0.02
        executor = ByHand(sweeps=False)
        async with hub.subscribe(topic) as inbox:
            await asyncio.to_thread(scheduler.start, executor)
            # Told twice, so what a first sweep would have woken would have been started.
            for revision in (1_001, 1_002):
                await in_database(Community.objects.filter(pk=community.pk).update, revision=revision)
                while (await news(inbox))[topic] != revision:
                    pass
        assert executor.started == []

    def test_old_history_is_thinned_out(
        self, scheduler: recalculation.Scheduler, stale: Decision, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.HISTORY_DAYS = 1
        monkeypatch.setattr(pruning, "_next", 0.0)
        long_ago = timezone.now() - timedelta(days=9)
        for revision in (1, 2):
            DecisionSnapshot.objects.create(decision=stale, revision=revision, calculated_at=long_ago, result={})
        scheduler.start(ByHand())
        until(lambda: DecisionSnapshot.objects.filter(decision=stale).count() == 1, "the history to be thinned out")


class TestBetweenSweeps:
    def test_a_wake_up_is_heard_while_it_sleeps_and_while_it_waits_for_another(
        self, scheduler: recalculation.Scheduler, settings: Settings
    ) -> None:
        executor = ByHand()
        scheduler.start(executor)
        scheduler.wake(1)
        until(lambda: executor.started == [1], "the first run")
        settings.RECALCULATION_DEBOUNCE = 0.05
        scheduler.wake(2)
        until(lambda: executor.started == [1, 2], "the second run, after its debounce")

    def test_who_waits_for_a_free_place_gets_it_when_a_run_ends(
        self, scheduler: recalculation.Scheduler, settings: Settings
    ) -> None:
        settings.RECALCULATION_CONCURRENCY = 1
        executor = ByHand()
        scheduler.start(executor)
        scheduler.wake(1)
        until(lambda: executor.started == [1], "the first run")
        scheduler.wake(2)
        until(lambda: scheduler._limit_logged, "the scheduler to see that no place is free")
        assert scheduler.load() == (1, 1)
        executor.end(1)
        until(lambda: executor.started == [1, 2], "the second run")


class TestStopping:
    def test_it_waits_for_runs_under_way_and_starts_none_of_those_that_wait(
        self, scheduler: recalculation.Scheduler, settings: Settings
    ) -> None:
        executor = ByHand()
        scheduler.start(executor)
        scheduler.wake(1)
        until(lambda: executor.started == [1], "a run")
        settings.RECALCULATION_DEBOUNCE = settings.RECALCULATION_DEBOUNCE_BOUND = HOUR
        scheduler.wake(2)
        stopping = threading.Thread(target=scheduler.stop, args=(PATIENCE,))
        stopping.start()
        until(lambda: scheduler.problem() is not None, "the scheduler to stop")
        stopping.join(0.1)
        assert stopping.is_alive()
        executor.end(1)
        stopping.join(PATIENCE)
        assert not stopping.is_alive()
        assert (executor.started, scheduler.load()) == ([1], (0, 0))

    def test_a_thread_that_died_is_a_problem(
        self, scheduler: recalculation.Scheduler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recalculation.Scheduler, "_loop", lambda self: None)
        scheduler.start(executors.Threads())
        until(lambda: scheduler.problem() == "the scheduler is not running", "the death of its thread to be noticed")
