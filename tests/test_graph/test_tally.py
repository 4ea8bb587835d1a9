"""STAR voting: the tally of ballots, and every kind of tie-break."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import Participation, TieBreak, Totals, star, tally
from graph.values import FIVE_STARS


def totals_of(*ballots: tuple[int, ...]) -> Totals:
    """Totals of ballots in stars."""
    return tally(np.array(ballots, dtype=np.int32) * 1_000_000)


@given(st.integers(1, 6).flatmap(lambda choices: st.lists(st.tuples(*[st.integers(0, 5)] * choices), min_size=1)))
def test_the_tally_counts_what_a_loop_over_ballots_counts(ballots: list[tuple[int, ...]]) -> None:
    choices = range(len(ballots[0]))
    totals = totals_of(*ballots)
    assert totals.scores == [1_000_000 * sum(ballot[c] for ballot in ballots) for c in choices]
    assert totals.preferences == [[sum(ballot[a] > ballot[b] for ballot in ballots) for b in choices] for a in choices]
    assert totals.five_stars == [sum(ballot[c] == 5 for ballot in ballots) for c in choices]
    assert totals.counted == len(ballots)


def test_a_tally_of_many_blocks_equals_its_parts() -> None:
    microstars = np.random.default_rng(1).integers(0, FIVE_STARS + 1, (40_000, 4), dtype=np.int32)
    whole = tally(microstars)
    parts = tally(microstars[:17_000])
    parts.add(tally(np.asfortranarray(microstars[17_000:])))
    assert parts == whole


@pytest.mark.parametrize("number", [0, 1, 3, 4, 50, 20_000])
def test_totals_follow_ballots_that_leave_and_come(number: int) -> None:
    microstars = np.random.default_rng(number).integers(0, 6, (number + 45, 4), dtype=np.int32) * 1_000_000
    totals = tally(microstars[: number + 5])
    totals.replace(microstars[:number].tolist(), microstars[number + 5 : number + 5 + number % 40].tolist())
    assert totals == tally(microstars[number : number + 5 + number % 40])


def test_the_two_highest_scores_meet_in_the_runoff_and_the_more_preferred_wins() -> None:
    result = star(totals_of((5, 4, 0), (5, 4, 0), (5, 4, 0), (0, 1, 2), (0, 1, 2), (0, 3, 2), (0, 4, 1)), [1, 2, 3])
    assert result.scores == (15_000_000, 21_000_000, 7_000_000)
    assert result.ranks == (2, 1, 3)
    assert (result.finalists, result.runoff_for, result.runoff_equal) == ((1, 0), (4, 3), 0)
    assert (result.winner, result.runner_up, result.tie_breaks, result.reason) == (1, 0, (), None)
    assert result.participation == Participation(7, 7, 0, 0, 0, 0, 7)


def test_a_finalist_with_a_lower_score_can_win() -> None:
    result = star(totals_of((5, 0), (2, 3), (2, 3)), [1, 2])
    assert (result.finalists, result.winner, result.runner_up) == ((0, 1), 1, 0)


def totals(scores: list[int], preferences: dict[tuple[int, int], int], five_stars: list[int], counted: int) -> Totals:
    """Totals given outright: the rules look at nothing else."""
    choices = range(len(scores))
    return Totals(scores, [[preferences.get((a, b), 0) for b in choices] for a in choices], five_stars, counted)


WINS = {(0, 1): 6, (1, 0): 1, (0, 2): 6, (2, 0): 1, (0, 3): 6, (3, 0): 1}
"""Choice 0 beats everybody in the runoff, so that a case shows the score round alone."""

SCORE_ROUND = {
    "two tied for one place: the preferred one": (
        totals([9, 5, 5], {**WINS, (1, 2): 3, (2, 1): 4}, [0, 9, 0], 7),
        [3, 1, 2],
        (0, 2),
        [TieBreak("score", "head_to_head", (1, 2), 2, (3, 4))],
    ),
    "as many prefer either: more five-star ballots": (
        totals([9, 5, 5], {**WINS, (1, 2): 3, (2, 1): 3}, [0, 1, 2], 7),
        [3, 1, 2],
        (0, 2),
        [TieBreak("score", "five_star", (1, 2), 2, (1, 2))],
    ),
    "as many five-star ballots too: the lowest lot": (
        totals([9, 5, 5], {**WINS, (1, 2): 3, (2, 1): 3}, [0, 2, 2], 7),
        [3, 2, 1],
        (0, 2),
        [TieBreak("score", "lot", (2, 1), 2, (1, 2))],
    ),
    "three tied for one place: five-star ballots at once, preferences don't matter": (
        totals([9, 5, 5, 5], {**WINS, (1, 2): 7, (1, 3): 7}, [0, 1, 3, 2], 7),
        [4, 1, 2, 3],
        (0, 2),
        [TieBreak("score", "five_star", (1, 2, 3), 2, (1, 3, 2))],
    ),
    "three tied for one place, two of them in five-star ballots: the lot among the two": (
        totals([9, 5, 5, 5], WINS, [0, 1, 3, 3], 7),
        [4, 1, 3, 2],
        (0, 3),
        [TieBreak("score", "lot", (3, 2), 3, (2, 3))],
    ),
    "three tied for both places: place by place": (
        totals([5, 5, 5, 1], {**WINS, (1, 2): 7}, [3, 1, 2, 9], 7),
        [1, 2, 3, 4],
        (0, 2),
        [
            TieBreak("score", "five_star", (0, 1, 2), 0, (3, 1, 2)),
            TieBreak("score", "five_star", (1, 2), 2, (1, 2)),
        ],
    ),
    "three tied for both places with the same five-star ballots: two lots": (
        totals([5, 5, 5], WINS, [2, 2, 2], 7),
        [1, 3, 2],
        (0, 2),
        [TieBreak("score", "lot", (0, 2, 1), 0, (1, 2, 3)), TieBreak("score", "lot", (2, 1), 2, (2, 3))],
    ),
    "two tied for both places: both, by lot, without a tie-break": (
        totals([5, 5, 1], WINS, [0, 0, 0], 7),
        [2, 1, 3],
        (1, 0),
        [],
    ),
}


@pytest.mark.parametrize(("given_", "lots", "finalists", "tie_breaks"), SCORE_ROUND.values(), ids=SCORE_ROUND)
def test_ties_of_the_score_round(
    given_: Totals, lots: list[int], finalists: tuple[int, int], tie_breaks: list[TieBreak]
) -> None:
    result = star(given_, lots)
    assert (result.finalists, list(result.tie_breaks)) == (finalists, tie_breaks)


RUNOFF = {
    "the higher score": ([9, 5], [0, 3], [2, 1], 0, TieBreak("runoff", "score", (1, 0), 0, (5, 9))),
    "more five-star ballots": ([5, 5], [1, 2], [1, 2], 1, TieBreak("runoff", "five_star", (0, 1), 1, (1, 2))),
    "the lowest lot": ([5, 5], [1, 1], [2, 1], 1, TieBreak("runoff", "lot", (1, 0), 1, (1, 2))),
}


@pytest.mark.parametrize(("scores", "five_stars", "lots", "winner", "tie_break"), RUNOFF.values(), ids=RUNOFF)
def test_ties_of_the_runoff(
    scores: list[int], five_stars: list[int], lots: list[int], winner: int, tie_break: TieBreak
) -> None:
    result = star(totals(scores, {(0, 1): 2, (1, 0): 2}, five_stars, 5), lots)
    assert (result.winner, result.tie_breaks) == (winner, (tie_break,))
    assert (result.runoff_for, result.runoff_equal) == ((2, 2), 1)


def test_ballots_of_nothing_but_zeros_follow_the_same_rules() -> None:
    result = star(totals_of((0, 0, 0), (0, 0, 0)), [3, 1, 2])
    assert (result.finalists, result.winner, result.reason) == ((1, 2), 1, None)
    assert [(tie.round, tie.kind) for tie in result.tie_breaks] == [
        ("score", "lot"),
        ("score", "lot"),
        ("runoff", "lot"),
    ]


def test_without_counted_ballots_nobody_wins() -> None:
    result = star(Totals.none(3), [1, 2, 3])
    assert (result.finalists, result.runoff_for, result.runoff_equal) == ((), (), 0)
    assert (result.winner, result.runner_up, result.reason) == (None, None, "no_ballots")
    assert (result.scores, result.ranks) == ((0, 0, 0), (1, 1, 1))


def test_with_one_choice_nobody_wins() -> None:
    result = star(totals_of((5,), (3,)), [1])
    assert (result.scores, result.finalists, result.winner, result.reason) == ((8_000_000,), (), None, "one_choice")
