"""Calculation in the foreground, for commands: return when everything is current, or report what is not."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from democracy import recalculation
from democracy.database import clock
from democracy.ledger import staleness
from democracy.models import Decision

_POLL = 0.1


class StillRunning(Exception):
    """Another process has been calculating the community for longer than we wait."""


@dataclass
class Calculated:
    """The decisions of one community that were calculated, and those that failed, with the reason."""

    calculated: list[Decision] = field(default_factory=list)
    failed: list[Decision] = field(default_factory=list)


def calculate(community_id: int, *, patience: float) -> Calculated:
    """Calculate a community's stale decisions, including those that failed a moment ago.

    Waits up to `patience` seconds for a run of another process. Raises StillRunning.
    """
    published = Decision.objects.published().filter(community=community_id)
    # Somebody asked for it, so do not wait before trying a failed decision again.
    published.exclude(calculation_error="").update(failed_at=None)
    before = {decision.pk: decision for decision in _stale(community_id)}
    deadline = time.monotonic() + patience
    while not recalculation.recalculate_community(community_id) or _stale(community_id):
        if time.monotonic() > deadline:
            raise StillRunning
        time.sleep(_POLL)
    found = Calculated()
    for decision in Decision.objects.filter(pk__in=before).order_by("pk"):
        done = decision.calculation_status == Decision.CalculationStatus.CURRENT
        (found.calculated if done else found.failed).append(decision)
    return found


def _stale(community_id: int) -> list[Decision]:
    return staleness.stale_decisions_of(community_id, clock.now())
