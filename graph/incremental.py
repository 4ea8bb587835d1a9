"""Incremental staging: only the members that a change affects, in plain integers.

A change affects the changed members who cast no ballot of their own and whoever follows somebody who changed, directly
or through others. It never goes past a cast ballot, nor along a following whose tags rule it out.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from graph.delegation import DelegationGraph
from graph.fixedpoint import Value, check_followees, mean, rounded
from graph.loops import LinearSystem
from graph.rounding import settle
from graph.staged_ballots import Staged, StagedBallots
from graph.values import NO_TAGS, CastBallot, Member

_Tags = dict[Member, frozenset[str]]
_Following = tuple[Member, Member, frozenset[str]]


@dataclass
class Touched:
    """The members whose own inputs a change touches.

    Attributes
    ----------
    sources : dict from member to frozenset of str
        Members whose written ballot changed, with all tags that it had or has.
    asking : set of Member
        Members who have no written ballot now, and whose ballot or followings changed.
    only_stars : bool
        Whether only stars of cast ballots changed: everybody asks whom they asked.
    nothing_lost : bool
        Whether the written ballots hand on all that their members' ballots handed on before, or to nobody.
    """

    sources: dict[Member, frozenset[str]]
    asking: set[Member]
    only_stars: bool
    nothing_lost: bool = True


def find_affected(
    graph: DelegationGraph, ballots: Container[Member], staged: StagedBallots, touched: Touched, *, limit: int
) -> set[Member] | None:
    """Collect the members whose inherited ballots may change.

    Parameters
    ----------
    graph : DelegationGraph
        The new one.
    ballots : container of members
        Those with a written ballot now.
    staged : StagedBallots
        As it was before the change, except for the sources.
    touched : Touched
    limit : int
        The most members to collect.

    Returns
    -------
    set of Member or None
        None if they are more than `limit`.
    """
    # All tags that each affected member's ballot can have before or after.
    reach = {member: _reach(graph, staged, member) for member in touched.asking if member not in ballots}
    queue = [*touched.sources.items(), *reach.items()]
    while queue:
        member, tags = queue.pop()
        for follower, edge in graph.followers[member].items():
            if follower in ballots:
                continue
            shared = hands_on(edge["tags"], tags)
            if shared is None:
                continue
            before = reach.get(follower)
            if before is None:
                before = staged.tags(follower) or NO_TAGS
            elif shared <= before:
                continue
            reach[follower] = shared = before | shared
            queue.append((follower, shared))
        if len(reach) > limit:
            return None
    return set(reach)


def _reach(graph: DelegationGraph, staged: StagedBallots, member: Member) -> frozenset[str]:
    """Unite the tags that the member's ballot has with all that the member's followees could hand on to it."""
    tags = staged.tags(member) or NO_TAGS
    for followee, edge in graph.followees[member].items():
        shared = hands_on(edge["tags"], staged.tags(followee))
        if shared:
            tags |= shared
    return tags


def restage(
    graph: DelegationGraph, ballots: Mapping[Member, CastBallot], staged: StagedBallots, affected: set[Member]
) -> dict[Member, Staged | None]:
    """Stage the affected members anew.

    Parameters
    ----------
    graph : DelegationGraph
    ballots : mapping from member to CastBallot
        All written ballots.
    staged : StagedBallots
        Ballots of members who are not affected are right already; those of the affected are written.
    affected : set of Member

    Returns
    -------
    dict from member to Staged or None
        The ballots of the affected, None for those without.

    Raises
    ------
    ValueError
        If a member has more than 4,000 active followings.
    """
    tags, active = _find_activity(graph, staged, affected)
    values = _means(active, staged)
    fresh: dict[Member, Staged | None] = dict.fromkeys(affected)
    unsure: list[Member] = []
    for member, (fixed, error) in values.items():
        microstars = tuple([rounded(value, error) for value in fixed])
        if None in microstars:
            unsure.append(member)
        fresh[member] = Staged("inherited", microstars, tags[member], fixed, error)  # type: ignore[arg-type]
    staged.since.update(fresh)
    if unsure:

        def followees(member: Member) -> list[Member] | None:
            return None if member in ballots else active_followees(graph, staged, member)

        for member, (exact, near) in settle(unsure, followees, lambda member: ballots[member].stars).items():
            fresh[member] = staged.since[member] = Staged("inherited", exact, tags[member], near, 1.0)
    return fresh


def active_followees(graph: DelegationGraph, staged: StagedBallots, member: Member) -> list[Member]:
    """List the active followees of a member who inherits."""
    edges = graph.followees[member].items()
    return [followee for followee, edge in edges if hands_on(edge["tags"], staged.tags(followee)) is not None]


def hands_on(following: frozenset[str], tags: frozenset[str] | None) -> frozenset[str] | None:
    """Select the tags that a following hands on of a ballot with these tags; None if it is not active."""
    if not following or tags is None:
        return tags
    return (following & tags) or None


def _find_activity(
    graph: DelegationGraph, staged: StagedBallots, affected: set[Member]
) -> tuple[_Tags, dict[Member, list[Member]]]:
    """Find the least fixed point among the affected: the tags of all who have ballots, and their active followees."""
    tags, active, inner = _from_outside(graph, staged, affected)
    if inner:
        _spread(tags, inner)
    for follower, followee, topics in inner:
        if hands_on(topics, tags.get(followee)) is not None:
            active[follower].append(followee)
    check_followees(max(map(len, active.values()), default=0))
    return tags, {member: followees for member, followees in active.items() if followees}


def _from_outside(
    graph: DelegationGraph, staged: StagedBallots, affected: set[Member]
) -> tuple[_Tags, dict[Member, list[Member]], list[_Following]]:
    """Collect what the affected receive from others: tags and active followees; and the followings among them."""
    tags: _Tags = {}
    active: dict[Member, list[Member]] = {}
    inner: list[_Following] = []
    for member in affected:
        active[member] = outside = []
        mine: frozenset[str] | None = None
        for followee, edge in graph.followees[member].items():
            if followee in affected:
                inner.append((member, followee, edge["tags"]))
                continue
            handed = hands_on(edge["tags"], staged.tags(followee))
            if handed is not None:
                outside.append(followee)
                mine = mine | handed if mine else handed
        if mine is not None:
            tags[member] = mine
    return tags, active, inner


def _spread(tags: _Tags, inner: Iterable[_Following]) -> None:
    """Hand tags on along followings, in place, until nobody receives any more."""
    followers: dict[Member, list[tuple[Member, frozenset[str]]]] = {}
    for follower, followee, topics in inner:
        followers.setdefault(followee, []).append((follower, topics))
    queue = list(tags)
    while queue:
        member = queue.pop()
        mine = tags[member]
        for follower, topics in followers.get(member, ()):
            handed = hands_on(topics, mine)
            if handed is None:
                continue
            before = tags.get(follower)
            if before is None:
                tags[follower] = handed
            elif not handed <= before:
                tags[follower] = before | handed
            else:
                continue
            queue.append(follower)


def _means(active: Mapping[Member, list[Member]], staged: StagedBallots) -> dict[Member, Value]:
    """Calculate the fixed-point values of all in `active`: one by one where followees come first, loops together."""
    waiting: dict[Member, int] = {}
    followers: dict[Member, list[Member]] = {}
    values: dict[Member, Value] = {}
    for member, followees in active.items():
        count = 0
        for one in followees:
            if one in active:
                count += 1
                followers.setdefault(one, []).append(member)
            elif one not in values:
                values[one] = staged.value(one)
        waiting[member] = count

    def follow(ready: list[Member]) -> None:
        while ready:
            member = ready.pop()
            if member not in values:
                values[member] = mean([values[one] for one in active[member]])
            for follower in followers.get(member, ()):
                waiting[follower] -= 1
                if not waiting[follower] and follower not in values:
                    ready.append(follower)

    follow([member for member, count in waiting.items() if not count])
    left = {member for member in active if member not in values}
    if left:
        loops = _needed(left, active, followers)
        values.update(_solve_loops(loops, active, values))
        follow(list(loops))
    return {member: values[member] for member in active}


def _needed(
    left: set[Member], active: Mapping[Member, list[Member]], followers: Mapping[Member, list[Member]]
) -> list[Member]:
    """Keep those of `left` whom a loop may need, in order: without those whom nobody of them follows, and so on."""
    needed = set(left)
    followed = {member: sum(one in left for one in followers.get(member, ())) for member in left}
    ready = [member for member, count in followed.items() if not count]
    while ready:
        member = ready.pop()
        needed.discard(member)
        for one in active[member]:
            if one in needed:
                followed[one] -= 1
                if not followed[one]:
                    ready.append(one)
    return sorted(needed)


def _solve_loops(
    loops: list[Member], active: Mapping[Member, list[Member]], values: Mapping[Member, Value]
) -> dict[Member, Value]:
    """Solve members who follow each other, and others with known values, as one linear system."""
    of_loops = {member: active[member] for member in loops}
    outside = [[values[one] for one in followees if one not in of_loops] for followees in of_loops.values()]
    choices = max(len(rows[0][0]) for rows in outside if rows)
    boundary: list[list[int]] = []
    errors: list[list[float]] = []
    for rows in outside:
        boundary.append([sum(column) for column in zip(*(fixed for fixed, _ in rows), strict=True)] or [0] * choices)
        errors.append([sum(error for _, error in rows)] * choices)
    system = LinearSystem.of(of_loops)
    fixed, bounds = system.settle(np.array(boundary, dtype=np.int64), np.array(errors))
    found = zip(loops, fixed.tolist(), bounds.max(axis=1).tolist(), strict=True)
    return {member: (tuple(row), bound) for member, row, bound in found}
