"""Random small communities, with loops, tags, abstentions and lobbyists, and what can happen to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from graph import (
    CastBallot,
    DelegationGraph,
    FollowingRemoved,
    FollowingSet,
    GraphChange,
    Member,
    MemberRemoved,
    MemberSet,
)
from tests.test_graph.reference import Community

CHOICES = 3
LOTS = (2, 3, 1)

TAGS = st.frozensets(st.sampled_from(["budget", "parks", "roads"]), max_size=2)
TOPICS = st.one_of(st.just(frozenset[str]()), TAGS)


@st.composite
def cast_ballots(draw: st.DrawFn) -> CastBallot:
    anonymous = draw(st.integers(0, 3)) == 0
    if draw(st.integers(0, 7)) == 0:
        return CastBallot((0,) * CHOICES, draw(TAGS), abstain=True, anonymous=anonymous)
    stars = draw(st.tuples(*[st.integers(0, 5)] * CHOICES))
    return CastBallot(stars, draw(TAGS), anonymous=anonymous)


@st.composite
def communities(draw: st.DrawFn, *, most: int = 12) -> tuple[Community, dict[Member, CastBallot]]:
    size = draw(st.integers(1, most))
    members = st.integers(0, size - 1)
    roles = {member: draw(st.integers(0, 4)) > 0 for member in range(size)}
    pairs = draw(st.lists(st.tuples(members, members, TOPICS), max_size=3 * size))
    followings = {(follower, followee): tags for follower, followee, tags in pairs if follower != followee}
    ballots = draw(st.dictionaries(members, cast_ballots(), max_size=max(1, size // 2)))
    return Community(roles, followings), ballots


def build(community: Community, *, revision: int = 1) -> DelegationGraph:
    return DelegationGraph.build(
        revision=revision,
        members=community.roles.items(),
        followings=((*pair, tags) for pair, tags in community.followings.items()),
    )


@st.composite
def events(draw: st.DrawFn, *, most: int = 12) -> list[Any]:
    """A batch of changes of members and followings, and of ballots."""
    members = st.integers(0, most)
    changes: st.SearchStrategy[GraphChange] = st.one_of(
        st.builds(FollowingSet, members, members, TOPICS),
        st.builds(FollowingSet, members, members, TOPICS),
        st.builds(FollowingRemoved, members, members),
        st.builds(MemberSet, members, st.booleans()),
        st.builds(MemberRemoved, members),
    )
    graph_changes = draw(st.lists(changes, max_size=3))
    ballots = draw(st.dictionaries(members, st.none() | cast_ballots(), max_size=2))
    return [graph_changes, ballots]
