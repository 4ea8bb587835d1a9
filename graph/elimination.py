"""Elimination: ballots and sources of single members, exactly or to very many digits.

For the few values that fixed-point arithmetic can't tell from a rounding boundary, and for loops that are next to
impossible to leave. Members are eliminated one by one from their followers' rows. The share a member keeps returning
to itself is never taken from 1 but replaced by the sum of what leaves, so there is no subtraction and every figure
keeps its relative accuracy, however many steps lead to a cast ballot [1]_.

References
----------
.. [1] W. K. Grassmann, M. I. Taksar, D. P. Heyman, "Regenerative Analysis and Steady State Distributions for Markov
   Chains", Operations Research 33 (1985).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from heapq import heapify, heappop, heappush
from typing import Any

from graph.fixedpoint import UNIT
from graph.values import STAR, Member

Number = Any
"""`Fraction` or `Decimal`; never both in one calculation."""

Closure = dict[Member, Sequence[Member]]
"""The active followees of everybody whom some members' ballots rest on; members who cast are no keys."""

FEW = 100
"""Up to this many inheriting members are calculated in fractions."""

_CONTEXT = Context(prec=100, rounding=ROUND_HALF_EVEN)

# Decimals this near to a boundary count as on it. Their own error is some ten orders of magnitude smaller.
_TELL = Decimal(2) ** -200


def closure(
    members: Iterable[Member], followees: Callable[[Member], Sequence[Member] | None], *, limit: int | None = None
) -> Closure | None:
    """Collect whom the members' ballots rest on.

    Parameters
    ----------
    members : iterable of members
    followees : callable
        A member's active followees; None for a member with a cast ballot.
    limit : int, optional
        The most inheriting members to collect.

    Returns
    -------
    Closure or None
        None if they are more than `limit`.
    """
    found: Closure = {}
    stack = list(members)
    while stack:
        member = stack.pop()
        if member not in found:
            active = followees(member)
            if active is not None:
                found[member] = active
                stack.extend(active)
                if limit is not None and len(found) > limit:
                    return None
    return found


def exact_values(
    whom: Closure, stars: Callable[[Member], Sequence[int]], wanted: Iterable[Member]
) -> dict[Member, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Find the microstars of the wanted members, and fixed-point values within one unit.

    Parameters
    ----------
    whom : Closure
        Of the wanted members.
    stars : callable
        A cast ballot's stars.
    wanted : iterable of members

    Returns
    -------
    dict from member to (microstars, fixed-point values)

    Notes
    -----
    Up to `FEW` members: exact. More: decimals of 100 digits; a value nearer than 2**-200 microstars to a rounding
    boundary counts as lying on it.
    """
    if len(whom) <= FEW:
        fractions = _solve(whom, stars, Fraction)
        return {member: _publish(fractions[member], round) for member in wanted}
    with localcontext(_CONTEXT):
        decimals = _solve(whom, stars, Decimal)
        return {member: _publish(decimals[member], _round_decimal) for member in wanted}


def exact_sources(whom: Closure, member: Member) -> dict[Member, Fraction]:
    """Find the weights of the cast ballots that the member's ballot rests on; they sum to 1."""
    rows = {one: dict.fromkeys(active, Fraction(1)) for one, active in whom.items()}
    _eliminate(rows, {one: [] for one in rows}, keep=member)
    row = rows[member]
    row.pop(member, None)
    total = sum(row.values(), Fraction(0))
    return {source: weight / total for source, weight in row.items()}


def _solve(
    whom: Closure, stars: Callable[[Member], Sequence[int]], number: Callable[[int], Number]
) -> dict[Member, list[Number]]:
    """Find everybody's stars, by elimination and back substitution."""
    rows: dict[Member, dict[Member, Number]] = {}
    # Of each member's followees those who cast: how many they are, and the sums of their stars.
    leaving: dict[Member, list[Number]] = {}
    for member, active in whom.items():
        rows[member] = {one: number(1) for one in active if one in whom}
        cast = [stars(one) for one in active if one not in whom]
        leaving[member] = [number(len(cast)), *(number(sum(column)) for column in zip(*cast, strict=True))]
    choices = max(map(len, leaving.values())) - 1
    for numbers in leaving.values():
        numbers.extend(number(0) for _ in range(choices + 1 - len(numbers)))
    values: dict[Member, list[Number]] = {}
    for member in reversed(_eliminate(rows, leaving)):
        mass, *own = leaving[member]
        for one, weight in rows[member].items():
            mass = mass + weight
            own = [mine + weight * theirs for mine, theirs in zip(own, values[one], strict=True)]
        values[member] = [mine / mass for mine in own]
    return values


def _eliminate(
    rows: dict[Member, dict[Member, Number]], leaving: dict[Member, list[Number]], *, keep: Member | None = None
) -> list[Member]:
    """Eliminate all members but `keep` in place, least connected first; return their order."""
    followers: dict[Member, set[Member]] = {member: set() for member in rows}
    for member, row in rows.items():
        for one in row:
            if one in followers:
                followers[one].add(member)
    number = {member: at for at, member in enumerate(rows)}
    # Members whom nobody follows any more cost nothing; without loops, all are eliminated at no cost.
    heap = [(len(followers[member]) * (len(rows[member]) + 1), number[member], member) for member in rows]
    heapify(heap)
    order: list[Member] = []
    gone: set[Member] = set()
    while heap:
        cost, at, member = heappop(heap)
        if member == keep or member in gone:
            continue
        row, out = rows[member], leaving[member]
        now = len(followers[member]) * (len(row) + 1)
        if now > cost:
            heappush(heap, (now, at, member))
            continue
        gone.add(member)
        order.append(member)
        row.pop(member, None)
        followers[member].discard(member)
        mass = sum(row.values(), start=out[0]) if out else sum(row.values(), start=Fraction(0))
        for one in row:
            if one in followers:
                followers[one].discard(member)
                heappush(heap, (len(followers[one]) * (len(rows[one]) + 1), number[one], one))
        for follower in followers[member]:
            theirs = rows[follower]
            share = theirs.pop(member) / mass
            for one, weight in row.items():
                theirs[one] = theirs[one] + share * weight if one in theirs else share * weight
                if one in followers:
                    followers[one].add(follower)
            leaving[follower] = [mine + share * more for mine, more in zip(leaving[follower], out, strict=True)]
            heappush(heap, (len(followers[follower]) * (len(theirs) + 1), number[follower], follower))
    return order


def _publish(values: Sequence[Number], to_whole: Callable[[Number], int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(to_whole(value * STAR) for value in values), tuple(round(value * STAR * UNIT) for value in values)


def _round_decimal(value: Decimal) -> int:
    whole = int(value)
    distance = value - whole - _CONTEXT.create_decimal("0.5")
    if abs(distance) < _TELL:
        return whole + (whole & 1)
    return whole + (distance > 0)
