"""How many ballots would have to be different: the two bounds, held against what changing ballots does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from democracy.services.calculation import result_content
from democracy.services.margins import Margin, margin
from graph import STAR, star, tally

Ballots = list[tuple[int, ...]]


def result(ballots: Ballots, choices: int) -> dict[str, Any]:
    microstars = np.array(ballots, dtype=np.int32).reshape(len(ballots), choices) * STAR
    return result_content(star(tally(microstars), range(1, choices + 1)), tuple(range(choices)))


@st.composite
def elections(draw: st.DrawFn) -> tuple[Ballots, int]:
    choices = draw(st.integers(2, 4))
    ballot = st.tuples(*[st.integers(0, 5)] * choices)
    return draw(st.lists(ballot, min_size=1, max_size=12)), choices


@given(elections(), st.data())
def test_with_fewer_ballots_changed_the_winner_stays(election: tuple[Ballots, int], data: st.DataObject) -> None:
    ballots, choices = election
    before = result(ballots, choices)
    fewer = min(margin(before).least - 1, len(ballots))
    changed = list(ballots)
    for at in data.draw(st.lists(st.integers(0, len(ballots) - 1), max_size=fewer, unique=True)):
        changed[at] = data.draw(st.tuples(*[st.sampled_from((0, 1, 4, 5))] * choices))
    assert result(changed, choices)["winner"] == before["winner"]


@given(elections())
def test_as_many_as_are_said_to_be_enough_make_the_runner_up_win(election: tuple[Ballots, int]) -> None:
    ballots, choices = election
    before = result(ballots, choices)
    winner, runner_up = int(before["winner"]), int(before["runner_up"])
    enough = margin(before).enough
    changed = sorted(ballots, key=lambda ballot: ballot[runner_up] - ballot[winner])
    for at in range(min(enough, len(ballots))):
        stars = list(changed[at])
        stars[winner], stars[runner_up] = min(stars[winner], 4), 5
        changed[at] = tuple(stars)
    after = result(changed, choices)
    if any(ballot[winner] > ballot[runner_up] for ballot in ballots):
        assert after["winner"] == str(runner_up)


def test_without_a_winner_there_is_no_margin() -> None:
    assert margin(result([], 3)) is None


@pytest.mark.parametrize(
    ("ballots", "found"),
    [
        # 5 of 5 put the first choice first: three of them would have to turn round.
        ([(5, 0)] * 5, Margin(3, 3)),
        # A tie that the lot broke: any one ballot decides.
        ([(5, 0), (0, 5)], Margin(1, 1)),
    ],
)
def test_margins_of_plain_elections(ballots: Ballots, found: Margin) -> None:
    assert margin(result(ballots, 2)) == found
