"""Pseudonyms: which staged ballots are to be stored under one."""

from __future__ import annotations

from collections.abc import Iterable, Set

from democracy.models import StagedBallot
from democracy.recalculation.inputs import DecisionInputs
from graph import StagedColumns


def staged_under_pseudonyms(
    decision: DecisionInputs, anonymous: Set[int], staged: Iterable[tuple[int, str]]
) -> frozenset[int]:
    """Find the members whose ballots are to be stored under pseudonyms: see Note [Whether a ballot bears a name] in
    `access`.

    `staged`: members with the kinds of their staged ballots.
    """
    unnamed = anonymous | decision.withdrawn
    if not unnamed and not any(ballot.anonymous for ballot in decision.ballots.values()):
        return frozenset()
    return frozenset(
        member
        for member, kind in staged
        if (member in unnamed if kind == StagedBallot.Kind.INHERITED else decision.ballots[member].anonymous)
    )


def kinds_of(columns: StagedColumns) -> Iterable[tuple[int, str]]:
    return zip(columns.members, columns.kinds, strict=True)
