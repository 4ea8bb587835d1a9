"""Sources: the cast ballots that a staged ballot rests on, and how many ballots a cast one carries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from heapq import heappop, heappush

import numpy as np
from scipy import sparse

from graph.activity import find_activity
from graph.arrays import GraphArrays
from graph.elimination import FEW, Closure, closure, exact_sources
from graph.fixedpoint import Floats
from graph.loops import LinearSystem
from graph.values import CastBallot, Member, Source

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


def find_influence(
    graph: GraphArrays, ballots: Mapping[Member, CastBallot], leaving_out: Collection[Member]
) -> dict[Member, float]:
    """Count, for each cast ballot with stars, the counted ballots that it carries, itself included.

    Parameters
    ----------
    graph : GraphArrays
    ballots : mapping from member to CastBallot
        Of members only.
    leaving_out : collection of members
        Whose inherited ballots don't count.

    Returns
    -------
    dict from member to float
        In order of member.
    """
    size = len(graph.members)
    own = np.zeros(size, dtype=np.bool_)
    own[[graph.index[member] for member in ballots]] = True
    tags = {graph.index[member]: one.tags for member, one in sorted(ballots.items()) if not one.abstain}
    cast = np.fromiter(tags, dtype=np.int64, count=len(tags))
    activity = find_activity(graph, own=own, cast=cast, cast_tags=list(tags.values()))
    inheriting = np.flatnonzero(activity.holders & ~own)
    local = np.full(size, -1)
    local[inheriting] = np.arange(len(inheriting))
    followers, columns = local[activity.followers], local[activity.followees]
    inner = columns >= 0
    ones, shape = np.ones(int(inner.sum()), dtype=np.int64), (len(inheriting), len(inheriting))
    inside = sparse.coo_array((ones, (followers[inner], columns[inner])), shape=shape).tocsr()
    counts = graph.counted.astype(np.float64)
    carried = counts.copy()
    counts[[graph.index[member] for member in leaving_out if member in graph.index]] = 0.0
    asked = _asked(LinearSystem(np.bincount(followers, minlength=len(inheriting)), inside), counts[inheriting])
    carried += np.bincount(activity.followees[~inner], weights=asked[followers[~inner]], minlength=size)
    return {graph.members[row]: number for row, number in zip(tags, carried[cast].tolist(), strict=True)}


def _float_weights(whom: Closure, askers: Mapping[Member, float]) -> dict[Member, float]:
    """Weigh the cast ballots by the askers that reach them, each asking so often: the means transposed."""
    index = dict(zip(whom, range(len(whom)), strict=True))
    start = np.zeros(len(whom))
    for member, weight in askers.items():
        start[index[member]] = weight
    weights: dict[Member, float] = {}
    for share, active in zip(_asked(LinearSystem.of(whom), start).tolist(), whom.values(), strict=True):
        for one in active:
            if one not in index:
                weights[one] = weights.get(one, 0.0) + share
    return weights


def _asked(system: LinearSystem, start: Floats) -> Floats:
    """Find how often each row of the system is asked, where the rows of `start` ask first: y = K^-T start. A followee
    then receives y[i] from each follower i.
    """
    transposed, right = system.transposed(), start[:, None]
    asked = transposed.solve(right)
    for _ in range(2):
        asked += transposed.solve(right - transposed.times(asked))
    share: Floats = np.maximum(asked[:, 0], 0.0)
    return share


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
