"""Files for voters and auditors to keep: receipts, checkpoints and the ledger. `docs/bundle.md` specifies them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.utils import timezone

from democracy import access, ledger
from democracy.access import Viewer
from democracy.errors import NoBallot
from democracy.ledger import GENESIS, checkpoints, contents, signing
from democracy.ledger.canonical import written_time
from democracy.models import Ballot, Checkpoint, Community, Decision, LedgerEntry
from democracy.reading import ledger_feed
from democracy.reading.disclosure import Disclosure, is_anonymous

RECEIPT, LEDGER, VERSION = "crowdvote-receipt", "crowdvote-ledger", 1
_ROWS = 1_000


@dataclass(frozen=True)
class Receipt:
    """A ledger entry with what opens it. Whoever has it knows what the entry says."""

    entry: LedgerEntry

    @property
    def is_anonymous(self) -> bool:
        return is_anonymous(self.entry)

    @property
    def file(self) -> dict[str, Any]:
        return files({(0, 0): self})[0, 0]


Key = TypeVar("Key")


def files(found: Mapping[Key, Receipt], *, owner: Viewer | None = None) -> dict[Key, dict[str, Any]]:
    """The receipts as files, each with a checkpoint of now, in a few queries however many they are.

    Where the `owner` may not read the community any more, the checkpoint is of the entry itself: how much has changed
    there since is not theirs to know.
    """
    entries = [one.entry for one in found.values()]
    readable = access.communities_readable_by(owner) if owner is not None else Community.objects.all()
    communities = readable.filter(pk__in={entry.community_id for entry in entries})
    now = {community.pk: checkpoint_now(community) for community in communities}
    before = _hashes_before(entries)
    return {
        key: _file(
            one,
            before[one.entry.community_id, one.entry.revision],
            checkpoints.content(now.get(one.entry.community_id) or _checkpoint_of(one.entry)),
        )
        for key, one in found.items()
    }


def _checkpoint_of(entry: LedgerEntry) -> Checkpoint:
    return checkpoints.signed(entry.community_id, entry.revision, entry.hash, timezone.now())


def _hashes_before(entries: Sequence[LedgerEntry]) -> dict[tuple[int, int], str]:
    """The hashes that these entries are chained to, by community and revision of the entry."""
    previous = LedgerEntry.objects.filter(
        community__in={entry.community_id for entry in entries},
        revision__in={entry.revision - 1 for entry in entries},
    )
    hashes = {(pk, revision + 1): text for pk, revision, text in previous.values_list("community", "revision", "hash")}
    return {(one.community_id, one.revision): hashes.get((one.community_id, one.revision), GENESIS) for one in entries}


def _file(receipt: Receipt, previous_hash: str, checkpoint: dict[str, Any]) -> dict[str, Any]:
    entry = receipt.entry
    return {
        "format": RECEIPT,
        "version": VERSION,
        "revision": entry.revision,
        "previous_hash": previous_hash,
        "commitment": entry.commitment,
        "hash": entry.hash,
        **ledger_feed.opened(entry),
        "checkpoint": checkpoint,
    }


def own_receipts(viewer: Viewer, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Receipt]:
    """The receipts of those ballots, named by decision and membership, that the viewer cast."""
    if not viewer.is_authenticated or not keys:
        return {}
    mine = Ballot.objects.of(viewer).filter(decision__in={decision for decision, _ in keys})
    wanted = {*keys}.intersection(mine.values_list("decision_id", "membership_id"))
    subjects = [contents.ballot_subject(*key) for key in wanted]
    communities = Community.objects.filter(decisions__in={decision for decision, _ in wanted})
    entries = LedgerEntry.objects.filter(community__in=communities, subject__in=subjects).order_by("revision")
    newest = {(entry.decision_id, entry.membership_id): entry for entry in entries}
    return {key: Receipt(newest[key]) for key in wanted if key in newest}


def own_receipt(viewer: Viewer, decision: Decision) -> Receipt:
    """The receipt of the viewer's cast ballot. Raises PermissionDenied for others than members, NoBallot."""
    member = access.require_member(viewer, decision.community_id)
    key = decision.pk, member.pk
    found = own_receipts(viewer, [key])
    if key not in found:
        raise NoBallot("You have not cast a ballot in this decision.")
    return found[key]


def checkpoint_now(community: Community) -> Checkpoint:
    """A checkpoint of the community's ledger as of when `community` was read, signed now."""
    head = ledger.hash_at(community.pk, community.revision)
    return checkpoints.signed(community.pk, community.revision, head, timezone.now())


def ledger_file(viewer: Viewer, community: Community) -> Iterator[str]:
    """A community's ledger up to `community.revision` as lines of JSON: a header, then an entry a line, those opened
    that the viewer may open.
    """
    rights = Disclosure(viewer, community)
    header = {
        "format": LEDGER,
        "version": VERSION,
        "community": {"id": community.pk, "name": community.name},
        "checkpoint": checkpoints.content(checkpoint_now(community)),
        "key": signing.public_key(),
    }
    yield _line(header)
    entries = LedgerEntry.objects.filter(community=community, revision__lte=community.revision)
    at = 0
    # By revision, so that no cursor stays open while a slow reader takes its time.
    while rows := list(entries.filter(revision__gt=at).order_by("revision")[:_ROWS]):
        yield "".join(_line(_row(entry, rights)) for entry in rows)
        at = rows[-1].revision


def _row(entry: LedgerEntry, rights: Disclosure) -> dict[str, Any]:
    row = {"revision": entry.revision, "commitment": entry.commitment, "hash": entry.hash}
    if rights.opens(entry):
        return row | ledger_feed.opened(entry)
    hour = written_time(access.to_the_hour(entry.time))
    return row | {"kind": str(entry.kind), "hour": hour, "decision": rights.decision_of(entry)}


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n"
