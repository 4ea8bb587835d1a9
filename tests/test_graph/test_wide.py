"""Changes that reach many: staged in arrays, whichever way the loops are solved, they lead where all others lead."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from graph import (
    Calculation,
    CastBallot,
    DelegationGraph,
    FollowingRemoved,
    FollowingSet,
    GraphChange,
    Member,
    MemberRemoved,
    MemberSet,
    StagedColumns,
    propagation,
    rounding,
)
from graph import calculation as calculation_module
from graph.fixedpoint import STAR_UNITS, rounded_all
from graph.staged_ballots import StagedBallots
from graph.staging import stage
from graph.structure import Structure
from tests.lengths import times
from tests.test_graph.shapes import (
    BALLOTS,
    FIRST,
    FIVE,
    LOOPED,
    LOOPLESS,
    LOTS,
    NONE,
    Shape,
    corridor,
    expected,
    graph_of,
    ladder,
    ring,
)
from tests.test_graph.test_loops import tangle
from tests.test_graph.test_shapes import inherited

EVERYTHING = frozenset[str]()
ROADS = frozenset({"roads"})


@pytest.fixture(autouse=True)
def all_in_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calculation_module, "_MOST_AFFECTED", 0)
    monkeypatch.setattr(calculation_module, "_SHARE_AFFECTED", 10**9)


def mixed(share: Fraction, five: int, none: int) -> tuple[int, int]:
    """The microstars of somebody who has this share of a ballot (five, 5 - five), and for the rest (none, 5 - none)."""
    stars = share * five + (1 - share) * none
    return round(stars * 1_000_000), round((5 - stars) * 1_000_000)


@pytest.mark.parametrize("length", [2, 7, 63, 130, 600])
@pytest.mark.parametrize("form", [*LOOPLESS, *LOOPED])
def test_single_votes_lead_to_the_closed_forms(form: Callable[[int], Shape], length: int) -> None:
    shape = form(length if form.__name__ != "trap" else min(length, 130))
    calculation = Calculation.from_scratch(graph_of(shape), lots=LOTS, ballots=BALLOTS)
    five, none = 5, 0
    for voter, stars in [(FIVE, 3), (NONE, 4), (FIVE, 2), (NONE, 1), (FIVE, 5), (NONE, 0)]:
        five, none = (stars, none) if voter == FIVE else (five, stars)
        calculation.update(calculation.graph, changes=[], ballots={voter: CastBallot((stars, 5 - stars))})
        assert inherited(calculation) == [mixed(share, five, none) for share in shape.shares]
    assert inherited(calculation) == expected(shape.shares)


@pytest.mark.parametrize("form", [ring, corridor])
def test_a_long_loop_that_floating_point_can_hardly_leave(form: Callable[[int], Shape]) -> None:
    shape = form(2_000)
    calculation = Calculation.from_scratch(graph_of(shape), lots=LOTS, ballots=BALLOTS)
    calculation.update(calculation.graph, changes=[], ballots={FIVE: CastBallot((3, 2))})
    assert inherited(calculation) == [mixed(share, 3, 0) for share in shape.shares]


@pytest.mark.parametrize("form", [corridor, ladder])
def test_bounds_hold_after_single_votes(form: Callable[[int], Shape]) -> None:
    shape = form(150)
    calculation = Calculation.from_scratch(graph_of(shape), lots=LOTS, ballots=BALLOTS)
    for stars in (3, 1):
        calculation.update(calculation.graph, changes=[], ballots={FIVE: CastBallot((stars, 5))})
        base = calculation._staged.base
        exact = [share * stars * STAR_UNITS for share in shape.shares]
        off = [abs(one - found) for one, found in zip(exact, base.fixed[FIRST:, 0].tolist(), strict=True)]
        assert any(off)
        assert all(one <= bound for one, bound in zip(off, base.errors[FIRST:, 0].tolist(), strict=True))


def test_a_loop_does_not_keep_tags_alive_that_nobody_hands_it_any_more() -> None:
    """1 and 2 follow each other, and 3; 1 followed 4, too, until now, whose ballot bears another tag."""
    pairs = [(1, 2), (2, 1), (1, 3), (2, 3), (1, 4)]
    graph = DelegationGraph.build(
        revision=1,
        members=((member, True) for member in range(1, 6)),
        followings=((*pair, EVERYTHING) for pair in pairs),
    )
    ballots = {3: CastBallot((5, 0), ROADS), 4: CastBallot((0, 5), frozenset({"parks"})), 5: CastBallot((1, 1))}
    calculation = Calculation.from_scratch(graph, lots=LOTS, ballots=ballots)
    assert {ballot.member: ballot.tags for ballot in calculation.staged_ballots([1, 2])} == dict.fromkeys(
        (1, 2), frozenset({"parks", "roads"})
    )
    changes = [FollowingRemoved(1, 4)]
    assert calculation.update(graph.updated(changes, revision=2), changes=changes, ballots={}) == {1, 2}
    assert {ballot.member: ballot.tags for ballot in calculation.staged_ballots([1, 2])} == dict.fromkeys((1, 2), ROADS)


def test_whoever_lost_the_ballot_has_not_changed_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = DelegationGraph.build(
        revision=1, members=((member, True) for member in range(4)), followings=[(1, 0, EVERYTHING)]
    )
    ballots = {0: CastBallot((5, 0)), 2: CastBallot((4, 1)), 3: CastBallot((1, 1))}
    calculation = Calculation.from_scratch(graph, lots=LOTS, ballots=ballots)
    assert calculation.update(graph, changes=[], ballots={2: None}) == {2}
    monkeypatch.setattr(calculation_module, "restage_widely", lambda *_, **__: None)
    assert calculation.update(graph, changes=[], ballots={0: CastBallot((4, 0))}) == {0, 1}


def town(members: int, followings: int, *, seed: int, tagged: bool) -> DelegationGraph:
    chance = random.Random(seed)
    pairs = {(chance.randrange(members), chance.randrange(members)) for _ in range(followings)}
    tags = [EVERYTHING, EVERYTHING, ROADS, frozenset({"parks", "roads"})] if tagged else [EVERYTHING]
    return DelegationGraph.build(
        revision=1,
        members=((member, chance.random() < 0.9) for member in range(members)),
        followings=((*pair, chance.choice(tags)) for pair in sorted(pairs)),
    )


def history(
    graph: DelegationGraph, chance: random.Random, *, tagged: bool
) -> Iterator[tuple[list[GraphChange], dict[Member, CastBallot | None]]]:
    """Endlessly: votes, votes withdrawn, followings that come, change and go, members who join and leave."""
    members = len(graph)
    tags = [EVERYTHING, ROADS, frozenset({"parks"})] if tagged else [EVERYTHING]
    while True:
        one, other, newcomer = (chance.randrange(size) for size in (members, members, 2 * members))
        stars = CastBallot((chance.randint(0, 5), chance.randint(0, 5)), chance.choice(tags))
        following = FollowingSet(one, other, chance.choice(tags))
        batches: list[tuple[list[GraphChange], dict[Member, CastBallot | None]]] = [
            ([], {one: stars}),
            ([], {one: stars}),
            ([], {one: stars, other: stars}),
            ([], {one: None}),
            ([], {one: CastBallot((0, 0), abstain=True)}),
            ([following], {}),
            ([FollowingRemoved(one, other), FollowingSet(other, one)], {}),
            ([MemberRemoved(one)], {}),
            ([MemberSet(newcomer, True), FollowingSet(newcomer, one), FollowingSet(other, newcomer)], {}),
        ]
        yield chance.choice(batches)


def columns_of(columns: StagedColumns) -> tuple[object, ...]:
    return columns.members, columns.kinds, columns.microstars.tolist(), columns.tags, columns.counted.tolist()


@pytest.mark.parametrize("tagged", [False, True], ids=["untagged", "tagged"])
@pytest.mark.parametrize(("members", "followings"), [(60, 150), (900, 2_000), (1_500, 12_000)])
def test_a_history_leads_where_a_new_calculation_leads(members: int, followings: int, tagged: bool) -> None:
    for seed in range(times(1, long=20)):
        graph = town(members, followings, seed=seed, tagged=tagged)
        chance = random.Random(seed)
        ballots = {
            member: CastBallot((chance.randint(0, 5), chance.randint(0, 5)), ROADS if tagged else EVERYTHING)
            for member in chance.sample(range(members), members // 8)
        }
        calculation = Calculation.from_scratch(graph, lots=LOTS, ballots=ballots)
        batches = history(graph, chance, tagged=tagged)
        for _ in range(30):
            changes, votes = next(batches)
            before = {ballot.member: ballot for ballot in calculation.staged_ballots()}
            votes = {member: vote for member, vote in votes.items() if member in calculation.graph}
            later = calculation.graph.updated(changes, revision=calculation.graph.revision + 1)
            changed = calculation.update(later, changes=changes, ballots=votes)
            ballots = {m: b for m, b in (ballots | votes).items() if b is not None and m in later}
            afresh = Calculation.from_scratch(later.updated([], revision=1), lots=LOTS, ballots=ballots)
            assert columns_of(calculation.staged_columns()) == columns_of(afresh.staged_columns())
            assert calculation.result == afresh.result
            after = {ballot.member: ballot for ballot in calculation.staged_ballots()}
            assert changed == {m for m in before.keys() | after.keys() if before.get(m) != after.get(m)}


def test_what_is_laid_out_is_kept_as_long_as_only_stars_change() -> None:
    graph = town(900, 4_000, seed=1, tagged=False)
    ballots = {member: CastBallot((member % 6, 1)) for member in range(100)}
    calculation = Calculation.from_scratch(graph, lots=LOTS, ballots=ballots)

    def vote(member: Member) -> Structure | None:
        calculation.update(calculation.graph, changes=[], ballots={member: CastBallot((5, 4))})
        return calculation._staged.structure

    first = vote(1)
    assert first is not None
    assert [vote(member) for member in range(2, 6)] == [first] * 4
    copy = calculation.copy()
    assert vote(900 - 1) is not first
    assert copy._staged.structure is first


def structure_of(followees: list[set[int]]) -> Structure:
    """A structure of a loop whose exits (-1) lead to one cast ballot, the last row."""
    size = len(followees)
    owners = np.array([member for member, others in enumerate(followees) for _ in others])
    ends = np.array([size if other < 0 else other for others in followees for other in sorted(others)])
    return Structure(owners, ends, size + 1)


@pytest.mark.parametrize("exits", [3, 40, 400])
def test_steps_prove_what_they_say_in_exact_arithmetic(exits: int) -> None:
    followees = tangle(700, exits)
    structure = structure_of(followees)
    assert structure.steps is not None
    steps = dict(zip(structure.rows.tolist(), structure.steps.tolist(), strict=True))
    for row, proof in zip(structure.rows.tolist(), structure.proof.tolist(), strict=True):
        others = followees[row]
        drop = len(others) * Fraction(steps[row]) - sum(Fraction(steps[one]) for one in others if one >= 0)
        assert drop * Fraction(proof) * Fraction(101, 100) >= 1


@pytest.mark.parametrize("exits", [3, 40, 400])
def test_what_is_added_to_values_leaves_no_more_over_than_is_said(exits: int) -> None:
    followees = tangle(700, exits)
    structure = structure_of(followees)
    assert structure.steps is not None
    chance = random.Random(exits)
    left = np.array([float(chance.randint(-300, 300)) for _ in structure.rows])
    more = structure.solve(left)
    assert more is not None
    exact = dict(zip(structure.rows.tolist(), map(Fraction, more.tolist()), strict=True))
    said = Fraction(float((structure.errors_after(left, more) / structure.steps).max()))
    assert said < Fraction(1, 10_000)
    for row, rest, proof in zip(structure.rows.tolist(), left.tolist(), structure.proof.tolist(), strict=True):
        others = followees[row]
        over = Fraction(rest) - len(others) * exact[row] + sum(exact[one] for one in others if one >= 0)
        assert abs(over) * Fraction(proof) <= said


@pytest.fixture
def wide_bounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have bounds leave nearly every rounding open; return the numbers of rows that were settled exactly."""
    settled: list[int] = []
    settle = rounding.settle

    def counted(rows: list[int], *args: Any) -> Any:
        settled.append(len(rows))
        return settle(rows, *args)

    monkeypatch.setattr(propagation, "rounded_all", lambda values, errors: rounded_all(values, errors * 1e6))
    monkeypatch.setattr(propagation, "settle", counted)
    monkeypatch.setattr(propagation, "_MOST_OPEN", 10_000)
    return settled


