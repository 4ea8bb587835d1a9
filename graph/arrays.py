"""A delegation graph in arrays: laid out whole, or from those of an earlier graph and the members that changed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from graph.digraph import Edges, Role
from graph.values import Member

Roles = Mapping[Member, Role]
Adjacency = Mapping[Member, Edges]


@dataclass(frozen=True, slots=True)
class GraphArrays:
    """A delegation graph in arrays; row i is `members[i]`, and members ascend.

    The followings of row i are `starts[i]:starts[i + 1]` of `followees` (rows) and `tag_sets` (positions in
    `tags`, 0 for an untagged following).
    """

    members: list[Member]
    index: dict[Member, int]
    counted: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]
    followees: npt.NDArray[np.int64]
    tag_sets: npt.NDArray[np.int64]
    tags: list[frozenset[str]]


def laid_out(roles: Roles, followees: Adjacency) -> GraphArrays:
    """Lay a whole graph out, O(members + followings)."""
    members = sorted(roles)
    index = dict(zip(members, range(len(members)), strict=True))
    rows = list(map(followees.__getitem__, members))
    starts = _starts(np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)))
    total = int(starts[-1])
    # Chained iterators rather than comprehensions: this runs once per following.
    at = _positions(members, np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=total))
    positions: defaultdict[frozenset[str], int] = defaultdict(count().__next__)
    positions[frozenset()]  # the untagged come first, as 0
    tags = map(itemgetter("tags"), chain.from_iterable(map(dict.values, rows)))
    tag_sets = np.fromiter(map(positions.__getitem__, tags), dtype=np.int64, count=total)
    attributes = map(itemgetter("counted"), map(roles.__getitem__, members))
    counted = np.fromiter(attributes, dtype=np.bool_, count=len(members))
    return GraphArrays(members, index, counted, starts, at, tag_sets, list(positions))


def spliced(earlier: GraphArrays, roles: Roles, followees: Adjacency, touched: Collection[Member]) -> GraphArrays:
    """Lay a graph out of the arrays of an earlier one.

    Parameters
    ----------
    earlier : GraphArrays
    roles, followees : mappings
        Of the new graph.
    touched : collection of members
        All who came, left, or whose role or followings differ.

    Returns
    -------
    GraphArrays
        What does not differ may be shared. `tags` may have some that no following bears.
    """
    members, index, followed = _renumbered(earlier, roles, touched)
    # Rows of the earlier arrays to cut out, and the members whose rows come there instead.
    cuts: list[tuple[int, int]] = []
    put: list[list[Member]] = []
    for member in sorted(touched):
        row = earlier.index.get(member)
        if row is not None or member in roles:
            low = bisect_left(earlier.members, member) if row is None else row
            cuts.append((low, low + (row is not None)))
            put.append([member] if member in roles else [])
    ends = [(int(earlier.starts[low]), int(earlier.starts[high])) for low, high in cuts]
    mine = [[edge for member in row for edge in followees[member].items()] for row in put]
    positions: defaultdict[frozenset[str], int] = defaultdict(count(len(earlier.tags)).__next__)
    positions.update(zip(earlier.tags, range(len(earlier.tags)), strict=True))
    counts = _interleaved(np.diff(earlier.starts), cuts, [[len(followees[member]) for member in row] for row in put])
    tag_sets = _interleaved(earlier.tag_sets, ends, [[positions[edge["tags"]] for _, edge in row] for row in mine])
    return GraphArrays(
        members,
        index,
        _interleaved(earlier.counted, cuts, [[roles[member]["counted"] for member in row] for row in put]),
        _starts(counts),
        _interleaved(followed, ends, [[index[followee] for followee, _ in row] for row in mine]),
        tag_sets,
        list(positions),
    )


def _renumbered(
    earlier: GraphArrays, roles: Roles, touched: Collection[Member]
) -> tuple[list[Member], dict[Member, int], npt.NDArray[np.int64]]:
    """Find members, index and followees after some came or left; rows of followees who left are any."""
    came = sorted(member for member in touched if member not in earlier.index and member in roles)
    left = sorted(earlier.index[member] for member in touched if member in earlier.index and member not in roles)
    if not came and not left:
        return earlier.members, earlier.index, earlier.followees
    members = earlier.members.copy()
    for row in reversed(left):
        del members[row]
    for member in came:
        insort(members, member)
    row_numbers = np.arange(len(earlier.members))
    places = [bisect_left(earlier.members, member) for member in came]
    moved = row_numbers + np.searchsorted(places, row_numbers, side="right") - np.searchsorted(left, row_numbers)
    return members, dict(zip(members, range(len(members)), strict=True)), moved[earlier.followees]


def _interleaved(
    old: npt.NDArray[Any], cuts: Sequence[tuple[int, int]], new: Iterable[Sequence[Any]]
) -> npt.NDArray[Any]:
    """Cut parts out of an array, each given by its bounds, and put others there."""
    pieces: list[npt.NDArray[Any]] = []
    start = 0
    for (low, high), values in zip(cuts, new, strict=True):
        pieces += (old[start:low], np.array(values, dtype=old.dtype))
        start = high
    return np.concatenate((*pieces, old[start:]))


def _starts(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))


def _positions(members: list[Member], wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Find the positions of the wanted members among all, who ascend."""
    numbers = np.array(members, dtype=np.int64)
    if len(members) and numbers[-1] - numbers[0] < 4 * len(members):
        table = np.zeros(int(numbers[-1] - numbers[0]) + 1, dtype=np.int64)
        table[numbers - numbers[0]] = np.arange(len(members))
        positions: npt.NDArray[np.int64] = table[wanted - numbers[0]]
        return positions
    return np.searchsorted(numbers, wanted)
