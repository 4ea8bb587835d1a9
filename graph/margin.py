"""The margin of victory: the fewest ballots that, cast differently, would make another choice win [1]_.

A challenger wins beside another finalist when linear conditions on the totals hold: it and the other finalist have no
lower score than anyone else, and in the runoff it is ahead, or level and ahead by the tie-break. Of what a changed
ballot can say, three kinds dominate all others: five stars for the challenger, nothing for the rest, and to the other
finalist nothing (the challenger gains most on it), four stars (it stays behind) or five (it gets into the runoff).

From below, a number is proven by multipliers: whatever ballots are changed, a weighted sum of the conditions cannot be
met with fewer [2]_. The linear relaxation names good multipliers and, at the same time, the ballots to change; the
proof is then done in integers. From above it is proven by the changed ballots themselves, counted by the rules.

References
----------
.. [1] L. Xia, "Computing the margin of victory for various voting rules", Proc. 13th ACM EC, 2012.
.. [2] F. Glover, "Surrogate constraint duality in mathematical programming", Operations Research 23, 1975.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice

import numpy as np
import numpy.typing as npt

from graph.tally import Totals, star, tally
from graph.values import FIVE_STARS, STAR

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# A solution in parts has hardly more open places than there are conditions. It is rounded in so many ways, a few of the
# next best ballots among them, before it is given up.
_ROUNDINGS = 2_000
_NEXT_BEST = 4

# Multipliers are rounded to at most so many steps, fewer where the sums would leave 64 bits. The proof holds for any.
_MOST_STEPS = 10**9

# A solution in parts this near to a whole number is one.
_WHOLE = 1e-6

# A program over more different ballots takes too long to be waited for; then the totals must do.
MOST_DIFFERENT = 20_000

# After so many relaxations what is known must do: elections in which everything is close to everything else.
_MOST_SOLVED = 60


@dataclass(frozen=True, slots=True)
class Margin:
    """With fewer than `least` ballots changed the winner stays the same, whatever they say; `enough` changed ones can
    make `challenger` win. The two are equal where the margin is known exactly.
    """

    least: int
    enough: int
    challenger: int


def margin_bounds(totals: Totals, winner: int, runner_up: int) -> Margin:
    """Bound the margin by the totals alone.

    Parameters
    ----------
    totals : Totals
    winner, runner_up : int
        Of the runoff.

    Returns
    -------
    Margin

    Notes
    -----
    One changed ballot brings a choice nearer to another by at most ten stars, and turns the runoff by at most two
    ballots. Changing one ballot more than half of the lead from "winner first" to "five stars for the runner-up" makes
    the runner-up win: it only gains stars by that, so it stays in the runoff. (Where nobody prefers the winner, a
    tie-break decided, and one ballot can turn it.)
    """
    enough = (totals.preferences[winner][runner_up] - totals.preferences[runner_up][winner]) // 2 + 1
    least = min(_bound(totals, challenger, beside) for challenger, beside in _pairs(totals, winner))
    return Margin(min(least, enough), enough, runner_up)


def margin_of_victory(microstars: npt.NDArray[np.int32], lots: Sequence[int]) -> Margin | None:
    """Find the fewest ballots that would have to be different for another choice to win.

    Parameters
    ----------
    microstars : int32 array, ballots x choices
        The counted ballots. Changed ones give whole stars, as cast ballots do.
    lots : sequence of int
        The lot number of each choice; all different.

    Returns
    -------
    Margin or None
        None without a winner.

    Notes
    -----
    The bounds meet in nearly every election. They can be one apart where a choice would get into the runoff only by
    a tie-break, and are those of `margin_bounds` for more than `MOST_DIFFERENT` different ballots.
    """
    totals = tally(microstars)
    result = star(totals, lots)
    if result.winner is None or result.runner_up is None:
        return None
    ballots, counts = np.unique(microstars, axis=0, return_counts=True)
    best = margin_bounds(totals, result.winner, result.runner_up)
    if len(ballots) > MOST_DIFFERENT:
        return best
    election = _Election(ballots.astype(np.int64), counts.astype(np.int64), tuple(lots))
    least, solved, witnessed = totals.counted, 0, False
    bounds = sorted((_bound(totals, *pair), *pair) for pair in _pairs(totals, result.winner))
    for bound, challenger, beside in bounds:
        if witnessed and bound >= best.enough:
            break
        for way in election.ways(challenger, beside):
            below = best.enough if witnessed else totals.counted + 1
            if (at_least := way.bound()) < below and solved < _MOST_SOLVED:
                solved += 1
                at_least, enough = way.solved(below)
                if enough is not None:
                    best, witnessed = Margin(best.least, enough, challenger), True
            least = min(least, at_least)
    return Margin(min(max(least, 1), best.enough), best.enough, best.challenger)


def _pairs(totals: Totals, winner: int) -> Iterator[tuple[int, int]]:
    """Pair each other choice that could win with each that could be beside it in the runoff."""
    choices = range(len(totals.scores))
    return (
        (challenger, beside)
        for challenger in choices
        if challenger != winner
        for beside in choices
        if beside != challenger
    )


def _bound(totals: Totals, challenger: int, beside: int) -> int:
    """Bound from below the changed ballots by which a pair can come about, as far as the totals tell."""
    scores, preferences = totals.scores, totals.preferences
    others = [score for choice, score in enumerate(scores) if choice not in (challenger, beside)]
    behind = max(others, default=0) - min(scores[challenger], scores[beside]) if others else 0
    lead = preferences[beside][challenger] - preferences[challenger][beside]
    return max(1, -(-behind // (2 * FIVE_STARS)), -(-lead // 2))


@dataclass(frozen=True)
class _Election:
    """The different ballots of an election (microstars: ballots x choices), and how many there are of each."""

    ballots: Ints
    counts: Ints
    lots: tuple[int, ...]

    def ways(self, challenger: int, beside: int) -> Iterator[_Way]:
        """List the ways to win beside another finalist: ahead in the runoff; level, and ahead in score; level in both,
        and ahead in five-star ballots or by lot.
        """
        first, second = self.ballots[:, challenger], self.ballots[:, beside]
        rivals = [self.ballots[:, at] for at in range(len(self.lots)) if at not in (challenger, beside)]
        places = [_Condition(first - rival, (5, 5, 5)) for rival in rivals]
        places += [_Condition(second - rival, (0, 4, 5)) for rival in rivals]
        preferred = _Condition(np.sign(first - second) * STAR, (1, 1, 0))
        score = _Condition(first - second, (5, 1, 0))
        five_stars = _Condition(((first == FIVE_STARS) * STAR - (second == FIVE_STARS) * STAR), (1, 1, 0))
        lot = 0 if self.lots[challenger] < self.lots[beside] else STAR
        for runoff in (
            [preferred.at_least(STAR)],
            [preferred, score.at_least(1)],
            [preferred, score, five_stars.at_least(lot)],
        ):
            yield _Way(self, challenger, beside, [*places, *runoff])


@dataclass(frozen=True)
class _Condition:
    """That a sum over all ballots is not less than `need`.

    `values` is what each ballot adds, `changed` what each of the three kinds of changed ballots adds, in stars. All
    else is in microstars; where ballots are counted, each counts as a star, so that all conditions are of one size.
    """

    values: Ints
    changed: tuple[int, int, int]
    need: int = 0

    def at_least(self, need: int) -> _Condition:
        return replace(self, need=need)


class _Way:
    """One way in which another choice can win: what it takes to reach the runoff, and to win it."""

    def __init__(self, election: _Election, challenger: int, beside: int, conditions: Sequence[_Condition]) -> None:
        self.election = election
        self.challenger = challenger
        self.beside = beside
        self._values = np.array([one.values for one in conditions])
        self._changed = np.array([one.changed for one in conditions], dtype=np.int64) * STAR
        self._needs = np.array([one.need for one in conditions], dtype=np.int64)

    def bound(self) -> int:
        """Find the fewest changed ballots that meet each condition for itself."""
        return max(self._excluded(unit) for unit in np.eye(len(self._needs), dtype=np.int64))

    def solved(self, below: int) -> tuple[int, int | None]:
        """Find how many ballots must be changed at least, and how many are enough (None: not fewer than `below`)."""
        from scipy.optimize import linprog  # a tenth of the time that a process takes to start, and seldom needed

        a, b, most = self._program()
        size = len(self.election.counts)
        limits = [(0.0, limit) for limit in most.tolist()]
        solution = linprog([1.0] * size + [0.0] * 3, A_ub=a, b_ub=b, bounds=limits, method="highs")
        if solution.x is None:  # the solver gave up
            return self.bound(), None
        weights = np.maximum(-solution.ineqlin.marginals[: len(self._needs)], 0)
        steps = min(_MOST_STEPS, 2**62 // (2 * FIVE_STARS * int(self.election.counts.sum())))
        multipliers = np.rint(weights / (weights.sum() or 1) * steps).astype(np.int64)
        least = max(self._excluded(multipliers), 1)
        for enough in range(least, min(least + 2, below)):
            if any(self._wins(changes) for changes in self._rounded(solution.x[:size], multipliers, enough)):
                return least, enough
        return least, None

    def _program(self) -> tuple[Floats, Floats, Floats]:
        """Write the conditions as a linear program over how many of each ballot to change, how many new ones prefer the
        challenger, how many stars these give the other finalist in all, and how many rate both alike: `a x <= b`, and
        the upper limits of x.
        """
        counts = self.election.counts
        number = int(counts.sum())
        nothing, four, five = self._changed.T
        conditions = np.column_stack([self._values, -nothing, -(four - nothing) // 4, -five]) / STAR
        slack = (self._values @ counts - self._needs) / STAR
        ones, none = np.ones(len(counts)), np.zeros(len(counts))
        a = np.vstack([conditions, [*none, -4, 1, 0], [*-ones, 1, 0, 1], [*ones, -1, 0, -1]])
        return a, np.array([*slack, 0, 0, 0]), np.array([*counts, number, 4 * number, number], dtype=np.float64)

    def _excluded(self, multipliers: Ints) -> int:
        """Find the fewest changed ballots that the conditions, weighted with `multipliers` and added up, don't exclude.

        Every change adds to that sum at most what the best new ballot has over the ballot changed.
        """
        counts = self.election.counts
        missing = int(multipliers @ self._needs) - int((multipliers @ self._values) @ counts)
        if missing <= 0:
            return 0
        gains = self._gains(multipliers)
        order = np.argsort(-gains)
        gained = np.cumsum(gains[order] * counts[order])
        if gained[-1] < missing:
            return int(counts.sum()) + 1
        at = int(np.searchsorted(gained, missing))
        before = int(gained[at - 1]) if at else 0
        return int(counts[order[:at]].sum()) - (before - missing) // int(gains[order[at]])

    def _gains(self, multipliers: Ints) -> Ints:
        best = int((multipliers @ self._changed).max())
        gains: Ints = np.maximum(best - multipliers @ self._values, 0)
        return gains

    def _rounded(self, relaxed: Floats, multipliers: Ints, size: int) -> Iterator[Ints]:
        """Choose `size` whole ballots to change, in ways that are near to a solution in parts."""
        whole = np.floor(relaxed + _WHOLE).astype(np.int64)
        missing = max(size - int(whole.sum()), 0)
        in_parts = np.flatnonzero(relaxed - whole > _WHOLE)
        room = self.election.counts > whole
        room[in_parts] = False
        best_first = np.argsort(-np.where(room, self._gains(multipliers), -1))[: int(room.sum())]
        candidates = [*in_parts, *best_first[: max(missing - len(in_parts), 0) + _NEXT_BEST]]
        for chosen in islice(combinations(candidates, missing), _ROUNDINGS):
            changes = whole.copy()
            changes[list(chosen)] += 1
            yield changes

    def _wins(self, changes: Ints) -> bool:
        """Whether the challenger really wins once so many of each ballot are changed in the best way."""
        election = self.election
        left = np.repeat(election.ballots, election.counts - changes, axis=0)
        return any(
            star(tally(np.vstack([left, new]).astype(np.int32)), election.lots).winner == self.challenger
            for new in self._new_ballots(changes)
        )

    def _new_ballots(self, changes: Ints) -> Iterator[Ints]:
        """Make new ballots that meet all conditions in the place of the changed ones: of the many, the extremes."""
        size = int(changes.sum())
        alike = np.arange(size + 1)
        nothing, four, five = self._changed.T[:, :, None]
        sums = (self._values @ (self.election.counts - changes))[:, None] + nothing * (size - alike) + five * alike
        over, per_star = sums - self._needs[:, None], (four - nothing)[:, 0] // 4
        fewest = np.max(-(over[per_star > 0] // STAR), axis=0, initial=0)
        most = np.minimum(4 * (size - alike), np.min(over[per_star < 0] // STAR, axis=0, initial=4 * size))
        found = np.flatnonzero((over[per_star == 0] >= 0).all(axis=0) & (fewest <= most))
        for number in sorted({*found[:1], *found[-1:]}):
            for stars in sorted({int(fewest[number]), int(most[number])}):
                yield self._ballots(size - int(number), stars, int(number))

    def _ballots(self, behind: int, stars: int, alike: int) -> Ints:
        """Give the challenger five stars; the other finalist so many in all where it is behind, five elsewhere."""
        new = np.zeros((behind + alike, len(self.election.lots)), dtype=np.int64)
        new[:, self.challenger] = FIVE_STARS
        new[behind:, self.beside] = FIVE_STARS
        each, more = divmod(stars, max(behind, 1))
        new[:behind, self.beside] = each * STAR
        new[:more, self.beside] += STAR
        return new
