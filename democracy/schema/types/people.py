"""Members as others see them, whom they follow, and the names on ballots."""

from __future__ import annotations

from datetime import datetime

import strawberry

from accounts.api import Info, Node, node_id, of_row
from democracy import access, models
from democracy.access import Viewer
from democracy.reading import followings as reading_followings
from democracy.schema.arguments import After, First
from democracy.schema.paging import DEFAULT_PAGE, Connection, Listing, Page
from democracy.schema.scalars import Role
from democracy.schema.types.belonging import ItsCommunity, community_of

FOLLOWINGS = Listing(reading_followings.followings_by, ("order", "pk"), "follower_id")
# By name, never by the row's number: that would tell when somebody came.
FOLLOWERS = Listing(
    reading_followings.followings_of, ("follower__user__sort_name", "follower__user__handle"), "followee_id"
)


@strawberry.type(
    description="A member of a community, as far as you may know them. Anonymous members are seen by themselves "
    "and by managers."
)
class Member(Node):
    row: strawberry.Private[models.Membership]

    @strawberry.field(description="What they are called, the same in all their communities.")
    def name(self) -> str:
        return self.row.user.name

    @strawberry.field(description="Public and unique.")
    def handle(self) -> str:
        return self.row.user.handle

    @strawberry.field(description="Whether their ballot is counted.")
    def role(self) -> Role:
        return Role(self.row.role)

    is_manager: bool = of_row("Whether they keep the roll, and draft and publish decisions.")
    is_anonymous: bool = of_row("Whether nobody but they themselves and managers may know who they are.")
    joined_at: datetime = of_row("When they became a member, the last time.")

    @strawberry.field(description="Whether this is you.")
    def is_me(self, info: Info) -> bool:
        return access.is_self(info.context.viewer, self.row)

    @strawberry.field(description="Where they are a member. One person is another member in another community.")
    async def community(self, info: Info) -> ItsCommunity:
        return await community_of(info, self.row.community_id)

    @strawberry.field(description="Whom this member follows, in their order. Of anonymous members only they know.")
    async def followings(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Following]:
        return await FOLLOWINGS.page(info, Page.of(first, after), Following.of, parent=self.row.pk)

    @strawberry.field(description="The followers of this member, by name; followers who are anonymous are left out.")
    async def followers(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Following]:
        return await FOLLOWERS.page(info, Page.of(first, after), Following.of, parent=self.row.pk)


def members_by_id(viewer: Viewer, ids: list[int]) -> dict[int, models.Membership]:
    """Those whose identity the viewer may know."""
    rows = access.memberships_visible_to(viewer).select_related("user").filter(pk__in=ids)
    return {row.pk: row for row in rows}


@strawberry.type(description="A follower inherits from a followee, on some tags or on everything.")
class Following(Node):
    row: strawberry.Private[models.Following]

    @strawberry.field(description="Opaque, and unique among all kinds of things.")
    def id(self) -> strawberry.ID:
        # Not the row's own number: gaps would count the followings of anonymous members.
        return node_id("Following", self.row.follower_id, self.row.followee_id)

    @classmethod
    def of(cls, row: models.Following) -> Following:
        return cls(row=row)

    @strawberry.field(description="Whoever inherits.")
    def follower(self) -> Member:
        return Member(row=self.row.follower)

    @strawberry.field(description="Whoever is inherited from.")
    def followee(self) -> Member:
        return Member(row=self.row.followee)

    tags: list[str] = of_row("Empty: on everything.")
    order: int = of_row("For display.")
    created_at: datetime = of_row("When it began; another choice of tags leaves it.")


@strawberry.type(
    description="The owner of a ballot, whatever their role: a known member, or an anonymous one, whose pseudonym "
    "differs per decision."
)
class Voter:
    row: strawberry.Private[models.Membership]
    decision_pk: strawberry.Private[int]
    is_anonymous: bool = strawberry.field(description="Whether the ballot is shown under a pseudonym.")
    kind: strawberry.Private[str] = models.StagedBallot.Kind.CAST
    # On the way between others' ballots, where not even the pseudonym is told.
    is_unnamed: strawberry.Private[bool] = False

    @strawberry.field(description="The handle, or the pseudonym in this decision.")
    def name(self) -> str:
        if self.is_unnamed:
            return access.ANONYMOUS
        if not self.is_anonymous:
            return self.row.user.handle
        return access.pseudonym(self.decision_pk, self.row.pk, kind=self.kind)

    @strawberry.field(description="Whether this is you.")
    def is_me(self, info: Info) -> bool:
        return access.is_self(info.context.viewer, self.row)

    @strawberry.field(description="Null behind a pseudonym (except to yourself) and for those who have left.")
    async def member(self, info: Info) -> Member | None:
        if self.is_anonymous and not access.is_self(info.context.viewer, self.row):
            return None
        row = await info.context.load(members_by_id, self.row.pk)
        return Member(row=row) if row is not None else None
