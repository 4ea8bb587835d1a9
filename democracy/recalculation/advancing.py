"""Advancing: decisions of which a change moved no staged ballot get their counters in one statement for all of them.

Their results may differ all the same: whoever joins is eligible. New results are written in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import transaction
from django.db.models import OuterRef, Subquery

from democracy.database import clock
from democracy.database.turns import turn
from democracy.live import publishing
from democracy.models import Decision, DecisionSnapshot
from democracy.models.results import DecisionResult
from democracy.recalculation.claims import Claim
from democracy.recalculation.staging import StagedDecision
from democracy.recalculation.storing import calculated, is_due

# Decisions in one transaction: others wait for it, on SQLite.
BATCH = 500


class Counted(NamedTuple):
    """A live decision, its staging at the newest revision, and the result."""

    decision: Decision
    staging: StagedDecision
    result: DecisionResult


def stored_together(some: Sequence[Counted], claim: Claim) -> bool:
    """Store calculations, at one revision, that found no staged ballot changed. Raises ClaimLost.

    Returns False, and has stored none, if some have closed or been calculated by another process meanwhile.
    """
    ids = [one.decision.pk for one in some]
    revision = some[0].staging.revision
    shown = _shown(ids)
    results = [(one.decision, one.result.to_json()) for one in some]
    due = [
        (decision, result) for decision, result in results if is_due(decision, shown.get(decision.pk), revision, result)
    ]
    with turn(), transaction.atomic():
        claim.hold()
        now = clock.now()
        # See Note [Older never overwrites newer] in `storing`.
        rows = Decision.objects.standing().filter(pk__in=ids, calculated_revision__lt=revision, closes_at__gt=now)
        if rows.update(**calculated(revision, now, final=False)) < len(some):
            transaction.set_rollback(True)
            return False
        snapshots = DecisionSnapshot.objects.bulk_create(
            DecisionSnapshot(decision=decision, revision=revision, calculated_at=now, result=result)
            for decision, result in due
        )
        transaction.on_commit(lambda: _publish(snapshots, ids), robust=True)
    return True


def _shown(decision_ids: Iterable[int]) -> dict[int, DecisionSnapshot]:
    newest = DecisionSnapshot.objects.filter(decision=OuterRef("decision")).order_by("-revision").values("pk")[:1]
    rows = DecisionSnapshot.objects.filter(decision__in=decision_ids, pk=Subquery(newest))
    return {row.decision_id: row for row in rows}


def _publish(snapshots: Iterable[DecisionSnapshot], decision_ids: Iterable[int]) -> None:
    for snapshot in snapshots:
        publishing.result_stored(snapshot)
    publishing.status_changed(decision_ids)
