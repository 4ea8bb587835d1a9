"""Executors calculate a due community: threads of the process, or workers, also while the queue does not answer."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.cache import cache
from pytest_django import Settings

from democracy import eventlog, recalculation
from democracy.recalculation import executors
from democracy.recalculation.executors import Queue, Threads, Worker
from tests import factories, services
from tests.recalculation import until

NOWHERE = "redis://127.0.0.1:1/0"

pytestmark = pytest.mark.django_db(transaction=True)


def recalculate(community_id: int) -> None:
    """Stands for the job on queues from which nobody takes it."""


class Done:
    def __init__(self) -> None:
        self.event = threading.Event()

    def __call__(self) -> None:
        self.event.set()


@pytest.fixture
def stale():
    community, members = factories.community("ada")
    decision = factories.decision(community, members["manager"].user)
    factories.vote(members["ada"], decision, Ash=5)
    return decision


def is_stale(decision: Any) -> bool:
    decision.refresh_from_db()
    return bool(decision.is_stale)


class TestChoice:
    @pytest.mark.parametrize(("setting", "kind"), [("threads", Threads), ("celery", Queue), ("off", type(None))])
    def test_the_setting_says_who_calculates_for_a_server(self, settings: Settings, setting, kind) -> None:
        settings.CROWDVOTE_EXECUTOR = setting
        assert type(executors.of_this_server()) is kind

    def test_a_process_without_a_scheduler_has_a_problem(self) -> None:
        assert recalculation.executor_problem() == "the scheduler is not running"

    def test_a_server_that_calculates_by_itself_has_none(self, settings: Settings) -> None:
        settings.CROWDVOTE_EXECUTOR = "threads"
        recalculation.scheduler.start()
        try:
            assert recalculation.executor_problem() is None
        finally:
            recalculation.scheduler.stop()
        assert recalculation.executor_problem() == "the scheduler is not running"


class TestThreads:
    def test_a_thread_calculates_and_says_when_it_is_done(self, stale) -> None:
        done = Done()
        Threads().start(stale.community_id, done)
        assert done.event.wait(20)
        assert not is_stale(stale)


@pytest.mark.services("celery")
class TestAQueueThatDoesNotAnswer:
    @pytest.fixture(autouse=True)
    def nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from celery import Celery

        from democracy.recalculation import jobs

        app = Celery("nowhere", broker=NOWHERE, set_as_current=False)
        app.conf.broker_transport_options = {"max_retries": 0}
        monkeypatch.setattr(jobs, "recalculate", app.task(name="tests.recalculate")(recalculate))

    def test_it_stops_no_server_and_is_told_once_until_it_answers(self, stale, monkeypatch) -> None:
        told: list[str] = []
        monkeypatch.setattr(eventlog, "limit_reached", told.append)
        monkeypatch.setattr(executors, "_PAUSE", 0.0)
        queue = Queue()
        for _ in range(3):
            done = Done()
            queue.start(stale.community_id, done)
            assert done.event.is_set()
        assert is_stale(stale)
        assert len(told) == 1
        assert told[0].startswith("The queue does not answer, the sweep calculates meanwhile: ")

    def test_it_is_not_asked_again_for_a_while(self, stale, monkeypatch) -> None:
        from democracy.recalculation import jobs

        queue, send = Queue(), Mock(wraps=jobs.send)
        monkeypatch.setattr(jobs, "send", send)
        for _ in range(3):
            queue.start(stale.community_id, Done())
        send.assert_called_once_with(stale.community_id)

    def test_a_worker_calculates_by_itself_meanwhile(self, stale) -> None:
        done = Done()
        Worker().start(stale.community_id, done)
        assert done.event.wait(20)
        assert not is_stale(stale)

    def test_nothing_is_left_behind_that_says_a_job_waits(self, stale) -> None:
        from democracy.recalculation import jobs

        with pytest.raises(Exception, match="refused"):
            jobs.send(stale.community_id)
        assert cache.get(f"recalculation:waiting:{stale.community_id}") is None


@pytest.mark.services("celery")
class TestJobs:
    @pytest.fixture
    def app(self, monkeypatch: pytest.MonkeyPatch, settings: Settings):
        """A queue of this test's own, with nobody to take its jobs."""
        from celery import Celery

        from democracy.recalculation import jobs

        self.job = jobs.recalculate
        app = Celery("here", broker=settings.REDIS_URL, set_as_current=False)
        app.conf.task_default_queue = f"test-{settings.TEST_RUN}-{time.monotonic_ns()}"
        monkeypatch.setattr(jobs, "recalculate", app.task(name="tests.recalculate")(recalculate))
        yield app
        with app.connection_for_write() as connection:
            connection.default_channel.queue_delete(app.conf.task_default_queue)

    def waiting(self, app) -> list[Any]:
        """The arguments of the jobs on the queue, which are taken from it."""
        with app.connection_for_read() as connection, connection.SimpleQueue(app.conf.task_default_queue) as queue:
            jobs = []
            with suppress(queue.Empty):
                while True:
                    message = queue.get(block=False)
                    jobs.append(message.payload[0])
                    message.ack()
            return jobs

    def test_a_job_names_a_community_and_there_is_one_of_it(self, app) -> None:
        queue = Queue()
        for community_id in (7, 7, 8, 7):
            queue.start(community_id, Done())
        assert self.waiting(app) == [[7], [8]]

    def test_once_a_job_has_begun_another_may_wait(self, app, stale) -> None:
        from democracy.recalculation import jobs

        assert jobs.send(stale.community_id)
        assert not jobs.send(stale.community_id)
        self.job(stale.community_id)
        assert not is_stale(stale)
        assert jobs.send(stale.community_id)

    def test_a_worker_whose_sweep_finds_a_job_still_waiting_does_it_by_itself(self, app, stale) -> None:
        worker = Worker()
        first, second = Done(), Done()
        worker.start(stale.community_id, first)
        assert first.event.is_set()
        assert is_stale(stale)
        worker.start(stale.community_id, second)
        assert second.event.wait(20)
        assert not is_stale(stale)


class TestSignsOfLife:
    @pytest.fixture(autouse=True)
    def server(self, settings: Settings):
        settings.CROWDVOTE_EXECUTOR = "celery"
        recalculation.scheduler.start()
        yield
        recalculation.scheduler.stop()

    def test_without_a_worker_a_server_has_a_problem(self) -> None:
        assert recalculation.executor_problem() == "no worker has given a sign of life for 15 seconds"

    def test_with_one_it_has_none(self) -> None:
        executors.give_sign_of_life()
        assert recalculation.executor_problem() is None

    def test_a_cache_that_does_not_answer_is_a_problem_and_fails_nothing(self, settings: Settings) -> None:
        if services.missing("redis"):
            pytest.skip(f"{services.missing('redis')}; make test-services runs it")
        settings.CACHES = {
            **settings.CACHES,
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": NOWHERE},
        }
        executors.give_sign_of_life()
        assert recalculation.executor_problem() == "Redis does not answer"


def test_a_worker_gives_a_sign_of_life_with_every_sweep(settings: Settings) -> None:
    settings.RECALCULATION_SWEEP_INTERVAL = 0.05
    scheduler = recalculation.Scheduler()
    scheduler.start(Worker())
    try:
        until(lambda: cache.get("recalculation:worker-lives") is True, "a sign of life")
        assert scheduler.problem() is None
    finally:
        scheduler.stop()
