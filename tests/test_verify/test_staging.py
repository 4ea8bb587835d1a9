"""Inherited ballots: the worked examples of the rules, rounding, tags, and who hands nothing on."""

from __future__ import annotations

import pytest

from tests.test_verify.bundles import bundle, read, staged_ballots, verifier

C_AND_D = {"C": {"c1": 5}, "D": {"c1": 0}}


def inherited_stars(record) -> dict[str, int]:
    return {name: stars["c1"] for name, (kind, stars, _) in staged_ballots(record).items() if kind == "inherited"}


@pytest.mark.parametrize(
    ("followings", "inherited"),
    [
        (["A > B", "B > C"], {"A": 5_000_000, "B": 5_000_000}),
        (["A > C", "A > D"], {"A": 2_500_000}),
        (["A > B", "B > A", "B > C"], {"A": 5_000_000, "B": 5_000_000}),
        (["A > B", "B > A", "A > C", "B > D"], {"A": 3_333_333, "B": 1_666_667}),
        (["A > B", "B > A"], {}),
    ],
)
def test_stars_are_the_mean_of_whom_one_follows(followings, inherited):
    assert inherited_stars(bundle(C_AND_D, followings)) == inherited


def test_an_inherited_ballot_carries_the_tags_by_which_it_was_inherited():
    village = bundle({"C": {"c1": 5, "tags": ["roads"]}}, ["A > B: budget", "B > C"])
    assert staged_ballots(village) == {
        "B": ("inherited", {"c1": 5_000_000}, ["roads"]),
        "C": ("cast", {"c1": 5_000_000}, ["roads"]),
    }


def test_tags_are_the_union_of_what_is_shared_with_each_active_followee():
    ballots = {"C": {"c1": 5, "tags": ["roads", "budget"]}, "D": {"c1": 0, "tags": ["parks", "roads"]}}
    village = bundle(ballots, ["A > C: budget", "A > D", "B > A: parks, budget"])
    staged = staged_ballots(village)
    assert staged["A"] == ("inherited", {"c1": 2_500_000}, ["budget", "parks", "roads"])
    assert staged["B"] == ("inherited", {"c1": 2_500_000}, ["budget", "parks"])


def test_tags_that_arrive_around_a_loop_activate_followings_in_it():
    ballots = {"C": {"c1": 5, "tags": ["x"]}, "D": {"c1": 0, "tags": ["y"]}}
    village = bundle(ballots, ["A > C: x", "A > B: y", "B > A", "B > D: y"])
    staged = staged_ballots(village)
    # A = (C + B) / 2 and B = (A + D) / 2, as B brings A the tag y.
    assert staged["A"] == ("inherited", {"c1": 3_333_333}, ["x", "y"])
    assert staged["B"] == ("inherited", {"c1": 1_666_667}, ["x", "y"])


def test_an_untagged_following_inherits_an_untagged_ballot_and_a_tagged_one_does_not():
    village = bundle({"C": {"c1": 5}}, ["A > C", "B > C: roads"])
    assert inherited_stars(village) == {"A": 5_000_000}


def test_one_tag_has_one_form_however_it_is_written():
    village = bundle({"C": {"c1": 5, "tags": [" Straße \t Nord"]}}, ["A > C:ＳＴＲＡＳＳＥ nord"])
    assert staged_ballots(village)["A"] == ("inherited", {"c1": 5_000_000}, ["strasse nord"])


def test_an_abstention_is_kept_and_hands_nothing_on():
    village = bundle({"B": {"abstain": True}, "C": {"c1": 4}}, ["A > B", "A > C", "B > C", "E > B"])
    assert staged_ballots(village) == {
        "A": ("inherited", {"c1": 4_000_000}, []),
        "B": ("abstained", {"c1": 0}, []),
        "C": ("cast", {"c1": 4_000_000}, []),
    }


def test_a_cast_ballot_is_kept_whomever_its_caster_follows():
    village = bundle({"A": {"c1": 1}, "C": {"c1": 5}}, ["A > C", "B > A"])
    assert inherited_stars(village) == {"B": 1_000_000}


@pytest.mark.parametrize("bits", [verifier.EXACT_BITS, 0])
@pytest.mark.parametrize(("stars", "seventh"), [(1, 7_812), (3, 23_438), (5, 39_062)])
def test_half_a_microstar_is_rounded_to_even_once(monkeypatch, bits, stars, seventh):
    monkeypatch.setattr(verifier, "EXACT_BITS", bits)
    halving = ["M1 > C", "M1 > D"] + [line for n in range(2, 8) for line in (f"M{n} > M{n - 1}", f"M{n} > D")]
    village = bundle({"C": {"c1": stars}, "D": {"c1": 0}}, [*halving, "M8 > M7"])
    staged = inherited_stars(village)
    assert (staged["M7"], staged["M8"]) == (seventh, seventh)  # stars / 128: so many microstars and a half


def test_a_chain_of_two_thousand_hands_the_ballot_through():
    chain = [f"m{n} > m{n + 1}" for n in range(2_000)]
    village = bundle({"m2000": {"c1": 3}}, chain)
    assert inherited_stars(village) == {f"m{n}": 3_000_000 for n in range(2_000)}


def test_short_of_the_end_of_a_ladder_fractions_grow_too_long_and_the_numbers_stay_right():
    ladder = [f"m{n} > m{n + step}" for n in range(1_000) for step in (1, 2)]
    staged = inherited_stars(bundle({"m1000": {"c1": 0}, "m1001": {"c1": 5}}, ladder))
    assert staged["m999"] == 2_500_000
    assert staged["m998"] == 1_250_000
    assert {staged[f"m{n}"] for n in range(900)} == {1_666_667}


def test_almost_five_stars_are_not_five():
    chain = ["M0 > D", "M0 > C"] + [line for n in range(22) for line in (f"M{n + 1} > M{n}", f"M{n + 1} > C")]
    record = bundle({"C": {"c1": 5, "c2": 5}, "D": {"c1": 0, "c2": 5}, "L": {}}, chain, choices=["c1", "c2"])
    assert staged_ballots(record)["M22"][1] == {"c1": 4_999_999, "c2": 5_000_000}
    village = read(record)
    staged = verifier.stage(village, village.decisions[0])
    count = verifier.Count([ballot.microstars for ballot in staged.values()], 2)
    assert count.fives == [1, len(staged) - 1]
