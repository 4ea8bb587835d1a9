"""Rights: every mutation for everybody, and that a refusal writes nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.api import node_id
from crowdvote.api.schema import schema
from democracy import services
from democracy.models import Invitation
from democracy.models.invitations import token_of
from tests import factories
from tests.test_graphql.api import client_of, everything_written, id_of, post
from tests.test_graphql.scene import MEMBERS, PEOPLE, ROLES, Scene, build

pytestmark = pytest.mark.django_db

DENIED, SIGN_IN = "PERMISSION_DENIED", "SIGN_IN"
MANAGERS = frozenset({"manager"})
EVERYBODY = frozenset(ROLES)


@dataclass(frozen=True)
class Case:
    """A mutation that `allowed` may do; the others are refused with DENIED, visitors with SIGN_IN, or with another code
    in `refused`.
    """

    allowed: Collection[str]
    arguments: Callable[[Scene, str], dict[str, Any]]
    refused: dict[str, str] = field(default_factory=dict)


def of_community(scene: Scene, role: str) -> dict[str, Any]:
    return {"communityId": id_of(scene.community)}


def of_decision(scene: Scene, role: str) -> dict[str, Any]:
    return {"decisionId": id_of(scene.decision)}


def of_draft(scene: Scene, role: str) -> dict[str, Any]:
    return {"decisionId": id_of(scene.draft)}


def of_closed(scene: Scene, role: str) -> dict[str, Any]:
    return {"decisionId": id_of(factories.close(scene.decision))}


def of_published(scene: Scene, role: str) -> dict[str, Any]:
    arguments = of_closed(scene, role)
    services.publish_result(scene.people["manager"], scene.decision.pk)
    return arguments


def of_leader(scene: Scene, role: str) -> dict[str, Any]:
    return {"memberId": id_of(scene.leader)}


def of_application(scene: Scene, role: str) -> dict[str, Any]:
    return {"applicationId": id_of(scene.application)}


def of_invitation(scene: Scene, role: str) -> dict[str, Any]:
    return {"invitationId": id_of(scene.invitation)}


def of_webhook(scene: Scene, role: str) -> dict[str, Any]:
    return {"webhookId": id_of(scene.webhook)}


def of_invited_long_ago(scene: Scene, role: str) -> dict[str, Any]:
    Invitation.objects.update(sent_at=timezone.now() - timedelta(hours=2))
    return of_community(scene, role)


def own_token(scene: Scene, role: str) -> dict[str, Any]:
    return {"id": id_of(scene.tokens.get(role, scene.tokens["voter"]))}


def own_passkey(scene: Scene, role: str) -> dict[str, Any]:
    return {"id": id_of(scene.passkeys.get(role, scene.passkeys["voter"]))}


def with_input(arguments: Callable[[Scene, str], dict[str, Any]], **more: Any) -> Callable[..., dict[str, Any]]:
    return lambda scene, role: {"input": arguments(scene, role) | more}


def plain(**arguments: Any) -> Callable[..., dict[str, Any]]:
    return lambda scene, role: arguments


def stars(scene: Scene, role: str) -> dict[str, Any]:
    return of_decision(scene, role) | {"stars": [{"choiceId": id_of(scene.decision.choices.all()[1]), "stars": 3}]}


CASES = {
    "requestSignInLink": Case(EVERYBODY, lambda scene, role: {"email": f"{role}@example.org"}),
    "signIn": Case(EVERYBODY, lambda scene, role: {"token": scene.link}),
    # Nobody here has asked for a mail: tests/test_accounts/test_sign_in_codes.py types codes.
    "signInWithCode": Case((), plain(code="123456"), refused=dict.fromkeys(ROLES, "INVALID_CODE")),
    "signOut": Case(PEOPLE, plain()),
    "updateProfile": Case(PEOPLE, plain(input={"name": "A New Name"})),
    "requestAddressChange": Case(PEOPLE, lambda scene, role: {"email": f"new_{role}@example.org"}),
    # Nobody here has asked for a code: tests/test_accounts/test_addresses.py types it.
    "confirmAddressChange": Case((), plain(code="123456"), refused=dict.fromkeys(PEOPLE, "INVALID_CODE")),
    "closeAccount": Case(PEOPLE, plain(confirmed=True)),
    "createApiToken": Case(PEOPLE, plain(name="another token")),
    "revokeApiToken": Case(PEOPLE, own_token),
    "renamePasskey": Case(PEOPLE, lambda scene, role: own_passkey(scene, role) | {"name": "the new phone"}),
    "removePasskey": Case(PEOPLE, own_passkey),
    "createCommunity": Case(PEOPLE, plain(input={"name": "A New Community"})),
    "updateCommunity": Case(MANAGERS, with_input(of_community, description="Ours")),
    "applyToCommunity": Case(
        PEOPLE - MEMBERS, with_input(of_community, message="Please"), refused=dict.fromkeys(MEMBERS, "ALREADY_MEMBER")
    ),
    "withdrawApplication": Case({"applicant"}, of_application),
    "decideApplication": Case(MANAGERS, with_input(of_application, approve=True)),
    "leaveCommunity": Case(MEMBERS, of_community),
    "removeMember": Case(MANAGERS, of_leader),
    "updateMembership": Case(MANAGERS, with_input(of_leader, role="LOBBYIST")),
    "setAnonymity": Case(
        MEMBERS - {"lobbyist"}, with_input(of_community, anonymous=True), refused={"lobbyist": "INVALID"}
    ),
    "createDecision": Case(MANAGERS, with_input(of_community, title="Which way?")),
    "updateDecision": Case(MANAGERS, with_input(of_draft, title="Which way?")),
    "publishDecision": Case(MANAGERS, of_draft),
    "clarifyDecision": Case(MANAGERS, with_input(of_decision, text="Only trees.")),
    "publishResult": Case(MANAGERS, of_closed),
    "withdrawResult": Case(MANAGERS, of_published),
    "castVote": Case(MEMBERS, with_input(stars)),
    "withdrawVote": Case(MEMBERS, of_decision),
    "tagVote": Case(MEMBERS, with_input(of_decision, tags=["roads"])),
    "follow": Case(MEMBERS, with_input(of_leader, tags=["roads"])),
    "unfollow": Case(MEMBERS, of_leader),
    "recalculate": Case(MANAGERS, of_decision),
    "markNoticesRead": Case(PEOPLE, plain()),
    "setNoticePreferences": Case(MEMBERS, with_input(of_community, preferences=[{"kind": "RESULT", "way": "SITE"}])),
    "inviteMembers": Case(MANAGERS, with_input(of_community, people=[{"address": "somebody@example.org"}])),
    "resendInvitation": Case(MANAGERS, of_invitation),
    "resendInvitations": Case(MANAGERS, of_invited_long_ago),
    "revokeInvitation": Case(MANAGERS, of_invitation),
    "createInvitationLink": Case(MANAGERS, with_input(of_community)),
    "revokeInvitationLink": Case(MANAGERS, lambda scene, role: {"linkId": id_of(scene.invitation_link)}),
    "acceptInvitation": Case(EVERYBODY, lambda scene, role: {"input": {"token": token_of(scene.invitation.key)}}),
    "useInvitationLink": Case(PEOPLE, lambda scene, role: {"token": scene.invitation_link.token}),
    "deleteDraft": Case(MANAGERS, of_draft),
    "callOffDecision": Case(MANAGERS, with_input(of_decision, reason="The roof is mended.")),
    "copyDecision": Case(MANAGERS, of_decision),
    "createWebhook": Case(
        MANAGERS, with_input(of_community, url="https://other.example.org/", events=["DECISION_RESULT"])
    ),
    "deleteWebhook": Case(MANAGERS, of_webhook),
    "renewWebhookSecret": Case(MANAGERS, of_webhook),
    "testWebhook": Case(MANAGERS, of_webhook),
    "remindMembers": Case(MANAGERS, of_decision),
    "pinDecision": Case(MANAGERS, with_input(of_decision, pinned=True)),
}
# Of those that are compared: notices are no input.
CHANGES_NO_ROW = {
    *("requestSignInLink", "signOut", "requestAddressChange"),
    *("markNoticesRead", "setNoticePreferences", "remindMembers"),
}
IS_SO_ALREADY = {("setAnonymity", "anonymous"), *(("useInvitationLink", role) for role in MEMBERS)}


def test_every_mutation_of_the_schema_is_in_the_table() -> None:
    assert set(schema._schema.mutation_type.fields) == set(CASES)


def document(name: str, arguments: dict[str, Any]) -> str:
    """The mutation as an operation whose variables are its arguments."""
    types = {arg: str(one.type) for arg, one in schema._schema.mutation_type.fields[name].args.items()}
    declared = ", ".join(f"${arg}: {types[arg]}" for arg in arguments)
    given = ", ".join(f"{arg}: ${arg}" for arg in arguments)
    head, tail = (f"({declared})", f"({given})") if arguments else ("", "")
    return f"mutation{head} {{ done: {name}{tail} {{ errors {{ field code message }} }} }}"


@dataclass(frozen=True)
class Outcome:
    errors: tuple[str, ...]
    wrote: bool


@pytest.fixture(scope="module")
def written(module_rows: None) -> Scene:
    return build()


@pytest.fixture
def scene(written: Scene, db: None) -> Scene:
    return copy.deepcopy(written)


def attempt(scene: Scene, name: str, role: str) -> Outcome:
    """Try the mutation as this role; the database is put back after it."""
    with transaction.atomic():
        client = client_of(scene.people[role])
        arguments = CASES[name].arguments(scene, role)
        before = everything_written()
        answer = post(client, document(name, arguments), **arguments)
        errors = tuple(error["code"] for error in answer["data"]["done"]["errors"])
        outcome = Outcome(errors, wrote=everything_written() != before)
        transaction.set_rollback(True)
    return outcome


@pytest.mark.parametrize("name", CASES)
def test_who_may(name: str, scene: Scene) -> None:
    case = CASES[name]
    assert {role: attempt(scene, name, role) for role in ROLES} == {
        role: Outcome((), wrote=name not in CHANGES_NO_ROW and (name, role) not in IS_SO_ALREADY)
        if role in case.allowed
        else Outcome((case.refused.get(role, SIGN_IN if role == "visitor" else DENIED),), wrote=False)
        for role in ROLES
    }


@pytest.mark.parametrize("name", ["decideApplication", "updateMembership", "removeMember", "createDecision"])
def test_a_manager_of_another_community_is_a_stranger_here(name: str, scene: Scene) -> None:
    other = build()
    client = client_of(other.people["manager"])
    before = everything_written()
    arguments = CASES[name].arguments(scene, "manager")
    answer = post(client, document(name, arguments), **arguments)
    assert [error["code"] for error in answer["data"]["done"]["errors"]] == [DENIED]
    assert everything_written() == before


@pytest.mark.parametrize(
    ("name", "more", "refusal"),
    [
        ("revokeApiToken", {}, "NOT_YOUR_TOKEN"),
        ("renamePasskey", {"name": "mine"}, "NOT_YOUR_PASSKEY"),
        ("removePasskey", {}, "NOT_YOUR_PASSKEY"),
    ],
)
def test_somebody_elses_means_to_sign_in_are_as_good_as_none(
    scene: Scene, name: str, more: dict[str, str], refusal: str
) -> None:
    client = client_of(scene.people["stranger"])
    before = everything_written()
    query = document(name, {"id": "", **more})
    theirs = scene.tokens["voter"] if name == "revokeApiToken" else scene.passkeys["voter"]
    for one in (id_of(theirs), node_id(type(theirs).__name__, 99_999)):
        answer = post(client, query, id=one, **more)
        assert [error["code"] for error in answer["data"]["done"]["errors"]] == [refusal]
    assert everything_written() == before


@pytest.mark.parametrize("name", ["castVote", "follow", "leaveCommunity", "recalculate", "decideApplication"])
def test_what_does_not_exist_is_refused_like_what_one_may_not(name: str, scene: Scene) -> None:
    """Byte for byte, so that nobody learns what there is."""
    client = client_of(scene.people["stranger"])
    arguments = CASES[name].arguments(scene, "stranger")
    there = post(client, document(name, arguments), **arguments)
    text = json.dumps(arguments)
    for row in (scene.community, scene.decision, scene.leader, scene.application):
        text = text.replace(id_of(row), id_of(type(row)(pk=999_999)))
    nowhere = json.loads(text)
    assert nowhere != arguments
    assert post(client, document(name, nowhere), **nowhere) == there
