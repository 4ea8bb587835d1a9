"""Incremental staging: only the members that a change can reach, in plain integers.

The cone of a change holds the changed members who cast no ballot of their own and whoever follows somebody who
changed, directly or through others. It never goes past a cast ballot, nor along a following whose tags rule it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from graph.delegation import DelegationGraph
from graph.fixedpoint import MOST_FOLLOWEES, mean, rounded, units
from graph.linear import LinearSystem
from graph.uncertain import settle
from graph.values import NO_TAGS, STAR, CastBallot, Kind, Member


@dataclass(frozen=True, slots=True)
class Staged:
    """One member's staged ballot with its fixed-point values and their error bounds."""

    kind: Kind
    microstars: tuple[int, ...]
    tags: frozenset[str]
    fixed: tuple[int, ...]
    errors: tuple[float, ...]


Lookup = Callable[[Member], Staged | None]


def written(ballot: CastBallot) -> Staged:
    """The staged form of a ballot that its member wrote."""
    return Staged(
        "abstained" if ballot.abstain else "cast",
        tuple(star * STAR for star in ballot.stars),
        ballot.tags,
        units(ballot.stars),
        (0.0,) * len(ballot.stars),
    )


def hands_on(following: frozenset[str], staged: Staged | None) -> frozenset[str] | None:
    """The tags that a following hands on; None if it is not active."""
    if staged is None or staged.kind == "abstained":
        return None
    return _shared(following, staged.tags)


def find_cone(
    graph: DelegationGraph,
    ballots: Mapping[Member, CastBallot],
    lookup: Lookup,
    *,
    sources: Mapping[Member, frozenset[str]],
    asking: Iterable[Member],
    limit: int,
) -> set[Member] | None:
    """Collect the members whose inherited ballots may change; None if they are more than `limit`.

    Parameters
    ----------
    graph, ballots : the new inputs
    lookup : callable
        A member's staged ballot before the change.
    sources : mapping from member to frozenset of str
        Whose written ballot changed, with all tags it had or has.
    asking : iterable of members
        Who have no written ballot now and whose ballot or followings changed.
    limit : int
    """
    # For each member of the cone, all tags its ballot can have before or after.
    reach: dict[Member, frozenset[str]] = {}
    queue: list[tuple[Member, frozenset[str]]] = list(sources.items())

    def enter(member: Member, tags: frozenset[str]) -> None:
        before = reach.get(member)
        if before is None:
            staged = lookup(member)
            tags = tags | staged.tags if staged is not None else tags
        elif tags <= before:
            return
        else:
            tags = before | tags
        reach[member] = tags
        queue.append((member, tags))

    for member in asking:
        if member not in ballots:
            possible = [NO_TAGS]
            for followee, edge in graph.followees[member].items():
                shared = hands_on(edge["tags"], lookup(followee))
                if shared:
                    possible.append(shared)
            enter(member, NO_TAGS.union(*possible))
    while queue:
        member, tags = queue.pop()
        for follower, edge in graph.followers.get(member, {}).items():
            if follower not in ballots:
                shared = _shared(edge["tags"], tags)
                if shared is not None:
                    enter(follower, shared)
        if len(reach) > limit:
            return None
    return set(reach)


def restage(
    graph: DelegationGraph, ballots: Mapping[Member, CastBallot], lookup: Lookup, cone: set[Member]
) -> dict[Member, Staged | None]:
    """Stage the members of a cone anew, all others as they are.

    `lookup` gives the staged ballots outside the cone after the change.
    """
    tags, active = _find_activity(graph, lookup, cone)
    values = _means(active, lookup)
    fresh: dict[Member, Staged | None] = dict.fromkeys(cone)
    unsure: list[Member] = []
    for member, (fixed, errors) in values.items():
        microstars = tuple(map(rounded, fixed, errors))
        if None in microstars:
            unsure.append(member)
        fresh[member] = Staged("inherited", microstars, tags[member], fixed, errors)  # type: ignore[arg-type]
    if unsure:
        _settle(fresh, unsure, graph, ballots, lookup)
    return fresh


def active_followees(graph: DelegationGraph, lookup: Lookup, member: Member) -> list[Member]:
    """Whom a member who inherits follows actively."""
    edges = graph.followees[member].items()
    return [followee for followee, edge in edges if hands_on(edge["tags"], lookup(followee)) is not None]


def _shared(following: frozenset[str], tags: frozenset[str]) -> frozenset[str] | None:
    if not following:
        return tags
    return (following & tags) or None


