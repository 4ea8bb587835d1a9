"""A community with everybody who may ask something of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from sesame.utils import get_token

from accounts import services as accounts
from accounts.models import ApiToken, Passkey, User
from democracy import services
from democracy.models import Application, Community, Decision, Invitation, InvitationLink, Membership, Webhook
from tests import factories

ROLES = (
    "visitor",
    "stranger",
    "applicant",
    "former",
    "removed",
    "anonymous",
    "voter",
    "lobbyist",
    "manager",
)
MEMBERS = frozenset({"anonymous", "voter", "lobbyist", "manager"})
PEOPLE = frozenset(ROLES) - {"visitor"}


@dataclass
class Scene:
    """Everybody but the visitor has an API token; everybody who is or was a member follows `leader` and has voted."""

    community: Community
    members: dict[str, Membership]
    people: dict[str, User | None]
    leader: Membership
    decision: Decision
    draft: Decision
    application: Application
    invitation: Invitation
    invitation_link: InvitationLink
    webhook: Webhook
    tokens: dict[str, ApiToken]
    passkeys: dict[str, Passkey]
    link: str


def build() -> Scene:
    community, members = factories.community("leader", "former", "removed", "hidden", "voter", "lobbyist", "second")
    # People may not call themselves anonymous.
    members["anonymous"] = members.pop("hidden")
    manager = members["manager"].user
    services.update_membership(manager, members["lobbyist"].pk, role=Membership.Role.LOBBYIST)
    services.update_membership(manager, members["second"].pk, is_manager=True)
    decision = factories.decision(community, manager)
    for name in ("former", "removed", "anonymous", "voter", "lobbyist", "manager"):
        factories.follow(members[name], members["leader"])
        factories.vote(members[name], decision, Ash=5)
    services.set_anonymity(members["anonymous"].user, community.pk, anonymous=True)
    services.leave_community(members["former"].user, community.pk)
    services.remove_member(manager, members["removed"].pk)
    services.update_community(manager, community.pk, joining="request")
    people: dict[str, User | None] = {name: members[name].user for name in ROLES if name in members}
    people |= {"visitor": None, "stranger": factories.person(), "applicant": factories.person()}
    application = services.apply_to_community(people["applicant"], community.pk)
    services.invite(manager, community.pk, [services.Invitee("invited@example.org")], send=False)
    addressee = factories.person(last_login=timezone.now() - timedelta(days=1))
    return Scene(
        community=community,
        members=members,
        people=people,
        leader=members["leader"],
        decision=decision,
        draft=factories.draft(community, manager),
        application=application,
        invitation=Invitation.objects.get(community=community),
        invitation_link=services.create_invitation_link(manager, community.pk),
        webhook=services.create_webhook(
            manager, community.pk, url="https://hooks.example.org/", events=["decision.opened"]
        ),
        tokens={name: accounts.create_api_token(user, "a token")[0] for name, user in people.items() if user},
        passkeys={name: factories.passkey(user) for name, user in people.items() if user},
        link=get_token(addressee),
    )
