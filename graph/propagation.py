"""Propagation: bringing a staging up to date by what a change adds to the equations of those who inherit.

What is added, the exact residual of the old values, is handed on in floating point, for one column where all that is
added is in proportion: for a changed vote the change of its stars, for a changed following that of its follower's. A
few passes in integers take up what floating point lost; the residual after that, exact again, bounds the error of each
value (see `graph.structure`). Whoever is reached is rounded anew: where the bound leaves the rounding open, from what
floating point makes of that residual, with a bound a million times closer; where that leaves it open, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graph.fixedpoint import HALF, MOST_UNITS, STAR_UNITS, UNIT, Floats, Ints, rounded_all
from graph.rounding import settle
from graph.staging import Staging
from graph.structure import Structure

# Residuals up to this many times k are what rounding leaves behind.
_NOISE = 32

# The most passes in integers.
_PASSES = 3

# With errors of more units than this in a step, floating point has failed.
_FAILED = 1_000

# Covers the rounding of what lies between two units.
_TINY = 2.0**-20

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
    columns, factors = _columns(structure, fixed, starts)
    if factors.any():
        found = structure.solve(columns)
        if found is None:
            return None
        found = found[reached] if found.ndim > 1 else found[reached, None]
        fixed[rows] += np.rint(found * factors).astype(np.int64)
    left = structure.residual(fixed)
    for _ in range(_PASSES):
        step = np.rint(np.take(left, reached, axis=0) * structure.weights[reached, None]).astype(np.int64)
        fixed[rows] = np.clip(np.take(fixed, rows, axis=0) + step, 0, MOST_UNITS)
        left = structure.residual(fixed)
        share = float((np.abs(left) * structure.proof[:, None]).max(initial=0.0)) * _SLACK
        if share > _FAILED:
            structure.steps = None
            return None
        errors = steps[reached, None] * share
        microstars, certain = rounded_all(np.take(fixed, rows, axis=0), errors)
        if certain.all():
            break
    staging.errors[rows] = errors
    staging.microstars[rows] = microstars
    if not certain.all():
        open_ = _still_open(structure, staging, rows[~certain.all(axis=1)], structure.rows[left.any(axis=1)])
        if len(open_):
            open_ = _look_closer(structure, staging, open_, left)
        if len(open_) > _MOST_OPEN:
            return None
        _settle(structure, staging, open_)
    return rows


def _look_closer(structure: Structure, staging: Staging, rows: Ints, left: Ints) -> Ints:
    """Round what is open in these rows from values between the units; return the rows where something still is.

    `left` is the residual of all. What it adds to the values is little, so that floating point loses next to nothing.
    """
    fixed, local = np.take(staging.fixed, rows, axis=0), structure.places(rows)
    _, certain = rounded_all(fixed, staging.errors[rows])
    for choice in np.flatnonzero(~certain.all(axis=0)).tolist():
        rest = left[:, choice].astype(np.float64)
        more = structure.solve(rest)
        if more is None or np.abs(more).max(initial=0.0) > _FAILED:
            return rows
        errors = structure.errors_after(rest, more)
        open_ = np.flatnonzero(~certain[:, choice])
        whole, part = np.divmod(fixed[open_, choice], UNIT)
        above = part - HALF + more[local[open_]]
        staging.microstars[rows[open_], choice] = whole + (above > 0)
        certain[open_, choice] = np.abs(above) > errors[local[open_]] + _TINY
    return rows[~certain.all(axis=1)]


def _columns(structure: Structure, fixed: Ints, starts: Ints) -> tuple[Floats, Floats]:
    """Split what a change adds, noise left out, into columns of at most 1 and a factor for each choice.

    There is one column, in one dimension, where all is in proportion; else one for each choice.
    """
    near = structure.near(starts)
    k = structure.followees[near]
    values = structure.residual(fixed, near).astype(np.float64)
    values[(np.abs(values) <= _NOISE * k[:, None]).all(axis=1)] = 0
    factors = np.abs(values).max(axis=0, initial=0.0)
    if not factors.any():
        return np.zeros(0), factors
    row, choice = np.unravel_index(np.abs(values).argmax(), values.shape)
    shares = values[:, choice] / values[row, choice]
    noise = _NOISE * (k + np.abs(shares) * k[row])
    if (np.abs(values - shares[:, None] * values[row]) <= noise[:, None]).all():
        column = np.zeros(len(structure.rows))
        column[near] = shares
        return column, values[row]
    columns = np.zeros((len(structure.rows), len(factors)))
    columns[near] = values / np.maximum(factors, 1.0)
    return columns, factors


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
