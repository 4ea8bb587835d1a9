"""Mutations sent again are done once, and those sent after somebody else's never write over what is not known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.api import node_id
from accounts.models import User
from democracy import services
from democracy.models import Decision, IdempotencyKey, Invitation, InvitationLink
from tests import factories, rules
from tests.test_graphql.api import id_of, post

pytestmark = pytest.mark.django_db

REFUSED = "errors { field code message }"


def of_input(name: str, answer: str = "") -> str:
    """Write the mutation of this name, which takes an input, as an operation that asks for this answer."""
    kind = f"{name[0].upper()}{name[1:]}Input!"
    return f"mutation($input: {kind}) {{ done: {name}(input: $input) {{ {answer} {REFUSED} }} }}"


FOUND = of_input("createCommunity", "community { id }")
DRAFT = of_input("createDecision", "decision { id }")
INVITE = of_input("inviteMembers", "invited alreadyInvited")
LINK = of_input("createInvitationLink", "link { id }")
COPY = f"""mutation($id: ID!, $key: String!) {{
  done: copyDecision(decisionId: $id, idempotencyKey: $key) {{ decision {{ id }} {REFUSED} }} }}"""


def done(viewer: Any, mutation: str, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = post(viewer, mutation, **variables)["data"]["done"]
    return found


class TestKeys:
    def test_a_community_is_founded_once_for_each_key_person_and_input(self) -> None:
        ann, ben = factories.person(), factories.person()
        first = done(ann, FOUND, input={"name": "Ours", "idempotencyKey": "one"})
        before = rules.written()
        assert done(ann, FOUND, input={"name": "Ours", "idempotencyKey": "one"}) == first
        other = done(ann, FOUND, input={"name": "Theirs", "idempotencyKey": "one"})
        assert [error["code"] for error in other["errors"]] == ["KEY_REUSED"]
        assert other["errors"][0]["field"] == "idempotencyKey"
        assert rules.written() == before
        # Another person's key is another key, and without one the name is taken.
        for key in ("one", ""):
            taken = done(ben, FOUND, input={"name": "Ours", "idempotencyKey": key})
            assert [error["code"] for error in taken["errors"]] == ["NAME_TAKEN"]

    def test_what_was_refused_can_be_sent_again_with_its_key(self) -> None:
        ann = factories.person()
        input = {"name": "", "idempotencyKey": "one"}
        assert done(ann, FOUND, input=input)["errors"][0]["field"] == "name"
        assert not IdempotencyKey.objects.exists()
        assert done(ann, FOUND, input=input | {"name": "Ours"})["errors"] == []

    def test_a_decision_its_copy_and_a_link_are_made_once(self) -> None:
        community, members = factories.community()
        manager = members["manager"].user
        draft = {"communityId": id_of(community), "title": "Which way?", "idempotencyKey": "d"}
        made = [done(manager, DRAFT, input=draft)["decision"]["id"] for _ in range(2)]
        copies = [done(manager, COPY, id=made[0], key="d")["decision"]["id"] for _ in range(2)]
        link = {"communityId": id_of(community), "idempotencyKey": "d"}
        links = [done(manager, LINK, input=link)["link"]["id"] for _ in range(2)]
        assert [len(set(ids)) for ids in (made, copies, links)] == [1, 1, 1]
        assert (Decision.objects.count(), InvitationLink.objects.count()) == (2, 1)
        # Whoever may not see it any more is not told of it by an old key.
        (deputy,) = factories.voters(community, ["deputy"])
        services.update_membership(manager, deputy.pk, is_manager=True)
        services.update_membership(manager, members["manager"].pk, is_manager=False)
        again = [done(manager, DRAFT, input=draft), done(manager, LINK, input=link)]
        assert [one["errors"][0]["code"] for one in again] == ["PERMISSION_DENIED"] * 2

    def test_people_are_invited_once_and_the_answer_is_the_same(self) -> None:
        community, members = factories.community()
        input = {"communityId": id_of(community), "people": [{"address": "a@x.org"}], "idempotencyKey": "i"}
        first = done(members["manager"].user, INVITE, input=input)
        assert first == {"invited": 1, "alreadyInvited": 0, "errors": []}
        Invitation.objects.all().delete()
        assert done(members["manager"].user, INVITE, input=input) == first
        assert not Invitation.objects.exists()

    def test_a_key_is_forgotten_after_a_day_and_is_not_too_long(self) -> None:
        ann = factories.person()
        input = {"name": "Ours", "idempotencyKey": "k" * 100}
        assert done(ann, FOUND, input=input)["errors"] == []
        IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
        assert done(ann, FOUND, input=input)["errors"][0]["code"] == "NAME_TAKEN"
        told = done(ann, FOUND, input=input | {"idempotencyKey": "k" * 101})["errors"]
        assert told == [{"field": "idempotencyKey", "code": "INVALID", "message": "A key has at most 100 characters."}]
        told = done(Client(), FOUND, input=input)["errors"]
        assert [error["code"] for error in told] == ["SIGN_IN"]


class TestRevisions:
    """Each mutation is refused after another's, and done again with the revision that knows of it."""

    def test_nothing_is_changed_that_was_changed_meanwhile(self) -> None:
        community, members = factories.community("ann")
        manager, ann = members["manager"].user, members["ann"]
        draft = factories.draft(community, manager)
        decision = factories.decision(community, manager)
        factories.vote(ann, decision, Ash=5)
        known = rules.revision(community)
        changes: dict[str, tuple[User, dict[str, Any]]] = {
            "updateCommunity": (manager, {"communityId": id_of(community), "description": "x"}),
            "updateDecision": (manager, {"decisionId": id_of(draft), "title": "y"}),
            "updateMembership": (manager, {"memberId": id_of(ann), "isManager": True}),
            "castVote": (ann.user, {"decisionId": id_of(decision), "abstain": True}),
        }
        services.update_community(manager, community.pk, description="meanwhile")
        services.update_decision(manager, draft.pk, title="meanwhile")
        services.update_membership(manager, ann.pk, role="lobbyist")
        factories.vote(ann, decision, Ash=4)
        for name, (viewer, input) in changes.items():
            mutation = of_input(name)
            before = rules.written()
            told = done(viewer, mutation, input=input | {"ifRevision": known})["errors"]
            assert [(error["field"], error["code"]) for error in told] == [("ifRevision", "CHANGED_MEANWHILE")], name
            assert rules.written() == before
            asked = f'{{ community(id: "{id_of(community)}") {{ revision }} }}'
            now = post(viewer, asked)["data"]["community"]["revision"]
            assert done(viewer, mutation, input=input | {"ifRevision": now})["errors"] == [], name

    def test_a_communitys_revision_is_told_to_its_readers(self) -> None:
        community, members = factories.community("ann", visibility="members")
        asked = f'{{ community(id: "{id_of(community)}") {{ revision }} }}'
        told = [post(viewer, asked)["data"]["community"] for viewer in (members["ann"].user, factories.person(), None)]
        assert told == [{"revision": rules.revision(community)}, {"revision": None}, {"revision": None}]


