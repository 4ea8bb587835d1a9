"""Communities of one shape at every length: wherever the engine goes on by another way, nothing changes.

Chains are tried at each length; all else, which takes longer, at those that cross a threshold, and at each where
EVERY_LENGTH is set (`make lengths`).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import pytest

from graph import Calculation, CastBallot, activity, elimination, loops, rounding
from tests.lengths import IS_LONG
from tests.test_graph.reference import Community, calculate
from tests.test_graph.shapes import (
    BALLOTS,
    FIRST,
    FIVE,
    LOOPED,
    LOOPLESS,
    LOTS,
    NONE,
    Shape,
    chain,
    comb,
    expected,
    graph_of,
    tail_on_a_loop,
    trap,
)

MOST = 400
THRESHOLDS = (activity.NARROW, 2 * activity.NARROW, elimination.FEW, rounding._FEW, loops._DENSE, rounding._SOME)
# Nearer than this to a rounding boundary, a value that rests on very many counts as on it; a trap's ends come so near.
MOST_OF = {trap: rounding._FEW}


def lengths(form: Callable[[int], Shape]) -> list[int]:
    """All lengths, or those at which the shape, or a part as long as its length, crosses a threshold."""
    every = range(1, MOST_OF.get(form, MOST) + 1)
    if IS_LONG:
        return list(every)
    crossing = {threshold + off for threshold in THRESHOLDS for off in (-1, 0, 1)}
    # From two on, each step of length adds as many members: shares of every length would have to be calculated.
    two, three = (len(form(length).shares) for length in (2, 3))
    members = {length: two + (length - 2) * (three - two) for length in every}
    return [length for length in every if length < 5 or crossing & {length, members[length]}]


TURNED = {FIVE: CastBallot((0, 5)), NONE: CastBallot((5, 0))}


def inherited(calculation: Calculation) -> list[tuple[int, ...]]:
    """The microstars of those who inherit, in the order of members; everybody does who didn't vote."""
    columns = calculation.staged_columns()
    assert columns.kinds == ["cast", "cast"] + ["inherited"] * (len(calculation.graph) - FIRST)
    return list(map(tuple, columns.microstars[FIRST:].tolist()))


def calculated(shape: Shape) -> Calculation:
    return Calculation.from_scratch(graph_of(shape), lots=LOTS, ballots=BALLOTS)


def assert_right(shape: Shape) -> None:
    """From scratch, and once both voters have turned their ballots over."""
    calculation = calculated(shape)
    assert inherited(calculation) == expected(shape.shares)
    calculation.update(calculation.graph, changes=[], ballots=TURNED)
    assert inherited(calculation) == [row[::-1] for row in expected(shape.shares)]


def side_by_side(form: Callable[[int], Shape], sizes: list[int]) -> Shape:
    followings: list[tuple[int, int]] = []
    shares: list[Fraction] = []
    for size in sizes:
        part, shift = form(size), len(shares)
        followings += [
            (follower + shift, followee + shift if followee >= FIRST else followee)
            for follower, followee in part.followings
        ]
        shares += part.shares
    return Shape(followings, shares)


@pytest.mark.parametrize("shape", [*LOOPLESS, *LOOPED])
@pytest.mark.parametrize("length", range(1, 8))
def test_the_closed_forms_are_what_the_rules_say(shape: Callable[[int], Shape], length: int) -> None:
    followings, shares = shape(length)
    everybody = range(FIRST + len(shares))
    community = Community(dict.fromkeys(everybody, True), dict.fromkeys(followings, frozenset[str]()))
    staged = calculate(community, BALLOTS).staged
    assert [staged[member].microstars for member in everybody[FIRST:]] == expected(shares)


def test_a_chain_of_every_length() -> None:
    for length in range(1, MOST + 1):
        shape = chain(length)
        assert inherited(calculated(shape)) == expected(shape.shares)


