"""Fixed-point arithmetic with proven error bounds.

A value is held as an integer X in units of 2**-28 microstars together with e, an upper bound of its distance from the
exact rational value in the same units. e is 0 only where X is exact. Five stars are below 2**51 units, so sums over
`MOST_FOLLOWEES` values stay within 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graph.values import FIVE_STARS, STAR

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BITS = 28
"""Binary places below a microstar."""

UNIT = 1 << BITS
STAR_UNITS = STAR * UNIT
MOST_UNITS = FIVE_STARS * UNIT
MOST_FOLLOWEES = 4_000
HALF = UNIT >> 1

# Bounds are sums and quotients of at most MOST_FOLLOWEES positive floats: this covers their rounding many times over.
SLACK = 1 + 1e-11


def mean(total: int, error: float, followees: int) -> tuple[int, float]:
    """The mean of `followees` values with sum `total` and summed error bound `error`, and its own bound."""
    value = (2 * total + followees) // (2 * followees)
    return value, (abs(total - followees * value) + error) / followees * SLACK


def means(totals: Ints, errors: Floats, followees: Ints) -> tuple[Ints, Floats]:
    """`mean`, row by row."""
    k = followees[:, None]
    values = (2 * totals + k) // (2 * k)
    return values, (np.abs(totals - k * values) + errors) / k * SLACK


def rounded(value: int, error: float) -> int | None:
    """The exact value rounded half to even to a microstar; None where `error` leaves that open."""
    whole, part = value >> BITS, value & (UNIT - 1)
    if error and abs(part - HALF) <= error:
        return None
    return whole + (part > HALF or (part == HALF and whole & 1))


def rounded_all(values: Ints, errors: Floats) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """`rounded`, elementwise: the microstars, and where they are certain."""
    whole, part = values >> BITS, values & (UNIT - 1)
    up = (part > HALF) | ((part == HALF) & ((whole & 1) == 1))
    certain = (np.abs(part - HALF) > errors) | (errors == 0)
    return (whole + up).astype(np.int32), certain


def units(stars: Sequence[int]) -> tuple[int, ...]:
    """Stars as exact fixed-point values."""
    return tuple(star * STAR_UNITS for star in stars)
