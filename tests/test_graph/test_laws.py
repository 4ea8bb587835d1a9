"""Laws that hold on any community: both paths of the engine against the reference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph import Calculation, CastBallot, DelegationGraph, Member, Result, StagedBallot, count_cast
from graph import calculation as calculation_module
from tests.lengths import times
from tests.test_graph.reference import Community, Reference, calculate, participation, totals
from tests.test_graph.strategies import CHOICES, LOTS, build, communities, events

Setting = tuple[Community, dict[Member, CastBallot]]
laws = settings(deadline=None, max_examples=times(60, long=150), suppress_health_check=[HealthCheck.too_slow])
HISTORIES = times(240, long=10_000)


@contextmanager
def with_settings(**values: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(calculation_module, name, value)
        yield


WAYS = {
    "one by one": partial(with_settings, _MOST_AFFECTED=1_000),
    "one by one, gathered each time": partial(with_settings, _MOST_AFFECTED=1_000, _MOST_LATER=0),
    "in arrays": partial(with_settings, _MOST_AFFECTED=0),
    "from scratch": partial(with_settings, _MOST_AFFECTED=0, restage_widely=lambda *_, **__: None),
}


def staged(calculation: Calculation) -> dict[Member, StagedBallot]:
    return {ballot.member: ballot for ballot in calculation.staged_ballots()}


def content(graph: DelegationGraph) -> tuple[dict[Member, bool], dict[tuple[Member, Member], frozenset[str]]]:
    followings: Any = graph.digraph.edges(data="tags")
    roles: Any = graph.digraph.nodes(data="counted")
    return dict(roles), {(follower, followee): tags for follower, followee, tags in followings}


def from_scratch(community: Community, ballots: dict[Member, CastBallot]) -> Calculation:
    return Calculation.from_scratch(build(community), lots=LOTS, ballots=ballots)


def assert_result_follows(result: Result, community: Community, reference: Reference) -> None:
    expected = totals(reference.staged.values(), CHOICES)
    assert (result.scores, result.preferences, result.five_stars) == (
        expected["scores"],
        expected["preferences"],
        expected["five_stars"],
    )
    who = {name: getattr(result.participation, name) for name in result.participation.__slots__}
    assert who == participation(community, reference)


@laws
@given(communities())
def test_staging_from_scratch_is_what_the_rules_say(setting: Setting) -> None:
    community, ballots = setting
    reference = calculate(community, ballots)
    calculation = from_scratch(community, ballots)
    assert staged(calculation) == reference.staged
    assert list(calculation.active_followings()) == sorted(
        (follower, followee) for follower, followees in reference.active.items() for followee in followees
    )
    assert_result_follows(calculation.result, community, reference)


@laws
@given(communities())
def test_the_count_of_cast_ballots_is_that_of_a_community_where_nobody_follows(setting: Setting) -> None:
    community, ballots = setting
    alone = from_scratch(Community(community.roles, {}), ballots).result
    counted = [
        ballot
        for member, ballot in ballots.items()
        if not ballot.abstain and (ballot.anonymous or community.roles.get(member))
    ]
    found = count_cast(counted, LOTS, eligible=alone.participation.eligible)
    given = alone.participation
    participation = replace(given, abstained=0, none=given.none + given.abstained, lobbyists=0)
    assert found == replace(alone, participation=participation)


@pytest.mark.parametrize("way", WAYS)
@settings(laws, max_examples=HISTORIES // len(WAYS))
@given(setting=communities(), history=st.lists(events(), min_size=1, max_size=5))
def test_an_update_leads_where_a_new_calculation_leads(setting: Setting, history: list[list[Any]], way: str) -> None:
    community, ballots = setting
    calculation = from_scratch(community, ballots)
    ballots = dict(ballots)
    with WAYS[way]():
        for changes, new_ballots in history:
            before = staged(calculation)
            for change in changes:
                community.apply(change)
            ballots = {m: b for m, b in (ballots | new_ballots).items() if b is not None}
            ballots = {m: b for m, b in ballots.items() if b.anonymous or m in community.roles}
            graph = calculation.graph.updated(changes, revision=calculation.graph.revision + 1)
            changed = calculation.update(graph, changes=changes, ballots=new_ballots)
            reference = calculate(community, ballots)
            assert staged(calculation) == reference.staged
            everybody = before.keys() | reference.staged.keys()
            assert changed == {m for m in everybody if before.get(m) != reference.staged.get(m)}
            anew = from_scratch(community, ballots)
            assert calculation.result == anew.result
            assert calculation.influence() == pytest.approx(anew.influence())
            assert_result_follows(calculation.result, community, reference)
            for member in range(14):
                assert calculation.staged(member) == reference.staged.get(member)


@laws
@given(communities())
def test_sources_are_the_exact_weights_and_reproduce_the_stars(setting: Setting) -> None:
    community, ballots = setting
    reference = calculate(community, ballots)
    calculation = from_scratch(community, ballots)
    for member in community.roles:
        sources = calculation.sources(member)
        ballot = reference.staged.get(member)
        if ballot is None or ballot.kind == "abstained":
            assert sources == ()
        elif ballot.kind == "cast":
            assert [(one.member, one.weight, one.path) for one in sources] == [(member, 1, (member,))]
        else:
            assert {one.member: one.weight for one in sources} == reference.weights[member]
            assert sum(one.weight for one in sources) == 1
            assert [(-one.weight, one.member) for one in sources] == sorted((-o.weight, o.member) for o in sources)
            for one in sources:
                assert (one.path[0], one.path[-1]) == (member, one.member)
                steps = zip(one.path, one.path[1:], strict=False)
                assert all(followee in reference.active[follower] for follower, followee in steps)
                share = math.prod(Fraction(1, len(reference.active[step])) for step in one.path[:-1])
                assert share <= one.weight


@laws
@given(communities())
def test_influence_distributes_every_counted_ballot(setting: Setting) -> None:
    community, ballots = setting
    reference = calculate(community, ballots)
    named = {member: ballot for member, ballot in reference.staged.items() if member not in reference.urn}
    calculation = from_scratch(community, ballots)
    for hidden in (frozenset[Member](), frozenset(range(0, 14, 3))):
        expected = {m: 0.0 for m, b in sorted(named.items()) if b.kind == "cast"}
        told = {m: b for m, b in named.items() if b.counted and (b.kind != "inherited" or m not in hidden)}
        for member in told:
            for source, weight in reference.weights.get(member, {member: Fraction(1)}).items():
                if source in expected:
                    expected[source] += float(weight)
        for _ in range(2):
            influence = calculation.influence(leaving_out=hidden)
            assert influence == pytest.approx(expected)
            assert list(influence) == list(expected)
            assert sum(influence.values()) == pytest.approx(len([b for b in told.values() if b.kind != "abstained"]))


@laws
@given(communities(), events())
def test_nothing_that_becomes_of_its_caster_changes_an_anonymous_ballot(setting: Setting, batch: list[Any]) -> None:
    community, ballots = setting
    changes, _ = batch
    calculation = from_scratch(community, ballots)
    sealed = {m: calculation.staged(m) for m, b in ballots.items() if b.anonymous}
    calculation.update(calculation.graph.updated(changes, revision=2), changes=changes, ballots={})
    assert {member: calculation.staged(member) for member in sealed} == sealed
    assert all(one is not None and one.counted == (one.kind == "cast") for one in sealed.values())


@laws
@given(communities(), st.randoms(use_true_random=False))
def test_names_and_order_of_members_and_followings_do_not_matter(setting: Setting, random: Any) -> None:
    community, ballots = setting
    names = list(community.roles)
    random.shuffle(names)
    name = dict(zip(community.roles, names, strict=True))
    roles = [(name[m], counted) for m, counted in community.roles.items()]
    pairs = [((name[a], name[b]), tags) for (a, b), tags in community.followings.items()]
    cast = [(name[m], ballot) for m, ballot in ballots.items() if m in name]
    for rows in (roles, pairs, cast):
        random.shuffle(rows)
    renamed = from_scratch(Community(dict(roles), dict(pairs)), dict(cast))
    original = from_scratch(community, ballots)
    assert renamed.result == original.result
    for member in community.roles:
        here, there = original.staged(member), renamed.staged(name[member])
        assert (here is None) == (there is None)
        if here is not None and there is not None:
            assert (here.kind, here.microstars, here.tags, here.counted) == (
                there.kind,
                there.microstars,
                there.tags,
                there.counted,
            )


@laws
@given(communities(), events())
def test_a_copy_and_an_older_graph_stay_as_they_were(setting: Setting, batch: list[Any]) -> None:
    community, ballots = setting
    changes, new_ballots = batch
    calculation = from_scratch(community, ballots)
    graph = calculation.graph
    before_graph = content(graph)
    back = sorted((a, b) for b in graph.digraph for a in graph.digraph.pred[b])
    before, result = staged(calculation), calculation.result
    copy = calculation.copy()
    copy.update(graph.updated(changes, revision=2), changes=changes, ballots=new_ballots)
    assert (staged(calculation), calculation.result) == (before, result)
    calculation.update(graph, changes=[], ballots={0: CastBallot((5, 0, 5))})
    after = copy.graph
    for change in changes:
        community.apply(change)
    assert content(after) == (community.roles, community.followings)
    assert content(graph) == before_graph
    assert sorted((a, b) for b in graph.digraph for a in graph.digraph.pred[b]) == back
