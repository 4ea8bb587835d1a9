"""Blocks: what a calculation changed in the stored staged ballots, and the blocks to write for it.

# Note [Staged ballots in blocks]
A decision's staged ballots are stored in blocks of about BLOCK, in order of their members. A block holds the members
from its `first` on, up to the first of the next; a decision's first block begins with member 0, so every member has a
place in one block, and those who join later come to the last. A block that has grown to twice BLOCK is divided. Members
without a ballot are in none. Only a run that holds the community's claim writes blocks, so what it read of them still
stands when it stores, or it stores nothing (Note [Older never overwrites newer] in `storing`). Where blocks begin, how
large they are and when they changed depends on ballots of members who are anonymous: nobody is told.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise

import numpy as np

from democracy.database import bulk
from democracy.models import BallotColumns, Decision, DecisionSnapshot, PastBlock, StagedBallot, StagedBlock
from democracy.models.derived import Block
from democracy.models.staged_ballots import Integers, PackedColumns
from democracy.notices.inheritance import Move, moved_rows
from democracy.reading.past_ballots import blocks_at
from democracy.recalculation.staging import StagedDecision

BLOCK = 1_000
_KEY = ("decision_id", "first")
_COLUMNS = (*_KEY, "revision", "size", "members", "marks", "tag_sets", "tags", "microstars")


@dataclass(frozen=True, eq=False)
class Changes:
    """The staged ballots before and after a calculation in those blocks that it can have changed.

    `members`: those whose ballots differ, in order. `blocks`: those to write, by their first members.
    """

    before: BallotColumns
    after: BallotColumns
    members: Integers
    blocks: list[tuple[int, PackedColumns]]

    def __len__(self) -> int:
        return len(self.members)

    def moved(self) -> list[int]:
        """The members who still inherit, and another ballot: a star or more, or another leading choice."""
        inherited = StagedBallot.Kind.INHERITED
        old, was_there = self.before.find(self.members)
        new, is_there = self.after.find(self.members)
        both = was_there & is_there
        old, new, members = old[both], new[both], self.members[both]
        inherits = self.before.of_kind(inherited)[old] & self.after.of_kind(inherited)[new]
        old, new, members = old[inherits], new[inherits], members[inherits]
        found: list[int] = members[moved_rows(self.before.microstars[old], self.after.microstars[new])].tolist()
        return found

    def move(self, member: int) -> Move | None:
        """The change of a member's ballot; None if it did not change."""
        old, new = self.before.ballot_of(member), self.after.ballot_of(member)
        if old == new:
            return None
        there = [ballot for ballot in (old, new) if ballot is not None]
        return Move(
            before=old.microstars if old else (),
            after=new.microstars if new else (),
            tags=frozenset().union(*(ballot.tags for ballot in there)),
            is_anonymous=any(ballot.is_anonymous for ballot in there),
        )


def compare(decision: Decision, staged: StagedDecision) -> Changes:
    """Compare a calculation with the stored staged ballots."""
    choices = len(staged.choices)
    if staged.columns is not None:
        columns = staged.columns
        after = BallotColumns.of(
            columns.members,
            columns.kinds,
            columns.tags,
            columns.counted,
            columns.microstars,
            anonymous=staged.anonymous,
        )
        ranges, before = _stored(decision, choices)
    else:
        ranges, before = _stored(decision, choices, sorted(staged.ballots))
        after = _brought_up_to_date(before, staged)
    members = different(before, after)
    return Changes(before, after, members, list(_blocks(after, members, ranges)))


def _stored(
    decision: Decision, choices: int, members: Sequence[int] | None = None
) -> tuple[list[tuple[int, int | None]], BallotColumns]:
    """Read the blocks with the places of these members, or all: from which member to which each goes, and the ballots.
    A decision without blocks has one, which is empty.
    """
    blocks = StagedBlock.objects.filter(decision=decision).order_by("first")
    if members is None:
        found = list(blocks)
        firsts = [block.first for block in found] or [0]
        wanted = list(range(len(firsts)))
    else:
        firsts = list(blocks.values_list("first", flat=True)) or [0]
        wanted = sorted({bisect_right(firsts, member) - 1 for member in members})
        found = list(blocks.filter(first__in=[firsts[place] for place in wanted]))
    ends = [*firsts[1:], None]
    ranges = [(firsts[place], ends[place]) for place in wanted]
    return ranges, BallotColumns.joined([block.columns(choices=choices) for block in found], choices=choices)


def _brought_up_to_date(stored: BallotColumns, staged: StagedDecision) -> BallotColumns:
    """Put changed staged ballots in place of those that were stored."""
    changed = np.fromiter(staged.ballots, dtype=np.int64, count=len(staged.ballots))
    choices = len(staged.choices)
    new = BallotColumns.of_ballots(
        (
            StagedBallot(one.member, one.kind, one.microstars, one.tags, one.counted, one.member in staged.anonymous)
            for one in staged.ballots.values()
            if one is not None
        ),
        choices=choices,
    )
    both = BallotColumns.joined([stored.rows(~np.isin(stored.members, changed)), new], choices=choices)
    return both.rows(np.argsort(both.members))


