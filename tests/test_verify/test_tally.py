"""STAR by hand: finalists, runoff, every kind of tie-break, participation."""

from __future__ import annotations

import pytest

from tests.test_verify.bundles import bundle, calculated, differences


def result_of(choices: str, *ballots: str, **others) -> dict:
    """Count ballots written as digits, one star count per choice; lots are in the order of the choices."""
    cast = {f"m{n}": dict(zip(choices, map(int, stars), strict=True)) for n, stars in enumerate(ballots)}
    return calculated(bundle(cast, choices=choices, **others))["result"]


def outcome(result: dict) -> tuple:
    ties = [(tie["round"], tie["kind"], tie["choices"], tie["won"], tie["numbers"]) for tie in result["tie_breaks"]]
    return result["finalists"], result["winner"], result["runner_up"], ties


def test_the_two_highest_scores_meet_and_the_one_more_ballots_prefer_wins():
    result = result_of("ABC", "510", "450", "450", "014")
    assert result == {
        "revision": 9,
        "final": False,
        "rules": "star-2026/1",
        "winner": "B",
        "runner_up": "A",
        "reason": None,
        "finalists": ["A", "B"],
        "scores": {"A": 13_000_000, "B": 12_000_000, "C": 4_000_000},
        "preferences": {"A": {"B": 1, "C": 3}, "B": {"A": 3, "C": 3}, "C": {"A": 1, "B": 1}},
        "runoff": {"for": {"A": 1, "B": 3}, "equal": 0},
        "tie_breaks": [],
        "participation": {
            "eligible": 4,
            "cast": 4,
            "inherited": 0,
            "abstained": 0,
            "none": 0,
            "lobbyists": 0,
            "counted": 4,
        },
    }


TIES = {
    "head to head for the last place": (
        ("ABC", "510", "510", "502"),
        (["A", "B"], "A", "B", [("score", "head_to_head", ["B", "C"], "B", {"B": 2, "C": 1})]),
    ),
    "five stars for the last place, as head to head is tied too": (
        ("ABC", "553", "524"),
        (["A", "B"], "A", "B", [("score", "five_star", ["B", "C"], "B", {"B": 1, "C": 0})]),
    ),
    "the lot for the last place": (
        ("ABC", "521", "512"),
        (["A", "B"], "A", "B", [("score", "lot", ["B", "C"], "B", {"B": 2, "C": 3})]),
    ),
    "three for one place are not compared head to head": (
        ("ABCD", "5330", "5205", "5020"),
        (["A", "D"], "A", "D", [("score", "five_star", ["B", "C", "D"], "D", {"B": 0, "C": 0, "D": 1})]),
    ),
    "a lot among those that five stars leave": (
        ("ABCD", "5502", "5052", "5001"),
        (["A", "B"], "A", "B", [("score", "lot", ["B", "C"], "B", {"B": 2, "C": 3})]),
    ),
    "three for two places, place by place, without head to head for the second": (
        ("ABC", "502", "051", "002"),
        (
            ["A", "B"],
            "A",
            "B",
            [
                ("score", "lot", ["A", "B"], "A", {"A": 1, "B": 2}),
                ("score", "five_star", ["B", "C"], "B", {"B": 1, "C": 0}),
                ("runoff", "lot", ["A", "B"], "A", {"A": 1, "B": 2}),
            ],
        ),
    ),
    "two for both places need no tie-break": (
        ("ABC", "230", "230", "500", "030"),
        (["A", "B"], "B", "A", []),
    ),
    "the score in the runoff": (
        ("AB", "50", "04"),
        (["A", "B"], "A", "B", [("runoff", "score", ["A", "B"], "A", {"A": 5_000_000, "B": 4_000_000})]),
    ),
    "five stars in the runoff": (
        ("AB", "42", "35", "11"),
        (["A", "B"], "B", "A", [("runoff", "five_star", ["A", "B"], "B", {"A": 0, "B": 1})]),
    ),
    "the lot in the runoff": (
        ("AB", "32", "23"),
        (["A", "B"], "A", "B", [("runoff", "lot", ["A", "B"], "A", {"A": 1, "B": 2})]),
    ),
}


