"""Sources: the cast ballots that a staged ballot rests on, and how many ballots a cast one carries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from heapq import heappop, heappush

import numpy as np

from graph.elimination import FEW, Closure, closure, exact_sources
from graph.loops import LinearSystem
from graph.values import Member, Source

Active = Callable[[Member], Sequence[Member] | None]


def find_sources(member: Member, active: Active) -> tuple[Source, ...]:
    """Find the sources of a ballot, heaviest first, then by member.

    Parameters
    ----------
    member : Member
        A member with a ballot, cast or inherited.
    active : callable
        A member's active followees; None for a member with a cast ballot.

    Returns
    -------
    tuple of Source

    Notes
    -----
    Weights are fractions where the ballot rests on up to `elimination.FEW` inheriting members, floats where on more.
    Paths are found as by Dijkstra [1]_, with products in place of sums.

    References
    ----------
    .. [1] E. W. Dijkstra, "A note on two problems in connexion with graphs", Numerische Mathematik 1 (1959).
    """
    whom = closure([member], active) or {}
    weights: Mapping[Member, Fraction] | Mapping[Member, float]
    if member not in whom:
        return (Source(member, Fraction(1), (member,)),)
    weights = exact_sources(whom, member) if len(whom) <= FEW else _float_weights(whom, {member: 1.0})
    paths = _strongest_paths(member, whom)
    sources = [Source(source, weight, paths[source]) for source, weight in weights.items()]
    total = sum(source.weight for source in sources)
    if not isinstance(total, Fraction):
        sources = [Source(source.member, source.weight / total, source.path) for source in sources]
    return tuple(sorted(sources, key=lambda source: (-source.weight, source.member)))


def find_influence(cast: Collection[Member], counted: Mapping[Member, float], active: Active) -> dict[Member, float]:
    """Count, for each cast ballot, the counted ballots that it carries.

    Parameters
    ----------
    cast : collection of members
        Members with a cast ballot.
    counted : mapping from member to float
        Members who inherit and are counted, each with 1.
    active : callable
        A member's active followees; None for a member with a cast ballot.

    Returns
    -------
    dict from member to float
    """
    influence = dict.fromkeys(cast, 0.0)
    whom = closure(counted, active) or {}
    for source, weight in _float_weights(whom, counted).items():
        influence[source] += weight
    return influence


def _float_weights(whom: Closure, askers: Mapping[Member, float]) -> dict[Member, float]:
    """Weigh the cast ballots by the askers that reach them, each asking so often: the means transposed."""
    index = dict(zip(whom, range(len(whom)), strict=True))
    system = LinearSystem.of(whom).transposed()
    start = np.zeros((len(whom), 1))
    for member, weight in askers.items():
        start[index[member], 0] = weight
    # With y = K^-T start, a followee receives y[i] from each follower i.
    asked = system.solve(start)
    for _ in range(2):
        asked += system.solve(start - system.times(asked))
    weights: dict[Member, float] = {}
    for share, active in zip(np.maximum(asked[:, 0], 0.0).tolist(), whom.values(), strict=True):
        for one in active:
            if one not in index:
                weights[one] = weights.get(one, 0.0) + share
    return weights


def _strongest_paths(member: Member, whom: Closure) -> dict[Member, tuple[Member, ...]]:
    """Find the chain to everybody that most of the asking takes: the smallest product of followees along it.

    Among equals the shortest chain, then the one through the lowest members.
    """
    came: dict[Member, Member] = {}
    heap: list[tuple[int, int, Member, Member]] = [(1, 0, member, member)]
    while heap:
        product, length, before, here = heappop(heap)
        if here in came:
            continue
        came[here] = before
        active: Sequence[Member] = whom.get(here, ())
        for one in active:
            if one not in came:
                heappush(heap, (product * len(active), length + 1, here, one))

    def walk(end: Member) -> tuple[Member, ...]:
        path = [end]
        while path[-1] != member:
            path.append(came[path[-1]])
        return tuple(reversed(path))

    return {end: walk(end) for end in came if end not in whom}
