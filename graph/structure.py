"""Structure: who inherits, along which active followings, laid out so that changes can be handed on.

It holds as long as only stars change.

The inheriting members satisfy ``k[i] * x[i] == sum(x[j] for active followees j)`` with k the number of active followees
(see `graph.loops`). What a change adds to one side of these equations is handed on, from follower to follower, in
sweeps; the largest loop on its own, since all others need few sweeps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import spilu

from graph.activity import slices
from graph.fixedpoint import Floats, Ints, check_followees
from graph.loops import LinearSystem

# What takes more sweeps than this goes another way.
_SWEEPS = 320

# After so many sweeps it pays to look how far they are.
_LOOK = 8

# A loop gets a block of its own from this size and share of all who inherit.
_LARGE = 500
_SHARE = 1 / 16

# Below a unit in what five stars less a few are.
_ENOUGH = 2.0**-50

# Blocks that took more sweeps are factored, up to a size. What is small is left out, and what would make the factors
# larger than a multiple of the block.
_TOUGH = 100
_MOST_FACTORED = 200_000
_DROP, _LARGE_DROP = 1e-3, 1e-2
_LARGE_FACTORED = 20_000
_FILL = 10
_GAIN = 0.5

# In place of 0, to divide by.
_TINY = 1e-300

# Of an active following: in the equations, twice in shares, and back; of a row: in six arrays and the matrices.
_BYTES_A_FOLLOWING, _BYTES_A_ROW = 48, 64

# A sum of k shares and what is done with it loses this part of its largest term, times k and some operations; what is
# reckoned with bounds loses less than a hundredth.
_LOST, _OPERATIONS = 2.0**-50, 8
_BOUND = 1.01

# How much of k a proof has to leave over.
_LEFT_OVER = 0.5
_MOST_STEPS = 2.0**30


@dataclass(slots=True)
class _Block:
    """Members `low` to `high` in the structure's order: what they get of earlier ones and of each other.

    Once they have taken many sweeps, `factors` are tried: incomplete ones, of bounded size.
    """

    low: int
    high: int
    before: sparse.csr_array | None
    within: sparse.csr_array
    factors: Callable[[Floats], Floats] | None = None
    is_tough: bool = False

    @classmethod
    def of(cls, shares: sparse.csr_array, low: int, high: int) -> _Block:
        if high - low == shares.shape[0]:
            return cls(low, high, None, shares)
        rows = shares[low:high]
        return cls(low, high, rows[:, :low] if low else None, rows[:, low:high])

    def solve(self, start: Floats) -> Floats | None:
        """Sum what is handed on within the block; None where that takes too many sweeps."""
        # Other threads may hold the structure: what is kept is read once.
        factors = self.factors
        if factors is None and self.is_tough:
            factors = self.factors = _factors(self.within)
        found = _refine(self.within, start, factors) if factors is not None else None
        if found is None:
            found, sweeps = _sweep(self.within, start)
            # Once they have failed, factors are not tried again.
            self.is_tough = factors is None and sweeps > _TOUGH and len(start) < _MOST_FACTORED
            self.factors = None
        return found


class Structure:
    """The equations of all who inherit in one decision.

    Attributes
    ----------
    size : int
        The number of rows of the graph's arrays.
    rows : int64 array
        Of these, the rows of those who inherit, in the structure's own order.
    followees : int64 array
        k, in this order.
    steps : float64 array or None
        s, in this order: ``K s >= drop`` proves that ``s * max(|b - K x| / drop)`` bounds all errors. None where
        floating point can't prove it.
    proof : float64 array
        1 / drop.
    weights : float64 array
        1 / k.
    """

    def __init__(self, followers: Ints, followees: Ints, size: int, *, steps: Floats | None = None) -> None:
        """Lay the structure out.

        Parameters
        ----------
        followers, followees : int64 arrays
            The active followings as rows of the graph's arrays, follower by follower.
        size : int
            The number of these rows.
        steps : float64 array, optional
            The steps of a similar structure, by row of the graph's arrays; 0 where unknown.

        Raises
        ------
        ValueError
            If a member has more than 4,000 active followings.
        """
        counts = np.bincount(followers, minlength=size)
        check_followees(counts.max(initial=0))
        rows = np.flatnonzero(counts)
        local = np.full(size, -1)
        local[rows] = np.arange(len(rows))
        asked = _ones(counts[rows], followees, size, np.int64)
        inner = local[followees] >= 0
        mine = np.bincount(local[followers[inner]], minlength=len(rows))
        inside = _ones(mine, local[followees[inner]], len(rows), np.float64)
        order, bounds = _in_blocks(inside)
        if order is not None:
            rows, asked, inside = rows[order], asked[order], inside[order][:, order]
            local[rows] = np.arange(len(rows))
        self.size = size
        self.rows: Ints = rows
        self.followees: Ints = counts[rows]
        self._local = local
        self._asked = asked
        self.weights = 1 / self.followees
        self._shares = inside.multiply(self.weights[:, None]).tocsr()
        self._blocks = [_Block.of(self._shares, low, high) for low, high in pairwise(bounds) if low < high]
        self._loop = (bounds[1], bounds[2]) if order is not None else (size, size)
        self._back: sparse.csr_array | None = None
        self._system: LinearSystem | None = None
        self._is_slow = False
        self.steps, self.proof = self._prove(None if steps is None else np.maximum(steps[rows], 1.0))

    @property
    def nbytes(self) -> int:
        """The memory that it takes, about."""
        return _BYTES_A_FOLLOWING * self._asked.nnz + _BYTES_A_ROW * len(self.rows)

    def residual(self, fixed: Ints, at: Ints | None = None) -> Ints:
        """Subtract b - K x exactly, in the structure's order; `fixed` is in that of the graph's arrays.

        `at`: for these members of the structure alone.
        """
        asked, followees, rows = self._asked, self.followees, self.rows
        if at is not None:
            asked, followees, rows = asked[at], followees[at], rows[at]
        left: Ints = asked @ fixed
        left -= followees[:, None] * np.take(fixed, rows, axis=0)
        return left

    def errors_after(self, left: Floats, more: Floats) -> Floats:
        """Bound the errors of values to which `more` is added, where their residual is `left` in one choice.

        What floating point loses here is bounded, too. There have to be steps.
        """
        assert self.steps is not None
        k = self.followees
        largest = max(float(np.abs(more).max(initial=0.0)), float((np.abs(left) * self.weights).max(initial=0.0)))
        over = np.abs(left - k * (more - self._shares @ more)) + k * (k + _OPERATIONS) * _LOST * largest
        errors: Floats = self.steps * (float((over * self.proof).max(initial=0.0)) * _BOUND)
        return errors

    def places(self, rows: Ints) -> Ints:
        """Look up where these rows of the graph's arrays, which inherit, are in the structure's order."""
        return self._local[rows]

    def near(self, starts: Ints) -> Ints:
        """Find whoever of these rows of the graph's arrays inherits, and whoever asks them directly."""
        back = self._asking()
        at, _ = slices(back.indptr.astype(np.int64), starts)
        found = np.zeros(len(self.rows) + 1, dtype=np.bool_)
        found[self._local[starts]] = True
        found[self._local[back.indices[at]]] = True
        return np.flatnonzero(found[:-1])

    def steps_by_row(self) -> Floats | None:
        """Give the steps by row of the graph's arrays, 0 for those who don't inherit."""
        if self.steps is None:
            return None
        steps = np.zeros(self.size)
        steps[self.rows] = self.steps
        return steps

    def is_in_loop(self, row: int) -> bool:
        """Whether a row of the graph's arrays is in a loop so large that it has a block of its own."""
        low, high = self._loop
        return bool(low <= self._local[row] < high)

    def active(self, row: int) -> npt.NDArray[np.int32] | None:
        """List the active followees of a row of the graph's arrays; None where it does not inherit."""
        at = self._local[row]
        if at < 0:
            return None
        asked = self._asked
        followees: npt.NDArray[np.int32] = asked.indices[asked.indptr[at] : asked.indptr[at + 1]]
        return followees

    def reached(self, starts: Ints) -> Ints:
        """Find whoever asks these rows of the graph's arrays, directly or through others, and those of them that
        inherit themselves; in the structure's order.
        """
        back = self._asking()
        # One more node, from which all starts are reached.
        indices = np.concatenate((back.indices, starts)).astype(np.int32, copy=False)
        bounds = np.append(back.indptr, len(indices)).astype(np.int32, copy=False)
        nodes = sparse.csr_array((np.ones(len(indices)), indices, bounds), shape=(self.size + 1,) * 2)
        found = csgraph.breadth_first_order(nodes, self.size, return_predecessors=False)[1:]
        reached = np.zeros(len(self.rows) + 1, dtype=np.bool_)
        reached[self._local[found]] = True
        return np.flatnonzero(reached[:-1])

    def _asking(self) -> sparse.csr_array:
        """Give the active followings by followee, both ends as rows of the graph's arrays."""
        if self._back is None:
            back = self._asked.T.tocsr()
            back.indices = self.rows[back.indices].astype(np.int32)
            self._back = back
        return self._back

    def solve(self, right: Floats) -> Floats | None:
        """Approximate K^-1 right, for one column or several of about one size; None where there is no quick way."""
        if not self._is_slow:
            found = self._hand_on((right.T * self.weights).T)
            if found is not None:
                return found
            self._is_slow = True
        found = self._linear_system().solve(right.reshape(len(right), -1)).reshape(right.shape)
        return found if np.isfinite(found).all() else None

    def _hand_on(self, right: Floats) -> Floats | None:
        found = np.zeros(right.shape)
        for block in self._blocks:
            mine = right[block.low : block.high]
            if block.before is not None:
                mine = mine + block.before @ found[: block.low]
            if mine.any():
                handed = block.solve(mine)
                if handed is None:
                    return None
                found[block.low : block.high] = handed
        return found

    def _prove(self, steps: Floats | None) -> tuple[Floats | None, Floats]:
        """Find steps and proof: steps near the expected number of questions until somebody voted."""
        if steps is None:
            steps = np.ones(len(self.rows))
        for _ in range(_SWEEPS):
            asked = self._shares @ steps
            if (steps - asked >= _LEFT_OVER).all():
                break
            steps = 1 + asked
        else:
            steps = self._linear_system().solve(self.followees[:, None].astype(np.float64), accuracy=1e-6)[:, 0]
            self._is_slow = True
        drop = self.followees * (steps - self._shares @ steps)
        is_proof = np.isfinite(steps).all() and 0.5 <= steps.min(initial=1.0) <= steps.max(initial=1.0) < _MOST_STEPS
        if not is_proof or (drop < self.followees * (_LEFT_OVER / 2)).any():
            return None, drop
        return steps, 1 / drop

    def _linear_system(self) -> LinearSystem:
        if self._system is None:
            shares = self._shares
            ones = np.ones(shares.nnz, dtype=np.int64)
            inside = sparse.csr_array((ones, shares.indices, shares.indptr), shape=shares.shape)
            self._system = LinearSystem(self.followees, inside)
        return self._system


