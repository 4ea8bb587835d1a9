"""One's own notices, and how one wants to be told."""

from __future__ import annotations

from datetime import datetime

import strawberry
from django.conf import settings
from django.db.models import QuerySet

from accounts.api import Info, Node, node_id, of_row
from democracy import models
from democracy.access import Viewer
from democracy.notices.kinds import USUAL_WAYS
from democracy.notices.wording import words
from democracy.reading import notices as reading_notices
from democracy.schema.paging import Listing
from democracy.schema.scalars import NoticeKind, NoticeWay
from democracy.schema.types.belonging import ItsCommunity, community_of
from democracy.schema.types.decisions import Decision


def _own(viewer: Viewer) -> QuerySet[models.Notice]:
    return reading_notices.shown_notices(viewer)


OWN_NOTICES = Listing(_own, ("-pk",))


@strawberry.type(description="Something that you are told. Nobody else can ask for it.")
class Notice(Node):
    row: strawberry.Private[models.Notice]

    @classmethod
    def of(cls, row: models.Notice) -> Notice:
        return cls(row=row)

    @strawberry.field(description="Opaque, and unique among all kinds of things.")
    def id(self) -> strawberry.ID:
        return node_id("Notice", self.row.key)

    created_at: datetime = of_row("When you were told.")
    read_at: datetime | None = of_row("Null while you have not read it.")

    @strawberry.field(description="What it tells of.")
    def kind(self) -> NoticeKind:
        return NoticeKind(self.row.kind)

    @strawberry.field(description="One line of text.")
    def title(self) -> str:
        return words(self.row).title

    @strawberry.field(description="Some sentences, without markup.")
    def text(self) -> str:
        return words(self.row).text

    @strawberry.field(description="The page that it leads to.")
    def url(self) -> str:
        return settings.SITE_URL + words(self.row).path

    @strawberry.field(description="Where it happened; null where it is about no single one.")
    async def community(self, info: Info) -> ItsCommunity | None:
        return await community_of(info, self.row.community_id) if self.row.community_id is not None else None

    @strawberry.field(description="The one that it is about; null where it is about none.")
    def decision(self) -> Decision | None:
        return Decision(row=self.row.decision) if self.row.decision is not None else None


@strawberry.type(description="How you are told of one kind of thing in one community.")
class NoticePreference:
    kind: NoticeKind = strawberry.field(description="Any but INVITED.")
    way: NoticeWay = strawberry.field(description="What you chose, or what is usual.")


@strawberry.input(description="How you want to be told of one kind of thing.")
class NoticePreferenceInput:
    kind: NoticeKind = strawberry.field(description="Any but INVITED.")
    way: NoticeWay = strawberry.field(description="By mail or on the site alone; notices are on the site in any case.")


@strawberry.input(description="Kinds that are left out stay as they are.")
class SetNoticePreferencesInput:
    community_id: strawberry.ID = strawberry.field(description="One in which you are a member.")
    preferences: list[NoticePreferenceInput] = strawberry.field(description="One for each kind to change.")


def preferences_of(viewer: Viewer, communities: list[int]) -> dict[int, list[NoticePreference]]:
    """The ways in which the viewer is told in these communities, of every kind."""
    chosen = reading_notices.chosen_ways(viewer, communities)
    return {
        community: [
            NoticePreference(kind=NoticeKind(kind), way=NoticeWay(chosen.get((community, kind), way)))
            for kind, way in USUAL_WAYS.items()
        ]
        for community in communities
    }


@strawberry.type(description="A sign that you got, or read, notices.")
class NoticeNews:
    unread: int = strawberry.field(description="The number of notices that you have not read.")
