"""Who calculates a community that is due: a thread of this process, or a worker that a queue hands it to.

# Note [Jobs are hints]
A job names a community and nothing else. What is to be calculated, and whether anybody does so already, is in the
database (counters, claim), so a job that is lost, late or delivered twice costs time and nothing else. That is why jobs
are not kept until they are done, are not tried again, and expire.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from django.conf import settings
from django.core.cache import cache

from democracy import eventlog
from democracy.recalculation import measuring
from democracy.recalculation.runs import recalculate_community_decisions_async

logger = logging.getLogger(__name__)

# Where workers leave a sign of life, and how many seconds one is good for.
_WORKER_LIVES, _WORKER_LIVES_FOR = "recalculation:worker-lives", 15
# Seconds in which a queue that did not answer is not asked again.
_PAUSE = 2.0


class Executor(Protocol):
    """How a due community gets calculated."""

    # Whether this process looks for what no wake-up told of.
    sweeps: bool

    def start(self, community_id: int, done: Callable[[], None]) -> None:
        """Have the community calculated; returns at once. `done` is called when this process has no more to do with
        it. Raises RuntimeError where no thread is to be had.
        """

    def problem(self) -> str | None:
        """Why nothing might be calculated now; None where all is well."""


class Threads:
    """A daemon thread of this process for each run."""

    sweeps = True

    def start(self, community_id: int, done: Callable[[], None]) -> None:
        name = f"recalculation-{community_id}"
        threading.Thread(target=self._run, args=(community_id,), kwargs={"done": done}, name=name, daemon=True).start()

    def problem(self) -> str | None:
        return None

    def _run(self, community_id: int, *, done: Callable[[], None]) -> None:
        try:
            recalculate_community_decisions_async(community_id)
        finally:
            done()


class Queue:
    """Jobs on the queue, for workers: what a web process does. What the queue does not take, their sweep finds."""

    sweeps = False

    def __init__(self) -> None:
        self._pause_until = 0.0

    def start(self, community_id: int, done: Callable[[], None]) -> None:
        self._send(community_id)
        done()

    def problem(self) -> str | None:
        try:
            lives = cache.get(_WORKER_LIVES)
        except Exception:  # each cache raises errors of its own
            return "Redis does not answer"
        return None if lives else f"no worker has given a sign of life for {_WORKER_LIVES_FOR} seconds"

    def _send(self, community_id: int) -> bool:
        """Put a job on the queue; False where the queue does not answer, or a job that is there has not been taken."""
        if time.monotonic() < self._pause_until:
            measuring.job_offered.send_robust(None, outcome="paused")
            return False
        # Celery is an optional package, and takes its time to be imported.
        from democracy.recalculation import jobs

        try:
            sent = jobs.send(community_id)
        except Exception as error:
            if not self._pause_until:
                eventlog.limit_reached(f"The queue does not answer, the sweep calculates meanwhile: {error}")
            self._pause_until = time.monotonic() + _PAUSE
            measuring.job_offered.send_robust(None, outcome="failed")
            return False
        self._pause_until = 0.0
        measuring.job_offered.send_robust(None, outcome="sent" if sent else "waiting")
        return sent


class Worker(Queue):
    """What a worker does with what its own sweep finds: a job for whichever worker is free. Where the queue does not
    answer, or nobody took the job since, a thread of its own: a broken queue delays results, and stops none.
    """

    sweeps = True

    def __init__(self) -> None:
        super().__init__()
        self._threads = Threads()

    def start(self, community_id: int, done: Callable[[], None]) -> None:
        if self._send(community_id):
            done()
        else:
            self._threads.start(community_id, done)

    def problem(self) -> str | None:
        return None


def give_sign_of_life() -> None:
    """Say that a worker lives; called by its sweep."""
    try:
        cache.set(_WORKER_LIVES, True, timeout=_WORKER_LIVES_FOR)
    except Exception as error:  # each cache raises errors of its own
        logger.warning("no sign of life given: %s", error)


def of_this_server() -> Executor | None:
    """The executor of a process that answers requests, by CROWDVOTE_EXECUTOR; None: it calculates nothing by itself."""
    match settings.CROWDVOTE_EXECUTOR:
        case "threads":
            return Threads()
        case "celery":
            return Queue()
        case _:
            return None
