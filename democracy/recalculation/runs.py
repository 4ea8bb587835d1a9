"""Runs: one calculation of a community, from its claim to its results."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from django.conf import settings
from django.db import close_old_connections, connection

from accounts.outages import DATABASE_AWAY
from democracy import access, eventlog
from democracy.database import clock
from democracy.ledger import staleness
from democracy.live import publishing
from democracy.models import Decision
from democracy.recalculation import measuring
from democracy.recalculation.advancing import BATCH, Counted, stored_together
from democracy.recalculation.claims import Claim, ClaimLost
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import StageBallots, StagedDecision
from democracy.recalculation.steps import counts_in_steps
from democracy.recalculation.storing import record_failure, store

logger = logging.getLogger(__name__)


class CalculationTimeout(Exception):
    """A run took longer than RECALCULATION_TIMEOUT."""


def recalculate_community_decisions_async(community_id: int) -> None:
    """Calculate the stale decisions of one community, in a background thread; errors are logged, and none escapes.

    Does nothing where another run, in any process, holds the community: that run, or else the sweep, calculates it.
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
    """Calculate the stale decisions of one community in this thread until none is left.

    Returns False where another run holds the community.
    """
    # Check again after the run: a run woken as this one ended found the community claimed, and left it to this one.
    while _stale(community_id):
        if not _run(community_id):
            return False
    return True


def _run(community_id: int) -> bool:
    claim = Claim.take(community_id)
    if claim is None:
        return False
    started, outcome = time.monotonic(), "error"
    deadline = started + settings.RECALCULATION_TIMEOUT
    claim.keep_alive(settings.RECALCULATION_TIMEOUT)
    try:
        # A change that commits during a round is seen by the next; what failed is not stale again for a while.
        while stale := _stale(community_id):
            hidden = [decision for decision in stale if access.hides_ballots(decision)]
            for some in ([decision for decision in stale if decision not in hidden], hidden):
                for portion in StageBallots(community_id).portions(some):
                    _round(community_id, portion, claim, deadline)
        outcome = "calculated"
    except ClaimLost as lost:
        outcome = "lost"
        logger.warning("%s", lost)
    except Exception:
        # The claim is released over a working connection.
        close_old_connections()
        raise
    finally:
        claim.release()
        measuring.run_ended.send_robust(None, outcome=outcome, seconds=time.monotonic() - started)
    # The claim's end changes the status of decisions that failed.
    publishing.status_changed(staleness.live_decisions(community_id, clock.now()).values_list("pk", flat=True))
    return True


def _stale(community_id: int) -> list[Decision]:
    return staleness.stale_decisions_of(community_id, clock.now())


class _Staged(NamedTuple):
    """A decision and its staging; `final`: it is closed, and this is its last."""

    decision: Decision
    staging: StagedDecision
    final: bool


def _round(community_id: int, stale: Sequence[Decision], claim: Claim, deadline: float) -> None:
    """Stage and tally each of these stale decisions once. They all show their ballots, or all hide them.

    Of those that hide them nothing is logged: the number of staged ballots that a vote changed tells whose it was.
    """
    is_logged = not access.hides_ballots(stale[0])
    publishing.status_changed([decision.pk for decision in stale])
    started = time.monotonic()
    if is_logged:
        eventlog.staging_started(decisions=len(stale), communities=1)
    stage = StageBallots(community_id)
    try:
        staged = _stage(stage, community_id, stale)
    except Exception as error:
        if _is_of_the_database(error):
            raise
        _record_failures(stale, error)
        return
    seconds = time.monotonic() - started
    if is_logged:
        eventlog.staging_completed(ballots=sum(one.staging.size for one in staged), seconds=seconds)
    measuring.staged.send_robust(None, seconds=seconds)

    started = time.monotonic()
    if is_logged:
        eventlog.tally_started(decisions=len(staged))
    _tally(stage, staged, claim, deadline)
    seconds = time.monotonic() - started
    if is_logged:
        eventlog.tally_completed(seconds=seconds)
    measuring.tallied.send_robust(None, seconds=seconds)


