"""Communities, applications to them, and one's own account with both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry
from asgiref.sync import sync_to_async

from accounts import schema as accounts_schema
from accounts.api import Info, Node, node_id, of_row, pk_of
from accounts.schema import Account, ApiToken, Passkey
from democracy import access, models
from democracy.access import Viewer
from democracy.presenting import addresses
from democracy.presenting.markdown import as_html
from democracy.reading import communities as reading_communities
from democracy.reading import start
from democracy.reading.moderation import reasons_hidden
from democracy.reading.notices import unread_count
from democracy.reading.webhooks import webhooks_of
from democracy.schema.arguments import (
    After,
    CommunityId,
    First,
    OfStatus,
    Search,
)
from democracy.schema.paging import DEFAULT_PAGE, Connection, Listing, Page
from democracy.schema.scalars import (
    ApplicationStatus,
    BigInt,
    CommunityVisibility,
    InvitationState,
    Joining,
    Role,
)
from democracy.schema.types.belonging import community_of
from democracy.schema.types.decisions import DECISIONS, Decision
from democracy.schema.types.invitations import INVITATIONS, LINKS, Invitation, InvitationLink
from democracy.schema.types.notices import OWN_NOTICES, Notice, NoticePreference, preferences_of
from democracy.schema.types.people import Member
from democracy.schema.types.webhooks import Webhook

COMMUNITIES = Listing(reading_communities.communities_listed, ("name", "pk"))
MEMBERS = Listing(reading_communities.members_of_communities, ("user__sort_name", "user__handle"), "community_id")
PENDING = Listing(reading_communities.pending_applications_to, ("created_at", "pk"), "community_id")
OWN_MEMBERSHIPS = Listing(reading_communities.own_memberships, ("community__name", "pk"))
OWN_APPLICATIONS = Listing(reading_communities.own_applications, ("-pk",))
OPEN_DECISIONS = Listing(start.open_decisions, ("closes_at", "pk"))
NEW_RESULTS = Listing(start.new_results, ("-closes_at", "-pk"))
OWN_DRAFTS = Listing(start.own_drafts, ("-pk",))
PINNED = Listing(start.pinned_decisions, ("-closes_at", "-pk"))
WAITING = Listing(start.waiting_applications, ("created_at", "pk"))

OfRole: TypeAlias = Annotated[
    Role | None, strawberry.argument(description="Only voters, or only lobbyists. Null: both.")
]
InState: TypeAlias = Annotated[
    InvitationState | None, strawberry.argument(description="Only those of which this became. Null: all.")
]
Voted: TypeAlias = Annotated[
    bool | None,
    strawberry.argument(description="Only those with (true) or without (false) a ballot that you cast. Null: all."),
]


@strawberry.type(
    description="People who decide together. Every community is listed for everybody, unless the site's operator has "
    "hidden it; who may read its decisions and "
    "members is its visibility."
)
class Community(Node):
    row: strawberry.Private[models.Community]
    name: str = of_row("Unique among communities, whatever the case.")
    description: str = of_row("It may be Markdown: links, lists, emphasis.")
    created_at: datetime = of_row("When it was founded.")

    @classmethod
    def of(cls, row: models.Community) -> Community:
        return cls(row=row)

    @strawberry.field(description="The description, which may be Markdown, as HTML that is safe to show.")
    def description_html(self) -> str:
        return as_html(self.row.description)

    @strawberry.field(description="Who may read its decisions, results and members.")
    def visibility(self) -> CommunityVisibility:
        return CommunityVisibility(self.row.visibility)

    @strawberry.field(description="How people become members.")
    def joining(self) -> Joining:
        return Joining(self.row.joining)

    @strawberry.field(
        description="Whether applications are approved at once.", deprecation_reason="Use joining, which says more."
    )
    def auto_approve(self) -> bool:
        return self.row.joining == models.Community.Joining.OPEN

    @strawberry.field(
        description="Why the site's operator has hidden it: its members see nothing else of it, and others do not find "
        "it. Null where it is not hidden."
    )
    async def hidden_reason(self, info: Info) -> str | None:
        return await info.context.load(_reasons_hidden, self.row.pk) if self.row.is_hidden else None

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

    @strawberry.field(
        description="The number of its ledger's newest entry, for `ifRevision` of mutations and `after` of "
        "subscriptions. Null where you may not read its decisions."
    )
    async def revision(self, info: Info) -> BigInt | None:
        return await info.context.load(_revisions, self.row.pk)

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

    @strawberry.field(
        description="The decisions that you may see, those that close last first; those that have all words of "
        "`search`, of which ten count."
    )
    async def decisions(
        self,
        info: Info,
        status: OfStatus = None,
        search: Search = "",
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Connection[Decision]:
        given = {"status": status.value if status else None, "search": search}
        return await DECISIONS.page(info, Page.of(first, after), Decision.of, parent=self.row.pk, **given)

    @strawberry.field(
        description="The members whom you may know, by name; those who have all words of `search`, of which ten count."
    )
    async def members(
        self,
        info: Info,
        search: Search = "",
        role: OfRole = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
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
        self, info: Info, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Application]:
        return await PENDING.page(info, Page.of(first, after), lambda row: Application(row=row), parent=self.row.pk)

    @strawberry.field(
        description="Whom the community has invited, by address; for managers. Those who have all words of `search` in "
        "address or name, of which ten count."
    )
    async def invitations(
        self,
        info: Info,
        search: Search = "",
        state: InState = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Connection[Invitation]:
        return await INVITATIONS.page(
            info,
            Page.of(first, after),
            lambda row: Invitation(row=row),
            parent=self.row.pk,
            search=search,
            state=state.value if state else "",
        )

    @strawberry.field(description="The links by which people may join, the newest first; for managers.")
    async def invitation_links(
        self, info: Info, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[InvitationLink]:
        return await LINKS.page(info, Page.of(first, after), lambda row: InvitationLink(row=row), parent=self.row.pk)

    @strawberry.field(description="The addresses that are told of its decisions, the oldest first; for managers.")
    async def webhooks(self, info: Info) -> list[Webhook]:
        rows = await info.context.load(webhooks_of, self.row.pk) or []
        return [Webhook(row=row) for row in rows]


def _member_counts(viewer: Viewer, ids: list[int]) -> Mapping[int, int]:
    return reading_communities.member_counts(ids)


def _revisions(viewer: Viewer, ids: list[int]) -> Mapping[int, BigInt]:
    readable = access.communities_readable_by(viewer).filter(pk__in=ids)
    return {pk: BigInt(revision) for pk, revision in readable.values_list("pk", "revision")}


def _reasons_hidden(viewer: Viewer, ids: list[int]) -> Mapping[int, str]:
    return reasons_hidden(ids)


def _own_memberships(viewer: Viewer, communities: list[int]) -> Mapping[int, models.Membership]:
    return {row.community_id: row for row in reading_communities.own_memberships(viewer, communities)}


def _own_applications(viewer: Viewer, communities: list[int]) -> Mapping[int, models.Application]:
    return {row.community_id: row for row in reading_communities.own_applications(viewer, communities)}


@strawberry.type(description="An applicant, as managers see them.")
class Person:
    name: str = strawberry.field(description="What they are called.")
    handle: str = strawberry.field(description="Public, and unique on the site.")
    email: str | None = strawberry.field(
        default=None, description="While the application is pending; null for people who can't sign in."
    )


@strawberry.type(description="A wish to join a community. Seen by whoever applied and by managers.")
class Application(Node):
    row: strawberry.Private[models.Application]
    message: str = of_row("What the applicant wrote to the managers; it may be empty.")
    created_at: datetime = of_row("When it was sent.")
    decided_at: datetime | None = of_row("When it was approved, rejected or withdrawn; null while it is pending.")

    @strawberry.field(description="What became of it.")
    def status(self) -> ApplicationStatus:
        return ApplicationStatus(self.row.status)

    @strawberry.field(description="Whoever wants to join.")
    def applicant(self) -> Person:
        user, is_pending = self.row.user, self.row.status == models.Application.Status.PENDING
        return Person(name=user.name, handle=user.handle, email=user.email if is_pending else None)

    @strawberry.field(description="The one to join.")
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

    @strawberry.field(description="Your passkeys, the newest first.")
    async def passkeys(self, info: Info) -> list[Passkey]:
        passkeys = await info.context.load(accounts_schema.passkeys_of, self.row.pk) or []
        return [Passkey(row=passkey) for passkey in passkeys]

    @strawberry.field(description="Your current memberships, by name of the community.")
    async def memberships(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Member]:
        return await OWN_MEMBERSHIPS.page(info, Page.of(first, after), lambda row: Member(row=row))

    @strawberry.field(description="Your applications, the newest first.")
    async def applications(
        self, info: Info, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Application]:
        return await OWN_APPLICATIONS.page(info, Page.of(first, after), lambda row: Application(row=row))

    @strawberry.field(
        description="The open decisions of your communities, those that close first first; with `voted`, only those in "
        "which you have, or have not, cast a ballot."
    )
    async def open_decisions(
        self, info: Info, voted: Voted = None, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Decision]:
        return await OPEN_DECISIONS.page(info, Page.of(first, after), Decision.of, voted=voted)

    @strawberry.field(
        description="The decisions of your communities that closed in the last "
        f"{start.NEW_FOR.days} days and have a final result, the newest first."
    )
    async def new_results(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Decision]:
        return await NEW_RESULTS.page(info, Page.of(first, after), Decision.of)

    @strawberry.field(
        description="The decisions that managers of your communities pinned, those that close last first."
    )
    async def pinned_decisions(
        self, info: Info, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Decision]:
        return await PINNED.page(info, Page.of(first, after), Decision.of)

    @strawberry.field(description="The drafts in communities that you manage, the newest first.")
    async def drafts(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Decision]:
        return await OWN_DRAFTS.page(info, Page.of(first, after), Decision.of)

    @strawberry.field(description="The applications that wait for you in communities that you manage, oldest first.")
    async def waiting_applications(
        self, info: Info, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Application]:
        return await WAITING.page(info, Page.of(first, after), lambda row: Application(row=row))

    @strawberry.field(description="Your notices, the newest first.")
    async def notices(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Notice]:
        return await OWN_NOTICES.page(info, Page.of(first, after), Notice.of)

    @strawberry.field(description="The number of your notices that you have not read.")
    async def unread_notices(self, info: Info) -> int:
        return await sync_to_async(unread_count)(info.context.viewer)

    @strawberry.field(description="How you are told of each kind of thing in a community.")
    async def notice_preferences(self, info: Info, community_id: CommunityId) -> list[NoticePreference]:
        pk = pk_of("Community", community_id, field="community_id")
        return await info.context.load(preferences_of, pk) or []
