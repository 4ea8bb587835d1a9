"""The delegation graph: the members and followings of one community at one revision."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx

from graph.arrays import GraphArrays, laid_out, spliced
from graph.blocks import Blocks, Draft
from graph.digraph import Edges, Role, SharingDiGraph
from graph.values import FollowingRemoved, FollowingSet, GraphChange, Member, MemberRemoved, MemberSet

# With so many changed members since arrays were made, one in these, new ones are made of the whole graph.
_MOST_CHANGED = 10


class DelegationGraph:
    """A community's members and followings at one revision: a frozen value around a `networkx.DiGraph`.

    Attributes
    ----------
    revision : int
    digraph : networkx.DiGraph
        Edges go from follower to followee and have the attribute ``tags`` (a frozenset, empty for everything);
        nodes have the attribute ``counted``. Frozen; attribute dictionaries are shared and must not be written.
    followees, followers, roles : mapping
        What the DiGraph rests on, for reading in loops: its views of them (``succ``, ``pred``, ``nodes``) take several
        times as long.
    voters : int
        The number of counted members.

    Notes
    -----
    `updated` shares with the older value whatever it does not change (see `graph.blocks`), dictionaries of neighbours
    for all members that are not touched. Nothing is ever changed in place.
    """

    def __init__(
        self, roles: Blocks[Role], followees: Blocks[Edges], followers: Blocks[Edges], *, revision: int, voters: int
    ) -> None:
        self.roles = roles
        self.followees = followees
        self.followers = followers
        self.digraph: nx.DiGraph[Member] = nx.freeze(SharingDiGraph(on=(roles, followees, followers)))
        self.revision = revision
        self.voters = voters
        self._before: _Earlier | None = None

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
        followees: dict[Member, Edges] = {member: {} for member in roles}
        followers: dict[Member, Edges] = {member: {} for member in roles}
        for follower, followee, tags in followings:
            if follower != followee and follower in roles and followee in roles:
                followees[follower][followee] = followers[followee][follower] = attributes.following(tags)
        voters = sum(role["counted"] for role in roles.values())
        blocks = Blocks(roles.items()), Blocks(followees.items()), Blocks(followers.items())
        return cls(*blocks, revision=revision, voters=voters)

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
        later = draft.done(revision)
        before = _Earlier(self.arrays, None) if "arrays" in vars(self) else self._before
        if before is not None:
            later._before = before.and_(draft.touched, most=len(later) // _MOST_CHANGED + 1)
        return later

    def __contains__(self, member: object) -> bool:
        return member in self.roles

    def __len__(self) -> int:
        return len(self.roles)

    def counts(self, member: Member) -> bool:
        """Whether the member is a voter. Somebody who is no member is not."""
        role = self.roles.get(member)
        return role is not None and bool(role["counted"])

    @cached_property
    def arrays(self) -> GraphArrays:
        """The graph in arrays; made once, from those of an earlier revision where there are some."""
        before = self._before
        if before is None:
            return laid_out(self.roles, self.followees)
        arrays = spliced(before.arrays, self.roles, self.followees, before.touched())
        self._before = None
        return arrays


@dataclass(frozen=True, slots=True)
class _Earlier:
    """Arrays of an earlier revision, and whom the changes since then touched, the last ones first."""

    arrays: GraphArrays
    last: frozenset[Member] | None
    before: _Earlier | None = None
    number: int = 0

    def and_(self, touched: Collection[Member], *, most: int) -> _Earlier | None:
        """Add members; None if that makes more than `most`."""
        number = self.number + len(touched)
        return _Earlier(self.arrays, frozenset(touched), self, number) if number <= most else None

    def touched(self) -> set[Member]:
        found: set[Member] = set()
        one: _Earlier | None = self
        while one is not None:
            found.update(one.last or ())
            one = one.before
        return found


class _Attributes:
    """One attribute dictionary for all equal members, and one for all equal followings, to save memory."""

    def __init__(self) -> None:
        self._roles = {counted: {"counted": counted} for counted in (False, True)}
        self._followings: dict[frozenset[str], dict[str, Any]] = {}

    def role(self, counted: bool) -> Role:
        return self._roles[bool(counted)]

    def following(self, tags: frozenset[str]) -> dict[str, Any]:
        attributes = self._followings.get(tags)
        if attributes is None:
            tags = frozenset(tags)
            attributes = self._followings[tags] = {"tags": tags}
        return attributes


class _Draft:
    """A graph in the making; dictionaries of neighbours are copied when first written."""

    def __init__(self, graph: DelegationGraph) -> None:
        self.touched: set[Member] = set()
        self._roles = Draft(graph.roles)
        self._followees = Draft(graph.followees)
        self._followers = Draft(graph.followers)
        self._voters = graph.voters
        self._attributes = _Attributes()
        self._own_followees: set[Member] = set()
        self._own_followers: set[Member] = set()

    def apply(self, change: GraphChange) -> None:
        match change:
            case MemberSet(member, counted):
                self._set(member, counted=counted)
            case MemberRemoved(member):
                self._remove(member)
            case FollowingSet(follower, followee, tags):
                if follower != followee and self._roles.get(follower) and self._roles.get(followee):
                    attributes = self._attributes.following(tags)
                    self._writable(self._followees, self._own_followees, follower)[followee] = attributes
                    self._writable(self._followers, self._own_followers, followee)[follower] = attributes
                    self.touched.add(follower)
            case FollowingRemoved(follower, followee):
                if followee in (self._followees.get(follower) or ()):
                    del self._writable(self._followees, self._own_followees, follower)[followee]
                    del self._writable(self._followers, self._own_followers, followee)[follower]
                    self.touched.add(follower)

    def done(self, revision: int) -> DelegationGraph:
        """Make the graph. The draft is of no further use."""
        blocks = self._roles.done(), self._followees.done(), self._followers.done()
        return DelegationGraph(*blocks, revision=revision, voters=self._voters)

    def _set(self, member: Member, *, counted: bool) -> None:
        before = self._roles.get(member)
        if before is None:
            self._followees.set(member, {})
            self._followers.set(member, {})
        else:
            self._voters -= before["counted"]
        self._roles.set(member, self._attributes.role(counted))
        self._voters += bool(counted)
        self.touched.add(member)

    def _remove(self, member: Member) -> None:
        role = self._roles.pop(member)
        if role is None:
            return
        followees, followers = self._followees.pop(member), self._followers.pop(member)
        self._voters -= role["counted"]
        for followee in followees or ():
            del self._writable(self._followers, self._own_followers, followee)[member]
        for follower in followers or ():
            del self._writable(self._followees, self._own_followees, follower)[member]
        self._own_followees.discard(member)
        self._own_followers.discard(member)
        self.touched.update((member, *(followers or ())))

    @staticmethod
    def _writable(edges: Draft[Edges], own: set[Member], member: Member) -> Edges:
        found = edges.get(member)
        assert found is not None
        if member not in own:
            own.add(member)
            found = found.copy()
            edges.set(member, found)
        return found
