"""Full staging: every member's ballot in one decision, from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import chain

import numpy as np
import numpy.typing as npt
from scipy import sparse

from graph.activity import NARROW, by_followee, find_activity, once, slices
from graph.arrays import GraphArrays
from graph.fixedpoint import STAR_UNITS, Floats, Ints, Value, check_followees, mean, means, rounded_all
from graph.loops import LinearSystem
from graph.rounding import settle_exactly
from graph.values import CastBallot, Kind, Member

NONE, CAST, INHERITED, ABSTAINED = range(4)
KIND_NAMES: tuple[Kind | None, ...] = (None, "cast", "inherited", "abstained")


@dataclass(frozen=True, slots=True)
class Staging:
    """All staged ballots of one decision; row i belongs to `graph.members[i]`.

    `kinds` are codes (see `KIND_NAMES`). `fixed` are fixed-point values, `errors` (rows x 1) the largest bound of each
    row's.
    """

    graph: GraphArrays
    kinds: npt.NDArray[np.int8]
    microstars: npt.NDArray[np.int32]
    fixed: Ints
    errors: Floats
    tags: list[frozenset[str]]


def stage(graph: GraphArrays, ballots: Mapping[Member, CastBallot], choices: int) -> Staging:
    """Stage every ballot of a decision.

    Parameters
    ----------
    graph : GraphArrays
    ballots : mapping from member to CastBallot
        Of members only.
    choices : int

    Returns
    -------
    Staging

    Raises
    ------
    ValueError
        If a member has more than 4,000 active followings, whose sum would not fit.

    Notes
    -----
    Members whose followees all have values are solved level by level [1]_, in integers; where that takes many narrow
    levels, as in a chain, member by member. Loops remain, with members that tie them together and members that hang on
    them: these are set aside, the loops are solved as one linear system, then the levels go on.

    References
    ----------
    .. [1] A. B. Kahn, "Topological sorting of large networks", Communications of the ACM 5 (1962).
    """
    size = len(graph.members)
    kinds = np.zeros(size, dtype=np.int8)
    rows = np.fromiter(map(graph.index.__getitem__, ballots), dtype=np.int64, count=len(ballots))
    written = list(ballots.values())
    abstained = np.fromiter((ballot.abstain for ballot in written), dtype=np.bool_, count=len(written))
    kinds[rows] = np.where(abstained, ABSTAINED, CAST)
    given = [ballot for ballot in written if not ballot.abstain]
    cast = rows[~abstained]

    activity = find_activity(graph, own=kinds != NONE, cast=cast, cast_tags=[ballot.tags for ballot in given])
    kinds[activity.holders & (kinds == NONE)] = INHERITED
    fixed = np.zeros((size, choices), dtype=np.int64)
    errors = np.zeros((size, choices))
    flat = chain.from_iterable(ballot.stars for ballot in given)
    stars = np.fromiter(flat, dtype=np.int64, count=len(given) * choices)
    fixed[cast] = stars.reshape(len(given), choices) * STAR_UNITS

    tags = activity.tags
    for row, ballot in zip(rows.tolist(), written, strict=True):
        if ballot.abstain:
            tags[row] = ballot.tags
    means_ = _Means(activity.followers, activity.followees, kinds, fixed, errors)
    means_.solve()
    microstars, certain = rounded_all(fixed, errors)
    uncertain = np.flatnonzero(~certain.all(axis=1))
    if len(uncertain):
        settle_exactly(uncertain, means_.starts, activity.followees, kinds == CAST, fixed, errors, microstars)
    largest = reduce(np.maximum, errors.T, np.zeros(size))
    return Staging(graph, kinds, microstars, fixed, largest[:, None], tags)


class _Means:
    """The means over active followings, filled in for all who inherit."""

    def __init__(
        self, followers: Ints, followees: Ints, kinds: npt.NDArray[np.int8], fixed: Ints, errors: Floats
    ) -> None:
        size = len(kinds)
        self.followers = followers
        self.followees = followees
        self.inheriting = kinds == INHERITED
        self.fixed = fixed
        self.errors = errors
        self.count = np.bincount(followers, minlength=size)
        check_followees(self.count.max(initial=0))
        self.starts = np.concatenate(([0], np.cumsum(self.count)))
        self.back_starts, order = by_followee(followers, followees, size)
        self.back = followers[order]
        self.done = ~self.inheriting

    def solve(self) -> None:
        self._levels()
        left = np.flatnonzero(~self.done)
        if len(left):
            self._loops(self._needed(left))
            self._levels()

    def _levels(self) -> None:
        """Solve members who have only solved followees, then those whom that completes, and so on."""
        open_ = ~self.done[self.followees]
        waiting = np.bincount(self.followers[open_], minlength=len(self.done))
        level = np.flatnonzero(~self.done & (waiting == 0))
        scratch = np.empty(len(self.done), dtype=np.int64)
        rounds = 0
        while len(level):
            rounds += 1
            if rounds > NARROW and len(level) < NARROW:
                level = self._narrow_levels(level, waiting)
                continue
            at, counts = slices(self.starts, level)
            followees = self.followees[at]
            ends = np.cumsum(counts) - counts
            totals = np.add.reduceat(self.fixed[followees], ends, axis=0)
            errors = np.add.reduceat(self.errors[followees], ends, axis=0)
            self.fixed[level], self.errors[level] = means(totals, errors, counts)
            self.done[level] = True
            at, _ = slices(self.back_starts, level)
            followers = self.back[at]
            np.subtract.at(waiting, followers, 1)
            level = once(followers[waiting[followers] == 0], scratch)

    def _narrow_levels(self, level: Ints, waiting: Ints) -> Ints:
        """Do `_levels` member by member, as long as levels are narrow; return the first that isn't, or nobody."""
        known: dict[int, Value] = {}
        solved: dict[int, Value] = {}
        ready: list[int] = level.tolist()
        while 0 < len(ready) < NARROW:
            completed: list[int] = []
            for row in ready:
                values: list[Value] = []
                for followee in self.followees[self.starts[row] : self.starts[row + 1]].tolist():
                    if followee not in known:
                        known[followee] = (
                            tuple(self.fixed[followee].tolist()),
                            float(self.errors[followee].max(initial=0.0)),
                        )
                    values.append(known[followee])
                known[row] = solved[row] = mean(values)
                for follower in self.back[self.back_starts[row] : self.back_starts[row + 1]].tolist():
                    waiting[follower] -= 1
                    if not waiting[follower]:
                        completed.append(follower)
            ready = completed
        rows = list(solved)
        self.fixed[rows] = [value for value, _ in solved.values()]
        self.errors[rows] = np.array([error for _, error in solved.values()])[:, None]
        self.done[rows] = True
        return np.array(ready, dtype=np.int64)

    def _needed(self, left: Ints) -> Ints:
        """Keep those of `left` whom a loop may need: without those whom nobody of them follows, and so on."""
        within = ~self.done
        inner = within[self.followers] & within[self.followees]
        followed = np.bincount(self.followees[inner], minlength=len(within))
        level = left[followed[left] == 0]
        scratch = np.empty(len(within), dtype=np.int64)
        rounds = 0
        while len(level):
            rounds += 1
            if rounds > NARROW and len(level) < NARROW:
                level = self._narrowly_unneeded(level, within, followed)
                continue
            within[level] = False
            at, _ = slices(self.starts, level)
            followees = self.followees[at]
            np.subtract.at(followed, followees, 1)
            level = once(followees[within[followees] & (followed[followees] == 0)], scratch)
        return np.flatnonzero(within)

    def _narrowly_unneeded(self, level: Ints, within: npt.NDArray[np.bool_], followed: Ints) -> Ints:
        """Do `_needed` member by member, as long as levels are narrow; return the first that isn't, or nobody."""
        ready: list[int] = level.tolist()
        while 0 < len(ready) < NARROW:
            unneeded: list[int] = []
            for row in ready:
                within[row] = False
                for followee in self.followees[self.starts[row] : self.starts[row + 1]].tolist():
                    followed[followee] -= 1
                    if not followed[followee] and within[followee]:
                        unneeded.append(followee)
            ready = unneeded
        return np.array(ready, dtype=np.int64)

    def _loops(self, rows: Ints) -> None:
        """Solve these rows, which follow solved members and each other only, as one linear system."""
        at, counts = slices(self.starts, rows)
        followees = self.followees[at]
        local = np.full(len(self.done), -1)
        local[rows] = np.arange(len(rows))
        columns = local[followees]
        inner = columns >= 0
        owners = np.repeat(np.arange(len(rows)), counts)
        shape = (len(rows), len(rows))
        ones = np.ones(int(inner.sum()), dtype=np.int64)
        inside = sparse.coo_array((ones, (owners[inner], columns[inner])), shape=shape).tocsr()
        outer = sparse.coo_array(
            (np.ones(len(at) - len(ones), dtype=np.int64), (owners[~inner], followees[~inner])),
            shape=(len(rows), len(self.done)),
        ).tocsr()
        system = LinearSystem(counts, inside)
        boundary: Ints = np.asarray(outer @ self.fixed)
        errors: Floats = np.asarray(outer @ self.errors)
        self.fixed[rows], self.errors[rows] = system.settle(boundary, errors)
        self.done[rows] = True
