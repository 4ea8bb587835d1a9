"""Storing what the calculation derived: result, changed staged ballots and counters, in one transaction.

# Note [Older never overwrites newer]
A run stores under the fence of its claim and only where `calculated_revision` is lower than the revision it staged.
Both are conditional updates judged by their row counts, so a run that was frozen and comes back, in whatever process,
stores nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from democracy import publishing
from democracy.models import Decision, DecisionSnapshot, StagedBallot
from democracy.services.calculation import StagedDecision
from democracy.services.claims import Claim

# Counted ballots that must have changed before a BATCHED decision shows a new interim result.
BATCH_OF_BALLOTS = 5
_ROWS = 5_000
_UPDATED_FIELDS = ["kind", "microstars", "tags", "is_counted", "changed_revision"]

Row = tuple[str, bytes, list[str], bool]


def store(
    decision: Decision, staged: StagedDecision, result: dict[str, Any], claim: Claim, *, final: bool = False
) -> int | None:
    """Store a calculation and publish the result if it is new. Returns how many staged ballots were written.

    None where nothing was stored because a newer calculation, or the final one, is there already. Raises ClaimLost.
    """
    rows = list(_changed_rows(decision, staged))
    now = timezone.now()
    with transaction.atomic():
        claim.hold()
        if not _advance(decision, staged.revision, final=final):
            return None
        _write(rows)
        if final or _is_due(decision, staged.revision, result):
            snapshot = DecisionSnapshot.objects.create(
                decision=decision, revision=staged.revision, calculated_at=now, is_final=final, result=result
            )
            transaction.on_commit(lambda: publishing.result_stored(snapshot), robust=True)
        transaction.on_commit(lambda: publishing.status_changed([decision.pk]), robust=True)
    return len(rows)


def _advance(decision: Decision, revision: int, *, final: bool) -> bool:
    row = Decision.objects.filter(pk=decision.pk)
    if final:
        row = row.exclude(snapshots__is_final=True)
    else:
        row = row.filter(calculated_revision__lt=revision, closes_at__gt=timezone.now())
    return bool(
        row.update(
            calculated_revision=revision, last_calculated=timezone.now(), failed_revision=0, calculation_error=""
        )
    )


def _is_due(decision: Decision, revision: int, result: dict[str, Any]) -> bool:
    """Whether an interim result is published: if it differs from the last one shown, and as the decision's visibility
    allows.
    """
    if decision.results_visibility == Decision.Visibility.AFTER_CLOSE:
        return False
    shown = DecisionSnapshot.objects.filter(decision=decision).order_by("-revision").first()
    # The stored form of a result has gone through JSON once.
    if shown is not None and shown.result == json.loads(json.dumps(result)):
        return False
    if decision.results_visibility == Decision.Visibility.LIVE:
        return True
    changed = StagedBallot.objects.filter(
        decision=decision, is_counted=True, changed_revision__gt=shown.revision if shown else 0
    )
    return changed.count() >= BATCH_OF_BALLOTS


def _changed_rows(decision: Decision, staged: StagedDecision) -> Iterator[StagedBallot]:
    if staged.columns is not None:
        yield from _rows_from_scratch(decision, staged)
        return
    for member, ballot in staged.ballots.items():
        if ballot is None:
            row: Row = (StagedBallot.Kind.NONE, b"", [], True)
        else:
            packed = np.asarray(ballot.microstars, dtype="<i4").tobytes()
            row = (ballot.kind, packed, sorted(ballot.tags), ballot.counted)
        yield _row(decision, member, row, staged.revision)


def _rows_from_scratch(decision: Decision, staged: StagedDecision) -> Iterator[StagedBallot]:
    """Every staged ballot that differs from the stored one; a stored one that is gone becomes a row of kind NONE."""
    assert staged.columns is not None
    stored: dict[int, Row] = {
        member: (kind, bytes(packed), tags, counted)
        for member, kind, packed, tags, counted in StagedBallot.objects.filter(decision=decision)
        .values_list("membership_id", "kind", "microstars", "tags", "is_counted")
        .iterator(_ROWS)
    }
    columns = staged.columns
    packed_rows = np.ascontiguousarray(columns.microstars, dtype="<i4")
    sorted_tags: dict[frozenset[str], list[str]] = {}
    for index, member in enumerate(columns.members):
        tags = sorted_tags.setdefault(columns.tags[index], sorted(columns.tags[index]))
        row: Row = (columns.kinds[index], packed_rows[index].tobytes(), tags, bool(columns.counted[index]))
        if stored.pop(member, None) != row:
            yield _row(decision, member, row, staged.revision)
    for member, (kind, _, _, counted) in stored.items():
        if kind != StagedBallot.Kind.NONE:
            yield _row(decision, member, (StagedBallot.Kind.NONE, b"", [], counted), staged.revision)


def _row(decision: Decision, member: int, row: Row, revision: int) -> StagedBallot:
    kind, packed, tags, counted = row
    return StagedBallot(
        decision_id=decision.pk,
        membership_id=member,
        kind=kind,
        microstars=packed,
        tags=tags,
        is_counted=counted,
        changed_revision=revision,
    )


def _write(rows: Iterable[StagedBallot]) -> None:
    StagedBallot.objects.bulk_create(
        rows,
        batch_size=_ROWS,
        update_conflicts=True,
        unique_fields=["decision", "membership"],
        update_fields=_UPDATED_FIELDS,
    )


def record_failure(decision: Decision, revision: int, message: str) -> None:
    """Remember that this decision could not be calculated from its inputs at `revision`; the stored result stays as it
    is.
    """
    Decision.objects.filter(pk=decision.pk).update(
        failed_revision=revision, failed_at=timezone.now(), calculation_error=message[:500]
    )
    publishing.status_changed([decision.pk])
