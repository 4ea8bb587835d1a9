"""Executors: a due community is calculated by a thread of this process, or by a worker that a queue hands it to.

# Note [Jobs are hints]
A job names a community and nothing else. The database says what is to be calculated (counters), and whether a run does
so already (claim). A job that is lost, late or delivered twice costs time and nothing else, so jobs are not kept until
they are done, are not tried again, and expire.
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

# The cache key of the workers' sign of life, and the seconds for which one counts.
_WORKER_LIVES, _WORKER_LIVES_FOR = "recalculation:worker-lives", 15
# Seconds in which a queue that did not answer is not asked again.
_PAUSE = 2.0


class Executor(Protocol):
    """A way to have a due community calculated."""

    # Whether this process looks for stale decisions that no wake-up told of.
    sweeps: bool

    def start(self, community_id: int, done: Callable[[], None]) -> None:
        """Have the community calculated; return at once.

        `done` is called when this process has no more to do with it. Raises RuntimeError where there is no thread left.
        """

    def problem(self) -> str | None:
        """Say why nothing might be calculated now; None where all is well."""


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
    """Jobs on the queue, for workers; for a web process. The workers' sweep finds what the queue does not take."""

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
        """Put a job on the queue; False where the queue does not answer, or an earlier job still waits there."""
        if time.monotonic() < self._pause_until:
            measuring.job_offered.send_robust(None, outcome="paused")
            return False
        # Celery is an optional package, and slow to import.
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
    """Jobs on the queue for the finds of a worker's own sweep, for any free worker.

    Where the queue does not answer, or an earlier job still waits, a thread of the worker's own calculates: a broken
    queue delays results, and stops none.
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
    """Say that a worker lives. Its sweep calls this."""
    try:
        cache.set(_WORKER_LIVES, True, timeout=_WORKER_LIVES_FOR)
    except Exception as error:  # each cache raises errors of its own
        logger.warning("no sign of life given: %s", error)


def of_this_server() -> Executor | None:
    """The executor of a process that answers requests, by CROWDVOTE_EXECUTOR; None: the process calculates nothing."""
    match settings.CROWDVOTE_EXECUTOR:
        case "threads":
            return Threads()
        case "celery":
            return Queue()
        case _:
            return None
