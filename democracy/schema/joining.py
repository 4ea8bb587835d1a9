"""The mutations of invitations: managers invite, and people come in."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import strawberry

from accounts.api import Info, Input, Payload, mutation, pk_of
from accounts.models import User
from accounts.schema import OnlyOverHttp, Token
from accounts.services import begin_session
from democracy import access, models, services
from democracy.errors import InvalidInput, PermissionDenied
from democracy.files.malformed import Malformed
from democracy.files.member_lists import read_member_list
from democracy.schema import inputs
from democracy.schema.arguments import CommunityId, InvitationId, LinkId
from democracy.schema.inputs import KEY
from democracy.schema.scalars import Role
from democracy.schema.types.communities import Application, Community
from democracy.schema.types.decisions import Decision
from democracy.schema.types.invitations import Invitation, InvitationLink
from democracy.schema.types.people import Member


@strawberry.input(description="Somebody to invite.")
class InviteeInput:
    address: str = strawberry.field(description="An e-mail address.")
    name: str = strawberry.field(default="", description="For the new account, where the address has none.")
    role: Role = strawberry.field(default=Role.VOTER, description="Whether their ballot will be counted.")
    is_manager: bool = strawberry.field(default=False, description="Whether they come in as a manager.")
    tags: list[str] = strawberry.field(
        default_factory=list,
        description="Topics on which they are led to follow somebody. Whom, they choose themselves.",
    )


@strawberry.input(description="Either `people` or `memberList`.")
class InviteMembersInput:
    community_id: strawberry.ID = strawberry.field(description="Where they become members.")
    people: list[InviteeInput] = strawberry.field(default_factory=list, description="At most 20,000.")
    member_list: str = strawberry.field(
        default="",
        description="CSV whose header names the columns address, name, role, manager, tags to follow; or "
        "addresses alone, a line each.",
    )
    decision_id: strawberry.ID | None = strawberry.field(
        default=None, description="The decision that the links lead to; left out: the community."
    )
    send: bool = strawberry.field(
        default=True, description="Mail the links. Without it, people join by signing in with their address."
    )
    idempotency_key: str = strawberry.field(default="", description=KEY)


@strawberry.input(description="A link for many people.")
class CreateInvitationLinkInput:
    community_id: strawberry.ID = strawberry.field(description="Where they become members.")
    role: Role = strawberry.field(default=Role.VOTER, description="Whether their ballots will be counted.")
    needs_approval: bool = strawberry.field(default=False, description="Lead to an application.")
    ends_at: datetime | None = strawberry.field(default=None, description="Left out: until somebody ends it.")
    max_uses: int | None = strawberry.field(default=None, description="Left out: for any number of people.")
    decision_id: strawberry.ID | None = strawberry.field(
        default=None, description="The decision that it leads to; left out: the community."
    )
    idempotency_key: str = strawberry.field(default="", description=KEY)


@strawberry.input(description="Either the token of a mailed link, or a community that has invited your address.")
class AcceptInvitationInput:
    token: str | None = strawberry.field(default=None, description="The last part of the link's path.")
    community_id: strawberry.ID | None = strawberry.field(
        default=None, description="One that has invited the address of your account."
    )


@strawberry.type(description="The answer to `inviteMembers`.")
class InvitePayload(Payload):
    community: Community | None = strawberry.field(default=None, description="The one that people are invited to.")
    invited: int | None = strawberry.field(default=None, description="People who got an invitation, or a new one.")
    already_invited: int | None = strawberry.field(
        default=None, description="People who wait with an invitation, which they keep."
    )
    already_members: int | None = strawberry.field(
        default=None, description="People of the list who are members, and got nothing."
    )


@strawberry.type(description="The answer to `resendInvitation` and `revokeInvitation`.")
class InvitationPayload(Payload):
    invitation: Invitation | None = strawberry.field(default=None, description="As it stands now.")


@strawberry.type(description="The answer to `resendInvitations`.")
class ResendInvitationsPayload(Payload):
    community: Community | None = strawberry.field(default=None, description="The one that people are invited to.")
    sent: int | None = strawberry.field(default=None, description="The number of people who get a new link.")


@strawberry.type(description="The answer to `createInvitationLink` and `revokeInvitationLink`.")
class InvitationLinkPayload(Payload):
    link: InvitationLink | None = strawberry.field(default=None, description="As it stands now.")


@strawberry.type(description="The answer to `acceptInvitation` and `useInvitationLink`.")
class JoinPayload(Payload):
    community: Community | None = strawberry.field(default=None, description="The one that you joined, or applied to.")
    member: Member | None = strawberry.field(default=None, description="You; null where a manager has to decide.")
    application: Application | None = strawberry.field(
        default=None, description="Yours, where a manager has to decide; else null."
    )
    decision: Decision | None = strawberry.field(
        default=None, description="Where the invitation leads; null: to the community."
    )


@strawberry.type
class Mutation:
    @mutation
    def invite_members(self, info: Info, input: Input[InviteMembersInput]) -> InvitePayload:
        """Invite people by their e-mail addresses: all, or none where a line is faulty. Members are passed over. For
        managers."""
        viewer, pk = info.context.viewer, pk_of("Community", input.community_id, field="community_id")
        people, decision = _people(info, pk, input), _decision_id(input.decision_id)
        done = services.once_in_parts(
            viewer,
            inputs.sending("inviteMembers", input),
            lambda: asdict(services.invite(viewer, pk, people, decision_id=decision, send=input.send)),
        )
        return InvitePayload(
            community=Community.of(models.Community.objects.get(pk=pk)),
            invited=done["new"],
            already_invited=done["waiting"],
            already_members=done["members"],
        )

    @mutation
    def resend_invitation(self, info: Info, invitation_id: InvitationId) -> InvitationPayload:
        """Mail a new link; the old one ends. For managers."""
        pk = pk_of("Invitation", invitation_id, field="invitation_id")
        return InvitationPayload(invitation=Invitation.of(services.resend_invitation(info.context.viewer, pk)))

    @mutation
    def resend_invitations(self, info: Info, community_id: CommunityId) -> ResendInvitationsPayload:
        """Mail a new link to everybody who was invited more than an hour ago and has not joined; the old ones end. For
        managers."""
        pk = pk_of("Community", community_id, field="community_id")
        sent = services.resend_invitations(info.context.viewer, pk)
        return ResendInvitationsPayload(community=Community.of(models.Community.objects.get(pk=pk)), sent=sent)

    @mutation
    def revoke_invitation(self, info: Info, invitation_id: InvitationId) -> InvitationPayload:
        """Take an invitation back: its link ends. For managers."""
        pk = pk_of("Invitation", invitation_id, field="invitation_id")
        return InvitationPayload(invitation=Invitation.of(services.revoke_invitation(info.context.viewer, pk)))

    @mutation
    def create_invitation_link(self, info: Info, input: Input[CreateInvitationLinkInput]) -> InvitationLinkPayload:
        """Make a link by which many people may join. For managers."""
        viewer = info.context.viewer
        made = services.once(
            viewer,
            inputs.sending("createInvitationLink", input),
            lambda: (
                services.create_invitation_link(
                    viewer,
                    pk_of("Community", input.community_id, field="community_id"),
                    role=input.role.value,
                    needs_approval=input.needs_approval,
                    ends_at=input.ends_at,
                    max_uses=input.max_uses,
                    decision_id=_decision_id(input.decision_id),
                ).pk
            ),
        )
        link = access.invitation_links_visible_to(viewer).filter(pk=made).first()
        if link is None:
            raise PermissionDenied
        return InvitationLinkPayload(link=InvitationLink.of(link))

    @mutation
    def revoke_invitation_link(self, info: Info, link_id: LinkId) -> InvitationLinkPayload:
        """End a link. For managers."""
        pk = pk_of("InvitationLink", link_id, field="link_id")
        return InvitationLinkPayload(link=InvitationLink.of(services.revoke_invitation_link(info.context.viewer, pk)))

    @mutation
    def accept_invitation(self, info: Info, input: Input[AcceptInvitationInput]) -> JoinPayload:
        """Join by an invitation. A visitor with the token of a mailed link is signed in, too, and gets the session
        cookie: with an account of the address, which is made where there is none."""
        if (input.token is None) == (input.community_id is None):
            raise InvalidInput("Give either a token or a community.", field="token")
        viewer, request = info.context.viewer, info.context.request
        if input.community_id is not None:
            pk = pk_of("Community", input.community_id, field="community_id")
            return _joined(services.accept_own_invitation(viewer, pk))
        if not isinstance(viewer, User) and request is None:
            raise OnlyOverHttp("Signing in and out works over HTTP only.")
        joined = services.accept_invitation(viewer, input.token or "")
        if not isinstance(viewer, User) and request is not None:
            begin_session(joined.user, request)
            info.context.viewer = joined.user
        return _joined(joined)

    @mutation
    def use_invitation_link(self, info: Info, token: Token) -> JoinPayload:
        """Join by a shared link, or apply where a manager has to decide."""
        return _joined(services.use_invitation_link(info.context.viewer, token))


def _people(info: Info, community_id: int, input: InviteMembersInput) -> list[services.Invitee]:
    # Nobody else is told what is wrong with a list, or has one read.
    access.require_manager(info.context.viewer, community_id)
    if bool(input.people) == bool(input.member_list.strip()):
        raise InvalidInput("Give either people or a list.", field="people")
    if input.people:
        return [
            services.Invitee(
                one.address, one.name, one.role.value, one.is_manager, number, tuple(one.tags), is_entry=True
            )
            for number, one in enumerate(input.people, start=1)
        ]
    try:
        return [*read_member_list(input.member_list).people]
    except Malformed as error:
        raise InvalidInput(str(error), field="member_list", code=error.code) from error


def _decision_id(id: str | None) -> int | None:
    return pk_of("Decision", id, field="decision_id") if id is not None else None


def _joined(joined: services.Joined) -> JoinPayload:
    members = models.Membership.objects.select_related("user")
    applications = models.Application.objects.select_related("user")
    member, application = joined.membership, joined.application
    return JoinPayload(
        community=Community.of(joined.community),
        member=Member.of(members.get(pk=member.pk)) if member else None,
        application=Application.of(applications.select_related("user").get(pk=application.pk)) if application else None,
        decision=Decision.of(joined.decision) if joined.decision else None,
    )
