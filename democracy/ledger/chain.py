"""The chain: the hashes of a ledger's entries, and the check that a ledger is the one that was written.

An entry's *commitment* binds its content without showing it; its *hash* binds the commitment to every entry before it.
So anybody can check the chain, whoever knows an entry's salt can check its content, and nobody learns more than that.
`docs/bundle.md` gives the exact bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from democracy.ledger.canonical import canonical_text, in_bytes, written_time
from democracy.ledger.changes import Content
from democracy.models import Community, LedgerEntry

GENESIS = "0" * 64
_BATCH = 2_000
_NOTHING = canonical_text(None)
_COLUMNS = (
    *("community_id", "revision", "time", "kind", "subject", "actor_id", "decision_id", "membership_id"),
    *("before", "after", "salt", "commitment", "hash"),
)


def entry_content(entry: LedgerEntry) -> dict[str, Any]:
    """The content of an entry. The commitment is of it, the salt and the time."""
    return {
        "community": entry.community_id,
        "kind": str(entry.kind),
        "subject": entry.subject,
        "actor": entry.actor_id,
        "decision": entry.decision_id,
        "membership": entry.membership_id,
        "before": entry.before,
        "after": entry.after,
    }


def commitment(entry: LedgerEntry) -> str:
    """SHA-256 (hex) over salt, content and time."""
    return _commitment(entry, canonical_text(entry.before), canonical_text(entry.after))


def _commitment(entry: LedgerEntry, before: str, after: str) -> str:
    """The commitment of an entry whose contents are canonical texts already.

    Put together here, in the order of the keys, since to write all of the content again would take twice as long.
    """
    decision, membership = _number(entry.decision_id), _number(entry.membership_id)
    content = (
        f'"actor":{_number(entry.actor_id)},"after":{after},"before":{before},"community":{entry.community_id},'
        f'"decision":{decision},"kind":{canonical_text(str(entry.kind))},"membership":{membership},'
        f'"subject":{canonical_text(entry.subject)}'
    )
    time = written_time(entry.time)
    opened = f'{{"content":{{{content}}},"salt":{canonical_text(entry.salt)},"time":{canonical_text(time)}}}'
    return hashlib.sha256(in_bytes(opened)).hexdigest()


def _number(pk: int | None) -> str:
    return _NOTHING if pk is None else str(pk)


def chain_hash(previous_hash: str, revision: int, commitment: str) -> str:
    """SHA-256 (hex) over the hash of the entry before, the revision, and the commitment."""
    return hashlib.sha256(f"{previous_hash}:{revision}:{commitment}".encode()).hexdigest()


def entries_in_order(community: Community) -> Iterator[LedgerEntry]:
    """A community's entries from the first, read little by little.

    They have an entry's columns and nothing else: to make a model of each takes as long as everything about the chain.
    """
    rows = LedgerEntry.objects.filter(community=community).order_by("revision").values_list(*_COLUMNS, named=True)
    return cast(Iterator[LedgerEntry], rows.iterator(_BATCH))


class Chain:
    """The chain of a community's entries, as they are read one after the other.

    `left`: what they have left of each subject, as canonical text. Texts take a third of the memory of contents, and
    to compare them a tenth of the time.
    """

    def __init__(self) -> None:
        self.left: dict[str, str] = {}
        self._revision = 0
        self._hash = GENESIS
        self._time: datetime | None = None

    def faults(self, entry: LedgerEntry) -> Iterator[str]:
        """Check the next entry: a sentence for each fault, none when it is the one that was written."""
        revision, before, after = self._revision + 1, canonical_text(entry.before), canonical_text(entry.after)
        if entry.revision != revision:
            yield f"entry {revision} is missing: {entry.revision} follows {revision - 1}"
        elif entry.hash != chain_hash(self._hash, entry.revision, entry.commitment):
            yield f"entry {entry.revision} does not follow the entry before it: its hash is not that of the chain"
        if entry.commitment != _commitment(entry, before, after):
            yield f"entry {entry.revision} was changed: its content does not give its commitment"
        if self._time is not None and entry.time < self._time:
            yield f"entry {entry.revision} is older than the entry before it"
        if self.left.get(entry.subject, _NOTHING) != before:
            yield f"entry {entry.revision} does not start from what entry before it left of {entry.subject}"
        self.left[entry.subject] = after
        if entry.kind == LedgerEntry.Kind.MODERATION and not self._tells_what_it_left(entry.after):
            yield f"entry {entry.revision} does not tell what it left of the text's subject"
        self._revision, self._hash, self._time = entry.revision, entry.hash, entry.time

    def end_faults(self, community: Community) -> Iterator[str]:
        """Check that the last entry is the community's newest."""
        if self._revision != community.revision:
            yield f"the community stands at revision {community.revision}, its last entry is {self._revision}"

    def _tells_what_it_left(self, moderation: Content) -> bool:
        told = (moderation or {}).get("leaves")
        return not told or canonical_text(told) == self.left.get((moderation or {})["of"], _NOTHING)


def faults(community: Community) -> Iterator[str]:
    """Check a community's chain: a sentence for each fault, none when every entry is the one that was written."""
    chain = Chain()
    for entry in entries_in_order(community):
        yield from chain.faults(entry)
    yield from chain.end_faults(community)
