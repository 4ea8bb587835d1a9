"""The ledger as its readers may see it."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from accounts.api import node_id
from democracy import directory, feed, models
from democracy.access import Viewer
from democracy.schema.paging import Connection, Page, connection
from democracy.schema.scalars import BigInt, LedgerKind


@strawberry.type(
    description="One change of a community's inputs. Entries are chained by their hashes, so that a changed or missing "
    "one is found. Ballots bear the names that the decision shows for them, or none while ballots are hidden."
)
class LedgerEntry:
    item: strawberry.Private[feed.FeedItem]

    @strawberry.field(description="1, 2, 3 ... without gaps.")
    def revision(self) -> BigInt:
        return BigInt(self.item.revision)

    @strawberry.field
    def time(self) -> datetime:
        return self.item.time

    @strawberry.field
    def kind(self) -> LedgerKind:
        return LedgerKind(self.item.kind)

    @strawberry.field(description="Who did it, as far as you may know.")
    def actor(self) -> str:
        return self.item.actor

    @strawberry.field(description="What happened, in words.")
    def summary(self) -> str:
        return self.item.sentence

    @strawberry.field(description="The decision that it is about, where you may see that.")
    def decision_id(self) -> strawberry.ID | None:
        return node_id("Decision", self.item.decision_id) if self.item.decision_id else None

    @strawberry.field(description="What was, as far as you may know; null where there was nothing or you may not.")
    def before(self) -> JSON | None:
        return JSON(self.item.before) if self.item.before is not None else None

    @strawberry.field(description="What is since then, likewise.")
    def after(self) -> JSON | None:
        return JSON(self.item.after) if self.item.after is not None else None

    @strawberry.field(description="SHA-256 of the whole entry, its secret salt and the hash before it.")
    def hash(self) -> str:
        return self.item.hash

    @strawberry.field
    def previous_hash(self) -> str:
        return self.item.previous_hash


def ledger_page(
    viewer: Viewer, community_id: int, page: Page, *, kind: str, newest_first: bool
) -> Connection[LedgerEntry]:
    """A page of the ledger, whose places are revisions. Raises PermissionDenied."""
    community = directory.readable_community(viewer, community_id)
    if newest_first:
        items = feed.feed(viewer, community, before=page.after or None, kind=kind, first=page.first + 1)
    else:
        items = feed.feed_after(viewer, community, page.after, kind=kind, first=page.first + 1)

    async def count() -> int:
        entries = models.LedgerEntry.objects.filter(community=community)
        return await (entries.filter(kind=kind) if kind else entries).acount()

    nodes = [LedgerEntry(item=item) for item in items]
    return connection(page, nodes, count=count, place=lambda index: items[index].revision)
