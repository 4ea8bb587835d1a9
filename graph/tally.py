"""The tally: totals over counted ballots, and the rules of STAR voting [1]_ on them. Integers only.

References
----------
.. [1] Equal Vote Coalition, "STAR Voting: ties", https://www.starvoting.org/ties
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from graph.values import FIVE_STARS, RULES, STAR, CastBallot, Participation, Result, TieBreak

# Rows per block: ten int32 columns of this length stay in the second-level cache while every pair is compared.
_BLOCK = 1 << 14

# Up to so many ballots, plain Python is done before numpy has started; from so many comparisons, blocks are better.
_FEW = 3
_MANY = 100_000


@dataclass(slots=True)
class Totals:
    """Scores, preferences and five-star counts of `counted` ballots, in the order of the choices."""

    scores: list[int]
    preferences: list[list[int]]
    five_stars: list[int]
    counted: int

    @classmethod
    def none(cls, choices: int) -> Totals:
        """Make the totals of no ballots."""
        return cls([0] * choices, [[0] * choices for _ in range(choices)], [0] * choices, 0)

    def copy(self) -> Totals:
        return Totals(self.scores[:], [row[:] for row in self.preferences], self.five_stars[:], self.counted)

    def add(self, other: Totals, sign: int = 1) -> None:
        """Add the totals of further ballots, or take them away (`sign` = -1)."""
        for a, row in enumerate(other.preferences):
            self.scores[a] += sign * other.scores[a]
            self.five_stars[a] += sign * other.five_stars[a]
            mine = self.preferences[a]
            for b, count in enumerate(row):
                mine[b] += sign * count
        self.counted += sign * other.counted

    def replace(self, leaving: Sequence[Sequence[int]], coming: Sequence[Sequence[int]]) -> None:
        """Take some ballots (microstars by choice) away and count others."""
        choices = len(self.scores)
        number = len(leaving) + len(coming)
        if number * choices * choices > _MANY:
            for ballots, sign in ((leaving, -1), (coming, 1)):
                if ballots:
                    self.add(tally(np.array(ballots, dtype=np.int32)), sign)
        elif number > _FEW:
            rows = np.array([*leaving, *coming], dtype=np.int64)
            signs = np.ones(number, dtype=np.int64)
            signs[: len(leaving)] = -1
            above = (rows[:, :, None] > rows[:, None, :]).reshape(number, choices * choices)
            preferences = (signs @ above).reshape(choices, choices).tolist()
            five_stars = (signs @ (rows == FIVE_STARS)).tolist()
            self.add(Totals((signs @ rows).tolist(), preferences, five_stars, len(coming) - len(leaving)))
        else:
            for ballot in leaving:
                self._count(ballot, -1)
            for ballot in coming:
                self._count(ballot, 1)

    def _count(self, ballot: Sequence[int], sign: int) -> None:
        for a, mine in enumerate(ballot):
            self.scores[a] += sign * mine
            if mine == FIVE_STARS:
                self.five_stars[a] += sign
            row = self.preferences[a]
            for b, other in enumerate(ballot):
                if mine > other:
                    row[b] += sign
        self.counted += sign


def tally(microstars: npt.NDArray[np.int32]) -> Totals:
    """Total counted ballots.

    Parameters
    ----------
    microstars : int32 array, ballots x choices
        Any memory order; Fortran order saves a copy.

    Returns
    -------
    Totals
    """
    ballots, choices = microstars.shape
    scores = np.zeros(choices, dtype=np.int64)
    five_stars = [0] * choices
    above = [[0] * choices for _ in range(choices)]
    greater = np.empty(_BLOCK, dtype=np.bool_)
    for start in range(0, ballots, _BLOCK):
        block = np.ascontiguousarray(microstars[start : start + _BLOCK].T)
        out = greater[: block.shape[1]]
        scores += block.sum(axis=1, dtype=np.int64)
        for a in range(choices):
            row = above[a]
            for b in range(choices):
                if a != b:
                    row[b] += int(np.count_nonzero(np.greater(block[a], block[b], out=out)))
            five_stars[a] += int(np.count_nonzero(np.equal(block[a], FIVE_STARS, out=out)))
    return Totals(scores.tolist(), above, five_stars, ballots)


def star(totals: Totals, lots: Sequence[int], participation: Participation | None = None) -> Result:
    """Find the result by STAR voting: two finalists by score, then an automatic runoff.

    Parameters
    ----------
    totals : Totals
    lots : sequence of int
        The lot number of each choice; all different.
    participation : Participation, optional
        Passed through. Without one, every ballot counts as cast by a voter.

    Returns
    -------
    Result

    Notes
    -----
    A tie for the last place between exactly two choices goes to the one preferred by more ballots. If that is tied
    too, or more than two tie, places are filled one by one by most five-star ballots, then by lowest lot [1]_. A
    tied runoff goes to the higher score, then to more five-star ballots, then to the lowest lot. Two choices that
    tie for both places need no tie-break; they are listed by lot.

    References
    ----------
    .. [1] Equal Vote Coalition, "STAR Voting: ties", https://www.starvoting.org/ties
    """
    counted = totals.counted
    participation = participation or Participation(counted, counted, 0, 0, 0, 0, counted)
    reason: Literal["no_ballots", "one_choice"] | None = None
    tie_breaks: list[TieBreak] = []
    finalists: tuple[int, ...] = ()
    runoff_for: tuple[int, ...] = ()
    runoff_equal = 0
    winner = runner_up = None
    if not counted:
        reason = "no_ballots"
    elif len(totals.scores) < 2:
        reason = "one_choice"
    else:
        first, second = finalists = _finalists(totals, lots, tie_breaks)
        runoff_for = (totals.preferences[first][second], totals.preferences[second][first])
        runoff_equal = counted - sum(runoff_for)
        winner = _runoff(totals, lots, finalists, tie_breaks)
        runner_up = second if winner == first else first
    return Result(
        rules=RULES,
        scores=tuple(totals.scores),
        ranks=tuple(1 + sum(other > score for other in totals.scores) for score in totals.scores),
        finalists=finalists,
        preferences=tuple(map(tuple, totals.preferences)),
        runoff_for=runoff_for,
        runoff_equal=runoff_equal,
        winner=winner,
        runner_up=runner_up,
        five_stars=tuple(totals.five_stars),
        tie_breaks=tuple(tie_breaks),
        participation=participation,
        reason=reason,
    )


def count_cast(ballots: Sequence[CastBallot], lots: Sequence[int], *, eligible: int) -> Result:
    """Count these ballots alone, as if nobody inherited.

    Parameters
    ----------
    ballots : sequence of CastBallot
        All of them are counted; none is an abstention.
    lots : sequence of int
        The lot number of each choice; the order is that of the stars on the ballots.
    eligible : int
        The number of voters, at least that of the ballots.

    Returns
    -------
    Result
    """
    stars = np.array([ballot.stars for ballot in ballots], dtype=np.int32).reshape(len(ballots), len(lots))
    number = len(ballots)
    participation = Participation(eligible, number, 0, 0, eligible - number, 0, number)
    return star(tally(stars * np.int32(STAR)), lots, participation)


def _finalists(totals: Totals, lots: Sequence[int], used: list[TieBreak]) -> tuple[int, int]:
    """Find the two highest scores, in order; append the tie-breaks that it took."""
    chosen: list[int] = []
    for score in sorted(set(totals.scores), reverse=True):
        tied = _by_lot((c for c, other in enumerate(totals.scores) if other == score), lots)
        places = 2 - len(chosen)
        if len(tied) <= places:
            chosen += tied
        elif places == 1 and len(tied) == 2 and (won := _preferred(totals, tied)) is not None:
            numbers = _head_to_head(totals, tied)
            used.append(TieBreak("score", "head_to_head", tuple(tied), won, numbers))
            chosen.append(won)
        else:
            for _ in range(places):
                place = _most_five_stars(totals, tied, lots)
                used.append(place)
                chosen.append(place.won)
                tied.remove(place.won)
        if len(chosen) == 2:
            break
    return chosen[0], chosen[1]


def _runoff(totals: Totals, lots: Sequence[int], finalists: tuple[int, int], used: list[TieBreak]) -> int:
    """Find the winner of the automatic runoff; append the tie-break if it took one."""
    pair = _by_lot(finalists, lots)
    won = _preferred(totals, pair)
    if won is not None:
        return won
    first, second = pair
    steps: tuple[tuple[Literal["score", "five_star"], list[int]], ...] = (
        ("score", totals.scores),
        ("five_star", totals.five_stars),
    )
    for kind, counts in steps:
        if counts[first] != counts[second]:
            won = first if counts[first] > counts[second] else second
            used.append(TieBreak("runoff", kind, (first, second), won, (counts[first], counts[second])))
            return won
    used.append(TieBreak("runoff", "lot", (first, second), first, (lots[first], lots[second])))
    return first


def _most_five_stars(totals: Totals, tied: Sequence[int], lots: Sequence[int]) -> TieBreak:
    """Fill one place of the score round: most five-star ballots, then lowest lot."""
    most = max(totals.five_stars[c] for c in tied)
    best = [c for c in tied if totals.five_stars[c] == most]
    if len(best) == 1:
        return TieBreak("score", "five_star", tuple(tied), best[0], tuple(totals.five_stars[c] for c in tied))
    return TieBreak("score", "lot", tuple(best), best[0], tuple(lots[c] for c in best))


def _by_lot(choices: Iterable[int], lots: Sequence[int]) -> list[int]:
    return sorted(choices, key=lots.__getitem__)


def _head_to_head(totals: Totals, pair: Sequence[int]) -> tuple[int, int]:
    first, second = pair
    return totals.preferences[first][second], totals.preferences[second][first]


def _preferred(totals: Totals, pair: Sequence[int]) -> int | None:
    """Find the one of two choices that more ballots prefer; None if as many prefer either."""
    forwards, backwards = _head_to_head(totals, pair)
    if forwards == backwards:
        return None
    return pair[0] if forwards > backwards else pair[1]
