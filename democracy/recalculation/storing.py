"""Storing of a calculation: result, changed staged ballots and counters, in one transaction.

# Note [Older never overwrites newer]
A run stores under the fence of its claim, and only where `calculated_revision` is lower than the revision it staged.
Both are conditional updates judged by their row counts, so a run that was frozen and comes back, in any process, stores
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, Min, Value, When

from democracy import access, ledger
from democracy.database import bulk, clock
from democracy.database.turns import turn
from democracy.ledger import checkpoints, contents
from democracy.live import publishing
from democracy.models import Decision, DecisionSnapshot, LedgerEntry, Membership, StagedBallot
from democracy.models.packed import TAGS_TEXT, pack, tag_set
from democracy.models.results import DecisionResult
from democracy.notices import inheritance
from democracy.recalculation.claims import Claim
from democracy.recalculation.staging import StagedDecision
from graph import StagedColumns

# A BATCHED decision shows a new interim result once so many different voters have cast, changed or withdrawn a ballot.
# Voters who inherit don't count: nobody can hide among them.
BATCH = 5
_ROWS = 5_000
_TABLE = StagedBallot._meta.db_table
_KEY = ("decision_id", "membership_id")
_COLUMNS = (*_KEY, "kind", "microstars", "tags", "is_counted", "is_anonymous", "changed_revision")

# A staged ballot as it is stored: kind, packed microstars, tags, whether it is counted, whether it bears a pseudonym.
Row = tuple[str, bytes, frozenset[str], bool, bool]
NO_BALLOT: Row = (StagedBallot.Kind.NONE, b"", frozenset(), False, False)


def store(
    decision: Decision, staged: StagedDecision, result: DecisionResult, claim: Claim, *, final: bool = False
) -> int | None:
    """Store a calculation, and publish the result if it is due. Returns the number of staged ballots written.

    Returns None where a newer calculation, or the final one, is stored already. Raises ClaimLost.
    """
    shown = DecisionSnapshot.objects.filter(decision=decision).order_by("-revision").first()
    changed = list(_changed_rows(decision, staged))
    rows = [(member, row) for member, row, _ in changed]
    is_told = not final and not access.hides_ballots(decision)
    moved = {member: old[1] for member, row, old in changed if is_told and _has_moved(old, row)}
    shows = final or is_due(decision, shown, staged.revision, result)
    with turn(), transaction.atomic():
        claim.hold()
        now = clock.now()
        if not _advance(decision, staged.revision, now, final=final):
            return None
        _write(decision, rows, staged.revision)
        if moved:
            moves = {
                one: inheritance.Move(old[1], row[1], old[2] | row[2], old[4] or row[4]) for one, row, old in changed
            }
            inheritance.tell(decision, moved, moves)
        if shows:
            snapshot = DecisionSnapshot.objects.create(
                decision=decision, revision=staged.revision, calculated_at=now, is_final=final, result=result.to_json()
            )
            transaction.on_commit(lambda: publishing.result_stored(snapshot), robust=True)
        if final and staged.revision:
            head = ledger.hash_at(decision.community_id, staged.revision)
            checkpoints.keep(decision.community_id, staged.revision, head)
        transaction.on_commit(lambda: publishing.status_changed([decision.pk]), robust=True)
    return len(rows)


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


def is_due(decision: Decision, shown: DecisionSnapshot | None, revision: int, result: DecisionResult) -> bool:
    """True where an interim result is to be published: it differs from the last one, and the visibility allows it.

    `shown`: the last published result; `revision`: that of the inputs of the new one.
    """
    if decision.results_visibility == Decision.Visibility.AFTER_CLOSE:
        return False
    if shown is not None and shown.result == result.to_json():
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


def _has_moved(before: Row, after: Row) -> bool:
    """Whether a member still inherits, and another ballot than before: a star or more, or another leading choice."""
    is_inherited = before[0] == after[0] == StagedBallot.Kind.INHERITED
    return is_inherited and inheritance.has_moved(before[1], after[1])


def _changed_rows(decision: Decision, staged: StagedDecision) -> Iterator[tuple[int, Row, Row]]:
    """Yield every staged ballot that differs from the stored one, and that; one that is gone becomes a row of kind
    NONE.
    """
    rows = dict(_staged_rows(staged))
    stored = _stored_rows(decision, None if staged.columns is not None else rows.keys())
    for member in rows.keys() | stored.keys():
        row = rows.get(member) or NO_BALLOT
        before = stored.get(member, NO_BALLOT)
        if row != before:
            yield member, row, before


def _staged_rows(staged: StagedDecision) -> Iterator[tuple[int, Row | None]]:
    """Turn each member's staged ballot into a row; None for no ballot."""
    for member, ballot in staged.ballots.items():
        if ballot is None:
            yield member, None
        else:
            yield (
                member,
                (ballot.kind, pack(ballot.microstars), ballot.tags, ballot.counted, member in staged.anonymous),
            )
    if staged.columns is not None:
        yield from rows_of(staged.columns, staged.anonymous)


def rows_of(columns: StagedColumns, anonymous: Set[int]) -> Iterator[tuple[int, Row]]:
    """Turn all ballots of a calculation into rows, by member. `anonymous`: those whose ballots bear pseudonyms."""
    packed = map(pack, columns.microstars)
    hidden = map(anonymous.__contains__, columns.members)
    rows = zip(columns.kinds, packed, columns.tags, columns.counted.tolist(), hidden, strict=True)
    return zip(columns.members, rows, strict=True)


def _stored_rows(decision: Decision, members: Collection[int] | None) -> dict[int, Row]:
    """Read the stored rows of these members; of all members without `members`."""
    rows = StagedBallot.objects.filter(decision=decision).annotate(tags_text=TAGS_TEXT)
    if members is not None and len(members) <= _ROWS:
        rows = rows.filter(membership__in=members)
    columns = ("membership_id", "kind", "microstars", "tags_text", "is_counted", "is_anonymous")
    return {
        member: (kind, bytes(packed), tag_set(text), counted, anonymous)
        for member, kind, packed, text, counted, anonymous in rows.values_list(*columns).iterator(_ROWS)
        if members is None or member in members
    }


def _write(decision: Decision, rows: Sequence[tuple[int, Row]], revision: int) -> None:
    """Insert or replace staged ballots. On SQLite this holds the database's one writer."""
    tags = {row[2]: json.dumps(sorted(row[2])) for _, row in rows}
    written = (
        (decision.pk, member, str(kind), packed, tags[row_tags], counted, anonymous, revision)
        for member, (kind, packed, row_tags, counted, anonymous) in rows
    )
    bulk.insert(_TABLE, _COLUMNS, written, key=_KEY)


def record_failure(decision: Decision, revision: int, message: str) -> None:
    """Remember that a decision could not be calculated from its inputs at `revision`. Its stored result stays."""
    Decision.objects.filter(pk=decision.pk).update(
        failed_revision=revision, failed_at=clock.now(), calculation_error=message[:500]
    )
    publishing.status_changed([decision.pk])
