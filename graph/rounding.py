"""Rounding of values that fixed-point arithmetic leaves open: with more digits, or exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from graph.elimination import Closure, closure, exact_values
from graph.fixedpoint import STAR_UNITS, UNIT, Floats, Ints
from graph.loops import LinearSystem
from graph.values import Member

# Up to this many members are eliminated one by one.
_SOME = 400

# Members who rest on no more than these are settled each alone.
_FEW = 200

# A value this near (in microstars) to a rounding boundary, and not told apart from it, counts as on it.
_TELL_BITS = 90

Settled = dict[Member, tuple[tuple[int, ...], tuple[int, ...]]]


def settle(
    wanted: Iterable[Member],
    followees: Callable[[Member], Sequence[Member] | None],
    stars: Callable[[Member], Sequence[int]],
) -> Settled:
    """Find microstars, rounded half to even from the exact value, and fixed-point values within one unit.

    Parameters
    ----------
    wanted : iterable of members
    followees : callable
        A member's active followees; None for a member with a cast ballot.
    stars : callable
        A cast ballot's stars.

    Returns
    -------
    dict from member to (microstars, fixed-point values)

    Notes
    -----
    Exact for members who rest on up to `graph.elimination.FEW` inheriting members. For more, a value that lies within
    2**-90 microstars of a rounding boundary counts as lying on it.
    """
    wanted = list(wanted)
    settled: Settled = {}
    together: list[Member] = []
    for member in wanted:
        if member not in settled:
            whom = closure([member], followees, limit=_FEW)
            if whom is not None:
                settled.update(exact_values(whom, stars, [member]))
            else:
                together.append(member)
    if together:
        whom = closure(together, followees) or {}
        many = _more_digits(whom, stars, together) if len(whom) > _SOME else None
        settled.update(exact_values(whom, stars, together) if many is None else many)
    return settled


def settle_exactly(
    rows: Ints,
    starts: Ints,
    followees: Ints,
    cast: npt.NDArray[np.bool_],
    fixed: Ints,
    errors: Floats,
    microstars: npt.NDArray[np.int32],
) -> None:
    """Settle the given rows of a whole staging, in place. Active followees of row i: ``starts[i]:starts[i + 1]``."""

    def active(row: Member) -> list[int] | None:
        return None if cast[row] else followees[starts[row] : starts[row + 1]].tolist()

    def stars(row: Member) -> list[int]:
        ints: list[int] = (fixed[row] // STAR_UNITS).tolist()
        return ints

    for row, (values, near) in settle(rows.tolist(), active, stars).items():
        microstars[row] = values
        fixed[row] = near
        errors[row] = 1.0


def _more_digits(whom: Closure, stars: Callable[[Member], Sequence[int]], wanted: Sequence[Member]) -> Settled | None:
    """Settle by refinement: each round finds some forty more binary places, with an exact integer residual.

    None where the system is too close to a trap for floating point to gain anything.
    """
    system = LinearSystem.of(whom)
    boundary = _boundary(whom, stars)
    index = dict(zip(whom, range(len(whom)), strict=True))
    rows = [index[member] for member in wanted]
    x, errors = system.settle(boundary, np.zeros(boundary.shape))
    values: list[list[int]] = x[rows].tolist()
    left, scale = system.residual(x, boundary), 0
    while scale < _TELL_BITS:
        gain = _gain(system, left, errors)
        if gain is None:
            return None
        step = np.rint(np.ldexp(system.solve(left.astype(np.float64)), gain)).astype(np.int64)
        left = (left << gain) + system.residual(step, np.zeros_like(step))
        values = _refined(values, gain, step[rows].tolist())
        scale += gain
        errors = system.bound(np.abs(left).astype(np.float64))
    return {
        member: _settled(row, scale, row_errors)
        for member, row, row_errors in zip(wanted, values, errors[rows].tolist(), strict=True)
    }


def _boundary(whom: Closure, stars: Callable[[Member], Sequence[int]]) -> Ints:
    """Sum, for each member, the cast ballots that it follows, choice by choice."""
    cast = [[stars(one) for one in active if one not in whom] for active in whom.values()]
    choices = max(len(ballots[0]) for ballots in cast if ballots)
    sums = [[sum(column) for column in zip(*ballots, strict=True)] if ballots else [0] * choices for ballots in cast]
    return np.array(sums, dtype=np.int64) * STAR_UNITS


def _gain(system: LinearSystem, left: Ints, errors: Floats) -> int | None:
    """Count the binary places that one more round can find within 64 bits; None if they are too few."""
    if not np.isfinite(errors).all():
        return None
    most = max(float(errors.max()), float(np.abs(left).max()), 1.0) * float(system.followees.max()) * 4
    gain = min(40, 61 - int(np.ceil(np.log2(most))))
    return None if gain < 8 else gain


def _refined(values: list[list[int]], gain: int, step: list[list[int]]) -> list[list[int]]:
    """Append `gain` binary places to each value."""
    pairs = zip(values, step, strict=True)
    return [[(value << gain) + more for value, more in zip(row, places, strict=True)] for row, places in pairs]


def _settled(row: list[int], scale: int, errors: list[float]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    microstars = tuple(_round(value, UNIT << scale, error) for value, error in zip(row, errors, strict=True))
    return microstars, tuple(value >> scale for value in row)


def _round(value: int, unit: int, error: float) -> int:
    """Round a value in units of a microstar half to even; on the boundary if that is within the error."""
    whole, part = divmod(value, unit)
    half = unit // 2
    if abs(part - half) <= error:
        return whole + (whole & 1)
    return whole + (part > half)
