"""Recalculation in the background: wake-ups, the scheduler, runs and the sweep.

A wake-up is a hint. The counters in the database say what is stale; the scheduler only makes that be calculated soon,
and its sweep finds whatever no wake-up told of: after a crash, at closing time, from another process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import close_old_connections, connection
from django.utils import timezone

from democracy import counters, eventlog, publishing
from democracy.models import Decision
from democracy.services.calculation import StageBallots, StagedDecision, Tally
from democracy.services.claims import Claim, ClaimLost
from democracy.services.storing import record_failure, store

logger = logging.getLogger(__name__)


class CalculationTimeout(Exception):
    """A run took longer than RECALCULATION_TIMEOUT."""


def recalculate_community_decisions_async(community_id: int) -> None:
    """The body of a background thread: calculate the stale decisions of one community, and never let an error escape.

    Does nothing where another run, in any process, holds the community: what that run does not see is found by the next
    sweep.
    """
    try:
        close_old_connections()
        recalculate_community(community_id)
    except Exception as error:
        eventlog.thread_error(error)
        logger.exception("calculation of community %s failed", community_id)
    finally:
        connection.close()


def recalculate_community(community_id: int) -> bool:
    """Calculate the stale decisions of one community in this thread until none is left. False where another run holds
    it.
    """
    claim = Claim.take(community_id)
    if claim is None:
        return False
    deadline = time.monotonic() + settings.RECALCULATION_TIMEOUT
    claim.keep_alive(settings.RECALCULATION_TIMEOUT)
    try:
        # A change that commits during a round is seen by the next; what failed is not stale again for a while.
        while stale := list(counters.stale_decisions(timezone.now()).filter(community=community_id).order_by("pk")):
            _round(community_id, stale, claim, deadline)
    except ClaimLost as lost:
        logger.warning("%s", lost)
    finally:
        claim.release()
    # The claim's end changes the status of decisions that failed.
    publishing.status_changed(counters.live_decisions(community_id, timezone.now()).values_list("pk", flat=True))
    return True


def _round(community_id: int, stale: list[Decision], claim: Claim, deadline: float) -> None:
    """Stage and tally each stale decision once."""
    publishing.status_changed([decision.pk for decision in stale])
    started = time.monotonic()
    eventlog.staging_started(decisions=len(stale), communities=1)
    by_id = {decision.pk: decision for decision in stale}
    closed = {pk for pk, decision in by_id.items() if decision.status == Decision.Status.CLOSED}
    stage = StageBallots(community_id)
    staged: list[tuple[int, StagedDecision]] = []
    try:
        live = counters.live_decisions(community_id, timezone.now()).values_list("pk", flat=True)
        staged += stage.process(by_id.keys() - closed, live=live)
        staged += [(pk, stage.final(by_id[pk])) for pk in sorted(closed)]
    except Exception as error:
        _record_failures(stale, error)
        return
    ballots = sum(len(one.columns.members) if one.columns else len(one.ballots) for _, one in staged)
    eventlog.staging_completed(ballots=ballots, seconds=time.monotonic() - started)

    started = time.monotonic()
    eventlog.tally_started(decisions=len(staged))
    for position, (pk, one) in enumerate(staged):
        try:
            if time.monotonic() > deadline:
                eventlog.limit_reached(f"Calculation stopped after {settings.RECALCULATION_TIMEOUT:g} seconds")
                raise CalculationTimeout(f"took longer than {settings.RECALCULATION_TIMEOUT:g} seconds")
            store(by_id[pk], one, Tally().process(one), claim, final=pk in closed)
        except ClaimLost:
            stage.not_stored(other for other, _ in staged[position:])
            raise
        except Exception as error:
            stage.not_stored([pk])
            _record_failures([by_id[pk]], error)
    eventlog.tally_completed(seconds=time.monotonic() - started)


def _record_failures(decisions: Iterable[Decision], error: Exception) -> None:
    eventlog.thread_error(error)
    logger.error("calculation failed", exc_info=error)
    for decision in decisions:
        record_failure(decision, decision.input_revision, f"{type(error).__name__}: {error}")


@dataclass
class _Due:
    """When a woken community's run starts: at `at`, moved back by further wake-ups, but not past `latest`."""

    at: float
    latest: float