def test_what_has_ended_is_named_for_clients_that_keep_it() -> None:
    community, members = factories.community("ann", "ben")
    ann, ben = members["ann"], members["ben"]
    factories.follow(ann, ben)
    listed = node_id("Following", ann.pk, ben.pk)
    assert post(ann.user, f'{{ node(id: "{listed}") {{ __typename }} }}')["data"]["node"] is not None
    unfollow = f'mutation {{ done: unfollow(memberId: "{id_of(ben)}") {{ deletedId {REFUSED} }} }}'
    ended = [done(ann.user, unfollow) for _ in range(2)]
    assert ended == [{"deletedId": listed, "errors": []}] * 2
    leave = f'mutation {{ done: leaveCommunity(communityId: "{id_of(community)}") {{ deletedId }} }}'
    assert done(ben.user, leave) == {"deletedId": id_of(ben)}
    remove = f'mutation {{ done: removeMember(memberId: "{id_of(ann)}") {{ deletedId }} }}'
    assert done(members["manager"].user, remove) == {"deletedId": id_of(ann)}


def test_a_root_that_is_refused_takes_no_other_with_it() -> None:
    community, _ = factories.community(visibility="members")
    query = f"""{{ ledger(communityId: "{id_of(community)}") {{ edges {{ cursor }} }}
      decisions(after: "nonsense") {{ edges {{ cursor }} }} communities(first: 1) {{ edges {{ node {{ id }} }} }} }}"""
    answer = post(None, query)
    assert answer["data"] == {
        "ledger": None,
        "decisions": None,
        "communities": {"edges": [{"node": {"id": id_of(community)}}]},
    }
    assert {error["path"][0] for error in answer["errors"]} == {"ledger", "decisions"}