def _sweep(shares: sparse.csr_array, start: Floats) -> tuple[Floats | None, int]:
    """Sum what is handed on in all steps, None where that takes too many; and say how many it took.

    Soon each step hands on about the same share of the last: the rest is a geometric series [1]_.

    References
    ----------
    .. [1] A. C. Aitken, "On Bernoulli's numerical solution of algebraic equations", Proc. R. Soc. Edinburgh 46 (1926).
    """
    total = start.copy()
    step = start
    for sweep in range(1, _SWEEPS + 1):
        last, step = step, shares @ step
        total += step
        if sweep % _LOOK == 0:
            enough = _ENOUGH * _most(total)
            if _most(step) <= enough:
                return total, sweep
            # Not by BLAS, whose threads wait for each other.
            share = np.einsum("i...,i...", step, last) / np.maximum(np.einsum("i...,i...", last, last), _TINY)
            if ((share >= 0) & (share < 1)).all() and _most((step - share * last) / (1 - share) ** 2) <= enough:
                return total + step * (share / (1 - share)), sweep
    return None, _SWEEPS


def _refine(shares: sparse.csr_array, start: Floats, factors: Callable[[Floats], Floats]) -> Floats | None:
    """Do as `_sweep` by incomplete factors, again and again for what is left; None where that gains too little."""
    total = factors(start)
    last = _most(total)
    while True:
        step = factors(start - total + shares @ total)
        total += step
        size = _most(step)
        if size <= _ENOUGH * _most(total):
            return total
        # Also false for what is not a number.
        if not size < last * _GAIN:
            return None
        last = size


