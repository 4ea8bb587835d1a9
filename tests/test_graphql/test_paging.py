"""Pages of lists of rows: they go on where the last one ended, in the order that was asked for."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from accounts.models import User
from democracy import access, services
from democracy.models import Community, Decision, Membership
from democracy.recalculation import recalculate_community
from democracy.schema.cursors import InvalidCursor, seal, unseal
from tests import factories
from tests.test_graphql.api import ask, id_of, post

pytestmark = pytest.mark.django_db

COMMUNITIES = """query($after: String, $order: CommunityOrder! = NAME) {
  communities(search: "Paged", first: 2, after: $after, order: $order) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { name } } } }"""
DECISIONS = """query($c: ID!, $after: String, $order: DecisionOrder! = CLOSING_LAST) {
  community(id: $c) { decisions(first: 1, after: $after, order: $order) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { title } } } } }"""
MEMBERS = """query($c: ID!, $after: String, $order: MemberOrder! = NAME) {
  community(id: $c) { members(first: 1, after: $after, order: $order) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { handle } } } } }"""


def paged(*names: str) -> list[Community]:
    return [factories.community(name=f"Paged {name}", visibility=Community.Visibility.PUBLIC)[0] for name in names]


def page(after: str | None = None, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = ask(None, COMMUNITIES, after=after, **given)["communities"]
    return found


def names(found: dict[str, Any]) -> list[str]:
    return [edge["node"]["name"].removeprefix("Paged ") for edge in found["edges"]]


def walk(viewer: User | None, query: str, of: Community, key: str, **given: Any) -> list[str]:
    """All that pages of one show, by their cursors; each page counts as many as there are."""
    seen: list[str] = []
    counts, after, more = set(), None, True
    while more:
        (found,) = ask(viewer, query, c=id_of(of), after=after, **given)["community"].values()
        seen += [edge["node"][key] for edge in found["edges"]]
        counts.add(found["totalCount"])
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
    assert counts == {len(seen)}
    return seen


def test_what_is_added_before_and_taken_away_moves_nobody_past_a_row() -> None:
    rows = paged("b", "d", "f", "h")
    first = page()
    assert (names(first), first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (
        ["b", "d"],
        True,
        False,
    )
    paged("a", "c", "e")
    Community.objects.filter(pk=rows[1].pk).update(name="Paged z")
    second = page(first["pageInfo"]["endCursor"])
    assert (names(second), second["totalCount"], second["pageInfo"]["hasPreviousPage"]) == (["e", "f"], 7, True)
    assert names(page(second["pageInfo"]["endCursor"])) == ["h", "z"]
    last = page(page(second["pageInfo"]["endCursor"])["pageInfo"]["endCursor"])
    assert (names(last), last["pageInfo"]) == (
        [],
        {"hasNextPage": False, "hasPreviousPage": True, "startCursor": None, "endCursor": None},
    )


def test_a_row_has_the_same_cursor_in_every_page_and_none_has_anothers() -> None:
    paged("b", "d")
    found = page()
    cursors = [edge["cursor"] for edge in found["edges"]]
    assert [found["pageInfo"]["startCursor"], found["pageInfo"]["endCursor"]] == cursors
    paged("a")
    assert page()["edges"][1]["cursor"] == cursors[0]
    assert len(set(cursors)) == 2


def test_a_cursor_does_not_tell_the_values_of_its_row() -> None:
    paged("secretive")
    cursor = page()["edges"][0]["cursor"]
    content = base64.urlsafe_b64decode(cursor.removeprefix("row."))
    assert b"secretive" not in content
    assert len(seal("a list", [7])) == len(seal("a list", [123_456]))


def test_a_cursor_is_of_one_list_and_one_order() -> None:
    paged("b", "d", "f")
    ending = page()["pageInfo"]["endCursor"]
    for query, given in (
        (COMMUNITIES, {"order": "NEWEST"}),
        (DECISIONS, {"c": id_of(Community.objects.earliest("pk"))}),
    ):
        answer = post(None, query, after=ending, **given)
        assert [error["extensions"] for error in answer["errors"]] == [{"code": "INVALID_CURSOR", "field": "after"}]


def test_a_cursor_that_was_changed_or_sealed_with_another_key_is_refused() -> None:
    sealed = seal("a list", ["b", 1])
    assert unseal("a list", sealed) == ["b", 1]
    changed = sealed[:-10] + ("A" if sealed[-10] != "A" else "B") + sealed[-9:]
    for listing, text in (("a list", changed), ("another list", sealed), ("a list", ""), ("a list", "row.")):
        with pytest.raises(InvalidCursor):
            unseal(listing, text)
    with override_settings(SECRET_KEY="another"), pytest.raises(InvalidCursor):
        unseal("a list", sealed)


def test_communities_in_the_orders_there_are() -> None:
    paged("b", "a", "c")
    assert names(page()) == ["a", "b"]
    newest = page(order="NEWEST")
    assert names(newest) + names(page(newest["pageInfo"]["endCursor"], order="NEWEST")) == ["c", "a", "b"]


def test_decisions_in_the_orders_there_are_page_by_page() -> None:
    """Drafts may have no closing; several close at one moment."""
    community, members = factories.community(visibility=Community.Visibility.PUBLIC)
    manager, now = members["manager"].user, timezone.now()
    closings: dict[str, datetime | None] = {
        "Soon": now + timedelta(hours=1),
        "Late": now + timedelta(days=3),
        "Also late": now + timedelta(days=3),
        "One day": None,
        "Another day": None,
    }
    for title, closes_at in closings.items():
        factories.draft(community, manager, title=title)
        Decision.objects.filter(title=title).update(closes_at=closes_at)
    last_first = ["Another day", "One day", "Also late", "Late", "Soon"]
    assert walk(manager, DECISIONS, community, "title") == last_first
    assert walk(manager, DECISIONS, community, "title", order="CLOSING_FIRST") == last_first[::-1]
    assert walk(manager, DECISIONS, community, "title", order="TITLE") == sorted(closings)
    assert walk(None, DECISIONS, community, "title") == []


def test_members_in_the_orders_there_are_without_those_nobody_may_know() -> None:
    community, members = factories.community("ann", "ben", "cat", visibility=Community.Visibility.PUBLIC)
    services.set_anonymity(members["ben"].user, community.pk, anonymous=True)
    for hours, name in enumerate(("cat", "manager", "ann")):
        joined = timezone.now() + timedelta(hours=hours)
        Membership.objects.filter(pk=members[name].pk).update(joined_at=joined)
    handles = {name: member.user.handle for name, member in members.items()}
    by_name = [handles[name] for name in ("ann", "cat", "manager")]
    assert walk(None, MEMBERS, community, "handle") == by_name
    assert walk(None, MEMBERS, community, "handle", order="NEWEST") == [
        handles[name] for name in ("ann", "manager", "cat")
    ]


def test_pages_of_many_parents_go_on_each_behind_a_cursor_of_its_own() -> None:
    for community in paged("a", "b"):
        manager = Membership.objects.get(community=community).user
        for title in ("1", "2", "3"):
            factories.decision(community, manager, title=title)
    titles = "totalCount pageInfo { endCursor } edges { node { title } }"
    query = f"""{{ communities(search: "Paged") {{ edges {{ node {{ id
      decisions(first: 1, order: TITLE) {{ {titles} }} }} }} }} }}"""
    going_on = f"""query($c: ID!, $after: String) {{ community(id: $c) {{
      decisions(first: 1, after: $after, order: TITLE) {{ {titles} }} }} }}"""
    first, second = (edge["node"] for edge in ask(None, query)["communities"]["edges"])
    for found in (first, second):
        assert (found["decisions"]["totalCount"], found["decisions"]["edges"][0]["node"]["title"]) == (3, "1")
        after = found["decisions"]["pageInfo"]["endCursor"]
        behind = ask(None, going_on, c=found["id"], after=after)["community"]["decisions"]
        assert (behind["totalCount"], behind["edges"][0]["node"]["title"]) == (3, "2")
    answer = post(None, going_on, c=first["id"], after=second["decisions"]["pageInfo"]["endCursor"])
    assert [error["extensions"] for error in answer["errors"]] == [{"code": "INVALID_CURSOR", "field": "after"}]


def test_ballots_go_on_behind_a_name_and_then_behind_a_pseudonym() -> None:
    """Somebody who votes, or goes, before the page that comes next moves nobody past a ballot."""
    community, members = factories.community("ann", "cat", "eve", "pat", "zoe", visibility=Community.Visibility.PUBLIC)
    decision = factories.decision(community, members["manager"].user)
    for name in ("pat", "zoe"):
        services.set_anonymity(members[name].user, community.pk, anonymous=True)
    for name in ("ann", "cat", "eve", "pat", "zoe"):
        factories.vote(members[name], decision, Ash=4)
    recalculate_community(community.pk)
    query = """query($d: ID!, $after: String) { decision(id: $d) { ballots(first: 2, after: $after) {
      totalCount pageInfo { endCursor hasNextPage } edges { cursor node { voter { name isAnonymous } } } } } }"""

    def shown(after: str | None) -> tuple[list[str], bool, str]:
        found = ask(None, query, d=id_of(decision), after=after)["decision"]["ballots"]
        names = [edge["node"]["voter"]["name"] for edge in found["edges"]]
        return names, found["pageInfo"]["hasNextPage"], found["pageInfo"]["endCursor"]

    handles = [members[name].user.handle for name in ("ann", "cat", "eve")]
    pseudonyms = sorted(access.pseudonym(decision.pk, members[name].pk, kind="cast") for name in ("pat", "zoe"))
    first, more, end = shown(None)
    assert (first, more) == (handles[:2], True)
    early = factories.join(community, factories.person("aaron"))
    factories.vote(early, decision, Ash=1)
    services.leave_community(members["ann"].user, community.pk)
    recalculate_community(community.pk)
    second, more, end = shown(end)
    assert (second, more) == ([handles[2], pseudonyms[0]], True)
    last, more, end = shown(end)
    assert (last, more) == (pseudonyms[1:], False)
    assert shown(end) == ([], False, None)
    answer = post(None, query, d=id_of(decision), after="cGxhY2U6MQ==")
    assert [error["extensions"] for error in answer["errors"]] == [{"code": "INVALID_CURSOR", "field": "after"}]
