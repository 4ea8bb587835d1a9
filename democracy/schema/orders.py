"""The orders that a client may choose for a list: by what everybody sees who sees the list, and by nothing else."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, TypeAlias

import strawberry
from django.db.models import F

from democracy.schema.paging import Order
from democracy.schema.scalars import described

_BY_NAME = "Alphabetically."


@strawberry.enum(description="What a list of communities begins with.")
class CommunityOrder(Enum):
    NAME = described("name", _BY_NAME)
    NEWEST = described("newest", "Those founded last first.")


@strawberry.enum(description="What a list of decisions begins with.")
class DecisionOrder(Enum):
    CLOSING_LAST = described("closing_last", "Those that close last first; drafts without a closing before them.")
    CLOSING_FIRST = described("closing_first", "Those that close first first; drafts without a closing after them.")
    TITLE = described("title", "By the question.")


@strawberry.enum(description="What a list of members begins with.")
class MemberOrder(Enum):
    NAME = described("name", _BY_NAME)
    NEWEST = described("newest", "Those who joined last first.")


COMMUNITIES: dict[CommunityOrder, Order] = {
    CommunityOrder.NAME: ("name", "pk"),
    CommunityOrder.NEWEST: ("-created_at", "-pk"),
}
DECISIONS: dict[DecisionOrder, Order] = {
    DecisionOrder.CLOSING_LAST: (F("closes_at").desc(nulls_first=True), "-pk"),
    DecisionOrder.CLOSING_FIRST: (F("closes_at").asc(nulls_last=True), "pk"),
    DecisionOrder.TITLE: ("title", "pk"),
}
# Among those of one moment by handle, never by the row's number: that would tell when somebody came the first time.
MEMBERS: dict[MemberOrder, Order] = {
    MemberOrder.NAME: ("user__sort_name", "user__handle"),
    MemberOrder.NEWEST: ("-joined_at", "user__handle"),
}

OfCommunities: TypeAlias = Annotated[CommunityOrder, strawberry.argument(description="The order of the list.")]
OfDecisions: TypeAlias = Annotated[DecisionOrder, strawberry.argument(description="The order of the list.")]
OfMembers: TypeAlias = Annotated[MemberOrder, strawberry.argument(description="The order of the list.")]