def _factors(shares: sparse.csr_array) -> Callable[[Floats], Floats] | None:
    """Factor a block incompletely, least connected members first; None where that can't be done."""
    degrees = np.diff(shares.indptr) + np.bincount(shares.indices, minlength=shares.shape[0])
    order = np.argsort(degrees, kind="stable")
    back = np.argsort(order)
    matrix = (sparse.eye_array(len(order)) - shares[order][:, order]).tocsc()
    try:
        factors = spilu(
            matrix,
            drop_tol=_DROP if len(order) <= _LARGE_FACTORED else _LARGE_DROP,
            fill_factor=_FILL,
            permc_spec="NATURAL",
            diag_pivot_thresh=0.0,
        )
    except RuntimeError:
        return None
    return lambda right: factors.solve(right[order])[back]


def _most(values: Floats) -> float:
    return max(float(values.max()), -float(values.min()))


def _in_blocks(inside: sparse.csr_array) -> tuple[Ints | None, list[int]]:
    """Order members so that the largest loop is a block, with all before it who don't ask it and all others behind.

    Returns the order (None: as it is) and the bounds of the blocks.
    """
    size = inside.shape[0]
    if size < _LARGE:
        return None, [0, size]
    _, loops = csgraph.connected_components(inside, directed=True, connection="strong")
    sizes = np.bincount(loops)
    largest = int(sizes.argmax())
    if sizes[largest] < _SHARE * size:
        return None, [0, size]
    loop = loops == largest
    behind = np.zeros(size, dtype=np.bool_)
    first = int(loop.argmax())
    behind[csgraph.breadth_first_order(inside.T.tocsr(), first, return_predecessors=False)] = True
    parts = [np.flatnonzero(~behind), np.flatnonzero(loop), np.flatnonzero(behind & ~loop)]
    return np.concatenate(parts), np.cumsum([0, *map(len, parts)]).tolist()


def _ones(counts: Ints, columns: Ints, width: int, dtype: npt.DTypeLike) -> sparse.csr_array:
    """Make a matrix of ones, row by row: `counts` of them in each, at `columns`."""
    starts = np.zeros(len(counts) + 1, dtype=np.int32)
    np.cumsum(counts, out=starts[1:])
    data = np.ones(len(columns), dtype=dtype)
    return sparse.csr_array((data, columns.astype(np.int32), starts), shape=(len(counts), width))
