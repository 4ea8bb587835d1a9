"""Stored staged ballots, read and forged as tests need them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from democracy.models import BallotColumns, Decision, Membership, StagedBallot, StagedBlock
from democracy.reading.staged_ballots import forget_columns, read_columns


def stored(decision: Decision) -> dict[int, StagedBallot]:
    """Every stored staged ballot of a decision, by membership."""
    columns = read_columns(decision, decision.choices.count())
    return {ballot.member: ballot for ballot in map(columns.ballot, range(len(columns)))}


def stored_of(decision: Decision, member: Membership) -> StagedBallot | None:
    return stored(decision).get(member.pk)


def write_block(
    decision: Decision, ballots: Iterable[StagedBallot], *, first: int = 0, revision: int = 1
) -> StagedBlock:
    """Store ballots as one block, in place of the one that begins with `first`."""
    packed = BallotColumns.of_ballots(ballots, choices=decision.choices.count()).packed()
    block, _ = StagedBlock.objects.update_or_create(
        decision=decision, first=first, defaults={"revision": revision, **vars(packed)}
    )
    forget_columns()
    return block


def forge(decision: Decision, member: Membership, change: Callable[[StagedBallot], StagedBallot]) -> None:
    """Change the stored staged ballot of a member past all commands. The decision has one block."""
    (block,) = StagedBlock.objects.filter(decision=decision)
    ballots = stored(decision)
    ballots[member.pk] = change(ballots[member.pk])
    write_block(decision, ballots.values(), revision=block.revision)
