"""Catching up: what the ledger's entries after a revision change in a delegation graph and in decisions' ballots.

# Note [Caught up in one step]
Contents in the ledger are absolute. So of many entries on a membership or a following only the last one matters, and
all of them together are one change of the graph: members who leave, then those who come or change, then followings
between members who are there at the end. Whoever left and came back meanwhile has not changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from democracy.ledger import Content, NewContent
from democracy.models import LedgerEntry
from democracy.recalculation.inputs import DecisionInputs, Pair, is_anonymous, is_counted
from graph import (
    CastBallot,
    DelegationGraph,
    FollowingRemoved,
    FollowingSet,
    GraphChange,
    MemberRemoved,
    MemberSet,
)

# Changed ballots by decision and member; None: withdrawn.
Ballots: TypeAlias = dict[int, dict[int, CastBallot | None]]


@dataclass
class CaughtUp:
    """The newest contents of what changed, and how a graph and decisions come to them.

    `asked`: the decisions to calculate from scratch, by request.
    """

    members: dict[int, Content] = field(default_factory=dict)
    followings: dict[Pair, Content] = field(default_factory=dict)
    ballots: Ballots = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)

    @classmethod
    def by(cls, entries: Iterable[NewContent], decisions: dict[int, DecisionInputs]) -> CaughtUp:
        """Read the entries, oldest first, and apply those on ballots to `decisions`."""
        found = cls()
        for entry in entries:
            match entry.kind:
                case LedgerEntry.Kind.MEMBERSHIP:
                    _, member = entry.subject.split(":")
                    found.members[int(member)] = entry.after
                case LedgerEntry.Kind.FOLLOWING:
                    _, follower, followee = entry.subject.split(":")
                    found.followings[int(follower), int(followee)] = entry.after
                case LedgerEntry.Kind.BALLOT if entry.decision_id in decisions:
                    _, decision, member = entry.subject.split(":")
                    cast = decisions[int(decision)].apply(int(member), entry.after)
                    found.ballots.setdefault(int(decision), {})[int(member)] = cast
                case LedgerEntry.Kind.RECALCULATION:
                    found.asked.update([entry.decision_id] if entry.decision_id else decisions)
        return found

    def renamed(self, anonymous: set[int]) -> dict[int, bool]:
        """Whether inherited ballots bear a pseudonym now, of those members with whom that has changed.

        `anonymous`: those with whom it was so.
        """
        now = {member: is_anonymous(content) for member, content in self.members.items()}
        return {member: unnamed for member, unnamed in now.items() if unnamed != (member in anonymous)}

    def graph_changes(
        self, graph: DelegationGraph, dormant: dict[Pair, frozenset[str]], decisions: dict[int, DecisionInputs]
    ) -> list[GraphChange]:
        """List the changes of the graph, in their order.

        Followings that a former member is an end of move between the graph and `dormant`, which is changed. Ballots of
        members who are back join those that changed: they count again.
        """
        active = {member: content for member, content in self.members.items() if content and content["active"]}
        leaving = [member for member in self.members if member not in active and member in graph]
        coming = frozenset(member for member in active if member not in graph)
        changes: list[GraphChange] = []
        for member in leaving:
            dormant.update(_followings_of(graph, member))
            changes.append(MemberRemoved(member))
        for member, content in active.items():
            if member in coming or graph.counts(member) != is_counted(content):
                changes.append(MemberSet(member, is_counted(content)))

        self._count_again(coming, decisions)
        changes.extend(self._following_changes(_There(graph, coming, frozenset(leaving)), dormant))
        return changes

    def _following_changes(self, there: _There, dormant: dict[Pair, frozenset[str]]) -> Iterator[GraphChange]:
        """Yield the followings between members who are there that changed or count again."""
        for (follower, followee), content in self.followings.items():
            dormant.pop((follower, followee), None)
            if follower not in there or followee not in there:
                if content is not None:
                    dormant[follower, followee] = _tags(content)
            elif content is None:
                yield FollowingRemoved(follower, followee)
            else:
                yield FollowingSet(follower, followee, _tags(content))
        coming = there.coming
        for pair in [pair for pair in dormant if not coming.isdisjoint(pair) and pair[0] in there and pair[1] in there]:
            yield FollowingSet(*pair, dormant.pop(pair))

    def _count_again(self, coming: frozenset[int], decisions: dict[int, DecisionInputs]) -> None:
        for decision_id, one in decisions.items():
            for member in coming & one.ballots.keys():
                self.ballots.setdefault(decision_id, {})[member] = one.ballots[member]


@dataclass(frozen=True)
class _There:
    """The members who are there after the changes."""

    graph: DelegationGraph
    coming: frozenset[int]
    leaving: frozenset[int]

    def __contains__(self, member: int) -> bool:
        return member in self.coming or (member in self.graph and member not in self.leaving)


def _followings_of(graph: DelegationGraph, member: int) -> Iterable[tuple[Pair, frozenset[str]]]:
    for followee, edge in graph.followees[member].items():
        yield (member, followee), edge["tags"]
    for follower, edge in graph.followers[member].items():
        yield (follower, member), edge["tags"]


def _tags(content: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(content["tags"])
