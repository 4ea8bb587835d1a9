"""Every list costs the same number of SQL queries with one row and with ten."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import services as accounts
from accounts.models import User
from democracy import recalculation, services
from democracy.models import Community, Decision, Following, Membership, Notice
from democracy.notices import outbox, webhooks
from democracy.recalculation.staging import forget_everything
from tests import factories
from tests.test_graphql.api import ask, client_of, id_of

pytestmark = pytest.mark.django_db

MANY = 10
Grow = Callable[["Scene", int], None]


class Scene:
    def __init__(self) -> None:
        self.community, self.members = factories.community("ann", "ben", visibility=Community.Visibility.PUBLIC)
        self.manager = self.members["manager"]
        self.decision = factories.decision(self.community, self.manager.user)
        self.client = client_of(self.manager.user)

    def queries(self, document: str) -> int:
        forget_everything()
        text = document.replace("$C", f'"{id_of(self.community)}"').replace("$D", f'"{id_of(self.decision)}"')
        ask(self.client, text)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            ask(self.client, text)
        return len(captured)


@pytest.fixture(scope="module")
def written(module_rows: None) -> Scene:
    return Scene()


@pytest.fixture
def scene(written: Scene, db: None) -> Scene:
    return copy.deepcopy(written)


def more_communities(scene: Scene, number: int) -> None:
    for _ in range(number):
        community, _ = factories.community(visibility=Community.Visibility.PUBLIC)
        factories.join(community, scene.manager.user)
        decision = factories.decision(community, founder_of(community))
        factories.vote(factories.member_of(community, scene.manager.user), decision, Ash=5)
        recalculation.recalculate_community(community.pk)


def founder_of(community: Community) -> User:
    return Membership.objects.select_related("user").get(community=community, is_manager=True).user


def more_decisions(scene: Scene, number: int) -> None:
    for _ in range(number):
        factories.vote(scene.manager, factories.decision(scene.community, scene.manager.user), ["roads"], Ash=3)
    recalculation.recalculate_community(scene.community.pk)


def more_members(scene: Scene, number: int) -> None:
    for _ in range(number):
        member = factories.join(scene.community, factories.person())
        factories.follow(member, scene.manager, "roads")
        factories.follow(member, scene.members["ben"])
        factories.vote(member, scene.decision, ["roads"], Ash=4)
        factories.follow(scene.manager, member)
    recalculation.recalculate_community(scene.community.pk)


def more_hidden_members(scene: Scene, number: int) -> None:
    for _ in range(number):
        member = factories.join(scene.community, factories.person())
        factories.vote(member, scene.decision, Ash=4)
        services.set_anonymity(member.user, scene.community.pk, anonymous=True)
    recalculation.recalculate_community(scene.community.pk)


def more_inheriting_members(scene: Scene, number: int) -> None:
    factories.vote(scene.members["ben"], scene.decision, Ash=4)
    for _ in range(number):
        factories.follow(factories.join(scene.community, factories.person()), scene.members["ben"])
    recalculation.recalculate_community(scene.community.pk)


def more_results(scene: Scene, number: int) -> None:
    for turn in range(number):
        factories.vote(scene.manager, scene.decision, Ash=turn % 5 + 1)
        recalculation.recalculate_community(scene.community.pk)


def more_applications(scene: Scene, number: int) -> None:
    services.update_community(scene.manager.user, scene.community.pk, joining="request")
    for _ in range(number):
        services.apply_to_community(factories.person(), scene.community.pk, message="Please")


def more_notices(scene: Scene, number: int) -> None:
    for _ in range(number):
        decision = factories.decision(scene.community, scene.manager.user)
        about = {"community_id": scene.community.pk, "decision_id": decision.pk}
        outbox.add(Notice.Kind.OPENED, f"{decision.pk}", person_id=scene.manager.user_id, **about)


def more_invitations(scene: Scene, number: int) -> None:
    for _ in range(number):
        address = f"{factories.person().handle}@example.net"
        people = [services.Invitee(address, tags=("roads",))]
        services.invite(scene.manager.user, scene.community.pk, people, decision_id=scene.decision.pk)
        services.create_invitation_link(scene.manager.user, scene.community.pk, decision_id=scene.decision.pk)


def more_tokens(scene: Scene, number: int) -> None:
    for _ in range(number // 2 + 1):
        accounts.create_api_token(scene.manager.user, "a token")


def more_webhooks(scene: Scene, number: int) -> None:
    manager = scene.manager.user
    for turn in range(number // 2 + 1):
        url = f"https://hooks.example.org/{number}/{turn}"
        services.create_webhook(manager, scene.community.pk, url=url, events=["decision.opened"])
    for _ in range(number):
        webhooks.tell(factories.decision(scene.community, manager), "decision.opened")


def more_passkeys(scene: Scene, number: int) -> None:
    for _ in range(number):
        factories.passkey(scene.manager.user)


def page(field: str, *inner: str) -> str:
    return f"{field} {{ totalCount pageInfo {{ hasNextPage }} edges {{ cursor node {{ {' '.join(inner)} }} }} }}"


def of_community(*inner: str) -> str:
    return f"{{ community(id: $C) {{ {' '.join(inner)} }} }}"


def of_decision(*inner: str) -> str:
    return f"{{ decision(id: $D) {{ {' '.join(inner)} }} }}"


RESULT = "revision winner { title } scores { choice { title } score } preferences { choice { title } }"
VOTER = "voter { name member { id handle } }"
BALLOT = f"kind {VOTER} stars {{ choice {{ title }} stars }} tags comment"
DECISION = (
    "id title tags topics isPinned calledOff { at reason } community { name } choices { title lot } "
    f"calculation {{ status }} result {{ {RESULT} }} myBallot {{ {BALLOT} }}"
)
FOLLOWINGS = page("followings(first: 5)", "tags followee { name }"), page("followers(first: 5)", "follower { name }")


def more_of_the_start(scene: Scene, number: int) -> None:
    """Give the manager decisions to vote on that they inherit in, results, drafts, pinned ones and applications."""
    community, manager, ann = scene.community, scene.manager, scene.members["ann"]
    if not Following.objects.filter(follower=manager, followee=ann).exists():
        factories.follow(manager, ann)
    ended = [factories.decision(community, manager.user) for _ in range(number)]
    for decision in [*ended, *(factories.decision(community, manager.user) for _ in range(number))]:
        factories.vote(ann, decision, Ash=4)
    for decision in ended:
        factories.close(decision)
    for _ in range(number):
        factories.draft(community, manager.user)
    for decision in ended[: 1 if number == 1 else 3]:
        services.pin_decision(manager.user, decision.pk, pinned=True)
    recalculate = recalculation.recalculate_community
    recalculate(community.pk)
    for decision in Decision.objects.open(timezone.now()).filter(community=community):
        factories.vote(ann, decision, Birch=5)
    recalculate(community.pk)
    more_applications(scene, number)


LISTS: dict[str, tuple[Grow, str]] = {
    "my memberships": (
        more_communities,
        f"{{ me {{ {page('memberships(first: 100)', 'role community { name memberCount }')} }} }}",
    ),
    "communities with decisions with results": (
        more_communities,
        "{"
        + page(
            "communities(first: 40)",
            "name memberCount membership { role } application { id }",
            page("decisions(first: 5)", DECISION),
        )
        + "}",
    ),
    "communities with members with whom they follow": (
        more_communities,
        "{" + page("communities(first: 40)", page("members(first: 3)", "name", *FOLLOWINGS)) + "}",
    ),
    "decisions": (more_decisions, "{" + page("decisions(communityId: $C, first: 40)", DECISION) + "}"),
    "decisions with ballots and history": (
        more_decisions,
        "{"
        + page(
            "decisions(communityId: $C, first: 40)",
            page("ballots(first: 3)", BALLOT),
            page("history(first: 2)", f"{RESULT}"),
        )
        + "}",
    ),
    "members with whom they follow": (
        more_members,
        of_community(page("members(first: 40)", "name handle isMe", *FOLLOWINGS)),
    ),
    "ballots": (more_members, of_decision(page("ballots(first: 40)", BALLOT))),
    "ballots of hidden members": (more_hidden_members, of_decision(page("ballots(first: 40)", BALLOT))),
    "ballots with sources": (
        more_inheriting_members,
        of_decision(page("ballots(first: 20)", "sources { weight member { name member { id } } path { name } }")),
    ),
    "influence": (more_members, of_decision(page("influence(first: 40)", f"ballots {VOTER}"))),
    "the delegation graph": (
        more_inheriting_members,
        of_decision(f"delegationGraph {{ nodes {{ kind {VOTER} }} edges {{ tags }} }}"),
    ),
    "history": (more_results, of_decision(page("history(first: 40)", RESULT))),
    "the ledger": (
        more_members,
        "{" + page("ledger(communityId: $C, first: 100)", "actor summary before after decisionId") + "}",
    ),
    "applications": (
        more_applications,
        of_community(page("applications(first: 40)", "message applicant { name } community { name }")),
    ),
    "my start": (
        more_of_the_start,
        "{ me { "
        + page(
            "openDecisions(voted: false, first: 100)",
            "title community { name } myBallot { kind lastMove { at before { stars choice { title } } } }",
        )
        + page("newResults", "title result { winner { title } }")
        + page("pinnedDecisions", "title")
        + page("drafts", "title")
        + page("waitingApplications", "message applicant { name } community { name }")
        + " } }",
    ),
    "webhooks": (
        more_webhooks,
        of_community("webhooks { url deliveries { event state decision { title community { name } } } }"),
    ),
    "my notices": (
        more_notices,
        "{ me { unreadNotices "
        + page("notices(first: 40)", "kind title text url community { name } decision { title }")
        + " } }",
    ),
    # Asked for one by one: in one request it is chance whether both lists are there in time for one query of decisions.
    "invitations": (
        more_invitations,
        of_community(page("invitations(first: 40)", "address tags state refusal decision { title } member { name }")),
    ),
    "invitation links": (
        more_invitations,
        of_community(page("invitationLinks(first: 40)", "url decision { title }")),
    ),
    "my tokens": (more_tokens, "{ me { apiTokens { id name lastUsedAt } } }"),
    "my passkeys": (more_passkeys, "{ me { passkeys { id name lastUsedAt } } }"),
}


@pytest.mark.parametrize("grow", dict.fromkeys(grow for grow, _ in LISTS.values()))
def test_as_many_queries_for_one_row_as_for_ten(scene: Scene, grow: Grow) -> None:
    documents = {name: document for name, (grows, document) in LISTS.items() if grows is grow}
    grow(scene, 1)
    few = {name: scene.queries(document) for name, document in documents.items()}
    grow(scene, MANY)
    assert {name: scene.queries(document) for name, document in documents.items()} == few
    assert max(few.values()) < 30
