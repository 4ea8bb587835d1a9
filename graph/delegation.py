"""The delegation graph: the members and followings of one community at one revision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from operator import itemgetter
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt

from graph.digraph import Adjacency, Edges, Roles, SharingDiGraph
from graph.values import FollowingRemoved, FollowingSet, GraphChange, Member, MemberRemoved, MemberSet


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


class DelegationGraph:
    """A community's members and followings at one revision: a frozen value around a `networkx.DiGraph`.

    Attributes
    ----------
    revision : int
    digraph : networkx.DiGraph
        Edges go from follower to followee and have the attribute ``tags`` (a frozenset, empty for everything);
        nodes have the attribute ``counted``. Frozen; attribute dictionaries are shared and must not be written.
    followees, followers, roles : dict
        The dictionaries that the DiGraph rests on, for reading in loops: its views of them (``succ``, ``pred``,
        ``nodes``) take several times as long.

    Notes
    -----
    `updated` shares with the older value whatever it does not change: the outer dictionaries are copied, inner
    ones only for the members that are touched. Nothing is ever changed in place.
    """

    def __init__(self, roles: Roles, followees: Adjacency, followers: Adjacency, *, revision: int) -> None:
        self.roles = roles
        self.followees = followees
        self.followers = followers
        self.digraph: nx.DiGraph[Member] = nx.freeze(SharingDiGraph(on=(roles, followees, followers)))
        self.revision = revision

    @classmethod
    def build(
        cls,
        *,
        revision: int,
        members: Iterable[tuple[Member, bool]],
        followings: Iterable[tuple[Member, Member, frozenset[str]]],
    ) -> DelegationGraph:
        """Build the graph from rows.

        Parameters
        ----------
        revision : int
        members : iterable of (member, counted)
        followings : iterable of (follower, followee, tags)
            Those from or to somebody who is no member, and those of oneself, are left out.

        Returns
        -------
        DelegationGraph
        """
        attributes = _Attributes()
        roles = {member: attributes.role(counted) for member, counted in members}
        followees: Adjacency = {member: {} for member in roles}
        followers: Adjacency = {member: {} for member in roles}
        for follower, followee, tags in followings:
            if follower != followee and follower in roles and followee in roles:
                followees[follower][followee] = followers[followee][follower] = attributes.following(tags)
        return cls(roles, followees, followers, revision=revision)

    def updated(self, changes: Iterable[GraphChange], *, revision: int) -> DelegationGraph:
        """Make the graph after changes; this value stays as it is.

        Parameters
        ----------
        changes : iterable of GraphChange
            In their order. A removed member's followings are dropped; callers set them again if the member comes back.
        revision : int
            Of the new graph.

        Returns
        -------
        DelegationGraph
        """
        changes = list(changes)
        if not changes:
            later = copy(self)
            later.revision = revision
            return later
        draft = _Draft(self)
        for change in changes:
            draft.apply(change)
        return DelegationGraph(draft.roles, draft.followees, draft.followers, revision=revision)

    def __contains__(self, member: object) -> bool:
        return member in self.roles

    def __len__(self) -> int:
        return len(self.roles)

    def counts(self, member: Member) -> bool:
        """Whether the member is a voter. Somebody who is no member is not."""
        role = self.roles.get(member)
        return role is not None and bool(role["counted"])

    @cached_property
    def voters(self) -> int:
        """The number of counted members."""
        return sum(role["counted"] for role in self.roles.values())

    @cached_property
    def arrays(self) -> GraphArrays:
        """The graph in arrays; made once, O(members + followings)."""
        members = sorted(self.roles)
        index = dict(zip(members, range(len(members)), strict=True))
        rows = list(map(self.followees.__getitem__, members))
        starts = np.zeros(len(members) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)), out=starts[1:])
        total = int(starts[-1])
        # Chained iterators rather than comprehensions: this runs once per following.
        followees = _positions(members, np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=total))
        positions: defaultdict[frozenset[str], int] = defaultdict(count().__next__)
        positions[frozenset()]  # the untagged come first, as 0
        tags = map(itemgetter("tags"), chain.from_iterable(map(dict.values, rows)))
        tag_sets = np.fromiter(map(positions.__getitem__, tags), dtype=np.int64, count=total)
        roles = map(itemgetter("counted"), map(self.roles.__getitem__, members))
        counted = np.fromiter(roles, dtype=np.bool_, count=len(members))
        return GraphArrays(members, index, counted, starts, followees, tag_sets, list(positions))


class _Attributes:
    """One attribute dictionary for all equal members, and one for all equal followings, to save memory."""

    def __init__(self) -> None:
        self._roles = {counted: {"counted": counted} for counted in (False, True)}
        self._followings: dict[frozenset[str], dict[str, Any]] = {}

    def role(self, counted: bool) -> dict[str, Any]:
        return self._roles[bool(counted)]

    def following(self, tags: frozenset[str]) -> dict[str, Any]:
        attributes = self._followings.get(tags)
        if attributes is None:
            tags = frozenset(tags)
            attributes = self._followings[tags] = {"tags": tags}
        return attributes


class _Draft:
    """The dictionaries of a graph in the making; inner ones are copied when first written."""

    def __init__(self, graph: DelegationGraph) -> None:
        self.roles = graph.roles.copy()
        self.followees = graph.followees.copy()
        self.followers = graph.followers.copy()
        self._attributes = _Attributes()
        self._own_followees: set[Member] = set()
        self._own_followers: set[Member] = set()

    def apply(self, change: GraphChange) -> None:
        match change:
            case MemberSet(member, counted):
                self.roles[member] = self._attributes.role(counted)
                self.followees.setdefault(member, {})
                self.followers.setdefault(member, {})
            case MemberRemoved(member):
                self._remove(member)
            case FollowingSet(follower, followee, tags):
                if follower != followee and follower in self.followees and followee in self.followees:
                    attributes = self._attributes.following(tags)
                    self._writable(self.followees, self._own_followees, follower)[followee] = attributes
                    self._writable(self.followers, self._own_followers, followee)[follower] = attributes
            case FollowingRemoved(follower, followee):
                if followee in self.followees.get(follower, ()):
                    del self._writable(self.followees, self._own_followees, follower)[followee]
                    del self._writable(self.followers, self._own_followers, followee)[follower]

    def _remove(self, member: Member) -> None:
        if self.roles.pop(member, None) is None:
            return
        for followee in self.followees[member]:
            del self._writable(self.followers, self._own_followers, followee)[member]
        for follower in self.followers[member]:
            del self._writable(self.followees, self._own_followees, follower)[member]
        del self.followees[member], self.followers[member]
        self._own_followees.discard(member)
        self._own_followers.discard(member)

    @staticmethod
    def _writable(edges: Adjacency, own: set[Member], member: Member) -> Edges:
        if member not in own:
            own.add(member)
            edges[member] = edges[member].copy()
        return edges[member]


def _positions(members: list[Member], wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Find the positions of the wanted members among all, who ascend."""
    numbers = np.array(members, dtype=np.int64)
    if len(members) and numbers[-1] - numbers[0] < 4 * len(members):
        table = np.zeros(int(numbers[-1] - numbers[0]) + 1, dtype=np.int64)
        table[numbers - numbers[0]] = np.arange(len(members))
        positions: npt.NDArray[np.int64] = table[wanted - numbers[0]]
        return positions
    return np.searchsorted(numbers, wanted)