@pytest.mark.parametrize("name", TIES)
def test_ties_are_broken_by(name):
    (choices, *ballots), expected = TIES[name]
    result = result_of(choices, *ballots)
    assert outcome(result) == expected


@pytest.mark.parametrize("name", TIES)
def test_the_order_of_rows_decides_nothing(name):
    (choices, *ballots), expected = TIES[name]
    record = bundle(
        {f"m{n}": dict(zip(choices, map(int, b), strict=True)) for n, b in enumerate(ballots)}, choices=choices
    )
    [decision] = record["decisions"]
    for rows in (record["members"], decision["choices"], decision["ballots"]):
        rows.reverse()
    assert outcome(calculated(record)["result"]) == expected


def test_a_group_sharing_the_highest_score_goes_first_whatever_its_lots():
    result = result_of("CBA", "050", "055", "405")
    assert outcome(result) == (["B", "A"], "B", "A", [("runoff", "lot", ["B", "A"], "B", {"B": 2, "A": 3})])


def test_five_stars_are_five_million_microstars_inherited_or_cast():
    record = bundle({"m1": {"A": 5}, "m2": {"A": 0, "B": 5}}, ["m3 > m1", "m4 > m1", "m4 > m2"], choices="AB")
    result = calculated(record)["result"]
    assert result["scores"] == {"A": 12_500_000, "B": 7_500_000}
    assert result["runoff"] == {"for": {"A": 2, "B": 1}, "equal": 1}


def test_participation_counts_voters_and_mentions_lobbyists():
    record = bundle(
        {"m1": {"A": 4}, "m2": {"abstain": True}, "L": {"B": 5}, "K": {"abstain": True}},
        ["m3 > L", "J > L"],
        choices="AB",
        lobbyists=["J", "K", "L"],
        bystanders=["m4"],
    )
    answer = calculated(record)
    assert answer["result"]["participation"] == {
        "eligible": 4,
        "cast": 1,
        "inherited": 1,
        "abstained": 1,
        "none": 1,
        "lobbyists": 1,
        "counted": 2,
    }
    assert answer["result"]["scores"] == {"A": 4_000_000, "B": 5_000_000}
    assert [row["member"] for row in answer["staged"]] == ["J", "K", "L", "m1", "m2", "m3"]


@pytest.mark.parametrize(
    ("choices", "ballots", "reason", "scores"),
    [
        ("AB", {"m1": {"abstain": True}}, "no_ballots", {"A": 0, "B": 0}),
        ("A", {"m1": {"A": 3}}, "one_choice", {"A": 3_000_000}),
    ],
)
def test_without_a_contest_there_is_no_winner_and_the_reason_is_said(choices, ballots, reason, scores):
    result = calculated(bundle(ballots, choices=choices))["result"]
    assert (outcome(result), result["reason"], result["scores"], result["runoff"]) == (
        ([], None, None, []),
        reason,
        scores,
        {"for": {}, "equal": 0},
    )


def test_a_bundle_written_by_hand_is_right():
    record = bundle({"m1": {"A": 5, "B": 1}, "m2": {"B": 4}}, ["m3 > m1", "m3 > m2"], choices="AB")
    record["decisions"][0] |= {
        "result": {
            "rules": "star-2026/1",
            "revision": 7,
            "final": True,
            "winner": "A",
            "runner_up": "B",
            "finalists": ["A", "B"],
            "scores": {"A": 7_500_000, "B": 7_500_000},
            "preferences": {"A": {"B": 1}, "B": {"A": 1}},
            "runoff": {"for": {"A": 1, "B": 1}, "equal": 1},
            "tie_breaks": [{"round": "runoff", "kind": "five_star", "choices": ["A", "B"], "won": "A"}],
            "participation": {
                "eligible": 3,
                "cast": 2,
                "inherited": 1,
                "abstained": 0,
                "none": 0,
                "lobbyists": 0,
                "counted": 3,
            },
        },
        "staged": [
            {"member": "m3", "kind": "inherited", "microstars": {"A": 2_500_000, "B": 2_500_000}, "tags": []},
            {"member": "m1", "kind": "cast", "microstars": {"A": 5_000_000, "B": 1_000_000}, "tags": []},
            {"member": "m2", "kind": "cast", "microstars": {"A": 0, "B": 4_000_000}, "tags": []},
        ],
    }
    assert differences(record) == []
