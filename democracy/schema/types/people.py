"""Members as others see them, whom they follow, and the names on ballots."""

from __future__ import annotations

from datetime import datetime

import strawberry
import strawberry_django
from django.db.models import QuerySet

from accounts.api import Info, Node, column, node_id
from democracy import access, models
from democracy.reading import followings as reading_followings
from democracy.schema.arguments import After, First
from democracy.schema.paging import DEFAULT_PAGE, Connection, Listing, Page
from democracy.schema.rows import by_id, relation
from democracy.schema.scalars import Role
from democracy.schema.types.belonging import ItsCommunity

FOLLOWINGS = Listing(reading_followings.followings_by, ("order", "pk"), "follower_id")
# By name, never by the row's number: that would tell when somebody came.
FOLLOWERS = Listing(
    reading_followings.followings_of, ("follower__user__sort_name", "follower__user__handle"), "followee_id"
)


@strawberry_django.type(
    models.Membership,
    description="A member of a community, as far as you may know them. Anonymous members are seen by themselves "
    "and by managers.",
)
class Member(Node):
    @strawberry.field(description="What they are called, the same in all their communities.")
    def name(self, root: models.Membership) -> str:
        return root.user.name

    @strawberry.field(description="Public and unique.")
    def handle(self, root: models.Membership) -> str:
        return root.user.handle

    @strawberry.field(description="Whether their ballot is counted.")
    def role(self, root: models.Membership) -> Role:
        return Role(root.role)

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.Membership], info: Info) -> QuerySet[models.Membership]:
        return (access.memberships_visible_to(info.context.viewer) & queryset).select_related("user")

    is_manager: bool = column("Whether they keep the roll, and draft and publish decisions.")
    is_anonymous: bool = column("Whether nobody but they themselves and managers may know who they are.")
    joined_at: datetime = column("When they became a member, the last time.")

    @strawberry.field(description="Whether this is you.")
    def is_me(self, info: Info, root: models.Membership) -> bool:
        return access.is_self(info.context.viewer, root)

    community: ItsCommunity = relation("Where they are a member. One person is another member in another community.")

    @strawberry.field(description="Whom this member follows, in their order. Of anonymous members only they know.")
    async def followings(
        self, info: Info, root: models.Membership, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Following]:
        return await FOLLOWINGS.page(info, Page(first, after), Following.of, parent=root.pk)

    @strawberry.field(description="The followers of this member, by name; followers who are anonymous are left out.")
    async def followers(
        self, info: Info, root: models.Membership, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Following]:
        return await FOLLOWERS.page(info, Page(first, after), Following.of, parent=root.pk)


@strawberry_django.type(
    models.Following, description="A follower inherits from a followee, on some tags or on everything."
)
class Following(Node):
    @strawberry.field(description="Opaque, and unique among all kinds of things.")
    def id(self, root: models.Following) -> strawberry.ID:
        # Not the row's own number: gaps would count the followings of anonymous members.
        return node_id("Following", root.follower_id, root.followee_id)

    @strawberry.field(description="Whoever inherits.")
    def follower(self, root: models.Following) -> Member:
        return Member.of(root.follower)

    @strawberry.field(description="Whoever is inherited from.")
    def followee(self, root: models.Following) -> Member:
        return Member.of(root.followee)

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.Following], info: Info) -> QuerySet[models.Following]:
        shown = reading_followings.followings_shown(info.context.viewer) & queryset
        return shown.select_related("follower__user", "followee__user")

    tags: list[str] = column("Empty: on everything.")
    order: int = column("For display.")
    created_at: datetime = column("When it began; another choice of tags leaves it.")


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
        return await by_id(info, Member, self.row.pk)
