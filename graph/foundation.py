"""Foundation: whether what everybody has, a ballot and its tags, still stands after some members ask anew.

Before the change, each tag came from a cast ballot along a chain of followings that handed it on. Chains that a change
cuts are cut at a member who asks anew. If each of those still has all that they had, along a chain that leads to a cast
ballot now, then so has everybody else: the new least fixed point is the old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graph.delegation import DelegationGraph
from graph.incremental import hands_on
from graph.staged_ballots import StagedBallots
from graph.values import CastBallot, Member

# The most members to ask in search of a chain.
_MOST_ASKED = 2_000

Tags = frozenset[str] | None
"""The tags of a ballot; None without a ballot with stars."""


def still_founded(
    graph: DelegationGraph, ballots: Mapping[Member, CastBallot], staged: StagedBallots, asking: Iterable[Member]
) -> dict[Member, Tags] | None:
    """Find the new tags of those who ask anew, if nobody else's can differ.

    Parameters
    ----------
    graph : DelegationGraph
        The new one.
    ballots : mapping from member to CastBallot
        All written ballots now.
    staged : StagedBallots
        As it was before the change, except for written ballots; these hand on what their members' ballots did.
    asking : iterable of members
        Members of `graph` whose followings, or whose own ballot, changed.

    Returns
    -------
    dict from member to tags or None
        Those of members without a written ballot. None where others may have gained or lost something.
    """
    found: dict[Member, Tags] = {}
    for member in asking:
        if member in ballots:
            continue
        before, now = staged.tags(member), _received(graph, staged, member)
        if graph.followers[member] and (
            now != before or (now is not None and not _leads_to_ballots(graph, ballots, staged, member, now))
        ):
            return None
        found[member] = now
    return found


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
    tags: frozenset[str],
) -> bool:
    """Whether for each of these tags, or without tags for the ballot itself, a chain leads to a cast ballot."""
    return all(_leads_to_ballot(graph, ballots, staged, member, tag) for tag in tags or (None,))


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