def _find_activity(
    graph: DelegationGraph, lookup: Lookup, cone: set[Member]
) -> tuple[dict[Member, frozenset[str]], dict[Member, list[Member]]]:
    """The least fixed point within the cone: the tags of all who have ballots, and their active followees."""
    tags: dict[Member, frozenset[str]] = {}
    active: dict[Member, list[Member]] = {}
    for member in cone:
        active[member] = outside = []
        for followee, edge in graph.followees[member].items():
            if followee not in cone:
                handed = hands_on(edge["tags"], lookup(followee))
                if handed is not None:
                    outside.append(followee)
                    tags[member] = tags[member] | handed if member in tags else handed
    queue = list(tags)
    while queue:
        member = queue.pop()
        mine = tags[member]
        for follower, edge in graph.followers[member].items():
            if follower in cone:
                handed = _shared(edge["tags"], mine)
                if handed is not None:
                    before = tags.get(follower)
                    if before is None:
                        tags[follower] = handed
                        queue.append(follower)
                    elif not handed <= before:
                        tags[follower] = before | handed
                        queue.append(follower)
    for member in cone:
        if member not in tags:
            del active[member]
            continue
        for followee, edge in graph.followees[member].items():
            if followee in tags and _shared(edge["tags"], tags[followee]) is not None:
                active[member].append(followee)
        if len(active[member]) > MOST_FOLLOWEES:
            raise ValueError(f"a member has more than {MOST_FOLLOWEES} active followings")
    return tags, active


Values = tuple[tuple[int, ...], tuple[float, ...]]


def _means(active: Mapping[Member, list[Member]], lookup: Lookup) -> dict[Member, Values]:
    """Fixed-point values of all members in `active`: one by one where followees come first, loops together."""
    waiting: dict[Member, int] = {}
    followers: dict[Member, list[Member]] = {}
    for member, followees in active.items():
        inner = [one for one in followees if one in active]
        waiting[member] = len(inner)
        for one in inner:
            followers.setdefault(one, []).append(member)
    values: dict[Member, Values] = {}

    def value(member: Member) -> Values:
        if member in active:
            return values[member]
        staged = lookup(member)
        assert staged is not None, "an active followee has a ballot"
        return staged.fixed, staged.errors

    def follow(ready: list[Member]) -> None:
        while ready:
            member = ready.pop()
            if member not in values:
                values[member] = _mean([value(one) for one in active[member]])
            for follower in followers.get(member, ()):
                waiting[follower] -= 1
                if not waiting[follower] and follower not in values:
                    ready.append(follower)

    follow([member for member, count in waiting.items() if not count])
    left = {member for member in active if member not in values}
    if left:
        loops = _needed(left, active, followers)
        values.update(_solve_loops(loops, active, value))
        follow(list(loops))
    return values


def _mean(rows: list[Values]) -> Values:
    """The mean of some members' values, choice by choice."""
    if len(rows) == 1:
        return rows[0]
    count = len(rows)
    totals = map(sum, zip(*(row[0] for row in rows), strict=True))
    errors = map(sum, zip(*(row[1] for row in rows), strict=True))
    fixed, bounds = zip(*(mean(total, error, count) for total, error in zip(totals, errors, strict=True)), strict=True)
    return fixed, bounds


def _needed(
    left: set[Member], active: Mapping[Member, list[Member]], followers: Mapping[Member, list[Member]]
) -> list[Member]:
    """Those of `left` whom a loop may need, in order: without those whom nobody of them follows, and so on."""
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
    loops: list[Member], active: Mapping[Member, list[Member]], value: Callable[[Member], Values]
) -> dict[Member, Values]:
    """Solve members who follow each other, and others with known values, as one linear system."""
    index = {member: at for at, member in enumerate(loops)}
    owners: list[int] = []
    columns: list[int] = []
    boundary: list[list[int]] = []
    errors: list[list[float]] = []
    outside = [[value(one) for one in active[member] if one not in index] for member in loops]
    choices = max(len(rows[0][0]) for rows in outside if rows)
    for at, member in enumerate(loops):
        inner = [index[one] for one in active[member] if one in index]
        owners.extend([at] * len(inner))
        columns.extend(inner)
        rows = outside[at]
        boundary.append([sum(column) for column in zip(*(row[0] for row in rows), strict=True)] or [0] * choices)
        errors.append([sum(column) for column in zip(*(row[1] for row in rows), strict=True)] or [0.0] * choices)
    shape = (len(loops), len(loops))
    inside = sparse.coo_array((np.ones(len(owners), dtype=np.int64), (owners, columns)), shape=shape).tocsr()
    count = np.array([len(active[member]) for member in loops], dtype=np.int64)
    fixed, bounds = LinearSystem(count, inside).settle(np.array(boundary, dtype=np.int64), np.array(errors))
    rows_ = zip(loops, fixed.tolist(), bounds.tolist(), strict=True)
    return {member: (tuple(row), tuple(bound)) for member, row, bound in rows_}


def _settle(
    fresh: dict[Member, Staged | None],
    unsure: list[Member],
    graph: DelegationGraph,
    ballots: Mapping[Member, CastBallot],
    lookup: Lookup,
) -> None:
    """Settle the values that fixed-point arithmetic left open, in place."""

    def now(member: Member) -> Staged | None:
        return fresh[member] if member in fresh else lookup(member)

    def active(member: Member) -> list[Member] | None:
        return None if member in ballots else active_followees(graph, now, member)

    for member, (microstars, fixed) in settle(unsure, active, lambda member: ballots[member].stars).items():
        before = fresh[member]
        assert before is not None
        fresh[member] = Staged("inherited", microstars, before.tags, fixed, (1.0,) * len(fixed))
