"""Fitting into memory: what a kept community and its calculations weigh; how many decisions are staged at a time."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from django.conf import settings

from democracy.models import Decision
from democracy.recalculation.inputs import CommunityInputs, DecisionInputs
from graph import Calculation

# Bytes that a member, a following and a cast ballot take where a community is kept.
_A_MEMBER, _A_FOLLOWING, _A_BALLOT = 620, 40, 60
# Bytes that a decision takes for each member while it is staged and stored: from scratch, and brought up to date.
_FROM_SCRATCH, _BROUGHT_UP_TO_DATE = 200, 30


class Kept(NamedTuple):
    """The numbers of communities and of calculations that a process keeps, and about how many bytes they take."""

    communities: int
    decisions: int
    nbytes: int


def graph_weight(known: CommunityInputs) -> int:
    return _A_MEMBER * len(known.members) + _A_FOLLOWING * len(known.followings)


def decision_weight(calculation: Calculation, decision: DecisionInputs) -> int:
    return calculation.nbytes + _A_BALLOT * len(decision.ballots)


def portions(decisions: Iterable[Decision], *, members: int, known: Container[int]) -> Iterator[Sequence[Decision]]:
    """Divide decisions, in their order, into portions that a sixth of the memory for what is kept has room for.

    `known`: those that are only to be brought up to date.
    """
    portion: list[Decision] = []
    weight = 0
    for decision in decisions:
        more = members * (_BROUGHT_UP_TO_DATE if decision.pk in known else _FROM_SCRATCH)
        if portion and weight + more > settings.RECALCULATION_KEPT_BYTES // 6:
            yield portion
            portion, weight = [], 0
        portion.append(decision)
        weight += more
    if portion:
        yield portion
