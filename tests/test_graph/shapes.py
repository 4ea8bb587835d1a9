"""Communities of one shape and any length, with the value that everybody inherits: closed forms, in fractions.

Two ballots are cast in each, `FIVE` and `NONE`, on two choices that mirror each other: a member's second rating is what
the first lacks to five stars. Members who inherit are numbered from `FIRST` on.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from graph import CastBallot, DelegationGraph, Member

FIVE, NONE, FIRST = 0, 1, 2
BALLOTS = {FIVE: CastBallot((5, 0)), NONE: CastBallot((0, 5))}
LOTS = (1, 2)

Pair = tuple[Member, Member]


class Shape(NamedTuple):
    """Followings, and the share of `FIVE` in everybody's ballot, in the order of members."""

    followings: list[Pair]
    shares: list[Fraction]


def chain(length: int) -> Shape:
    """One behind the other."""
    members = range(FIRST, FIRST + length)
    return Shape(list(pairwise([*members, FIVE])), [Fraction(1)] * length)


def comb(length: int) -> Shape:
    """A chain whose members each also follow a tooth of their own, who follows `NONE`: halves of halves."""
    spine = range(FIRST, FIRST + length)
    teeth = range(FIRST + length, FIRST + 2 * length)
    followings = [*pairwise([*spine, FIVE]), *zip(spine, teeth, strict=True), *((tooth, NONE) for tooth in teeth)]
    return Shape(followings, [Fraction(1, 2**left) for left in range(length, 0, -1)] + [Fraction(0)] * length)


def tree(length: int) -> Shape:
    """Everybody follows the next two of a heap; those at its end follow both who voted, the last `FIVE` alone."""
    followings: list[Pair] = []
    shares = [Fraction(1)] * length
    for at in reversed(range(length)):
        below = [one for one in (2 * at + 1, 2 * at + 2) if one < length]
        if below:
            shares[at] = sum((shares[one] for one in below), Fraction(0)) / len(below)
            followings += [(FIRST + at, FIRST + one) for one in below]
        else:
            ends = (FIVE,) if at == length - 1 else (FIVE, NONE)
            shares[at] = Fraction(1, len(ends))
            followings += [(FIRST + at, end) for end in ends]
    return Shape(followings, shares)


def ring(length: int) -> Shape:
    """A loop that is left at its beginning, for `FIVE`, and half way round, for `NONE`."""
    if length < 2:
        return chain(length)
    members = range(FIRST, FIRST + length)
    half = length // 2
    followings = [*pairwise([*members, FIRST]), (FIRST, FIVE), (FIRST + half, NONE)]
    # Whoever comes to an exit takes it every other time.
    shares = [Fraction(2, 3) if at == 0 or at > half else Fraction(1, 3) for at in range(length)]
    return Shape(followings, shares)


def ladder(length: int) -> Shape:
    """Two chains whose members also follow each other across: loops of two, one behind the other."""
    left = range(FIRST, FIRST + length)
    right = range(FIRST + length, FIRST + 2 * length)
    rungs = list(zip(left, right, strict=True))
    followings = [*pairwise([*left, FIVE]), *pairwise([*right, NONE]), *rungs, *((b, a) for a, b in rungs)]
    off = [Fraction(1, 2 * 3**rung) for rung in range(length, 0, -1)]
    half = Fraction(1, 2)
    return Shape(followings, [half + one for one in off] + [half - one for one in off])


def corridor(length: int) -> Shape:
    """Everybody follows both neighbours; the ways out are at the ends."""
    steps = list(pairwise([FIVE, *range(FIRST, FIRST + length), NONE]))
    followings = [(a, b) for a, b in steps if a >= FIRST] + [(b, a) for a, b in steps if b >= FIRST]
    return Shape(followings, [Fraction(length - at, length + 1) for at in range(length)])


def trap(length: int) -> Shape:
    """A chain whose members each also follow its beginning, and so hardly ever come to its end."""
    members = range(FIRST, FIRST + length)
    followings = [*pairwise([*members, FIVE]), *((member, FIRST) for member in members[1:]), (FIRST, NONE)]
    # From a member, all next steps lead on (to FIVE), or one leads back; the beginning asks NONE every other time.
    beginning = Fraction(1, 2**length) / (1 - sum((Fraction(1, 2**step) for step in range(2, length + 1)), Fraction(0)))
    shares = [beginning]
    for left in range(length - 1, 0, -1):
        on = Fraction(1, 2**left)
        shares.append(on + (1 - on) * beginning)
    return Shape(followings, shares)


def tail_on_a_loop(length: int) -> Shape:
    """Two who follow each other and are left for `FIVE` and `NONE`, and a chain behind them."""
    loop, second, *_ = members = range(FIRST, FIRST + 2 + length)
    followings = [(loop, second), (second, loop), (loop, FIVE), (second, NONE)]
    followings += [(behind, ahead) for ahead, behind in pairwise(members[1:])]
    return Shape(followings, [Fraction(2, 3)] + [Fraction(1, 3)] * (1 + length))


def loop_on_a_chain(length: int) -> Shape:
    """Two who follow each other, and of whom one follows `NONE`, the other the beginning of a chain."""
    loop, second, *_ = members = range(FIRST, FIRST + 2 + length)
    followings = [(loop, second), (second, loop), (second, NONE), *pairwise([loop, *members[2:], FIVE])]
    return Shape(followings, [Fraction(2, 3), Fraction(1, 3)] + [Fraction(1)] * length)


def chain_between_loops(length: int) -> Shape:
    """A loop of two who lead into a chain that leads to another loop of two, and a tail behind all as long as that."""
    first, second, near, far, *rest = range(FIRST, FIRST + 4 + 2 * length)
    middle, tail = rest[:length], rest[length:]
    followings = [(near, far), (far, near), (near, FIVE), (far, NONE)]
    followings += pairwise([first, *middle, near])
    followings += [(first, second), (second, first), (second, NONE), *pairwise([*tail, first])]
    two_thirds = Fraction(2, 3)
    beginning = [two_thirds * two_thirds, two_thirds / 3, two_thirds, Fraction(1, 3)]
    return Shape(followings, beginning + [two_thirds] * length + [two_thirds * two_thirds] * length)


LOOPLESS: tuple[Callable[[int], Shape], ...] = (chain, comb, tree)
LOOPED: tuple[Callable[[int], Shape], ...] = (
    ring,
    ladder,
    corridor,
    trap,
    tail_on_a_loop,
    loop_on_a_chain,
    chain_between_loops,
)


def graph_of(shape: Shape) -> DelegationGraph:
    everything = frozenset[str]()
    return DelegationGraph.build(
        revision=1,
        members=((member, True) for member in range(FIRST + len(shape.shares))),
        followings=((*pair, everything) for pair in shape.followings),
    )


def expected(shares: list[Fraction]) -> list[tuple[int, int]]:
    """The microstars of those who inherit, rounded once, half to even."""
    return [(_rounded(share), _rounded(1 - share)) for share in shares]


@cache
def _rounded(share: Fraction) -> int:
    return round(share * 5_000_000)
