"""The verifier on communities of one shape, at lengths that cross where it goes on by another way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from graph import rounding
from tests.test_graph.shapes import FIRST, LOOPED, LOOPLESS, Shape, expected, trap
from tests.test_verify.bundles import bundle, read, verifier

LENGTHS = [length + off for length in (verifier.EXACT_LOOP // 2, verifier.EXACT_LOOP, 100) for off in (-1, 0, 1)]


@pytest.mark.parametrize("shape", [*LOOPLESS, *LOOPED])
def test_a_shape_of_any_length_is_staged_as_its_closed_form_says(shape: Callable[[int], Shape]) -> None:
    for length in [1, 2, 3, *LENGTHS, *([] if shape is trap else [rounding._SOME])]:
        followings, shares = shape(length)
        cast = {"m0": {"c1": 5, "c2": 0}, "m1": {"c1": 0, "c2": 5}}
        village = read(bundle(cast, [f"m{a} > m{b}" for a, b in followings], choices=["c1", "c2"]))
        staged = verifier.stage(village, village.decisions[0])
        found = {village.members[member]: ballot.microstars for member, ballot in staged.items()}
        assert [found[f"m{FIRST + at}"] for at in range(len(shares))] == expected(shares)
