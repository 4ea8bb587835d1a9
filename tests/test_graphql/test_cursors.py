"""Cursors are of one list: of its parent and of what filters it. Another list refuses them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from graphql import GraphQLObjectType, get_named_type

from accounts.models import User
from crowdvote.api.schema import schema
from democracy.models import Community, Decision, DecisionSnapshot
from democracy.recalculation import recalculate_community
from democracy.schema import paging
from democracy.schema.cursors import InvalidCursor
from democracy.schema.types import decisions as schema_decisions
from tests import factories
from tests.test_graphql.api import ask, id_of, post

pytestmark = pytest.mark.django_db

FOREIGN = [{"code": "INVALID_CURSOR", "field": "after"}]


def faults(query: str, **given: Any) -> list[Any]:
    return [error["extensions"] for error in post(None, query, **given).get("errors", [])]


def test_a_cursor_of_a_batched_result_does_not_place_it_among_those_of_a_live_decision() -> None:
    community, members = factories.community("ann", "ben", visibility=Community.Visibility.PUBLIC)
    live = factories.decision(community, members["manager"].user)
    batched = factories.decision(community, members["manager"].user, results_visibility="batched")
    for stars in (1, 2):
        factories.vote(members["ann"], live, Ash=stars)
        recalculate_community(community.pk)
    for name in ("ann", "ben", "manager"):
        factories.vote(members[name], batched, Ash=5)
    recalculate_community(community.pk)
    factories.vote(members["ann"], live, Ash=3)
    recalculate_community(community.pk)
    query = """query($d: ID!, $after: String) { decision(id: $d) { history(after: $after) {
      edges { cursor node { revision } } } } }"""

    def cursors(of: Decision, after: str | None = None) -> list[str]:
        found = ask(None, query, d=id_of(of), after=after)["decision"]["history"]["edges"]
        return [edge["cursor"] for edge in found]

    ours = cursors(live)
    assert cursors(live, ours[0]) == ours[1:]
    for cursor in cursors(batched):
        assert faults(query, d=id_of(live), after=cursor) == FOREIGN
    assert faults(query, d=id_of(batched), after=ours[-1]) == FOREIGN


def test_a_cursor_is_of_what_filters_its_list() -> None:
    community, members = factories.community(visibility=Community.Visibility.PUBLIC)
    for title in ("Oak one", "Oak two"):
        factories.decision(community, members["manager"].user, title=title)
    lists = {
        "nested": "query($c: ID!, $s: String!, $t: DecisionStatus, $after: String) { found: community(id: $c) {"
        " decisions(search: $s, status: $t, after: $after) { edges { cursor } } } }",
        "root": "query($c: ID!, $s: String!, $t: DecisionStatus, $after: String) {"
        " found: decisions(communityId: $c, search: $s, status: $t, after: $after) { edges { cursor } } }",
    }
    asked = {"c": id_of(community), "s": "oak", "t": None}
    cursor = ask(None, lists["root"], **asked)["found"]["edges"][0]["cursor"]
    # A community's decisions are one list, wherever one asks for it.
    assert [faults(query, **asked, after=cursor) for query in lists.values()] == [[], []]
    for other in ({"s": "two"}, {"s": ""}, {"t": "OPEN"}, {"c": id_of(factories.community()[0])}):
        assert [faults(query, **(asked | other), after=cursor) for query in lists.values()] == [FOREIGN, FOREIGN], other


def test_a_cursor_of_the_ledger_is_of_its_community_its_direction_and_its_filters() -> None:
    (one, members), (other, _) = (factories.community("ann", visibility="public") for _ in range(2))
    decision = factories.decision(one, members["manager"].user)
    query = """query($c: ID!, $d: ID, $n: Boolean!, $k: LedgerKind, $after: String) {
      ledger(communityId: $c, decisionId: $d, newestFirst: $n, kind: $k, after: $after) { edges { cursor } } }"""
    asked = {"c": id_of(one), "d": None, "n": False, "k": None}
    cursor = ask(None, query, **asked)["ledger"]["edges"][0]["cursor"]
    assert faults(query, **asked, after=cursor) == []
    for change in ({"c": id_of(other)}, {"d": id_of(decision)}, {"n": True}, {"k": "DECISION"}):
        assert faults(query, **(asked | change), after=cursor) == FOREIGN, change


def _listings() -> set[tuple[str, str]]:
    """The lists in pages of the schema: type and field."""
    types = schema._schema.type_map.values()
    return {
        (one.name, name)
        for one in types
        if isinstance(one, GraphQLObjectType)
        for name, field in one.fields.items()
        if "after" in field.args and get_named_type(field.type).name.endswith("Connection")
    }


def _parents() -> dict[str, list[tuple[User, str]]]:
    """Of each type that has lists: viewers, and queries in which LIST stands for a list below different things."""
    community, members = factories.community("ann", "ben", visibility=Community.Visibility.PUBLIC)
    ann, ben = members["ann"], members["ben"]
    decisions = [factories.decision(community, members["manager"].user) for _ in range(2)]
    past = []
    for stars in (1, 2):
        # A result keeps its ballots if the last that does is old.
        DecisionSnapshot.objects.update(calculated_at=timezone.now() - timedelta(days=1))
        for decision in decisions:
            for member in (ann, ben):
                factories.vote(member, decision, Ash=stars)
        recalculate_community(community.pk)
        kept = [DecisionSnapshot.objects.filter(decision=one, keeps_ballots=True).latest("pk") for one in decisions]
        past += [(one.decision, one.revision) for one in kept]
    communities = [id_of(one) for one in (community, factories.community()[0])]
    return {
        "Query": [(viewer, "{ LIST }") for viewer in (ann.user, ben.user)],
        "Me": [(viewer, "{ me { LIST } }") for viewer in (ann.user, ben.user)],
        "Community": [(ann.user, f'{{ community(id: "{one}") {{ LIST }} }}') for one in communities],
        "Decision": [(ann.user, f'{{ decision(id: "{id_of(one)}") {{ LIST }} }}') for one in decisions],
        "Member": [(ann.user, f'{{ node(id: "{id_of(one)}") {{ ... on Member {{ LIST }} }} }}') for one in (ann, ben)],
        "PastDecision": [
            (ann.user, f'{{ decision(id: "{id_of(one)}") {{ asOf(revision: {revision}) {{ LIST }} }} }}')
            for one, revision in past
        ],
    }


def test_each_list_of_the_schema_binds_its_cursors_to_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of roots, which have no parent, are bound to their viewer. The ledger names its community: see above."""
    opened: list[str] = []

    def refuse(listing: str, cursor: str) -> list[Any]:
        opened.append(listing)
        raise InvalidCursor

    for module in (paging, schema_decisions):
        monkeypatch.setattr(module, "unseal", refuse)
    parents, listings = _parents(), _listings() - {("Query", "ledger")}
    assert {kind for kind, _ in listings} == set(parents)
    for kind, field in listings:
        for viewer, query in parents[kind]:
            post(viewer, query.replace("LIST", f'{field}(after: "") {{ edges {{ cursor }} }}'))
    assert len(opened) == sum(len(parents[kind]) for kind, _ in listings)
    assert len(set(opened)) == len(opened), sorted(opened)
