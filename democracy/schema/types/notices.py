"""One's own notices, and how one wants to be told."""

from __future__ import annotations

from datetime import datetime

import strawberry
import strawberry_django
from django.conf import settings
from django.db.models import QuerySet

from accounts.api import Info, Node, column, node_id
from democracy import models
from democracy.access import Viewer
from democracy.notices.kinds import USUAL_WAYS
from democracy.notices.wording import words
from democracy.reading import notices as reading_notices
from democracy.schema.paging import Listing
from democracy.schema.rows import relation
from democracy.schema.scalars import NoticeKind, NoticeWay
from democracy.schema.types.belonging import ItsCommunity
from democracy.schema.types.decisions import Decision


def _own(viewer: Viewer) -> QuerySet[models.Notice]:
    return reading_notices.shown_notices(viewer)


OWN_NOTICES = Listing(_own, ("-pk",))


@strawberry_django.type(models.Notice, description="Something that you are told. Nobody else can ask for it.")
class Notice(Node):
    @strawberry.field(description="Opaque, and unique among all kinds of things.")
    def id(self, root: models.Notice) -> strawberry.ID:
        return node_id("Notice", root.key)

    created_at: datetime = column("When you were told.")
    read_at: datetime | None = column("Null while you have not read it.")

    @strawberry.field(description="What it tells of.")
    def kind(self, root: models.Notice) -> NoticeKind:
        return NoticeKind(root.kind)

    @strawberry.field(description="One line of text.")
    def title(self, root: models.Notice) -> str:
        return words(root).title

    @strawberry.field(description="Some sentences, without markup.")
    def text(self, root: models.Notice) -> str:
        return words(root).text

    @strawberry.field(description="The page that it leads to.")
    def url(self, root: models.Notice) -> str:
        return settings.SITE_URL + words(root).path

    community: ItsCommunity | None = relation("Where it happened; null where it is about no single one.")
    decision: Decision | None = relation("The one that it is about; null where it is about none.")

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.Notice], info: Info) -> QuerySet[models.Notice]:
        return reading_notices.shown_notices(info.context.viewer) & queryset


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
