"""The delegation graph as a value."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph import DelegationGraph, FollowingRemoved, FollowingSet, MemberRemoved, MemberSet
from graph.arrays import GraphArrays
from tests.test_graph.reference import Community
from tests.test_graph.strategies import build, communities, events

ROADS = frozenset({"roads"})
EVERYTHING = frozenset[str]()


def example() -> DelegationGraph:
    return DelegationGraph.build(
        revision=7,
        members=[(1, True), (2, False), (3, True)],
        followings=[(1, 2, ROADS), (2, 3, EVERYTHING), (3, 3, ROADS), (1, 9, ROADS), (9, 1, ROADS)],
    )


def content(graph: DelegationGraph) -> tuple[object, ...]:
    return sorted(graph.digraph.nodes(data="counted")), sorted(graph.digraph.edges(data="tags"))


def test_it_holds_members_and_their_followings_of_each_other_only() -> None:
    graph = example()
    assert content(graph) == ([(1, True), (2, False), (3, True)], [(1, 2, ROADS), (2, 3, EVERYTHING)])
    assert (graph.revision, len(graph), graph.voters, 9 in graph) == (7, 3, 2, False)
    assert [graph.counts(member) for member in (1, 2, 9)] == [True, False, False]


def test_changes_make_a_new_value_in_their_order() -> None:
    graph = example()
    before = content(graph)
    later = graph.updated(
        [
            MemberSet(4, True),
            FollowingSet(4, 1, ROADS),
            FollowingSet(4, 8),
            FollowingSet(4, 4),
            FollowingSet(1, 2),
            FollowingRemoved(2, 3),
            FollowingRemoved(2, 1),
            MemberRemoved(3),
            MemberSet(3, False),
            MemberRemoved(8),
        ],
        revision=8,
    )
    assert content(later) == (
        [(1, True), (2, False), (3, False), (4, True)],
        [(1, 2, EVERYTHING), (4, 1, ROADS)],
    )
    assert sorted(later.digraph.pred[1]) == [4]
    assert (later.revision, later.voters) == (8, 2)
    assert (content(graph), graph.revision, graph.voters) == (before, 7, 2)


@given(communities(), st.lists(events(), max_size=6), st.lists(st.booleans(), min_size=6, max_size=6))
@settings(deadline=None)
def test_arrays_of_a_later_graph_hold_the_same_as_if_laid_out_anew(
    setting: tuple[Community, Any], history: list[list[Any]], asked: list[bool]
) -> None:
    community, _ = setting
    graph = build(community)
    assert laid(graph.arrays) == followings_of(graph)
    for (changes, _), is_asked in zip(history, asked, strict=False):
        before, members = laid(graph.arrays) if is_asked else None, list(graph.digraph)
        later = graph.updated(changes, revision=graph.revision + 1)
        assert later.voters == sum(map(later.counts, later.digraph))
        if is_asked:
            assert laid(later.arrays) == followings_of(later)
            assert (laid(graph.arrays), list(graph.digraph)) == (before, members)
        graph = later
    assert laid(graph.arrays) == followings_of(graph)


def laid(arrays: GraphArrays) -> tuple[object, ...]:
    owners = [member for at, member in enumerate(arrays.members) for _ in range(*arrays.starts[at : at + 2])]
    ends = [arrays.members[row] for row in arrays.followees]
    rows = zip(owners, ends, (arrays.tags[at] for at in arrays.tag_sets), strict=True)
    assert arrays.index == {member: row for row, member in enumerate(arrays.members)}
    return list(zip(arrays.members, arrays.counted.tolist(), strict=True)), sorted(rows, key=lambda row: row[:2])


def followings_of(graph: DelegationGraph) -> tuple[object, ...]:
    edges = sorted(graph.digraph.edges(data="tags"), key=lambda row: row[:2])
    return sorted(graph.digraph.nodes(data="counted")), edges


def test_without_changes_only_the_revision_differs_and_the_rest_is_shared() -> None:
    graph = example()
    arrays = graph.arrays
    later = graph.updated([], revision=9)
    assert (later.revision, graph.revision) == (9, 7)
    assert later.digraph is graph.digraph
    assert later.arrays is arrays


def test_what_a_change_does_not_touch_is_shared() -> None:
    graph = example()
    later = graph.updated([FollowingSet(1, 3)], revision=8)
    assert later.followees[2] is graph.followees[2]
    assert later.followees[1] is not graph.followees[1]


def test_its_digraph_is_frozen() -> None:
    with pytest.raises(nx.NetworkXError):
        example().digraph.add_edge(1, 3)


def test_its_digraph_rests_on_its_dictionaries_and_copies_of_it_on_their_own() -> None:
    graph = example().updated([FollowingSet(3, 1)], revision=8)
    digraph = graph.digraph
    assert nx.is_frozen(digraph)
    assert {member: dict(found) for member, found in digraph.succ.items()} == graph.followees
    assert {member: dict(found) for member, found in digraph.pred.items()} == graph.followers
    assert all(attributes is graph.followees[a][b] for a, b, attributes in digraph.edges(data=True))
    assert all(attributes is graph.roles[member] for member, attributes in digraph.nodes(data=True))
    before = content(graph)
    for copy in (digraph.copy(), nx.DiGraph(digraph), digraph.reverse(), digraph.subgraph([1, 2, 3]).copy()):
        copy.remove_node(1)
    assert content(graph) == before


def test_algorithms_of_networkx_run_on_its_digraph() -> None:
    graph = example().updated([FollowingSet(3, 2)], revision=8)
    assert sorted(map(sorted, nx.strongly_connected_components(graph.digraph))) == [[1], [2, 3]]
    assert nx.descendants(graph.digraph, 1) == {2, 3}
    assert nx.ancestors(graph.digraph, 2) == {1, 3}


@pytest.mark.parametrize("far", [4, 10**12])
def test_its_arrays_hold_the_same_in_member_order(far: int) -> None:
    graph = DelegationGraph.build(
        revision=1,
        members=[(far, False), (1, True), (3, True)],
        followings=[(far, 1, ROADS), (1, far, EVERYTHING), (far, 3, ROADS)],
    )
    arrays = graph.arrays
    assert (arrays.members, arrays.index) == ([1, 3, far], {1: 0, 3: 1, far: 2})
    assert (arrays.starts.tolist(), arrays.followees.tolist()) == ([0, 1, 1, 3], [2, 0, 1])
    assert [arrays.tags[at] for at in arrays.tag_sets] == [EVERYTHING, ROADS, ROADS]
    assert arrays.counted.tolist() == [True, True, False]
