"""Communities, applications to them, and one's own account with both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import strawberry

from accounts import schema as accounts_schema
from accounts.api import Info, Node, node_id, of_row
from accounts.schema import Account, ApiToken
from democracy import models
from democracy.access import Viewer
from democracy.presenting import addresses
from democracy.reading import communities as reading_communities
from democracy.schema.paging import DEFAULT_PAGE, Connection, Listing, Page
from democracy.schema.scalars import ApplicationStatus, CommunityVisibility, DecisionStatus, Role
from democracy.schema.types.belonging import community_of
from democracy.schema.types.decisions import DECISIONS, Decision
from democracy.schema.types.people import Member

COMMUNITIES = Listing(reading_communities.communities_listed, ("name", "pk"))
MEMBERS = Listing(reading_communities.members_of_communities, ("user__sort_name", "user__handle"), "community_id")
PENDING = Listing(reading_communities.pending_applications_to, ("created_at", "pk"), "community_id")
OWN_MEMBERSHIPS = Listing(reading_communities.own_memberships, ("community__name", "pk"))
OWN_APPLICATIONS = Listing(reading_communities.own_applications, ("-pk",))


@strawberry.type(
    description="People who decide together. Every community is listed for everybody; who may read its decisions and "
    "members is its visibility."
)
class Community(Node):
    row: strawberry.Private[models.Community]
    name: str = of_row()
    description: str = of_row()
    auto_approve: bool = of_row("Whether applications are approved at once.")
    created_at: datetime = of_row()

    @classmethod
    def of(cls, row: models.Community) -> Community:
        return cls(row=row)

    @strawberry.field
    def visibility(self) -> CommunityVisibility:
        return CommunityVisibility(self.row.visibility)

    @strawberry.field(
        description="The address of the openings and closings of its decisions as a calendar (iCalendar), for whoever "
        "may read them."
    )
    def calendar_address(self) -> str:
        return addresses.of_community("community-calendar", self.row.pk)

    @strawberry.field(description="The address of its Atom feed; null where not everybody may read its decisions.")
    def feed_address(self) -> str | None:
        is_public = self.row.visibility == models.Community.Visibility.PUBLIC
        return addresses.of_community("community-feed", self.row.pk) if is_public else None

    @strawberry.field(description="All members, the anonymous ones among them.")
    async def member_count(self, info: Info) -> int:
        return await info.context.load(_member_counts, self.row.pk) or 0

    @strawberry.field(description="Your own membership; null where you are not a member.")
    async def membership(self, info: Info) -> Member | None:
        row = await info.context.load(_own_memberships, self.row.pk)
        return Member(row=row) if row is not None else None

    @strawberry.field(description="Your own application while it is pending.")
    async def application(self, info: Info) -> Application | None:
        row = await info.context.load(_own_applications, self.row.pk)
        return Application(row=row) if row is not None else None

    @strawberry.field(description="The decisions that you may see, those that close last first.")
    async def decisions(
        self, info: Info, status: DecisionStatus | None = None, first: int = DEFAULT_PAGE, after: str | None = None
    ) -> Connection[Decision]:
        return await DECISIONS.page(
            info, Page.of(first, after), Decision.of, parent=self.row.pk, status=status.value if status else None
        )

    @strawberry.field(
        description="The members whom you may know, by name; those who have all words of `search`, of which ten count."
    )
    async def members(
        self,
        info: Info,
        search: str = "",
        role: Role | None = None,
        first: int = DEFAULT_PAGE,
        after: str | None = None,
    ) -> Connection[Member]:
        return await MEMBERS.page(
            info,
            Page.of(first, after),
            lambda row: Member(row=row),
            parent=self.row.pk,
            search=search,
            role=role.value if role else None,
        )

    @strawberry.field(description="Pending applications, oldest first: all of them for managers, else your own.")
    async def applications(
        self, info: Info, first: int = DEFAULT_PAGE, after: str | None = None
    ) -> Connection[Application]:
        return await PENDING.page(info, Page.of(first, after), lambda row: Application(row=row), parent=self.row.pk)


def _member_counts(viewer: Viewer, ids: list[int]) -> Mapping[int, int]:
    return reading_communities.member_counts(ids)


def _own_memberships(viewer: Viewer, communities: list[int]) -> Mapping[int, models.Membership]:
    return {row.community_id: row for row in reading_communities.own_memberships(viewer, communities)}


def _own_applications(viewer: Viewer, communities: list[int]) -> Mapping[int, models.Application]:
    return {row.community_id: row for row in reading_communities.own_applications(viewer, communities)}


@strawberry.type(description="An applicant, as managers see them.")
class Person:
    name: str
    handle: str


@strawberry.type(description="A wish to join a community. Seen by whoever applied and by managers.")
class Application(Node):
    row: strawberry.Private[models.Application]
    message: str = of_row()
    created_at: datetime = of_row()
    decided_at: datetime | None = of_row()

    @strawberry.field
    def status(self) -> ApplicationStatus:
        return ApplicationStatus(self.row.status)

    @strawberry.field
    def applicant(self) -> Person:
        return Person(name=self.row.user.name, handle=self.row.user.handle)

    @strawberry.field
    async def community(self, info: Info) -> Community:
        return await community_of(info, self.row.community_id)


@strawberry.type(description="You: your account, memberships and applications.")
class Me(Account):
    @strawberry.field(description="Of your account; nobody else can ask for it.")
    def id(self) -> strawberry.ID:
        return node_id("Me", self.row.pk)

    @strawberry.field(description="API tokens that work, the newest first.")
    async def api_tokens(self, info: Info) -> list[ApiToken]:
        tokens = await info.context.load(accounts_schema.tokens_of, self.row.pk) or []
        return [ApiToken(row=token) for token in tokens]

    @strawberry.field(description="Your current memberships, by name of the community.")
    async def memberships(self, info: Info, first: int = DEFAULT_PAGE, after: str | None = None) -> Connection[Member]:
        return await OWN_MEMBERSHIPS.page(info, Page.of(first, after), lambda row: Member(row=row))

    @strawberry.field(description="Your applications, the newest first.")
    async def applications(
        self, info: Info, first: int = DEFAULT_PAGE, after: str | None = None
    ) -> Connection[Application]:
        return await OWN_APPLICATIONS.page(info, Page.of(first, after), lambda row: Application(row=row))
