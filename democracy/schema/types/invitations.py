"""Invitations and links, as the managers of a community see them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from accounts.api import Info, Node, of_row
from democracy import models
from democracy.access import Viewer
from democracy.presenting.links import address_of
from democracy.reading import invitations as reading_invitations
from democracy.schema.paging import Listing
from democracy.schema.scalars import InvitationState, Role
from democracy.schema.types.decisions import Decision, decisions_by_id
from democracy.schema.types.people import Member, members_by_id

INVITATIONS = Listing(reading_invitations.invitations_to, ("address", "pk"), "community_id")
LINKS = Listing(reading_invitations.invitation_links_to, ("-pk",), "community_id")


@strawberry.type(description="An e-mail address that managers invited. Only they see it, and never its link.")
class Invitation(Node):
    row: strawberry.Private[models.Invitation]
    address: str = of_row("Where the mail goes.")
    name: str = of_row("The name for the new account, if the list gave one.")
    is_manager: bool = of_row("Whether the person comes in as a manager.")
    tags: list[str] = of_row("Topics on which the person is led to follow somebody.")
    issued_at: datetime = of_row("When the link was made.")
    expires_at: datetime = of_row("Until when the link works.")
    sent_at: datetime | None = of_row("When the mail was last put into the outbox; null where none was asked for.")
    accepted_at: datetime | None = of_row("When somebody joined by it; null until then.")
    refusal: str = of_row("The mail server's words where it refused the mail; else empty.")

    @strawberry.field(description="The role in which the person comes in.")
    def role(self) -> Role:
        return Role(self.row.role)

    @strawberry.field(description="What became of it.")
    def state(self) -> InvitationState:
        return InvitationState(self.row.state.value)

    @strawberry.field(description="Whoever joined by it, while they are a member.")
    async def member(self, info: Info) -> Member | None:
        if self.row.membership_id is None:
            return None
        row = await info.context.load(members_by_id, self.row.membership_id)
        return Member(row=row) if row is not None else None

    @strawberry.field(description="Where it leads; null for the community.")
    async def decision(self, info: Info) -> Decision | None:
        return await _decision(info, self.row.decision_id)


@strawberry.type(description="A link by which many people may join. Its managers see it.")
class InvitationLink(Node):
    row: strawberry.Private[models.InvitationLink]
    needs_approval: bool = of_row("Whether it leads to an application that a manager decides on.")
    ends_at: datetime | None = of_row("Until when it works; null where no time was set.")
    max_uses: int | None = of_row("The number of people who may use it; null for any number.")
    uses: int = of_row("How many people have used it.")
    created_at: datetime = of_row("When it was made.")
    is_usable: bool = of_row("Whether it can be used now.")

    @strawberry.field(description="The address to give to people.")
    def url(self) -> str:
        return address_of(self.row)

    @strawberry.field(description="The role in which people come in.")
    def role(self) -> Role:
        return Role(self.row.role)

    @strawberry.field(description="Where it leads; null for the community.")
    async def decision(self, info: Info) -> Decision | None:
        return await _decision(info, self.row.decision_id)


async def _decision(info: Info, pk: int | None) -> Decision | None:
    row = await info.context.load(decisions_by_id, pk) if pk is not None else None
    return Decision(row=row) if row is not None else None


def invitations_by_id(viewer: Viewer, ids: list[int]) -> dict[int, models.Invitation]:
    """Those that the viewer may see, with what became of their mails."""
    return {row.pk: row for row in reading_invitations.invitations_by_key(viewer, ids)}


def invitation_links_by_id(viewer: Viewer, ids: list[int]) -> dict[int, models.InvitationLink]:
    return {row.pk: row for row in reading_invitations.invitation_links_by_key(viewer, ids)}
