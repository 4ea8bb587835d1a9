"""Everything that has an id answers by it, alone or with others, to whoever may see it."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLInterfaceType

from accounts import services as accounts
from accounts.api import node_id, read_id
from accounts.models import User
from crowdvote.api.schema import schema
from democracy import services
from democracy.models import Community, Invitation, Notice
from democracy.services import Invitee
from tests import factories
from tests.test_graphql.api import ask, codes, id_of, post

pytestmark = pytest.mark.django_db

NODES = "query($i: [ID!]!) { nodes(ids: $i) { id __typename } }"


@pytest.fixture
def scene() -> tuple[dict[str, Any], list[str]]:
    """Return who looks, and ids of one thing of each type: of everybody one, of members four, of managers four, of the
    manager alone three.
    """
    community, members = factories.community("ann", visibility=Community.Visibility.MEMBERS)
    ann, manager = members["ann"].user, members["manager"].user
    decision = factories.decision(community, manager)
    services.update_community(manager, community.pk, joining=Community.Joining.REQUEST)
    application = services.apply_to_community(factories.person(), community.pk)
    services.invite(manager, community.pk, [Invitee("new@example.org")], send=False)
    link = services.create_invitation_link(manager, community.pk)
    webhook = services.create_webhook(manager, community.pk, url="https://example.org/", events=["decision.opened"])
    token, _ = accounts.create_api_token(manager, "script")
    notice = Notice.objects.create(person=manager, kind="opened", subject="x", community=community, decision=decision)
    following = factories.follow(members["ann"], members["manager"])
    ids = [
        *map(id_of, (community, decision, decision.choices.all()[0], members["ann"], following)),
        *map(id_of, (application, Invitation.objects.get(), link, webhook)),
        *map(id_of, (token, factories.passkey(manager))),
        node_id("Notice", notice.key),
    ]
    return {"manager": manager, "ann": ann, "nobody": factories.person(), "visitor": None}, ids


def test_every_type_that_is_a_node_answers(scene: tuple[dict[str, Any], list[str]]) -> None:
    kind = schema._schema.type_map["Node"]
    assert isinstance(kind, GraphQLInterfaceType)
    types = {one.name for one in schema._schema.get_implementations(kind).objects}
    assert {read_id(one)[0] for one in scene[1]} == types


@pytest.mark.parametrize(("who", "seen"), [("manager", 12), ("ann", 5), ("nobody", 1), ("visitor", 1)])
def test_to_whoever_may_see_it_alone_and_together(scene: tuple[dict[str, Any], list[str]], who: str, seen: int) -> None:
    people, ids = scene
    found = ask(people[who], NODES, i=ids)["nodes"]
    assert [one and one["id"] for one in found] == [*ids[:seen], *[None] * (len(ids) - seen)]
    assert all(read_id(one["id"])[0] == one["__typename"] for one in found if one)
    alone = [ask(people[who], "query($i: ID!) { node(id: $i) { id __typename } }", i=one)["node"] for one in ids]
    assert alone == found


def test_of_a_hidden_community_its_members_see_that_it_is_there_and_nobody_anything_below() -> None:
    community, members = factories.community("ann", visibility=Community.Visibility.PUBLIC)
    decision = factories.decision(community, members["manager"].user)
    following = factories.follow(members["ann"], members["manager"])
    others, _ = factories.community(visibility=Community.Visibility.PUBLIC)
    root = User.objects.create_superuser("root@example.org", handle="root", name="Root")
    services.hide_community(root, community.pk, reason="It insults people.")
    ids = [id_of(others), *map(id_of, (community, decision, decision.choices.all()[0], members["manager"], following))]
    seen = {
        name: [one is not None for one in ask(viewer, NODES, i=ids)["nodes"]]
        for name, viewer in {"ann": members["ann"].user, "visitor": None, "nobody": factories.person()}.items()
    }
    stranger = [True, False, False, False, False, False]
    # A member still finds the community, and one's own followings.
    assert seen == {"ann": [True, True, False, False, False, True], "visitor": stranger, "nobody": stranger}


def test_a_token_that_was_revoked_is_gone() -> None:
    person = factories.person()
    token, _ = accounts.create_api_token(person, "script")
    accounts.revoke_api_token(person, token.pk)
    assert ask(person, NODES, i=[id_of(token)]) == {"nodes": [None]}


def test_at_most_a_hundred_at_once_and_none_that_cannot_be_read() -> None:
    one = node_id("Decision", 1)
    assert ask(None, NODES, i=[one] * 100) == {"nodes": [None] * 100}
    assert codes(post(None, NODES, i=[one] * 101)) == ["INVALID"]
    assert codes(post(None, NODES, i=[one, "x"])) == ["INVALID_ID"]
