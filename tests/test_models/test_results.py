"""The stored form of a result."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from democracy.models.results import DecisionResult
from graph import STAR, Participation, star, tally

WHO = Participation(eligible=4, cast=2, inherited=1, abstained=1, none=0, lobbyists=0, counted=3)


def result_of(*ballots: tuple[int, ...], choices: tuple[int, ...] = (7, 12)) -> DecisionResult:
    rows = np.array(ballots, dtype=np.int32).reshape(len(ballots), len(choices)) * STAR
    return DecisionResult.of(star(tally(rows), range(1, len(choices) + 1), WHO), choices)


def test_the_stored_text_is_this_one() -> None:
    assert json.dumps(result_of((5, 3), (3, 5), (2, 2)).to_json()) == (
        '{"rules": "star-2026/1", "reason": null, "winner": "7", "runner_up": "12", "finalists": ["7", "12"], '
        '"scores": {"7": 10000000, "12": 10000000}, "ranks": {"7": 1, "12": 1}, '
        '"preferences": {"7": {"12": 1}, "12": {"7": 1}}, "runoff": {"for": {"7": 1, "12": 1}, "equal": 1}, '
        '"five_stars": {"7": 1, "12": 1}, "tie_breaks": [{"round": "runoff", "kind": "lot", "choices": ["7", "12"], '
        '"won": "7", "numbers": {"7": 1, "12": 2}}], "participation": {"eligible": 4, "cast": 2, "inherited": 1, '
        '"abstained": 1, "none": 0, "lobbyists": 0, "counted": 3}}'
    )


def test_without_ballots_no_choice_is_named() -> None:
    stored = result_of().to_json()
    named = (stored["winner"], stored["runner_up"], stored["finalists"], stored["runoff"]["for"])
    assert (*named, stored["reason"]) == (None, None, [], {}, "no_ballots")


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), max_size=6))
def test_what_is_written_is_read_again(ballots: list[tuple[int, ...]]) -> None:
    result = result_of(*ballots, choices=(7, 12, 130))
    text = json.dumps(result.to_json())
    assert DecisionResult.from_json(json.loads(text)) == result
    assert json.dumps(DecisionResult.from_json(json.loads(text)).to_json()) == text


def test_a_stored_result_with_a_part_missing_is_refused() -> None:
    stored = result_of((5, 3)).to_json()
    del stored["runoff"]
    with pytest.raises(KeyError, match="runoff"):
        DecisionResult.from_json(stored)
