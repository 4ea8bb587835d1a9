"""Foundation: what everybody has after a change, a ballot and its tags, where nobody loses any.

Before the change, each tag came from a cast ballot along a chain of followings that handed it on. Chains that a change
cuts are cut at a member who asks anew. If each of those still has all that they had, along a chain that leads to a cast
ballot now, then so has everybody else, and the new least fixed point is found by handing on what is new.
"""

from __future__ import annotations

from collections.abc import Mapping

from graph.delegation import DelegationGraph
from graph.incremental import Touched, hands_on
from graph.staged_ballots import StagedBallots
from graph.values import CastBallot, Member

# The most members to ask in search of a chain.
_MOST_ASKED = 2_000

# The most members to hand on to one by one.
_MOST_GROWN = 10_000

Tags = frozenset[str] | None
"""The tags of a ballot; None without a ballot with stars."""


def find_grown(
    graph: DelegationGraph, ballots: Mapping[Member, CastBallot], staged: StagedBallots, touched: Touched
) -> dict[Member, Tags] | None:
    """Find the tags of all who ask anew, and of all others who have more than before, if nobody has less.

    Parameters
    ----------
    graph : DelegationGraph
        The new one.
    ballots : mapping from member to CastBallot
        All written ballots now.
    staged : StagedBallots
        As it was before the change, except for written ballots.
    touched : Touched

    Returns
    -------
    dict from member to tags or None
        Of members without a written ballot. None where some may have lost something.
    """
    if not touched.nothing_lost:
        return None
    found: dict[Member, Tags] = {}
    queue = list(touched.sources)
    for member in touched.asking:
        if member in ballots:
            continue
        before, now = staged.tags(member), _received(graph, staged, member)
        found[member] = now
        if not graph.followers[member] or now == before is None:
            continue
        if not _leads_to_ballots(graph, ballots, staged, member, before):
            return None
        queue.append(member)
    return found if _hand_on(graph, ballots, staged, found, queue) else None


def _hand_on(
    graph: DelegationGraph,
    ballots: Mapping[Member, CastBallot],
    staged: StagedBallots,
    found: dict[Member, Tags],
    queue: list[Member],
) -> bool:
    """Hand on to followers what the members in the queue have, into `found`; False where that reaches too many."""

    def tags(member: Member) -> Tags:
        return found[member] if member in found else staged.tags(member)

    while queue and len(found) <= _MOST_GROWN:
        member = queue.pop()
        mine = tags(member)
        for follower, edge in graph.followers[member].items():
            handed, theirs = hands_on(edge["tags"], mine), tags(follower)
            if follower not in ballots and not _has_all(theirs, handed):
                found[follower] = handed if theirs is None or handed is None else handed | theirs
                queue.append(follower)
    return not queue


def _has_all(tags: Tags, wanted: Tags) -> bool:
    return wanted is None or (tags is not None and wanted <= tags)


def _received(graph: DelegationGraph, staged: StagedBallots, member: Member) -> Tags:
    received: Tags = None
    for followee, edge in graph.followees[member].items():
        handed = hands_on(edge["tags"], staged.tags(followee))
        if handed is not None:
            received = handed if received is None else received | handed
    return received


def _leads_to_ballots(
    graph: DelegationGraph,
    ballots: Mapping[Member, CastBallot],
    staged: StagedBallots,
    member: Member,
    tags: Tags,
) -> bool:
    """Whether for each of these tags, or without tags for the ballot itself, a chain leads to a cast ballot."""
    return tags is None or all(_leads_to_ballot(graph, ballots, staged, member, tag) for tag in tags or (None,))


def _leads_to_ballot(
    graph: DelegationGraph,
    ballots: Mapping[Member, CastBallot],
    staged: StagedBallots,
    member: Member,
    tag: str | None,
) -> bool:
    asked = {member}
    queue = [member]
    while queue and len(asked) < _MOST_ASKED:
        # A ballot without tags comes by untagged followings of such ballots alone.
        for followee, edge in graph.followees[queue.pop()].items():
            topics, theirs = edge["tags"], staged.tags(followee)
            if followee in asked or theirs is None:
                continue
            if (tag in theirs and (not topics or tag in topics)) if tag is not None else not topics:
                if followee in ballots:
                    return True
                asked.add(followee)
                queue.append(followee)
    return False
