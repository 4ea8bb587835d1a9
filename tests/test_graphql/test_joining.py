"""The ways in which people join a community: the field, its deprecated forerunner, and invitations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from democracy.models import Community, Invitation
from tests import factories
from tests.test_graphql.api import ask, id_of, post

pytestmark = pytest.mark.django_db

CREATE = "mutation($input: CreateCommunityInput!) { done: createCommunity(input: $input) { community { %s } } }"
UPDATE = "mutation($input: UpdateCommunityInput!) { done: updateCommunity(input: $input) { community { %s } } }"
HOW = "joining autoApprove"


def test_how_people_join_is_said_by_either_field_and_the_new_one_wins() -> None:
    founder = factories.person()

    def made(name: str, **how: object) -> dict[str, object]:
        answer: dict[str, object] = ask(founder, CREATE % HOW, input={"name": name, **how})["done"]["community"]
        return answer

    assert made("Asking") == {"joining": "REQUEST", "autoApprove": False}
    assert made("Open", joining="OPEN") == {"joining": "OPEN", "autoApprove": True}
    assert made("As before", autoApprove=True) == {"joining": "OPEN", "autoApprove": True}
    assert made("Both", joining="INVITED", autoApprove=True) == {"joining": "INVITED", "autoApprove": False}
    community = Community.objects.get(name="Both")

    def changed(**how: object) -> str:
        change = {"communityId": id_of(community), **how}
        joining: str = ask(founder, UPDATE % HOW, input=change)["done"]["community"]["joining"]
        return joining

    assert [changed(description="x"), changed(autoApprove=True), changed(autoApprove=False)] == [
        "INVITED",
        "OPEN",
        "REQUEST",
    ]


def test_topics_to_follow_are_given_in_either_form_and_shown_to_managers() -> None:
    community, members = factories.community()
    manager = members["manager"].user
    invite = """mutation($input: InviteMembersInput!) { done: inviteMembers(input: $input) {
      invited errors { code } } }"""
    for given in (
        {"people": [{"address": "a@x.org", "tags": ["Parks"]}]},
        {"memberList": "address,tags to follow\nb@x.org,roads"},
    ):
        answer = ask(manager, invite, input={"communityId": id_of(community), **given})
        assert answer["done"] == {"invited": 1, "errors": []}
    listed = f'{{ community(id: "{id_of(community)}") {{ invitations {{ edges {{ node {{ address tags }} }} }} }} }}'
    edges = ask(manager, listed)["community"]["invitations"]["edges"]
    assert [edge["node"] for edge in edges] == [
        {"address": "a@x.org", "tags": ["parks"]},
        {"address": "b@x.org", "tags": ["roads"]},
    ]
    resend = f'mutation {{ resendInvitations(communityId: "{id_of(community)}") {{ sent errors {{ code }} }} }}'
    assert post(manager, resend)["data"]["resendInvitations"]["errors"] == [{"code": "SENT_LATELY"}]
    Invitation.objects.update(sent_at=timezone.now() - timedelta(hours=2))
    assert ask(manager, resend)["resendInvitations"] == {"sent": 2, "errors": []}


def test_every_faulty_entry_of_a_list_is_named_and_nobody_is_invited() -> None:
    community, members = factories.community()
    invite = """mutation($input: InviteMembersInput!) { inviteMembers(input: $input) {
      invited errors { code message } } }"""
    people = [{"address": "a@x.org"}, {"address": "nobody"}, {"address": "A@x.org"}, {"address": "b@x.org"}]
    done = ask(members["manager"].user, invite, input={"communityId": id_of(community), "people": people})
    assert [error["message"] for error in done["inviteMembers"]["errors"]] == [
        "Entry 2: “nobody” is not an e-mail address.",
        "Entry 3: a@x.org is there twice, first in entry 1.",
    ]
    assert not Invitation.objects.exists()