@pytest.mark.parametrize("shape", [*LOOPLESS, *LOOPED])
def test_at_every_length(shape: Callable[[int], Shape]) -> None:
    for length in lengths(shape):
        assert_right(shape(length))


@pytest.mark.parametrize("width", [activity.NARROW - 1, activity.NARROW, activity.NARROW + 1])
def test_rounds_as_wide_as_where_they_go_one_by_one(width: int) -> None:
    """Many chains beside each other, and beside them some of every length, whose ends leave a round narrower."""
    assert_right(side_by_side(chain, [2 * activity.NARROW] * width + list(range(1, 3 * activity.NARROW, 5))))


def test_a_narrow_part_that_becomes_wide_again() -> None:
    """A long chain with many behind it, and behind all of these a chain whose end follows `NONE`, too."""
    length, many = 2 * activity.NARROW, 3 * activity.NARROW
    followings, shares = chain(length)
    crowd = range(FIRST + length, FIRST + length + many)
    behind = range(crowd.stop, crowd.stop + length)
    followings += [(member, FIRST) for member in crowd] + [(behind[0], member) for member in crowd]
    followings += [(follower, followee) for followee, follower in pairwise(behind)] + [(behind[-1], NONE)]
    shares += [Fraction(1)] * (many + length - 1) + [Fraction(1, 2)]
    assert_right(Shape(followings, shares))


def test_narrow_parts_of_different_lengths_that_meet() -> None:
    """Two chains, to either who voted, and a third one whose end follows both of them."""
    short, long = 2 * activity.NARROW, 3 * activity.NARROW
    five = range(FIRST, FIRST + short)
    none = range(five.stop, five.stop + long)
    behind = range(none.stop, none.stop + short)
    followings = [*pairwise([*five, FIVE]), *pairwise([*none, NONE]), *pairwise([*behind, five[0]])]
    followings.append((behind[-1], none[0]))
    shares = [Fraction(1)] * short + [Fraction(0)] * long + [Fraction(1, 2)] * short
    assert_right(Shape(followings, shares))


def test_narrow_parts_behind_loops_that_lead_to_both_a_loop_and_a_chain() -> None:
    """From its end, the first chain is followed by nobody much sooner than the second."""
    length = 2 * activity.NARROW
    followings, shares = tail_on_a_loop(length)
    end = FIRST + len(shares)
    short, long = range(end, end + length), range(end + length, end + 3 * length)
    followings += [*pairwise([*short, end - 1]), *pairwise([*long, end - 1])]
    shares += [Fraction(1, 3)] * (3 * length)
    assert_right(Shape(followings, shares))


def test_a_narrow_part_in_front_of_loops_that_becomes_wide_again() -> None:
    """Behind a loop, the same the other way round: what no loop needs is set aside from its end."""
    length, many = 2 * activity.NARROW, 3 * activity.NARROW
    followings, shares = tail_on_a_loop(length)
    end = FIRST + len(shares)
    crowd = range(end, end + many)
    behind = range(crowd.stop, crowd.stop + length)
    followings += [(member, end - 1) for member in crowd] + [(behind[0], member) for member in crowd]
    followings += [(follower, followee) for followee, follower in pairwise(behind)]
    shares += [Fraction(1, 3)] * (many + length)
    assert_right(Shape(followings, shares))


@pytest.mark.parametrize("shape", [chain, comb, tail_on_a_loop])
def test_a_long_part_beside_a_community_that_is_done_at_once(shape: Callable[[int], Shape]) -> None:
    for length in (activity.NARROW - 1, activity.NARROW, activity.NARROW + 1, 2 * activity.NARROW, MOST):
        part = shape(length)
        beginning = FIRST + len(part.shares)
        crowd = range(beginning, beginning + 1_000)
        followings = [*part.followings, *((member, FIVE) for member in crowd)]
        assert_right(Shape(followings, [*part.shares, *chain(len(crowd)).shares]))