def assert_votes_lead_where_a_new_calculation_leads(members: int, followings: int) -> None:
    graph = town(members, followings, seed=2, tagged=False)
    chance = random.Random(3)
    ballots = {m: CastBallot((chance.randint(0, 5), chance.randint(0, 5))) for m in range(members // 9)}
    calculation = Calculation.from_scratch(graph, lots=LOTS, ballots=ballots)
    for member in range(6):
        ballots[member] = CastBallot((5 - ballots[member].stars[0], chance.randint(0, 5)))
        calculation.update(graph, changes=[], ballots={member: ballots[member]})
        afresh = Calculation.from_scratch(graph, lots=LOTS, ballots=ballots)
        assert columns_of(calculation.staged_columns()) == columns_of(afresh.staged_columns())


def test_what_a_bound_leaves_open_is_rounded_from_values_between_the_units(wide_bounds: list[int]) -> None:
    assert_votes_lead_where_a_new_calculation_leads(900, 4_000)
    assert sum(wide_bounds) == 0


def test_what_that_leaves_open_is_settled_exactly(wide_bounds: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Structure, "errors_after", lambda self, left, more: np.full(len(left), np.inf))
    assert_votes_lead_where_a_new_calculation_leads(120, 300)
    assert sum(wide_bounds) > 0


def test_where_it_is_next_to_impossible_to_leave_nothing_is_proven() -> None:
    size = 50
    ladder = [{0, (rung + 1) % size} - {rung} for rung in range(size - 1)] + [{0, -1}]
    assert structure_of(ladder).steps is None
    assert structure_of(ladder).steps_by_row() is None


def test_more_than_4000_active_followings_are_refused() -> None:
    members = 4_002
    graph = DelegationGraph.build(
        revision=1,
        members=((member, True) for member in range(members)),
        followings=((0, followee, EVERYTHING) for followee in range(2, members)),
    )
    ballots = {member: CastBallot((1, 2)) for member in range(2, members)}
    calculation = Calculation.from_scratch(graph, lots=LOTS, ballots=ballots)
    later = graph.updated([FollowingSet(0, 1), FollowingSet(1, 2)], revision=2)
    with pytest.raises(ValueError, match="more than 4000 active followings"):
        calculation.update(later, changes=[FollowingSet(0, 1), FollowingSet(1, 2)], ballots={})


def test_the_kept_equations_are_part_of_the_memory_that_a_calculation_takes() -> None:
    calculation = Calculation.from_scratch(graph_of(ladder(200)), lots=LOTS, ballots=BALLOTS)
    before = calculation.nbytes
    calculation.update(calculation.graph, changes=[], ballots={FIVE: CastBallot((3, 2))})
    # A ladder has nearly two followings a member.
    assert calculation.nbytes > before + 350 * 48


def test_ballots_are_gathered_for_somebody_who_joins_where_nobody_was() -> None:
    nobody = DelegationGraph.build(revision=1, members=[], followings=[])
    staged = StagedBallots(stage(nobody.arrays, {}, 2))
    graph = nobody.updated([MemberSet(2, True)], revision=2)
    assert staged.gathered(graph.arrays).look_up(2) is None
