"""Activity: the members that have ballots in a decision, their tags and the active followings, as a least fixed point.

Tags are bits: bit i of a member stands for the i-th tag of the decision, one more bit for having a ballot at all. A
following hands on the bits in its mask: an untagged one all, a tagged one those of its tags; whoever receives
anything has a ballot. Handing on is monotone, so that the least fixed point exists and is reached from no ballots [1]_.

References
----------
.. [1] A. Tarski, "A lattice-theoretical fixpoint theorem and its applications", Pacific J. Math. 5 (1955).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from graph.arrays import GraphArrays
from graph.fixedpoint import Ints
from graph.values import NO_TAGS

Bits = npt.NDArray[np.uint64]

# Rounds narrower than this, after as many, go one by one: a chain has as many rounds as members.
NARROW = 64


@dataclass(frozen=True, slots=True)
class Activity:
    """The active followings by follower (as rows of the graph's arrays), and every member's tags."""

    followers: Ints
    followees: Ints
    tags: list[frozenset[str]]
    holders: npt.NDArray[np.bool_]


def find_activity(
    graph: GraphArrays, *, own: npt.NDArray[np.bool_], cast: Ints, cast_tags: Sequence[frozenset[str]]
) -> Activity:
    """Find the least fixed point on the whole graph.

    Parameters
    ----------
    graph : GraphArrays
    own : bool array, one per member
        Whether the member cast a ballot or an abstention, and so inherits nothing.
    cast : int64 array
        The rows of members who cast a ballot with stars.
    cast_tags : sequence of frozenset of str
        The tags of these ballots, in the same order.

    Returns
    -------
    Activity
    """
    distinct = {tags: position for position, tags in enumerate(dict.fromkeys(cast_tags))}
    alphabet = _Alphabet(distinct)
    followings = _Followings(graph, own, alphabet)
    bits: Bits = np.zeros((len(graph.members), alphabet.words), dtype=np.uint64)
    ballots = alphabet.encode(distinct)
    bits[cast] = ballots[np.fromiter((distinct[tags] for tags in cast_tags), dtype=np.int64, count=len(cast))]
    _spread(bits, cast, followings.followers, followings.followees, followings.masks, alphabet.ballot)

    followers, followees = followings.active(bits)
    holders = _has_some(bits)
    if alphabet.bits:
        tags = _decode(bits, alphabet.bits)
        for row, its_tags in zip(cast.tolist(), cast_tags, strict=True):
            tags[row] = its_tags
    else:
        tags = [NO_TAGS] * len(graph.members)
    return Activity(followers, followees, tags, holders)


def find_active(
    graph: GraphArrays, *, own: npt.NDArray[np.bool_], holders: npt.NDArray[np.bool_], tags: Sequence[frozenset[str]]
) -> tuple[Ints, Ints]:
    """Find the active followings, follower by follower, where it is known who has a ballot with which tags.

    Parameters
    ----------
    graph : GraphArrays
    own : bool array
        As `find_activity`.
    holders : bool array
        Whether the member has a ballot with stars.
    tags : sequence of frozenset of str
        Everybody's tags; those of members without such a ballot are ignored.

    Returns
    -------
    followers, followees : int64 arrays
    """
    distinct: dict[frozenset[str], int] = {NO_TAGS: 0}
    if len(graph.tags) > 1:
        which = np.fromiter((distinct.setdefault(one, len(distinct)) for one in tags), dtype=np.int64, count=len(tags))
    else:
        # Untagged followings hand everything on.
        which = np.zeros(len(tags), dtype=np.int64)
    alphabet = _Alphabet(distinct)
    bits = alphabet.encode(distinct)[which]
    bits[~holders] = 0
    return _Followings(graph, own, alphabet).active(bits)


class _Alphabet:
    """The tags of a decision as bits, and one more bit for having a ballot at all."""

    def __init__(self, tag_sets: Iterable[frozenset[str]]) -> None:
        self.bits = {tag: bit for bit, tag in enumerate(sorted(set().union(*tag_sets)))}
        self.ballot = 1 << len(self.bits)
        self.words = len(self.bits) // 64 + 1

    def encode(self, tag_sets: Iterable[frozenset[str]]) -> Bits:
        """Encode the tags of ballots."""
        return _words([_encode(tags, self.bits) | self.ballot for tags in tag_sets], self.words)

    def masks(self, tag_sets: Iterable[frozenset[str]]) -> Bits:
        """Encode what followings on these tags hand on."""
        everything = (self.ballot << 1) - 1
        return _words([_encode(tags, self.bits) if tags else everything for tags in tag_sets], self.words)


class _Followings:
    """The followings that can be active: their followers wrote no ballot, and ballots bear such tags."""

    def __init__(self, graph: GraphArrays, own: npt.NDArray[np.bool_], alphabet: _Alphabet) -> None:
        followers = np.repeat(np.arange(len(graph.members)), np.diff(graph.starts))
        open_ = ~own[followers]
        self.followers, self.followees = followers[open_], graph.followees[open_]
        self.masks: Bits | None = None
        if len(graph.tags) > 1:
            masks = alphabet.masks(graph.tags)
            tag_sets = graph.tag_sets[open_]
            useful = _has_some(masks)[tag_sets]
            self.followers, self.followees = self.followers[useful], self.followees[useful]
            self.masks = masks[tag_sets[useful]]

    def active(self, bits: Bits) -> tuple[Ints, Ints]:
        """Select those that hand something on, where the members' ballots have these bits."""
        handed = bits[self.followees]
        if self.masks is not None:
            handed &= self.masks
        active = _has_some(handed)
        return self.followers[active], self.followees[active]


def by_followee(followers: Ints, followees: Ints, size: int) -> tuple[Ints, Ints]:
    """Sort followings by followee: where each followee's begin, and the positions of the followings in that order."""
    count = len(followers)
    starts = np.arange(count + 1, dtype=np.int64)
    table = sparse.csr_array((np.arange(count), followees, starts), shape=(count, size)).tocsc()
    return table.indptr.astype(np.int64), table.data


def slices(starts: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """List the positions in ``starts[r]:starts[r + 1]`` for all rows r, one after the other, and how many each has."""
    counts = starts[rows + 1] - starts[rows]
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts[rows] - ends + counts, counts), counts


def once(rows: Ints, scratch: Ints) -> Ints:
    """List each of these rows once, in any order. `scratch`: an array with a place for every row, to write in."""
    positions = np.arange(len(rows))
    scratch[rows] = positions
    return np.asarray(rows[scratch[rows] == positions])


def _spread(bits: Bits, start: Ints, followers: Ints, followees: Ints, masks: Bits | None, ballot_bit: int) -> None:
    """Hand bits on from followee to follower until nothing changes, in place."""
    starts, order = by_followee(followers, followees, len(bits))
    receivers = followers[order]
    passes = None if masks is None else masks[order]
    ballot = _words([ballot_bit], bits.shape[1])[0]
    scratch = np.empty(len(bits), dtype=np.int64)
    changed = start
    rounds = 0
    while len(changed):
        rounds += 1
        if rounds > NARROW and len(changed) < NARROW:
            _spread_one_by_one(bits, changed, starts, receivers, passes, ballot_bit)
            return
        at, counts = slices(starts, changed)
        handed = np.repeat(bits[changed], counts, axis=0)
        if passes is not None:
            handed &= passes[at]
        some = _has_some(handed)
        to, handed = receivers[at[some]], handed[some] | ballot
        touched = once(to, scratch)
        before = bits[touched]
        for word in range(bits.shape[1]):
            np.bitwise_or.at(bits[:, word], to, handed[:, word])
        changed = touched[_has_some(bits[touched] ^ before)]


def _spread_one_by_one(
    bits: Bits, changed: Ints, starts: Ints, receivers: Ints, passes: Bits | None, ballot_bit: int
) -> None:
    """`_spread` for narrow rounds, in whole numbers of any length."""
    held: dict[int, int] = {}
    queue: list[int] = changed.tolist()
    bounds: list[int] = starts.tolist()
    to: list[int] = receivers.tolist()
    while queue:
        row = queue.pop()
        mine = held.get(row) or _number(bits[row])
        for at in range(bounds[row], bounds[row + 1]):
            handed = mine if passes is None else mine & _number(passes[at])
            if handed:
                follower = to[at]
                before = held.get(follower)
                if before is None:
                    before = _number(bits[follower])
                after = before | handed | ballot_bit
                if after != before:
                    held[follower] = after
                    queue.append(follower)
    if held:
        bits[list(held)] = _words(list(held.values()), bits.shape[1])


def _has_some(bits: Bits) -> npt.NDArray[np.bool_]:
    """Whether there is any bit in each row. They have one word mostly, and numpy is slow along short rows."""
    return np.asarray(bits[:, 0] != 0 if bits.shape[1] == 1 else bits.any(axis=1))


def _encode(tags: frozenset[str], alphabet: dict[str, int]) -> int:
    return sum(1 << alphabet[tag] for tag in tags if tag in alphabet)


def _words(numbers: Sequence[int], words: int) -> Bits:
    """Numbers as rows of 64-bit words, lowest first."""
    raw = b"".join(number.to_bytes(8 * words, "little") for number in numbers)
    return np.frombuffer(raw, dtype="<u8").reshape(len(numbers), words).astype(np.uint64)


def _number(row: Bits) -> int:
    return int(row[0]) if len(row) == 1 else int.from_bytes(row.astype("<u8").tobytes(), "little")


def _decode(bits: Bits, alphabet: dict[str, int]) -> list[frozenset[str]]:
    """Turn every row into tags; equal ones are one object."""
    if bits.shape[1] == 1:
        distinct, which = np.unique(bits[:, 0], return_inverse=True)
        distinct = distinct[:, None]
    else:
        distinct, which = np.unique(bits, axis=0, return_inverse=True)
    sets = [
        frozenset(tag for tag, bit in alphabet.items() if number >> bit & 1) or NO_TAGS
        for number in map(_number, distinct)
    ]
    return list(map(sets.__getitem__, which.ravel().tolist()))
