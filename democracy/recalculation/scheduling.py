"""The scheduler, which starts runs of woken communities when they are due, and the sweep."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.db import close_old_connections, connection

from democracy import eventlog
from democracy.database import clock, statistics
from democracy.ledger import staleness
from democracy.live import publishing
from democracy.recalculation import executors, measuring
from democracy.recalculation.executors import Executor
from democracy.recalculation.pruning import prune_history_if_due

logger = logging.getLogger(__name__)


@dataclass
class _Due:
    """The start of a woken community's run: `at`, which further wake-ups move back, but not past `latest`."""

    at: float
    latest: float


class Scheduler:
    """Hand each woken community to the executor a short debounce after the wake-up, and sweep.

    At most one run per community, and RECALCULATION_CONCURRENCY in all, go at a time. The server (`crowdvote.asgi`) or
    the worker starts the process's one scheduler. Until then wake-ups are dropped: management commands and tests
    calculate in the foreground, or leave it to the server's sweep.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[int, _Due] = {}
        self._running: set[int] = set()
        self._thread: threading.Thread | None = None
        self._executor: Executor | None = None
        self._stopping = False
        self._limit_logged = False

    def start(self, executor: Executor | None = None) -> None:
        """Start the scheduler's thread, once.

        `executor`: without one, that of a server by CROWDVOTE_EXECUTOR; where that is off, nothing starts.
        """
        with self._changed:
            executor = executor or executors.of_this_server()
            if self._thread is None and executor is not None:
                self._executor, self._stopping = executor, False
                self._thread = threading.Thread(target=self._loop, name="recalculation-scheduler", daemon=True)
                self._thread.start()

    def stop(self, timeout: float = 10) -> None:
        """Stop starting runs and wait for those under way."""
        with self._changed:
            thread, self._thread, self._stopping = self._thread, None, True
            self._changed.notify_all()
        if thread is not None:
            thread.join(timeout)
        with self._changed:
            self._changed.wait_for(lambda: not self._running, timeout)
            self._due.clear()

    def problem(self) -> str | None:
        """Say why nothing might be calculated now; None where all is well."""
        with self._changed:
            thread, executor = self._thread, self._executor
        if thread is None or executor is None or not thread.is_alive():
            return "the scheduler is not running"
        return executor.problem()

    def load(self) -> tuple[int, int]:
        """Count the communities that wait to be calculated, and the runs under way or being handed on."""
        with self._changed:
            return len(self._due), len(self._running)

    def wake(self, community_id: int, *, is_changed: bool = True) -> None:
        """Have the community's stale decisions calculated soon; wake-ups close together become one run.

        `is_changed`: for a change, after which more may come. Whoever only sees that there is something to calculate
        does not put off what is due.
        """
        now = time.monotonic()
        with self._changed:
            if self._thread is None:
                return
            is_due = community_id in self._due
            measuring.woken.send_robust(None, folded=is_due)
            if is_changed or not is_due:
                due = self._due.setdefault(community_id, _Due(now, now + settings.RECALCULATION_DEBOUNCE_BOUND))
                due.at = min(now + settings.RECALCULATION_DEBOUNCE, due.latest)
                self._changed.notify_all()

    def start_due(self) -> float | None:
        """Start a run of each community that is due and free. Returns the seconds until the next is due, if any."""
        due, until_next = self._take_due()
        # Without the lock: a queue may be slow to answer, and a wake-up must not wait for it.
        for community_id in due:
            self._start_run(community_id)
        return until_next

    def _take_due(self) -> tuple[list[int], float | None]:
        taken: list[int] = []
        with self._changed:
            now = time.monotonic()
            for community_id, due in sorted(self._due.items(), key=lambda item: item[1].at):
                if due.at > now:
                    return taken, due.at - now
                if community_id in self._running:
                    continue
                if len(self._running) >= settings.RECALCULATION_CONCURRENCY:
                    if not self._limit_logged:
                        eventlog.limit_reached(f"{len(self._running)} calculations are running, others wait")
                        self._limit_logged = True
                    return taken, None
                del self._due[community_id]
                self._running.add(community_id)
                taken.append(community_id)
            self._limit_logged = False
            return taken, None

    def _start_run(self, community_id: int) -> None:
        assert self._executor is not None
        try:
            self._executor.start(community_id, partial(self._run_ended, community_id))
        except RuntimeError as error:  # no thread left; the sweep tries again
            self._run_ended(community_id)
            eventlog.thread_error(error)

    def _run_ended(self, community_id: int) -> None:
        with self._changed:
            self._running.discard(community_id)
            self._changed.notify_all()

    def _loop(self) -> None:
        next_look = time.monotonic()
        while not self._stopping:
            if time.monotonic() >= next_look:
                self._look_around()
                next_look = time.monotonic() + settings.RECALCULATION_SWEEP_INTERVAL
            until_due = self.start_due()
            with self._changed:
                if not self._stopping:
                    until_look = max(0.0, next_look - time.monotonic())
                    self._changed.wait(until_look if until_due is None else min(until_due, until_look))
        connection.close()

    def sweep(self) -> list[int]:
        """Wake every community that has stale decisions. Returns their ids."""
        stale = staleness.stale_decisions(clock.now())
        # Sorted here: SQLite would go through all decisions in the wanted order.
        communities = sorted(set(stale.values_list("community", flat=True)))
        for community_id in communities:
            self.wake(community_id, is_changed=False)
        return communities

    def _look_around(self) -> None:
        """Sweep, thin out old history, have the database look at its tables, and tell watchers what messages missed."""
        assert self._executor is not None
        try:
            close_old_connections()
            if self._executor.sweeps:
                self.sweep()
                prune_history_if_due()
                statistics.analyse_if_due()
            publishing.catch_up()
        except Exception as error:
            eventlog.thread_error(error)
            logger.exception("the sweep failed")
        finally:
            connection.close()
        if isinstance(self._executor, executors.Worker):
            executors.give_sign_of_life()


scheduler = Scheduler()


def start_in_worker() -> None:
    """Have this process, a worker of the queue, sweep, and calculate while the queue does not answer."""
    scheduler.start(executors.Worker())


def executor_problem() -> str | None:
    """Say why nothing might be calculated now; None where all is well.

    All is well while this process's scheduler lives and, where workers calculate, one of them gave a sign of life.
    """
    return scheduler.problem()


def wake(community_id: int) -> None:
    """Have a community calculated soon, whose changes have committed. Losing this delays the result until the sweep."""
    scheduler.wake(community_id)


def sweep() -> list[int]:
    """Sweep now, before the next regular sweep. Returns the communities woken."""
    return scheduler.sweep()