def different(before: BallotColumns, after: BallotColumns) -> Integers:
    """The members, in order, whose ballots differ, appeared or vanished."""
    place: dict[frozenset[str], int] = {}
    old_tags, new_tags = before.tags_among(place), after.tags_among(place)
    old: Integers | slice
    new: Integers | slice
    if np.array_equal(before.members, after.members):
        common, others = before.members, before.members[:0]
        old = new = slice(None)
    else:
        common, old, new = np.intersect1d(before.members, after.members, assume_unique=True, return_indices=True)
        others = np.setxor1d(before.members, after.members, assume_unique=True)
    differs = before.marks[old] != after.marks[new]
    differs |= old_tags[old] != new_tags[new]
    # Column by column: numpy is slow along short rows.
    for mine, theirs in zip(before.microstars.T, after.microstars.T, strict=True):
        differs |= mine[old] != theirs[new]
    return np.sort(np.concatenate((common[differs], others)))


def _blocks(
    after: BallotColumns, changed: Integers, ranges: Sequence[tuple[int, int | None]]
) -> Iterator[tuple[int, PackedColumns]]:
    """Yield the blocks with changed ballots, by their first members."""
    for first, stop in ranges:
        start, end = np.searchsorted(changed, [first, stop]) if stop else (np.searchsorted(changed, first), None)
        if len(changed[start:end]):
            yield from _divided(after.between(first, stop), first)


def _divided(ballots: BallotColumns, first: int) -> Iterator[tuple[int, PackedColumns]]:
    """Pack the ballots of one block, or of several where they have become too many."""
    count = len(ballots)
    parts = max(1, count // BLOCK) if count >= 2 * BLOCK else 1
    cuts = [count * part // parts for part in range(parts + 1)]
    for start, end in pairwise(cuts):
        yield (int(ballots.members[start]) if start else first), ballots.rows(slice(start, end)).packed()


def write(decision: Decision, changes: Changes, revision: int) -> None:
    """Insert or replace blocks. On SQLite this holds the database's one writer."""
    rows = ((decision.pk, first, revision, *astuple(packed)) for first, packed in changes.blocks)
    bulk.insert(StagedBlock._meta.db_table, _COLUMNS, rows, key=_KEY)


def staged_faults(decision: Decision, expected: BallotColumns) -> Iterator[str]:
    """Compare the stored staged ballots with those that should be there; yield a sentence for each fault."""
    blocks = list(StagedBlock.objects.filter(decision=decision).order_by("first"))
    yield from _faults(blocks, expected, of=f"decision {decision.pk}", calculated=decision.calculated_revision)


def past_faults(snapshot: DecisionSnapshot, expected: BallotColumns) -> Iterator[str]:
    """Compare the ballots that a result keeps with those that it rests on; yield a sentence for each fault."""
    name = f"decision {snapshot.decision_id}, kept for the result of revision {snapshot.revision},"
    blocks = blocks_at(snapshot.decision, snapshot.revision)
    for block in blocks:
        if isinstance(block, PastBlock) and block.until > snapshot.decision.calculated_revision:
            yield f"a block of staged ballots of {name} says that it stood until revision {block.until}"
    yield from _faults(blocks, expected, of=name, calculated=snapshot.revision)


def _faults(blocks: Sequence[Block], expected: BallotColumns, *, of: str, calculated: int) -> Iterator[str]:
    """`calculated`: the newest revision that there is a calculation of."""
    ends = [block.first for block in blocks[1:]] + [None]
    choices = expected.microstars.shape[1]
    stored = []
    for block, stop in zip(blocks, ends, strict=False):
        name = f"the block of staged ballots of {of} from membership {block.first} on"
        try:
            columns = block.columns(choices=choices)
        except (ValueError, TypeError) as error:
            yield f"{name} can't be read: {error}"
            return
        if len(columns.between(block.first, stop)) != len(columns) or (np.diff(columns.members) <= 0).any():
            yield f"{name} has ballots of members who are not in it"
        if not 0 < block.revision <= calculated:
            yield f"{name} says that it changed at revision {block.revision}, when nothing was calculated"
        stored.append(columns)
    if blocks and blocks[0].first:
        yield f"the first block of staged ballots of {of} is missing"
    found = BallotColumns.joined(stored, choices=choices)
    for member in different(found, expected).tolist():
        name = f"the staged ballot of membership {member} in {of}"
        yield f"{name} is missing" if found.ballot_of(member) is None else f"{name} is not what the ledger gives"
