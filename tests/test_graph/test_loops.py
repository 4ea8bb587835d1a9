"""Loops: whichever way they are solved, the bounds hold."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from graph.fixedpoint import MOST_UNITS, STAR_UNITS
from graph.loops import LinearSystem


def rings(size: int, exits: int) -> list[set[int]]:
    """A ring; some members also follow somebody outside (-1)."""
    return [{(member + 1) % size} | ({-1} if member % (size // exits) == 0 else set()) for member in range(size)]


def tangle(size: int, exits: int) -> list[set[int]]:
    """Everybody follows three others of a loop; some also somebody outside (-1)."""
    chance = random.Random(size)
    followees = [{(member + 1) % size, *chance.sample(range(size), 3)} - {member} for member in range(size)]
    for member in range(exits):
        followees[member].add(-1)
    return followees


LOOPS = {
    "small, by a dense inverse": tangle(60, 10),
    "left soon, by sweeps": tangle(1_000, 400),
    "left late, by Krylov steps": tangle(1_000, 4),
    "next to a ring, by factors": rings(1_000, 2),
}


def system_of(followees: list[set[int]]) -> LinearSystem:
    owners = [member for member, others in enumerate(followees) for other in sorted(others) if other >= 0]
    columns = [other for others in followees for other in sorted(others) if other >= 0]
    shape = (len(followees), len(followees))
    inside = sparse.coo_array((np.ones(len(owners), dtype=np.int64), (owners, columns)), shape=shape).tocsr()
    return LinearSystem(np.array([len(others) for others in followees], dtype=np.int64), inside)


@pytest.mark.parametrize("followees", LOOPS.values(), ids=LOOPS)
def test_values_are_right_within_their_bounds(followees: list[set[int]]) -> None:
    system = system_of(followees)
    chance = np.random.default_rng(1)
    stars = chance.integers(0, 6, (len(followees), 2))
    leaving = np.array([[-1 in others] for others in followees])
    boundary = np.where(leaving, stars, 0) * STAR_UNITS
    fixed, bounds = system.settle(boundary, np.where(leaving, 3.0, 0.0) * np.ones((1, 2)))

    # The bounds e satisfy K e >= |K X - b| + the errors of the boundary, in exact arithmetic: that is the proof.
    for member, others in enumerate(followees):
        inner = [other for other in others if other >= 0]
        for choice in range(2):
            rest = int(boundary[member, choice]) - len(others) * int(fixed[member, choice])
            rest += sum(int(fixed[other, choice]) for other in inner)
            room = len(others) * Fraction(float(bounds[member, choice]))
            room -= sum(Fraction(float(bounds[other, choice])) for other in inner)
            assert room >= abs(rest) + (3 if -1 in others else 0)
    assert bounds.max() < MOST_UNITS / 1_000_000


def test_what_is_next_to_impossible_to_leave_has_no_bound() -> None:
    size = 50
    ladder = [{0, (rung + 1) % size} - {rung} for rung in range(size - 1)] + [{0, -1}]
    boundary = np.zeros((size, 1), dtype=np.int64)
    boundary[-1] = 5 * STAR_UNITS
    _, bounds = system_of(ladder).settle(boundary, np.zeros((size, 1)))
    assert np.isinf(bounds).all()


def test_without_any_error_the_bound_is_none_at_all() -> None:
    system = system_of(tangle(1_000, 400))
    boundary = np.array([[5 if -1 in others else 0] for others in tangle(1_000, 400)]) * STAR_UNITS
    fixed, bounds = system.settle(boundary, np.zeros(boundary.shape))
    assert set(fixed.ravel().tolist()) == {MOST_UNITS}
    assert not bounds.any()