def _stage(stage: StageBallots, community_id: int, stale: Sequence[Decision]) -> list[_Staged]:
    """Stage the live decisions at the newest revision, then the closed ones as of their closing."""
    by_id = {decision.pk: decision for decision in stale}
    now = clock.now()
    closed = {pk for pk, decision in by_id.items() if decision.closes_at is not None and decision.closes_at <= now}
    live = staleness.live_decisions(community_id, now).values_list("pk", flat=True)
    in_steps = {pk for pk, decision in by_id.items() if counts_in_steps(decision, final=False)}
    taken = stage.process(by_id.keys() - closed, live=live, in_steps=in_steps)
    staged = [_Staged(by_id[pk], one, final=False) for pk, one in taken]
    return staged + [_Staged(by_id[pk], stage.final(by_id[pk]), final=True) for pk in sorted(closed)]


def _tally(stage: StageBallots, staged: list[_Staged], claim: Claim, deadline: float) -> None:
    """Tally and store each staged decision; the failure of one is recorded and stops no other.

    Raises ClaimLost, and the error of a database that is away. None of the others is stored then.
    """
    stored: list[Counted] = []
    unmoved: list[Counted] = []
    try:
        for decision, staging, final in staged:
            with _failing_alone(decision):
                _check_time(deadline)
                counted = Counted(decision, staging, Tally().process(staging))
                if staging.is_unmoved and not final:
                    unmoved.append(counted)
                elif store(*counted, claim, final=final) is not None:
                    stored.append(counted)
        for start in range(0, len(unmoved), BATCH):
            stored.extend(_advanced(unmoved[start : start + BATCH], claim))
    finally:
        stage.stored((decision.pk, staging.revision) for decision, staging, _ in stored)


def _advanced(some: Sequence[Counted], claim: Claim) -> Iterator[Counted]:
    """Store them together, or else one by one; yield those that are stored."""
    try:
        if stored_together(some, claim):
            yield from some
            return
    except Exception as error:
        if _ends_the_run(error):
            raise
        logger.warning("results are stored one by one after %s", type(error).__name__)
    for counted in some:
        with _failing_alone(counted.decision):
            if store(*counted, claim) is not None:
                yield counted


@contextmanager
def _failing_alone(decision: Decision) -> Iterator[None]:
    """Record that a decision could not be calculated. Errors that end the run are raised."""
    try:
        yield
    except Exception as error:
        if _ends_the_run(error):
            raise
        _record_failures([decision], error)


def _check_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        eventlog.limit_reached(f"Calculation stopped after {settings.RECALCULATION_TIMEOUT:g} seconds")
        raise CalculationTimeout(f"took longer than {settings.RECALCULATION_TIMEOUT:g} seconds")


def _ends_the_run(error: Exception) -> bool:
    """Tell whether nothing more can be stored after this error."""
    return isinstance(error, ClaimLost) or _is_of_the_database(error)


def _is_of_the_database(error: Exception) -> bool:
    """True where the database is away, or was: the error says nothing about the decision."""
    if isinstance(error, DATABASE_AWAY):
        return True
    # A cursor that cannot be closed raises the driver's own error.
    return connection.connection is not None and not connection.is_usable()


def _record_failures(decisions: Sequence[Decision], error: Exception) -> None:
    """Log and remember a failure of decisions that all show their ballots, or all hide them.

    Of those that hide them only the kind of error and its place are told: its words may be those of a ballot.
    """
    kind = type(error).__name__
    if access.hides_ballots(decisions[0]):
        words = kind
        eventlog.thread_error(f"{kind}, of a decision that hides its ballots")
        logger.error("calculation failed: %s\n%s", kind, "".join(traceback.format_tb(error.__traceback__)))
    else:
        words = f"{kind}: {error}"
        eventlog.thread_error(error)
        logger.error("calculation failed", exc_info=error)
    for decision in decisions:
        measuring.decision_failed.send_robust(None)
        record_failure(decision, decision.input_revision, words)
