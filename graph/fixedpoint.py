"""Fixed-point arithmetic with proven error bounds.

A value is held as an integer X, `UNIT` to a microstar, together with e, an upper bound of its distance from the exact
rational value in the same units. e is 0 only where X is exact. Five stars are below 2**50 units, so sums over
`MOST_FOLLOWEES` values stay within 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graph.values import FIVE_STARS, STAR

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

UNIT = 2**13 * 3**6 * 5 * 7
"""Parts of a microstar (about 2**28). Means of 2 to 10 are exact over several steps, and so are their ties."""

STAR_UNITS = STAR * UNIT
MOST_UNITS = FIVE_STARS * UNIT
MOST_FOLLOWEES = 4_000
HALF = UNIT // 2

# Bounds are sums and quotients of at most MOST_FOLLOWEES positive floats: this covers their rounding many times over.
SLACK = 1 + 1e-11

Value = tuple[tuple[int, ...], float]
"""One member's fixed-point values by choice, and an error bound for all of them."""


def check_followees(most: int) -> None:
    """Refuse so many active followings of one member that a sum may not fit. Raises ValueError."""
    if most > MOST_FOLLOWEES:
        raise ValueError(f"a member has more than {MOST_FOLLOWEES} active followings")


def means(totals: Ints, errors: Floats, followees: Ints) -> tuple[Ints, Floats]:
    """Take rounded means, row by row, of `followees` values with these sums and summed error bounds, and bound them."""
    k = followees[:, None]
    values = (2 * totals + k) // (2 * k)
    return values, (np.abs(totals - k * values) + errors) / k * SLACK


def mean(rows: Sequence[Value]) -> Value:
    """Take the means of one member's values, choice by choice, as `means` does."""
    count = len(rows)
    if count == 1:
        return rows[0]
    values: list[int] = []
    most = 0
    for column in zip(*[fixed for fixed, _ in rows], strict=True):
        total = sum(column)
        value = (2 * total + count) // (2 * count)
        off = abs(total - count * value)
        most = max(most, off)
        values.append(value)
    error = (most + sum([error for _, error in rows])) / count * SLACK
    return tuple(values), error


def rounded(value: int, error: float) -> int | None:
    """Round the exact value half to even to a microstar; None where `error` leaves that open."""
    whole, part = divmod(value, UNIT)
    if error and abs(part - HALF) <= error:
        return None
    return whole + (part > HALF or (part == HALF and whole & 1))


def rounded_all(values: Ints, errors: Floats) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Round as `rounded` does, elementwise: the microstars, and whether each is certain."""
    whole = values // UNIT
    part = values - whole * UNIT
    up = (part > HALF) | ((part == HALF) & ((whole & 1) == 1))
    certain = (np.abs(part - HALF) > errors) | (errors == 0)
    return (whole + up).astype(np.int32), certain


def units(stars: Sequence[int]) -> tuple[int, ...]:
    """Turn stars into exact fixed-point values."""
    return tuple(star * STAR_UNITS for star in stars)