class Scheduler:
    """Starts at most one thread per community and RECALCULATION_CONCURRENCY in all, a short debounce after the wake-up,
    and sweeps.

    One per process, started by the server (`crowdvote.asgi`). Until then wake-ups are dropped: management commands and
    tests calculate in the foreground, or leave it to the server's sweep.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[int, _Due] = {}
        self._running: set[int] = set()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._limit_logged = False

    def start(self) -> None:
        """Start the scheduler's thread, once, unless calculation is left to another executor."""
        with self._changed:
            if self._thread is None and settings.CROWDVOTE_EXECUTOR == "threads":
                self._stopping = False
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

    def wake(self, community_id: int) -> None:
        """Have the community's stale decisions calculated soon; wake-ups close together become one run."""
        now = time.monotonic()
        with self._changed:
            if self._thread is None:
                return
            due = self._due.setdefault(community_id, _Due(now, now + settings.RECALCULATION_DEBOUNCE_BOUND))
            due.at = min(now + settings.RECALCULATION_DEBOUNCE, due.latest)
            self._changed.notify_all()

    def start_due(self) -> float | None:
        """Start a thread for each community that is due and free. Seconds until the next is due, None when nothing
        waits.
        """
        with self._changed:
            now = time.monotonic()
            for community_id, due in sorted(self._due.items(), key=lambda item: item[1].at):
                if due.at > now:
                    return due.at - now
                if community_id in self._running:
                    continue
                if len(self._running) >= settings.RECALCULATION_CONCURRENCY:
                    if not self._limit_logged:
                        eventlog.limit_reached(f"{len(self._running)} calculations are running, others wait")
                        self._limit_logged = True
                    return None
                del self._due[community_id]
                self._running.add(community_id)
                self._start_run(community_id)
            self._limit_logged = False
            return None

    def _start_run(self, community_id: int) -> None:
        try:
            threading.Thread(
                target=self._run, args=(community_id,), name=f"recalculation-{community_id}", daemon=True
            ).start()
        except RuntimeError as error:  # no thread to be had; the sweep tries again
            self._running.discard(community_id)
            eventlog.thread_error(error)

    def _run(self, community_id: int) -> None:
        try:
            recalculate_community_decisions_async(community_id)
        finally:
            with self._changed:
                self._running.discard(community_id)
                self._changed.notify_all()

    def _loop(self) -> None:
        next_sweep = time.monotonic()
        while not self._stopping:
            if time.monotonic() >= next_sweep:
                self._sweep_safely()
                next_sweep = time.monotonic() + settings.RECALCULATION_SWEEP_INTERVAL
            until_due = self.start_due()
            with self._changed:
                if not self._stopping:
                    until_sweep = max(0.0, next_sweep - time.monotonic())
                    self._changed.wait(until_sweep if until_due is None else min(until_due, until_sweep))
        connection.close()

    def sweep(self) -> list[int]:
        """Wake every community that has something to calculate. Returns their ids."""
        stale = counters.stale_decisions(timezone.now())
        communities = list(stale.order_by("community").values_list("community", flat=True).distinct())
        for community_id in communities:
            self.wake(community_id)
        return communities

    def _sweep_safely(self) -> None:
        try:
            close_old_connections()
            self.sweep()
            publishing.catch_up()
        except Exception as error:
            eventlog.thread_error(error)
            logger.exception("the sweep failed")
        finally:
            connection.close()


scheduler = Scheduler()


def wake(community_id: int) -> None:
    """Changes of a community have committed. A hint: losing it delays the result until the sweep."""
    scheduler.wake(community_id)


def sweep() -> list[int]:
    """Find what no wake-up told of, at once instead of at the next regular sweep. Returns the communities woken."""
    return scheduler.sweep()
