"""Loops: members whose means refer to each other, solved as linear systems with proven error bounds.

The members of a loop satisfy ``k[i] * x[i] - sum(x[j] for active followees j in the loop) == b[i]``, where k counts
all active followees and b sums the values from outside. Since every member reaches a cast ballot, the matrix is a
non-singular M-matrix: its inverse is non-negative [1]_. A residual therefore bounds the error: for e >= 0 with
``K e >= |K X - b|`` follows ``|x - X| <= e``.

References
----------
.. [1] A. Berman, R. J. Plemmons, "Nonnegative Matrices in the Mathematical Sciences", chapter 6, SIAM 1994.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import splu

from graph.fixedpoint import MOST_UNITS, Floats, Ints, rounded_all
from graph.values import Member

# Up to this size a dense inverse is quicker than anything clever. Larger ones BLAS would share between threads, which
# take longer to meet than the inverse takes.
_DENSE = 100

# Iteration comes first, because the factors of a large random loop fill up; a loop that mixes slower than these allow
# is close to a chain or a trap, whose factors stay sparse.
_SWEEPS = 600
_KRYLOV_STEPS = 300

# With fewer inner followings per member than this, loops are little more than rings.
_RINGS = 1.3

# Good to the last bit of a 53-bit number below 2**51, within a unit.
_ALL_DIGITS = 1e-15


class LinearSystem:
    """The linear system of the members of one or more loops.

    Parameters
    ----------
    followees : int64 array
        k: the number of active followees of each row, inside and outside.
    inside : sparse int64 array
        1 where the row follows the column, actively.
    """

    def __init__(self, followees: Ints, inside: sparse.csr_array) -> None:
        self.followees = followees
        self.inside = inside
        self._k = followees.astype(np.float64)[:, None]
        self._inside = inside.astype(np.float64)
        self._shares = self._inside.multiply(1 / self._k).tocsr()
        self._direct: Callable[[Floats], Floats] | None = None
        self._slow = False

    @classmethod
    def of(cls, active: Mapping[Member, Sequence[Member]]) -> LinearSystem:
        """Make the system of the members that `active` gives the active followees of, in its order."""
        size = len(active)
        index = dict(zip(active, range(size), strict=True))
        rows = [row for row, followees in enumerate(active.values()) for one in followees if one in index]
        columns = [index[one] for followees in active.values() for one in followees if one in index]
        ones = np.ones(len(rows), dtype=np.int64)
        inside = sparse.coo_array((ones, (rows, columns)), shape=(size, size)).tocsr()
        return cls(np.fromiter(map(len, active.values()), dtype=np.int64, count=size), inside)

    def times(self, x: Floats) -> Floats:
        """Multiply K x in floating point."""
        product: Floats = self._k * x - self._inside @ x
        return product

    def residual(self, x: Ints, boundary: Ints) -> Ints:
        """Subtract b - K x, exactly."""
        left: Ints = boundary + self.inside @ x - self.followees[:, None] * x
        return left

    def solve(self, b: Floats, *, accuracy: float = _ALL_DIGITS) -> Floats:
        """Approximate K^-1 b (b: rows x right-hand sides), to `accuracy` where the system is tame; without promise."""
        if self._direct is None and len(self.followees) > _DENSE:
            scaled = b / self._k
            if not self._slow:
                x = self._sweep(scaled, accuracy)
                if x is not None:
                    return x
                self._slow = True
            if self._inside.nnz > _RINGS * len(self.followees):
                x = self._iterate(scaled)
                if x is not None:
                    return x
        if self._direct is None:
            self._direct = self._factors()
        return self._direct(b)

    def settle(self, boundary: Ints, errors: Floats) -> tuple[Ints, Floats]:
        """Find fixed-point values and their error bounds, both rows x choices.

        Parameters
        ----------
        boundary : int64 array
            b.
        errors : float64 array
            The summed error bounds of the values in b.

        Returns
        -------
        values : int64 array
        bounds : float64 array
            Infinite where floating point can't prove a bound: in loops that are next to impossible to leave.
        """
        x = _grid(self.solve(boundary.astype(np.float64)))
        left = self.residual(x, boundary)
        found: tuple[Ints, Floats] | None = None
        for _ in range(5):
            if found is None and (np.abs(left) <= self.followees[:, None]).all():
                found = x, self.bound(np.abs(left).astype(np.float64) + errors)
                if rounded_all(*found)[1].all():
                    return found
                # Going on may show that a value on a rounding boundary is exact.
            closer = _grid(x + np.nan_to_num(self.solve(left.astype(np.float64), accuracy=1e-8)))
            left_closer = self.residual(closer, boundary)
            if np.abs(left_closer).sum() >= np.abs(left).sum():
                break
            x, left, found = closer, left_closer, None
        return found or (x, self.bound(np.abs(left).astype(np.float64) + errors))

    def bound(self, right: Floats) -> Floats:
        """Prove an upper bound of K^-1 right for a non-negative `right`; infinite where none can be proven."""
        steps = self.solve(self._k.copy(), accuracy=1e-2)
        drop = self.times(steps)
        infinite = np.full(right.shape, np.inf)
        # With `steps` near the expected number of questions until somebody voted, `drop` is near k; what `guess` lacks
        # is made up for by as many `steps` as it takes.
        proven = np.isfinite(steps).all() and steps.min() >= 0.5 and steps.max() < 2.0**30
        if not proven or (drop < self._k / 2).any() or not np.isfinite(right).all():
            return infinite
        guess = np.maximum(self.solve(right, accuracy=1e-2), 0.0)
        if not np.isfinite(guess).all():
            return infinite
        missing = right - self.times(guess)
        # The factor covers the rounding of `drop`, the last term that of `missing`: k ulp of the largest guess.
        excess = 1.01 * np.maximum((missing / drop).max(axis=0), 0.0) + 1e-11 * guess.max(axis=0)
        bound: Floats = (guess + excess * steps) * (1 + 1e-9)
        return bound

    def transposed(self) -> LinearSystem:
        """Transpose the system, for `solve` only."""
        other = LinearSystem.__new__(LinearSystem)
        other.followees, other._k = self.followees, self._k
        other.inside = other._inside = self._inside.T.tocsr()
        other._shares = other._inside.multiply(1 / self._k).tocsr()
        other._direct, other._slow = None, self._slow
        return other

    def _factors(self) -> Callable[[Floats], Floats]:
        size = len(self.followees)
        matrix = sparse.diags_array(self._k[:, 0], format="csr") - self._inside
        if size <= _DENSE:
            try:
                inverse = np.linalg.inv(matrix.toarray())
            except np.linalg.LinAlgError:
                return lambda b: np.full(b.shape, np.nan)
            return lambda b: inverse @ b
        try:
            # Diagonal pivots keep the sparsity; an M-matrix needs no others.
            factors = splu(matrix.tocsc(), permc_spec="COLAMD", diag_pivot_thresh=0.0)
        except RuntimeError:
            return lambda b: np.full(b.shape, np.nan)
        return lambda b: factors.solve(np.ascontiguousarray(b))

    def _sweep(self, b: Floats, accuracy: float) -> Floats | None:
        """Take means over and over; None as soon as that turns out slow. The rows of b have been divided by k."""
        x = b
        last = np.inf
        checks = 0
        for sweep in range(_SWEEPS):
            following = self._shares @ x
            following += b
            if sweep % 8 == 7:
                change, size = _largest(following - x), _largest(following)
                if (change <= accuracy * size).all():
                    return following
                checks += 1
                relative = float((change / np.maximum(size, 1e-300)).max())
                if checks > 2:
                    gain = np.log(max(last / max(relative, 1e-300), 1.0)) / 8
                    if gain * (_SWEEPS - sweep) < np.log(max(relative / accuracy, 1.0)):
                        return None
                last = relative
            x = following
        return None

    def _iterate(self, b: Floats) -> Floats | None:
        """Stabilised bi-conjugate gradients on all right-hand sides at once [1]_; None if they don't converge.

        The rows have been divided by k.

        References
        ----------
        .. [1] H. A. van der Vorst, "Bi-CGSTAB", SIAM J. Sci. Stat. Comput. 13 (1992).
        """

        def times(v: Floats) -> Floats:
            product: Floats = v - self._shares @ v
            return product

        def dot(u: Floats, v: Floats) -> Floats:
            product: Floats = np.einsum("ij,ij->j", u, v)
            return product

        def ratio(over: Floats, under: Floats) -> Floats:
            return np.divide(over, under, out=np.zeros_like(over), where=under != 0)

        x = np.zeros_like(b)
        r = b.copy()
        shadow = b.copy()
        p = np.zeros_like(b)
        v = np.zeros_like(b)
        rho = alpha = omega = np.ones(b.shape[1])
        goal = 1e-10 * np.abs(b).max(axis=0)
        with np.errstate(all="ignore"):
            for _ in range(_KRYLOV_STEPS):
                size = np.abs(r).max(axis=0)
                if (size <= goal).all():
                    return x
                if not np.isfinite(size).all():
                    return None
                going = size > goal
                rho_next = dot(shadow, r)
                beta = ratio(rho_next, rho) * ratio(alpha, omega)
                rho = rho_next
                p = r + beta * (p - omega * v)
                v = times(p)
                alpha = np.where(going, ratio(rho, dot(shadow, v)), 0.0)
                s = r - alpha * v
                t = times(s)
                omega = np.where(going, ratio(dot(t, s), dot(t, t)), 0.0)
                x += alpha * p + omega * s
                r = s - omega * t
        return None


def _largest(values: Floats) -> Floats:
    """Find the largest of each column, one by one: numpy is slow along short rows."""
    return np.array([max(column.max(), -column.min()) for column in values.T])


def _grid(x: npt.NDArray[Any]) -> Ints:
    """Round to the nearest fixed-point values within the scale of stars."""
    whole: Ints = np.rint(np.clip(np.nan_to_num(x), 0.0, float(MOST_UNITS))).astype(np.int64)
    return whole
