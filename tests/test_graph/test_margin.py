"""The margin of victory, held against trying everything out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, combinations_with_replacement, product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph import STAR, Margin, Totals, margin_bounds, margin_of_victory, star, tally

Ballots = npt.NDArray[np.int32]


def whole(rows: list[tuple[int, ...]], choices: int) -> Ballots:
    return np.array(rows, dtype=np.int32).reshape(len(rows), choices) * STAR


def lots(choices: int) -> tuple[int, ...]:
    return (3, 1, 4, 2, 5, 6, 7, 8)[:choices]


@st.composite
def elections(draw: st.DrawFn, *, most: int = 12, most_choices: int = 4) -> Ballots:
    """Ballots of whole stars, as people cast them, or of any microstars, as they inherit them."""
    choices = draw(st.integers(2, most_choices))
    stars = draw(st.sampled_from([st.integers(0, 5).map(lambda star: star * STAR), st.integers(0, 5 * STAR)]))
    rows = draw(st.lists(st.tuples(*[stars] * choices), min_size=1, max_size=most))
    return np.array(rows, dtype=np.int32)


def random_election(seed: int, ballots: int, choices: int) -> Ballots:
    random = np.random.default_rng(seed)
    return random.integers(0, 5 * STAR + 1, size=(ballots, choices)).astype(np.int32)


def after_changing(ballots: Ballots, number: int) -> Iterator[Totals]:
    """The totals after every change of so many ballots that can matter: what changes has a best and a worst choice."""
    choices = ballots.shape[1]
    new = [[stars * STAR for stars in one] for one in product(range(6), repeat=choices) if 0 in one and 5 in one]
    for gone in combinations(range(len(ballots)), number):
        rest = tally(np.delete(ballots, gone, axis=0))
        for chosen in combinations_with_replacement(new, number):
            totals = rest.copy()
            totals.replace([], chosen)
            yield totals


@settings(max_examples=60, deadline=None)
@given(elections(most=4, most_choices=3))
def test_no_fewer_ballots_do_it_and_so_many_do(ballots: Ballots) -> None:
    order = lots(ballots.shape[1])
    winner = star(tally(ballots), order).winner
    found = margin_of_victory(ballots, order)

    def can_change(number: int) -> bool:
        return any(star(totals, order).winner != winner for totals in after_changing(ballots, number))

    if 1 < found.least <= 3:
        assert not can_change(found.least - 1)
    if found.enough <= 2:
        assert can_change(found.enough)


@settings(deadline=None)
@given(elections(), st.data())
def test_with_fewer_ballots_changed_the_winner_stays(ballots: Ballots, data: st.DataObject) -> None:
    number, choices = ballots.shape
    found = margin_of_victory(ballots, lots(choices))
    changed = ballots.copy()
    for at in data.draw(st.lists(st.integers(0, number - 1), max_size=found.least - 1, unique=True)):
        changed[at] = data.draw(st.tuples(*[st.sampled_from((0, 1, 4, 5))] * choices).map(np.array)) * STAR
    assert star(tally(changed), lots(choices)).winner == star(tally(ballots), lots(choices)).winner


@settings(deadline=None)
@given(elections())
def test_the_ballots_never_say_less_than_the_totals(ballots: Ballots) -> None:
    totals, order = tally(ballots), lots(ballots.shape[1])
    before = star(totals, order)
    rough, exact = margin_bounds(totals, before.winner, before.runner_up), margin_of_victory(ballots, order)
    assert rough.least <= exact.least <= exact.enough
    assert exact.challenger != before.winner
    if totals.preferences[before.winner][before.runner_up] > 0:
        assert exact.enough <= rough.enough


@pytest.mark.parametrize(
    ("ballots", "found"),
    [
        # 5 of 5 put the first choice first: three of them would have to turn round.
        ([(5, 0)] * 5, Margin(3, 3, 1)),
        # Of six, three: then as many prefer either, and the changed ballots have brought the stars.
        ([(3, 0)] * 6, Margin(3, 3, 1)),
        # As many prefer either, and the first one's higher score decides: any one ballot turns it.
        ([(5, 0), (1, 2)], Margin(1, 1, 1)),
        # A tie that the lot broke.
        ([(5, 0), (0, 5)], Margin(1, 1, 0)),
        # Nobody prefers either: here, too.
        ([(4, 4)], Margin(1, 1, 0)),
        # In the runoff every ballot prefers 0 to 1. But 2, which six of ten prefer to 0, is one ballot away from it.
        ([(5, 4, 0)] * 4 + [(3, 2, 4)] * 6, Margin(1, 1, 2)),
    ],
)
def test_margins_of_plain_elections(ballots: list[tuple[int, ...]], found: Margin) -> None:
    choices = len(ballots[0])
    assert margin_of_victory(whole(ballots, choices), lots(choices)) == found


@pytest.mark.parametrize(("ballots", "choices"), [(1_000, 3), (1_000, 8), (3_000, 5)])
@pytest.mark.parametrize("seed", range(3))
def test_of_many_ballots_the_margin_is_exact(seed: int, ballots: int, choices: int) -> None:
    microstars = random_election(seed, ballots, choices)
    found = margin_of_victory(microstars, lots(choices))
    assert found.least == found.enough


def test_the_order_of_ballots_and_choices_does_not_matter() -> None:
    microstars, order = random_election(4, 400, 5), lots(5)
    found = margin_of_victory(microstars, order)
    turned = margin_of_victory(microstars[::-1, ::-1], order[::-1])
    assert (turned.least, turned.enough, 4 - turned.challenger) == (found.least, found.enough, found.challenger)


def test_more_different_ballots_than_can_be_looked_through_are_judged_by_their_totals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    microstars = random_election(1, 60, 4)
    totals = tally(microstars)
    result = star(totals, lots(4))
    monkeypatch.setattr("graph.margin.MOST_DIFFERENT", 50)
    assert margin_of_victory(microstars, lots(4)) == margin_bounds(totals, result.winner, result.runner_up)


@pytest.mark.parametrize("ballots", [whole([], 3), whole([(5,)], 1)])
def test_without_a_winner_there_is_no_margin(ballots: Ballots) -> None:
    assert margin_of_victory(ballots, lots(ballots.shape[1])) is None
