"""The ledger as its readers may see it."""

from __future__ import annotations

from datetime import datetime

import strawberry
import strawberry_django
from asgiref.sync import sync_to_async
from strawberry.scalars import JSON

from accounts.api import RowType, column, node_id
from democracy import models
from democracy.access import Viewer
from democracy.ledger import checkpoints, entry_content
from democracy.ledger.canonical import written_time
from democracy.reading import communities, ledger_feed, receipts
from democracy.schema.cursors import name_list
from democracy.schema.paging import Connection, Page, Places, connection
from democracy.schema.scalars import BigInt, LedgerKind


@strawberry.type(
    description="One change of a community's inputs. Entries are chained by their hashes, so that a changed or missing "
    "one is found. Those whose whole content you may know are open to you; of others you get what the chain needs."
)
class LedgerEntry:
    item: strawberry.Private[ledger_feed.FeedItem]

    @strawberry.field(description="1, 2, 3 ... without gaps.")
    def revision(self) -> BigInt:
        return BigInt(self.item.revision)

    @strawberry.field(description="To the hour where the entry is not open to you.")
    def time(self) -> datetime:
        return self.item.time

    @strawberry.field(description="Whether you may know its whole content.")
    def is_open(self) -> bool:
        return self.item.is_open

    @strawberry.field(description="What it is about.")
    def kind(self) -> LedgerKind:
        return LedgerKind(self.item.kind)

    @strawberry.field(description="The user who did it, as far as you may know.")
    def actor(self) -> str:
        return self.item.actor

    @strawberry.field(description="The event in words.")
    def summary(self) -> str:
        return self.item.sentence

    @strawberry.field(description="The decision that it is about, where you may see that.")
    def decision_id(self) -> strawberry.ID | None:
        return node_id("Decision", self.item.decision_id) if self.item.decision_id else None

    @strawberry.field(description="The content before, as far as you may know it; null where there was none.")
    def before(self) -> JSON | None:
        return JSON(self.item.before) if self.item.before is not None else None

    @strawberry.field(description="The content since then, likewise.")
    def after(self) -> JSON | None:
        return JSON(self.item.after) if self.item.after is not None else None

    @strawberry.field(description="SHA-256 of salt, content and time; docs/bundle.md gives the exact bytes.")
    def commitment(self) -> str:
        return self.item.commitment

    @strawberry.field(description="SHA-256 of the hash before it, its revision and its commitment.")
    def hash(self) -> str:
        return self.item.hash

    @strawberry.field(description="The `hash` of the entry before it; 64 zeros for the first.")
    def previous_hash(self) -> str:
        return self.item.previous_hash

    @strawberry.field(description="With `content` and `time` it gives the commitment; null where it is not open.")
    def salt(self) -> str | None:
        return self.item.opened["salt"] if self.item.opened else None

    @strawberry.field(description="The text under the commitment, with ids; null where it is not open.")
    def content(self) -> JSON | None:
        return JSON(self.item.opened["content"]) if self.item.opened else None


@strawberry.type(
    description="A receipt for your ballot: its ledger entry. By the hash anybody sees that it was recorded. Salt, "
    "content and time open it: whoever you show them to knows your ballot."
)
class Receipt:
    receipt: strawberry.Private[receipts.Receipt]

    @strawberry.field(description="The number of the ledger entry.")
    def revision(self) -> BigInt:
        return BigInt(self.receipt.entry.revision)

    @strawberry.field(description="The `hash` of the ledger entry: whoever may read the ledger sees it there.")
    def hash(self) -> str:
        return self.receipt.entry.hash

    @strawberry.field(description="SHA-256 of salt, content and time, as the ledger shows it.")
    def commitment(self) -> str:
        return self.receipt.entry.commitment

    @strawberry.field(description="Drawn by chance, so that nobody finds the ballot by trying: hexadecimal.")
    def salt(self) -> str:
        return self.receipt.entry.salt

    @strawberry.field(description="As the commitment has it: UTC, to the microsecond.")
    def time(self) -> str:
        return written_time(self.receipt.entry.time)

    @strawberry.field(description="The ballot as the entry has it, with ids.")
    def content(self) -> JSON:
        return JSON(entry_content(self.receipt.entry))

    @strawberry.field(description="The receipt as the file that verify/crowdvote_verify.py takes.")
    async def file(self) -> JSON:
        return JSON(await sync_to_async(lambda: self.receipt.file)())


@strawberry_django.type(
    models.Checkpoint,
    description="The site's word for what a community's ledger was at a revision, signed with its key.",
)
class Checkpoint(RowType):
    hash: str = column("Of the entry at `revision`: SHA-256, hexadecimal.")
    time: datetime = column("When it was signed.")
    key: str = column("The site's public key (Ed25519), hexadecimal; compare it with the one on its docs page.")
    signature: str = column("Ed25519 by `key`, hexadecimal; docs/bundle.md says of which bytes.")

    @strawberry.field(description="The number of the newest entry when it was signed.")
    def revision(self, root: models.Checkpoint) -> BigInt:
        return BigInt(root.revision)

    @strawberry.field(description="The checkpoint as the file that verify/crowdvote_verify.py takes.")
    def file(self, root: models.Checkpoint) -> JSON:
        return JSON(checkpoints.content(root))


def checkpoint_of(viewer: Viewer, community_id: int) -> Checkpoint:
    """A checkpoint of now. Raises PermissionDenied."""
    community = communities.readable_community(viewer, community_id)
    return Checkpoint.of(receipts.checkpoint_now(community))


def ledger_page(
    viewer: Viewer, community_id: int, page: Page, *, kind: str, decision: int | None, newest_first: bool
) -> Connection[LedgerEntry]:
    """A page of the ledger, whose places are revisions. Raises PermissionDenied."""
    community = communities.readable_community(viewer, community_id)
    name = name_list("ledger", parent=("community", community_id), order=newest_first, filters=(kind, decision))
    places = Places.of(name, page)
    revision = places.after
    if newest_first:
        items = ledger_feed.feed(
            viewer, community, before=revision or None, kind=kind, decision=decision, first=page.first + 1
        )
    else:
        items = ledger_feed.feed_after(viewer, community, revision, kind=kind, decision=decision, first=page.first + 1)

    async def count() -> int:
        return await sync_to_async(
            lambda: ledger_feed.entries(viewer, community, kind=kind, decision=decision).count()
        )()

    nodes = [LedgerEntry(item=item) for item in items]
    return connection(page, nodes, count=count, cursor=lambda index: places.at(items[index].revision))
