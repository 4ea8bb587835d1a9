"""Storing of a calculation: result, changed staged ballots and counters, in one transaction.

# Note [Older never overwrites newer]
A run stores under the fence of its claim, and only where `calculated_revision` is lower than the revision it staged.
Both are conditional updates judged by their row counts, so a run that was frozen and comes back, in any process, stores
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, Min, QuerySet, Value, When

from accounts.prepared import prepared
from democracy import access, ledger
from democracy.database import clock
from democracy.database.turns import turn
from democracy.ledger import checkpoints, contents
from democracy.live import publishing
from democracy.models import Decision, DecisionSnapshot, LedgerEntry, Membership
from democracy.models.results import DecisionResult
from democracy.notices import inheritance
from democracy.recalculation import blocks, keeping
from democracy.recalculation.claims import Claim
from democracy.recalculation.staging import StagedDecision

# A BATCHED decision shows a new interim result once so many different voters have cast, changed or withdrawn a ballot.
# Voters who inherit don't count: nobody can hide among them.
BATCH = 5


def store(
    decision: Decision, staged: StagedDecision, result: DecisionResult, claim: Claim, *, final: bool = False
) -> int | None:
    """Store a calculation, and publish the result if it is due. Returns the number of staged ballots that
    changed.

    Returns None where a newer calculation, or the final one, is stored already. Raises ClaimLost.
    """
    shown = next(iter(_newest_result(decision.pk)), None)
    changes = blocks.compare(decision, staged)
    is_told = not final and not access.hides_ballots(decision)
    moved = changes.moved() if is_told else []
    content = result.to_json()
    shows = final or is_due(decision, shown, staged.revision, content)
    with turn(), transaction.atomic():
        claim.hold()
        now = clock.now()
        if not _advance(decision, staged.revision, now, final=final):
            return None
        last = keeping.last_kept(decision)
        keeping.keep(decision, last, [first for first, _ in changes.blocks], staged.revision)
        blocks.write(decision, changes, staged.revision)
        if moved:
            inheritance.tell(decision, moved, changes.move)
        if shows:
            snapshot = DecisionSnapshot.objects.create(
                decision=decision,
                revision=staged.revision,
                calculated_at=now,
                is_final=final,
                keeps_ballots=keeping.keeps_ballots(decision, last, now, final=final),
                result=content,
            )
            transaction.on_commit(lambda: publishing.result_stored(snapshot), robust=True)
        if final and staged.revision:
            head = ledger.hash_at(decision.community_id, staged.revision)
            checkpoints.keep(decision.community_id, staged.revision, head)
        transaction.on_commit(lambda: publishing.status_changed([decision.pk]), robust=True)
    return len(changes)


@prepared
def _newest_result(decision_id: int) -> QuerySet[DecisionSnapshot]:
    return DecisionSnapshot.objects.filter(decision=decision_id).order_by("-revision")[:1]


def _advance(decision: Decision, revision: int, now: datetime, *, final: bool) -> bool:
    # One that was called off meanwhile has no result.
    row = Decision.objects.standing().filter(pk=decision.pk)
    if final:
        # A decision prolonged meanwhile is not closed.
        row = row.filter(closes_at=decision.closes_at).exclude(snapshots__is_final=True)
    else:
        row = row.filter(calculated_revision__lt=revision, closes_at__gt=now)
    return bool(row.update(**calculated(revision, now, final=final)))


def calculated(revision: int, now: datetime, *, final: bool) -> dict[str, Any]:
    """The columns of a decision that say it was calculated from its inputs at `revision`."""
    # Changes since these inputs were read make it stale from now on.
    stale_since = None if final else Case(When(input_revision__gt=revision, then=Value(now)))
    return {
        "calculated_revision": revision,
        "last_calculated": now,
        "has_final_result": final,
        "stale_since": stale_since,
        "failed_revision": 0,
        "calculation_error": "",
    }


def is_due(decision: Decision, shown: DecisionSnapshot | None, revision: int, result: Mapping[str, Any]) -> bool:
    """True where an interim result is to be published: it differs from the last one, and the visibility allows it.

    `shown`: the last published result; `result`: the new one in its stored form; `revision`: that of its inputs.
    """
    if decision.results_visibility == Decision.Visibility.AFTER_CLOSE:
        return False
    if shown is not None and shown.result == result:
        return False
    if decision.results_visibility == Decision.Visibility.LIVE:
        return True
    return _have_voted(decision, shown.revision if shown is not None else 0, revision)


def _have_voted(decision: Decision, since: int, until: int) -> bool:
    """True where BATCH different voters cast, changed or withdrew a ballot after one revision and up to another.

    Abstentions and comments don't count: a result shows nothing of them.
    """
    entries = LedgerEntry.objects.filter(community=decision.community_id)
    # Nobody votes in a decision before the ledger knows it: earlier entries, as of an import, are not read.
    about = entries.filter(subject=contents.decision_subject(decision.pk))
    known = about.aggregate(first=Min("revision"))["first"] or 0
    written = entries.filter(
        revision__gt=max(since, known),
        revision__lte=until,
        kind=LedgerEntry.Kind.BALLOT,
        decision=decision.pk,
        membership__role=Membership.Role.VOTER,
    )
    voters = set()
    columns = ("membership", "membership__left_at", "before", "after")
    for member, left_at, before, after in written.values_list(*columns).iterator():
        # A ballot cast by name goes with a member who leaves: nobody can hide among those who are gone.
        is_there = left_at is None or (after or before or {})["anonymous"]
        if is_there and _rated(before) != _rated(after):
            voters.add(member)
            if len(voters) >= BATCH:
                return True
    return False


def _rated(content: Mapping[str, Any] | None) -> object:
    """The part of a ballot that a result may show; None of an abstention."""
    return None if content is None or content["abstain"] else (content["stars"], content["tags"])


def record_failure(decision: Decision, revision: int, message: str) -> None:
    """Remember that a decision could not be calculated from its inputs at `revision`. Its stored result stays."""
    Decision.objects.filter(pk=decision.pk).update(
        failed_revision=revision, failed_at=clock.now(), calculation_error=message[:500]
    )
    publishing.status_changed([decision.pk])
