"""The ledger in words, entry by entry, as far as `disclosure` lets a viewer know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from democracy import access
from democracy.access import Viewer
from democracy.ledger import GENESIS, entry_content
from democracy.ledger.canonical import written_time
from democracy.models import Community, Decision, LedgerEntry
from democracy.reading import sentences
from democracy.reading.disclosure import Disclosure
from democracy.reading.sentences import SOMEBODY, Names

Kind = LedgerEntry.Kind
# Entries that a search looks through before it asks whether to go on, and how many at once.
_SEARCHED = 2_000
_CHUNK = 500


@dataclass(frozen=True)
class FeedItem:
    """One entry in words. `decision_id`: of a decision that the viewer may see. `before` and `after`: its contents,
    with names in place of ids. `opened`: the salt, content and time to which its commitment commits. The last three are
    None in an entry that the viewer may not open, and `time` is to the hour.
    """

    revision: int
    time: datetime
    kind: str
    sentence: str
    decision_id: int | None
    commitment: str
    hash: str
    previous_hash: str
    actor: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    opened: dict[str, Any] | None

    @property
    def is_open(self) -> bool:
        return self.opened is not None


@dataclass(frozen=True)
class Found:
    """Entries that a search found, and the revision below which it goes on; None at the end."""

    items: list[FeedItem]
    older: int | None


def feed(
    viewer: Viewer,
    community: Community,
    *,
    before: int | None = None,
    kind: str = "",
    decision: int | None = None,
    first: int,
) -> list[FeedItem]:
    """The `first` newest entries with a revision below `before`, newest first."""
    rows = entries(viewer, community, kind=kind, decision=decision)
    if before is not None:
        rows = rows.filter(revision__lt=before)
    return _told(viewer, community, list(rows.order_by("-revision")[:first]))


def feed_after(
    viewer: Viewer, community: Community, revision: int, *, kind: str = "", decision: int | None = None, first: int
) -> list[FeedItem]:
    """The `first` entries after `revision`, oldest first, so that somebody can follow the ledger without a gap."""
    rows = entries(viewer, community, kind=kind, decision=decision).filter(revision__gt=revision)
    return _told(viewer, community, list(rows.order_by("revision")[:first]))


def search(
    viewer: Viewer,
    community: Community,
    words: str,
    *,
    before: int | None = None,
    kind: str = "",
    decision: int | None = None,
    first: int,
) -> Found:
    """The newest entries below `before` with these words in the sentence, the number, or the beginning of a hash.

    Only what the viewer is told is searched, so that no search tells more.
    """
    wanted = words.strip().casefold()
    rows = entries(viewer, community, kind=kind, decision=decision).order_by("-revision")
    found: list[FeedItem] = []
    looked = 0
    while looked < _SEARCHED:
        chunk = list((rows if before is None else rows.filter(revision__lt=before))[:_CHUNK])
        for item in _told(viewer, community, chunk):
            if _reads(item, wanted):
                found.append(item)
                if len(found) == first:
                    return Found(found, item.revision)
        if len(chunk) < _CHUNK:
            return Found(found, None)
        looked, before = looked + len(chunk), chunk[-1].revision
    return Found(found, before)


def _reads(item: FeedItem, wanted: str) -> bool:
    return (
        wanted in item.sentence.casefold()
        or wanted.lstrip("#").replace(",", "") == str(item.revision)
        or (len(wanted) >= 8 and (item.hash.startswith(wanted) or item.commitment.startswith(wanted)))
    )


def entry(viewer: Viewer, community: Community, revision: int) -> FeedItem | None:
    """One entry, as the viewer may know it; None where there is none."""
    return next(
        iter(_told(viewer, community, list(LedgerEntry.objects.filter(community=community, revision=revision)))), None
    )


def entries(
    viewer: Viewer, community: Community, *, kind: str = "", decision: int | None = None
) -> QuerySet[LedgerEntry]:
    """The rows of the entries of this kind, or that are told to be about this decision."""
    rows = LedgerEntry.objects.filter(community=community)
    if kind:
        rows = rows.filter(kind=kind)
    if decision is None:
        return rows
    rights = Disclosure(viewer, community)
    if decision not in rights.decisions:
        return rows.none()
    rows = rows.filter(decision=decision)
    if access.opens_entries_on_ballots(rights.decisions[decision]):
        return rows
    return rows.filter(~Q(kind=Kind.BALLOT) | Q(membership__in=rights.own_members))


def decisions(viewer: Viewer, community: Community) -> QuerySet[Decision]:
    """The decisions to which the feed can be narrowed, the newest first."""
    return access.decisions_visible_to(viewer).filter(community=community).order_by("-created_at", "-pk")


def opened(entry: LedgerEntry) -> dict[str, Any]:
    """The salt, content and time to which an entry's commitment commits."""
    return {"salt": entry.salt, "content": entry_content(entry), "time": written_time(entry.time)}


def _told(viewer: Viewer, community: Community, rows: Sequence[LedgerEntry]) -> list[FeedItem]:
    names = Names(viewer, community, rows)
    return [_item(entry, names) for entry in rows]


def _item(entry: LedgerEntry, names: Names) -> FeedItem:
    rights = names.rights
    is_open, decision = rights.opens(entry), rights.decision_of(entry)
    return FeedItem(
        revision=entry.revision,
        time=entry.time if is_open else access.to_the_hour(entry.time),
        kind=entry.kind,
        sentence=sentences.sentence(entry, names) if is_open else sentences.closed_sentence(entry, names),
        decision_id=decision,
        commitment=entry.commitment,
        hash=entry.hash,
        previous_hash=names.hashes.get(entry.revision - 1, GENESIS),
        actor=sentences.actor(entry, names) if is_open else SOMEBODY,
        before=sentences.content(entry, entry.before, names) if is_open else None,
        after=sentences.content(entry, entry.after, names) if is_open else None,
        opened=opened(entry) if is_open else None,
    )
