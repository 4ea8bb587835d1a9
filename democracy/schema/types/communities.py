"""Communities, applications to them, and one's own account with both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry
import strawberry_django
from asgiref.sync import sync_to_async
from django.db.models import Case, F, QuerySet, When

from accounts import schema as accounts_schema
from accounts.api import Info, Node, column, node_id, pk_of
from accounts.models import User
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
from democracy.schema import orders
from democracy.schema.arguments import (
    After,
    CommunityId,
    First,
    OfStatus,
    Search,
)
from democracy.schema.orders import CommunityOrder, DecisionOrder, MemberOrder, OfDecisions, OfMembers
from democracy.schema.paging import DEFAULT_PAGE, Connection, Listing, Page
from democracy.schema.rows import calculated, relation
from democracy.schema.scalars import (
    ApplicationStatus,
    BigInt,
    CommunityVisibility,
    InvitationState,
    Joining,
    Role,
)
from democracy.schema.types.decisions import DECISIONS, Decision
from democracy.schema.types.invitations import INVITATIONS, LINKS, Invitation, InvitationLink
from democracy.schema.types.notices import OWN_NOTICES, Notice, NoticePreference, preferences_of
from democracy.schema.types.people import Member
from democracy.schema.types.webhooks import Webhook

COMMUNITIES = Listing(reading_communities.communities_found, orders.COMMUNITIES[CommunityOrder.NAME])
MEMBERS = Listing(reading_communities.members_of_communities, orders.MEMBERS[MemberOrder.NAME], "community_id")
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


def _if_readable(info: Info) -> Case:
    """The revision of a community whose decisions the viewer may read."""
    return Case(When(access.readable(info.context.viewer, "pk"), then=F("revision")))


@strawberry_django.type(
    models.Community,
    description="People who decide together. Every community is listed for everybody, unless the site's operator has "
    "hidden it; who may read its decisions and "
    "members is its visibility.",
)
class Community(Node):
    name: str = column("Unique among communities, whatever the case.")
    description: str = column("It may be Markdown: links, lists, emphasis.")
    created_at: datetime = column("When it was founded.")

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.Community], info: Info) -> QuerySet[models.Community]:
        return access.communities_known_to(info.context.viewer) & queryset

    @strawberry.field(description="The description, which may be Markdown, as HTML that is safe to show.")
    def description_html(self, root: models.Community) -> str:
        return as_html(root.description)

    @strawberry.field(description="Who may read its decisions, results and members.")
    def visibility(self, root: models.Community) -> CommunityVisibility:
        return CommunityVisibility(root.visibility)

    @strawberry.field(description="How people become members.")
    def joining(self, root: models.Community) -> Joining:
        return Joining(root.joining)

    @strawberry.field(
        description="Whether applications are approved at once.", deprecation_reason="Use joining, which says more."
    )
    def auto_approve(self, root: models.Community) -> bool:
        return root.joining == models.Community.Joining.OPEN

    @strawberry.field(
        description="Why the site's operator has hidden it: its members see nothing else of it, and others do not find "
        "it. Null where it is not hidden."
    )
    async def hidden_reason(self, info: Info, root: models.Community) -> str | None:
        return await info.context.load(_reasons_hidden, root.pk) if root.is_hidden else None

    @strawberry.field(
        description="The address of the openings and closings of its decisions as a calendar (iCalendar), for whoever "
        "may read them."
    )
    def calendar_address(self, root: models.Community) -> str:
        return addresses.of_community("community-calendar", root.pk)

    @strawberry.field(description="The address of its Atom feed; null where not everybody may read its decisions.")
    def feed_address(self, root: models.Community) -> str | None:
        is_public = root.visibility == models.Community.Visibility.PUBLIC
        return addresses.of_community("community-feed", root.pk) if is_public else None

    @strawberry_django.field(
        annotate={"shown_revision": _if_readable},
        description="The number of its ledger's newest entry, for `ifRevision` of mutations and `after` of "
        "subscriptions. Null where you may not read its decisions.",
    )
    async def revision(self, info: Info, root: models.Community) -> BigInt | None:
        revision = await calculated(info, root, "shown_revision", _revisions)
        return None if revision is None else BigInt(revision)

    @strawberry_django.field(
        annotate={"member_count": reading_communities.members_counted()},
        description="All members, the anonymous ones among them.",
    )
    async def member_count(self, info: Info, root: models.Community) -> int:
        return await calculated(info, root, "member_count", _member_counts) or 0

    @strawberry.field(description="Your own membership; null where you are not a member.")
    async def membership(self, info: Info, root: models.Community) -> Member | None:
        row = await info.context.load(_own_memberships, root.pk)
        return Member.of(row)

    @strawberry.field(description="Your own application while it is pending.")
    async def application(self, info: Info, root: models.Community) -> Application | None:
        row = await info.context.load(_own_applications, root.pk)
        return Application.of(row)

    @strawberry.field(
        description="The decisions that you may see; those that have all words of `search`, of which ten count."
    )
    async def decisions(
        self,
        root: models.Community,
        info: Info,
        status: OfStatus = None,
        search: Search = "",
        order: OfDecisions = DecisionOrder.CLOSING_LAST,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Connection[Decision]:
        given = {"status": status.value if status else None, "search": search}
        return await DECISIONS.page(
            info, Page(first, after), Decision.of, parent=root.pk, order=orders.DECISIONS[order], **given
        )

    @strawberry.field(
        description="The members whom you may know; those who have all words of `search`, of which ten count."
    )
    async def members(
        self,
        root: models.Community,
        info: Info,
        search: Search = "",
        role: OfRole = None,
        order: OfMembers = MemberOrder.NAME,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Connection[Member]:
        return await MEMBERS.page(
            info,
            Page(first, after),
            Member.of,
            parent=root.pk,
            order=orders.MEMBERS[order],
            search=search,
            role=role.value if role else None,
        )

    @strawberry.field(description="Pending applications, oldest first: all of them for managers, else your own.")
    async def applications(
        self, info: Info, root: models.Community, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Application]:
        return await PENDING.page(info, Page(first, after), Application.of, parent=root.pk)

    @strawberry.field(
        description="Whom the community has invited, by address; for managers. Those who have all words of `search` in "
        "address or name, of which ten count."
    )
    async def invitations(
        self,
        root: models.Community,
        info: Info,
        search: Search = "",
        state: InState = None,
        first: First = DEFAULT_PAGE,
        after: After = None,
    ) -> Connection[Invitation]:
        return await INVITATIONS.page(
            info,
            Page(first, after),
            Invitation.of,
            parent=root.pk,
            search=search,
            state=state.value if state else "",
        )

    @strawberry.field(description="The links by which people may join, the newest first; for managers.")
    async def invitation_links(
        self, info: Info, root: models.Community, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[InvitationLink]:
        return await LINKS.page(info, Page(first, after), InvitationLink.of, parent=root.pk)

    @strawberry.field(description="The addresses that are told of its decisions, the oldest first; for managers.")
    async def webhooks(self, info: Info, root: models.Community) -> list[Webhook]:
        rows = await info.context.load(webhooks_of, root.pk) or []
        return [Webhook.of(row) for row in rows]


def _member_counts(viewer: Viewer, ids: list[int]) -> Mapping[int, int]:
    return reading_communities.member_counts(ids)


def _revisions(viewer: Viewer, ids: list[int]) -> Mapping[int, int]:
    readable = access.communities_readable_by(viewer).filter(pk__in=ids)
    return dict(readable.values_list("pk", "revision"))


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


@strawberry_django.type(
    models.Application, description="A wish to join a community. Seen by whoever applied and by managers."
)
class Application(Node):
    message: str = column("What the applicant wrote to the managers; it may be empty.")
    created_at: datetime = column("When it was sent.")
    decided_at: datetime | None = column("When it was approved, rejected or withdrawn; null while it is pending.")

    @strawberry.field(description="What became of it.")
    def status(self, root: models.Application) -> ApplicationStatus:
        return ApplicationStatus(root.status)

    @strawberry.field(description="Whoever wants to join.")
    def applicant(self, root: models.Application) -> Person:
        user, is_pending = root.user, root.status == models.Application.Status.PENDING
        return Person(name=user.name, handle=user.handle, email=user.email if is_pending else None)

    community: Community = relation("The one to join.")

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.Application], info: Info) -> QuerySet[models.Application]:
        return (access.applications_visible_to(info.context.viewer) & queryset).select_related("user")


@strawberry_django.type(User, description="You: your account, memberships and applications.")
class Me(Account):
    @strawberry.field(description="Of your account; nobody else can ask for it.")
    def id(self, root: User) -> strawberry.ID:
        return node_id("Me", root.pk)

    @strawberry.field(description="API tokens that work, the newest first.")
    async def api_tokens(self, info: Info, root: User) -> list[ApiToken]:
        tokens = await info.context.load(accounts_schema.tokens_of, root.pk) or []
        return [ApiToken.of(token) for token in tokens]

    @strawberry.field(description="Your passkeys, the newest first.")
    async def passkeys(self, info: Info, root: User) -> list[Passkey]:
        passkeys = await info.context.load(accounts_schema.passkeys_of, root.pk) or []
        return [Passkey.of(passkey) for passkey in passkeys]

    @strawberry.field(description="Your current memberships, by name of the community.")
    async def memberships(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Member]:
        return await OWN_MEMBERSHIPS.page(info, Page(first, after), Member.of)

    @strawberry.field(description="Your applications, the newest first.")
    async def applications(
        self, info: Info, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Application]:
        return await OWN_APPLICATIONS.page(info, Page(first, after), Application.of)

    @strawberry.field(
        description="The open decisions of your communities, those that close first first; with `voted`, only those in "
        "which you have, or have not, cast a ballot."
    )
    async def open_decisions(
        self, info: Info, voted: Voted = None, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Decision]:
        return await OPEN_DECISIONS.page(info, Page(first, after), Decision.of, voted=voted)

    @strawberry.field(
        description="The decisions of your communities that closed in the last "
        f"{start.NEW_FOR.days} days and have a final result, the newest first."
    )
    async def new_results(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Decision]:
        return await NEW_RESULTS.page(info, Page(first, after), Decision.of)

    @strawberry.field(
        description="The decisions that managers of your communities pinned, those that close last first."
    )
    async def pinned_decisions(
        self, info: Info, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Decision]:
        return await PINNED.page(info, Page(first, after), Decision.of)

    @strawberry.field(description="The drafts in communities that you manage, the newest first.")
    async def drafts(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Decision]:
        return await OWN_DRAFTS.page(info, Page(first, after), Decision.of)

    @strawberry.field(description="The applications that wait for you in communities that you manage, oldest first.")
    async def waiting_applications(
        self, info: Info, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Application]:
        return await WAITING.page(info, Page(first, after), Application.of)

    @strawberry.field(description="Your notices, the newest first.")
    async def notices(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Notice]:
        return await OWN_NOTICES.page(info, Page(first, after), Notice.of)

    @strawberry.field(description="The number of your notices that you have not read.")
    async def unread_notices(self, info: Info) -> int:
        return await sync_to_async(unread_count)(info.context.viewer)

    @strawberry.field(description="How you are told of each kind of thing in a community.")
    async def notice_preferences(self, info: Info, community_id: CommunityId) -> list[NoticePreference]:
        pk = pk_of("Community", community_id, field="community_id")
        return await info.context.load(preferences_of, pk) or []
