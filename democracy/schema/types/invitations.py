"""Invitations and links, as the managers of a community see them."""

from __future__ import annotations

from datetime import datetime

import strawberry
import strawberry_django
from django.db.models import QuerySet

from accounts.api import Info, Node, column
from democracy import access, models
from democracy.presenting.links import address_of
from democracy.reading import invitations as reading_invitations
from democracy.schema.paging import Listing
from democracy.schema.rows import by_id
from democracy.schema.scalars import InvitationState, Role
from democracy.schema.types.decisions import Decision
from democracy.schema.types.people import Member

INVITATIONS = Listing(reading_invitations.invitations_to, ("address", "pk"), "community_id")
LINKS = Listing(reading_invitations.invitation_links_to, ("-pk",), "community_id")


@strawberry_django.type(
    models.Invitation, description="An e-mail address that managers invited. Only they see it, and never its link."
)
class Invitation(Node):
    address: str = column("Where the mail goes.")
    name: str = column("The name for the new account, if the list gave one.")
    is_manager: bool = column("Whether the person comes in as a manager.")
    tags: list[str] = column("Topics on which the person is led to follow somebody.")
    issued_at: datetime = column("When the link was made.")
    expires_at: datetime = column("Until when the link works.")
    sent_at: datetime | None = column("When the mail was last put into the outbox; null where none was asked for.")
    accepted_at: datetime | None = column("When somebody joined by it; null until then.")
    refusal: str = column("The mail server's words where it refused the mail; else empty.")

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.Invitation], info: Info) -> QuerySet[models.Invitation]:
        return access.invitations_visible_to(info.context.viewer).with_refusals() & queryset

    @strawberry.field(description="The role in which the person comes in.")
    def role(self, root: models.Invitation) -> Role:
        return Role(root.role)

    @strawberry.field(description="What became of it.")
    def state(self, root: models.Invitation) -> InvitationState:
        return InvitationState(root.state.value)

    @strawberry.field(description="Whoever joined by it, while they are a member.")
    async def member(self, info: Info, root: models.Invitation) -> Member | None:
        return await by_id(info, Member, root.membership_id) if root.membership_id is not None else None

    @strawberry.field(description="Where it leads; null for the community.")
    async def decision(self, info: Info, root: models.Invitation) -> Decision | None:
        return await by_id(info, Decision, root.decision_id) if root.decision_id is not None else None


@strawberry_django.type(models.InvitationLink, description="A link by which many people may join. Its managers see it.")
class InvitationLink(Node):
    needs_approval: bool = column("Whether it leads to an application that a manager decides on.")
    ends_at: datetime | None = column("Until when it works; null where no time was set.")
    max_uses: int | None = column("The number of people who may use it; null for any number.")
    uses: int = column("How many people have used it.")
    created_at: datetime = column("When it was made.")

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.InvitationLink], info: Info) -> QuerySet[models.InvitationLink]:
        return access.invitation_links_visible_to(info.context.viewer) & queryset

    @strawberry.field(description="The address to give to people.")
    def url(self, root: models.InvitationLink) -> str:
        return address_of(root)

    @strawberry.field(description="Whether it can be used now.")
    def is_usable(self, root: models.InvitationLink) -> bool:
        return root.is_usable

    @strawberry.field(description="The role in which people come in.")
    def role(self, root: models.InvitationLink) -> Role:
        return Role(root.role)

    @strawberry.field(description="Where it leads; null for the community.")
    async def decision(self, info: Info, root: models.InvitationLink) -> Decision | None:
        return await by_id(info, Decision, root.decision_id) if root.decision_id is not None else None
