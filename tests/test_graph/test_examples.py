"""The worked examples of the rules, and the corners where arithmetic is hard."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from graph import Calculation, CastBallot, DelegationGraph, FollowingSet, Member, Source
from graph.values import GraphChange
from tests.test_graph.reference import Community, calculate

A, B, C, D = range(4)
EVERYTHING = frozenset[str]()
Following = tuple[Member, Member] | tuple[Member, Member, str]

FIVE_AND_NONE = {C: CastBallot((5,)), D: CastBallot((0,))}


def graph_of(size: int, followings: list[Following]) -> DelegationGraph:
    rows = [(follower, followee, frozenset(tags)) for follower, followee, *tags in followings]
    return DelegationGraph.build(revision=1, members=((m, True) for m in range(size)), followings=rows)


def calculation_of(size: int, followings: list[Following], ballots: dict[Member, CastBallot]) -> Calculation:
    return Calculation.from_scratch(graph_of(size, followings), lots=[1], ballots=ballots)


def microstars(calculation: Calculation) -> dict[Member, int]:
    return {ballot.member: ballot.microstars[0] for ballot in calculation.staged_ballots()}


@pytest.mark.parametrize(
    ("followings", "expected"),
    [
        ([(A, B), (B, C)], {A: 5_000_000, B: 5_000_000}),
        ([(A, C), (A, D)], {A: 2_500_000}),
        ([(A, B), (B, A), (B, C)], {A: 5_000_000, B: 5_000_000}),
        ([(A, B), (B, A), (A, C), (B, D)], {A: 3_333_333, B: 1_666_667}),
        ([(A, B), (B, A)], {}),
    ],
)
def test_worked_examples(followings: list[Following], expected: dict[Member, int]) -> None:
    assert microstars(calculation_of(4, followings, FIVE_AND_NONE)) == {**expected, C: 5_000_000, D: 0}


def test_a_ballot_on_roads_does_not_reach_who_follows_on_budget() -> None:
    ballots = {C: CastBallot((5,), frozenset({"roads"}))}
    calculation = calculation_of(3, [(A, B, "budget"), (B, C)], ballots)
    inherited = calculation.staged(B)
    assert inherited is not None
    assert (inherited.microstars, inherited.tags) == ((5_000_000,), frozenset({"roads"}))
    assert calculation.staged(A) is None


def test_the_sources_of_two_who_follow_each_other() -> None:
    calculation = calculation_of(4, [(A, B), (B, A), (A, C), (B, D)], FIVE_AND_NONE)
    assert calculation.sources(A) == (Source(C, Fraction(2, 3), (A, C)), Source(D, Fraction(1, 3), (A, B, D)))


def test_an_abstention_stops_inheritance_and_hands_nothing_on() -> None:
    ballots = {**FIVE_AND_NONE, B: CastBallot((0,), abstain=True)}
    calculation = calculation_of(4, [(A, B), (B, C)], ballots)
    assert calculation.staged(A) is None
    assert calculation.sources(B) == ()
    who = calculation.result.participation
    assert (who.eligible, who.cast, who.inherited, who.abstained, who.none, who.counted) == (4, 2, 0, 1, 1, 2)


def test_lobbyists_hand_on_and_inherit_but_are_never_counted() -> None:
    graph = DelegationGraph.build(
        revision=1,
        members=[(A, True), (B, False), (C, False), (D, True)],
        followings=[(A, B, EVERYTHING), (B, C, EVERYTHING)],
    )
    calculation = Calculation.from_scratch(graph, lots=[1], ballots={C: CastBallot((5,))})
    assert [(b.member, b.kind, b.counted) for b in calculation.staged_ballots()] == [
        (A, "inherited", True),
        (B, "inherited", False),
        (C, "cast", False),
    ]
    assert calculation.result.scores == (5_000_000,)
    assert calculation.result.participation.lobbyists == 1
    assert calculation.influence() == {C: 1.0}


def halvings(steps: int, *, first: Member, start: Member, nothing: Member) -> list[Following]:
    """Members first, first + 1, ...: each the mean of the one before (at first `start`) and `nothing`."""
    chain = [start, *range(first, first + steps)]
    return [following for before, member in pairwise(chain) for following in ((member, before), (member, nothing))]


@pytest.mark.parametrize(("stars", "expected"), [(5, 39_062), (3, 23_438), (1, 7_812)])
def test_ties_of_seven_averages_are_rounded_half_to_even(stars: int, expected: int) -> None:
    followings = halvings(7, first=2, start=0, nothing=1)
    ballots = {0: CastBallot((stars,)), 1: CastBallot((0,))}
    assert microstars(calculation_of(9, followings, ballots))[8] == expected


def test_a_loop_of_three_thousand_on_a_tie_is_rounded_half_to_even() -> None:
    loop = range(9, 3009)
    ring = list(zip(loop, [*loop[1:], loop[0]], strict=True))
    followings = halvings(7, first=2, start=0, nothing=1) + ring + [(member, 8) for member in loop]
    calculation = calculation_of(3009, followings, {0: CastBallot((5,)), 1: CastBallot((0,))})
    staged = microstars(calculation)
    assert {staged[member] for member in loop} == {39_062}
    calculation.update(calculation.graph, changes=[], ballots={0: CastBallot((3,))})
    staged = microstars(calculation)
    assert {staged[member] for member in loop} == {23_438}


@pytest.mark.parametrize("size", [15, 100, 700], ids=["fractions", "decimals", "more digits"])
@pytest.mark.parametrize(("above", "expected"), [(False, 39_062), (True, 39_063)])
def test_a_tie_that_rests_on_two_mirrored_loops(size: int, above: bool, expected: int) -> None:
    """Two loops add up to five stars, so a mean of both is 2.5, though neither's values are dyadic.

    Six averages later that is a tie, unless something less than 2**-40 microstars comes on top.
    """
    five, nothing, first = 0, 1, 2
    chance = random.Random(size)
    followings: list[Following] = []
    for member in range(size):
        others = {(member + 1) % size, chance.randrange(size), chance.randrange(size)} - {member}
        exits = [chance.randrange(2)] if member % 3 == 0 else []
        for base, flip in ((first, 0), (first + size, 1)):
            followings += [(base + member, base + other) for other in others]
            followings += [(base + member, exit_ ^ flip) for exit_ in exits]
    middle = first + 2 * size
    followings += [(middle, first), (middle, first + size)]
    speck = middle + 1
    followings += halvings(56, first=speck, start=five, nothing=nothing)
    last = speck + 56
    followings += halvings(6, first=last, start=middle, nothing=speck + 55 if above else nothing)
    calculation = calculation_of(last + 6, followings, {five: CastBallot((5,)), nothing: CastBallot((0,))})
    staged = microstars(calculation)
    assert staged[middle] == 2_500_000
    assert staged[last + 5] == expected


@pytest.mark.parametrize("length", [20, 40, 60, 400])
def test_a_trap_that_is_left_after_two_to_the_length_questions(length: int) -> None:
    """Two ladders, every rung of which leads back to the start as likely as on; one ladder is a rung longer."""
    start, five, nothing = 0, 1, 2
    short = list(range(3, 3 + length))
    long = list(range(3 + length, 4 + 2 * length))
    followings: list[Following] = [(start, short[0]), (start, long[0])]
    for ladder, end in ((short, five), (long, nothing)):
        followings += [(rung, start) for rung in ladder]
        followings += list(zip(ladder, [*ladder[1:], end], strict=True))
    ballots = {five: CastBallot((5,)), nothing: CastBallot((0,))}
    calculation = calculation_of(4 + 2 * length, followings, ballots)
    assert microstars(calculation)[start] == 3_333_333
    calculation.update(calculation.graph, changes=[], ballots={nothing: CastBallot((5,))})
    assert set(microstars(calculation).values()) == {5_000_000}


def test_a_chain_of_twenty_thousand() -> None:
    size = 20_000
    end = frozenset({"budget"})
    chain: list[Following] = [(m, m + 1, "budget") for m in range(size - 1)]
    calculation = calculation_of(size, chain, {size - 1: CastBallot((4,), end)})
    assert set(microstars(calculation).values()) == {4_000_000}
    assert {ballot.tags for ballot in calculation.staged_ballots()} == {end}
    assert [source.path for source in calculation.sources(0)] == [tuple(range(size))]
    calculation.update(calculation.graph, changes=[], ballots={size - 1: None, 10: CastBallot((1,), end)})
    assert microstars(calculation) == dict.fromkeys(range(11), 1_000_000)


def test_a_chain_of_five_thousand_averages() -> None:
    steps = 5_000
    followings = halvings(steps, first=2, start=0, nothing=1)
    calculation = calculation_of(steps + 2, followings, {0: CastBallot((5,)), 1: CastBallot((0,))})
    expected = {m: round(Fraction(5_000_000, 2 ** (m - 1))) for m in range(2, steps + 2)}
    assert microstars(calculation) == {0: 5_000_000, 1: 0, **expected}


def test_more_than_sixty_four_tags() -> None:
    chance = random.Random(3)
    topics = [f"topic {number}" for number in range(150)]

    def some(most: int) -> frozenset[str]:
        return frozenset(chance.sample(topics, chance.randint(0, most)))

    size = 40
    followings = {(a, b): some(15) for a, b in (chance.sample(range(size), 2) for _ in range(120))}
    community = Community(dict.fromkeys(range(size), True), followings)
    ballots = {member: CastBallot((chance.randint(0, 5),), some(20)) for member in range(0, size, 4)}
    reference = calculate(community, ballots)
    graph = DelegationGraph.build(
        revision=1,
        members=community.roles.items(),
        followings=((*pair, tags) for pair, tags in community.followings.items()),
    )
    calculation = Calculation.from_scratch(graph, lots=[1], ballots=ballots)
    assert {ballot.member: ballot for ballot in calculation.staged_ballots()} == reference.staged


def test_a_larger_community_agrees_with_floating_point_and_updates_with_a_new_calculation() -> None:
    chance = random.Random(11)
    size, choices = 2_000, 3
    followings: list[Following] = [(chance.randrange(size), chance.randrange(size)) for _ in range(3 * size)]
    ballots = {member: CastBallot(tuple(chance.choices(range(6), k=choices))) for member in range(0, size, 6)}
    graph = graph_of(size, followings)
    lots = range(choices)
    calculation = Calculation.from_scratch(graph, lots=lots, ballots=ballots)

    inherited = [b.member for b in calculation.staged_ballots() if b.kind == "inherited"]
    at = {member: row for row, member in enumerate(inherited)}
    matrix, right = np.eye(len(inherited)), np.zeros((len(inherited), choices))
    active: dict[Member, list[Member]] = {}
    for follower, followee in calculation.active_followings():
        active.setdefault(follower, []).append(followee)
    for member, followees in active.items():
        for followee in followees:
            if followee in at:
                matrix[at[member], at[followee]] -= 1 / len(followees)
            else:
                right[at[member]] += np.array(ballots[followee].stars) / len(followees)
    floats = np.linalg.solve(matrix, right) * 1e6
    staged = np.array([calculation.staged(member).microstars for member in inherited])  # type: ignore[union-attr]
    assert np.abs(staged - floats).max() < 0.5001

    for _ in range(15):
        member = chance.randrange(size)
        changed = {member: chance.choice([None, CastBallot(tuple(chance.choices(range(6), k=choices)))])}
        changes: list[GraphChange] = [FollowingSet(chance.randrange(size), chance.randrange(size))]
        later = calculation.graph.updated(changes, revision=calculation.graph.revision + 1)
        before = {b.member: b for b in calculation.staged_ballots()}
        ballots = {m: b for m, b in {**ballots, **changed}.items() if b is not None}
        moved = calculation.update(later, changes=changes, ballots=changed)
        fresh = Calculation.from_scratch(later, lots=lots, ballots=ballots)
        after = {b.member: b for b in fresh.staged_ballots()}
        assert {b.member: b for b in calculation.staged_ballots()} == after
        assert calculation.result == fresh.result
        assert moved == {m for m in before.keys() | after.keys() if before.get(m) != after.get(m)}


def test_staged_ballots_come_in_the_order_asked_for() -> None:
    calculation = calculation_of(4, [(A, C)], FIVE_AND_NONE)
    assert [ballot.member for ballot in calculation.staged_ballots([D, B, A])] == [D, A]


def test_the_sources_of_many_share_all_of_a_ballot() -> None:
    size = 300
    chance = random.Random(2)
    followings: list[Following] = [(chance.randrange(size), chance.randrange(size)) for _ in range(4 * size)]
    ballots = {member: CastBallot((chance.randint(0, 5),)) for member in range(0, size, 10)}
    calculation = calculation_of(size, followings, ballots)
    staged = calculation.staged(1)
    sources = calculation.sources(1)
    assert staged is not None
    assert staged.kind == "inherited"
    assert sum(source.weight for source in sources) == pytest.approx(1)
    mean = sum(float(source.weight) * ballots[source.member].stars[0] for source in sources)
    assert mean * 1_000_000 == pytest.approx(staged.microstars[0], abs=0.6)


def test_who_hangs_on_a_loop_follows_it_through_a_changed_vote() -> None:
    """0 and 1 follow each other and C and D; 4, 5 and 6 hang on them one behind the other."""
    followings: list[Following] = [(A, B), (B, A), (A, C), (B, D), (4, A), (5, 4), (6, 5), (6, B)]
    calculation = calculation_of(7, followings, FIVE_AND_NONE)
    changed = calculation.update(calculation.graph, changes=[], ballots={C: CastBallot((2,)), D: CastBallot((5,))})
    assert changed == set(range(7))
    expected = {A: 3_000_000, B: 4_000_000, C: 2_000_000, D: 5_000_000, 4: 3_000_000, 5: 3_000_000, 6: 3_500_000}
    assert microstars(calculation) == expected


def test_an_update_hands_on_the_tags_of_every_followee() -> None:
    """B follows C and D; A, B's follower, follows on what only one of them votes on, whichever comes last."""
    ballots = {C: CastBallot((5,), frozenset({"roads"})), D: CastBallot((0,), frozenset({"budget"}))}
    for topic in ("roads", "budget"):
        calculation = calculation_of(4, [(A, B, topic), (B, C), (B, D)], ballots)
        changed = calculation.update(calculation.graph, changes=[], ballots={D: replace(ballots[D], stars=(1,))})
        assert changed == {A, B, D}
        assert microstars(calculation) == {A: 3_000_000, B: 3_000_000, C: 5_000_000, D: 1_000_000}
        of_both = calculation.staged(B)
        assert of_both is not None
        assert of_both.tags == {"budget", "roads"}


def test_a_ballot_with_too_few_ratings_is_refused() -> None:
    with pytest.raises(ValueError, match="member 2 rates 1 choices, not 2"):
        Calculation.from_scratch(graph_of(4, []), lots=[1, 2], ballots={C: CastBallot((5,))})
