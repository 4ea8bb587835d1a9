"""Propagation: bringing a staging up to date by what a change adds to the equations of those who inherit.

What is added, the exact residual of the old values, is handed on in floating point, for one column where all that is
added is in proportion: for a changed vote the change of its stars, for a changed following that of its follower's. A
few passes in integers take up what floating point lost; the residual after that, exact again, bounds the error of each
value (see `graph.structure`). Whoever is reached is rounded anew, where the bound leaves the rounding open exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from graph.fixedpoint import MOST_UNITS, STAR_UNITS, Floats, Ints, rounded_all
from graph.rounding import settle
from graph.staging import Staging
from graph.structure import Structure

# Residuals up to this many times k are what rounding leaves behind.
_NOISE = 32

# The most passes in integers.
_PASSES = 3

# After these, residuals beyond this many times k mean that floating point has failed.
_FAILED = 1_000

# Covers the rounding of `drop` and of the bounds, many times over.
_SLACK = 1.01

# More values than this to settle one by one are no quick way.
_MOST_OPEN = 200


def propagate(structure: Structure, staging: Staging, starts: Ints) -> Ints | None:
    """Bring the values and microstars of all who inherit up to date, in place.

    Parameters
    ----------
    structure : Structure
    staging : Staging
        With arrays of its own and one error bound for each row. Right are the values of written ballots, and those of
        members who are not reached from `starts`.
    starts : int64 array
        Rows whose own value changed, or whose active followings did.

    Returns
    -------
    int64 array or None
        The rows that were reached. None where this is no good; the arrays are of no further use then.
    """
    steps = structure.steps
    if steps is None:
        return None
    fixed = staging.fixed
    reached = structure.reached(starts)
    rows = structure.rows[reached]
    k = structure.followees
    left = structure.residual(fixed)
    for column, factor in _columns(left, k, reached):
        found = structure.solve(column)
        if found is None:
            return None
        fixed[rows] += np.rint(found[reached, None] * factor).astype(np.int64)
    for _ in range(_PASSES):
        left = structure.residual(fixed)
        worst = _largest(left)
        if (worst[reached] <= k[reached]).all():
            break
        fixed[rows] = np.clip(fixed[rows] + np.rint(left[reached] / k[reached, None]).astype(np.int64), 0, MOST_UNITS)
    else:
        worst = _largest(structure.residual(fixed))
    if (worst > _FAILED * k).any():
        structure.steps = None
        return None
    staging.errors[rows, 0] = steps[reached] * ((worst / structure.drop).max(initial=0.0) * _SLACK)
    microstars, certain = rounded_all(fixed[rows], staging.errors[rows])
    staging.microstars[rows] = microstars
    open_ = rows[~certain.all(axis=1)]
    if len(open_):
        open_ = _still_open(structure, staging, open_, structure.rows[worst > 0])
        if len(open_) > _MOST_OPEN:
            return None
        _settle(structure, staging, open_)
    return rows


def _columns(left: Ints, k: Ints, reached: Ints) -> Iterator[tuple[Floats, Floats]]:
    """Split what is left over into columns and what each has for each choice, noise left out."""
    loud = reached[_largest(left[reached]) > _NOISE * k[reached]]
    if not len(loud):
        return
    values = left[loud].astype(np.float64)
    row, choice = np.unravel_index(np.abs(values).argmax(), values.shape)
    shares = values[:, choice] / values[row, choice]
    column = np.zeros(len(k))
    noise = _NOISE * (k[loud] + np.abs(shares) * k[loud[row]])
    if (np.abs(values - shares[:, None] * values[row]) <= noise[:, None]).all():
        column[loud] = shares
        yield column, values[row]
        return
    for at, unit in enumerate(np.eye(values.shape[1])):
        if values[:, at].any():
            column[loud] = values[:, at]
            yield column, unit


def _largest(left: Ints) -> Ints:
    """Find the largest of each row, choice by choice: numpy is slow along short rows."""
    most = np.zeros(len(left), dtype=np.int64)
    for column in left.T:
        np.maximum(most, np.abs(column), out=most)
    return most


def _still_open(structure: Structure, staging: Staging, rows: Ints, inexact: Ints) -> Ints:
    """Leave out the rows that ask nobody whose equation leaves anything over: their values are exact."""
    exact = np.ones(structure.size, dtype=np.bool_)
    exact[structure.rows[structure.reached(inexact)]] = False
    rows_exact = rows[exact[rows]]
    staging.errors[rows_exact] = 0.0
    staging.microstars[rows_exact], _ = rounded_all(staging.fixed[rows_exact], staging.errors[rows_exact])
    return rows[~exact[rows]]


def _settle(structure: Structure, staging: Staging, rows: Ints) -> None:
    """Round the values of these rows exactly."""

    def active(row: int) -> Sequence[int] | None:
        followees = structure.active(row)
        return None if followees is None else followees.tolist()

    def stars(row: int) -> Sequence[int]:
        ints: list[int] = (staging.fixed[row] // STAR_UNITS).tolist()
        return ints

    for row, (microstars, near) in settle(rows.tolist(), active, stars).items():
        staging.microstars[row] = microstars
        staging.fixed[row] = near
        staging.errors[row] = 1.0
