"""A ledger of a million entries, as people download it, verified with nothing of CrowdVote."""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from democracy.benchmarks import large
from democracy.benchmarks.figures import Figure
from democracy.ledger import GENESIS, checkpoints, contents, signing
from democracy.ledger.canonical import written_time
from democracy.ledger.chain import chain_hash, commitment, entry_content
from democracy.ledger.changes import NewSubject
from democracy.ledger.rows import BallotRow, FollowingRow, MembershipRow
from democracy.models import LedgerEntry
from democracy.reading.receipts import LEDGER, VERSION

_ENTRIES = 1_000_000
_SECONDS = 15
# Bytes.
_MOST_MEMORY = 256 << 20
_COMMUNITY, _DECISION, _CHOICES = 1, 1, range(1, 6)
_TIME = datetime(2026, 5, 1, 12, tzinfo=UTC)
# Characters: more than a header has.
_HEADER = 999


def verified(scale: float) -> Iterator[Figure]:
    """Measure the verifier's time on the processor, and its memory, for a ledger in which every entry is opened."""
    entries = max(1_000, int(_ENTRIES * scale))
    with tempfile.TemporaryDirectory(prefix="crowdvote-ledger-") as directory:
        path = Path(directory) / "ledger.jsonl"
        write(entries, path)
        step = large.run([sys.executable, "-I", large.VERIFIER, str(path)])
        size = path.stat().st_size
    yield Figure(
        "ledger",
        f"{entries:,} entries verified with nothing of CrowdVote, processor",
        step.processor,
        "s",
        target=f"{_SECONDS} s, {_MOST_MEMORY >> 20} MiB",
        reached=(step.processor <= _SECONDS and step.memory <= _MOST_MEMORY) if scale == 1 else None,
        note=f"{step.memory / 2**20:,.0f} MiB at most, of a file of {size / 2**20:,.0f} MiB",
    )


def write(entries: int, path: Path) -> None:
    """Write a ledger file, signed with the site's key."""
    last = GENESIS
    with path.open("w", encoding="utf-8") as file:
        file.write(" " * _HEADER + "\n")
        for revision in range(1, entries + 1):
            entry = _entry(revision)
            last = chain_hash(last, revision, entry.commitment)
            hashes = {"revision": revision, "commitment": entry.commitment, "hash": last}
            opened = {"salt": entry.salt, "content": entry_content(entry), "time": written_time(entry.time)}
            file.write(json.dumps(hashes | opened, separators=(",", ":")) + "\n")
        header = {
            "format": LEDGER,
            "version": VERSION,
            "community": {"id": _COMMUNITY, "name": "Large"},
            "checkpoint": checkpoints.content(checkpoints.signed(_COMMUNITY, entries, last, _TIME)),
            "key": signing.public_key(),
        }
        file.seek(0)
        file.write(json.dumps(header))


def _entry(revision: int) -> LedgerEntry:
    """The entry at a revision, as an import writes it."""
    kind, subject, after, decision, membership = _new(revision)
    entry = LedgerEntry(
        community_id=_COMMUNITY,
        revision=revision,
        time=_TIME,
        kind=kind,
        subject=subject,
        decision_id=decision,
        membership_id=membership,
        after=after,
        salt=secrets.token_hex(16),
    )
    entry.commitment = commitment(entry)
    return entry


def _new(revision: int) -> NewSubject:
    """Of 16 entries 5 are of somebody who joins, 10 of somebody who follows, and one of somebody who votes."""
    match revision % 16:
        case 0:
            ballot = BallotRow(revision, _DECISION, revision, [], "", False, False, _TIME)
            return contents.new_ballot(ballot, {choice: choice * revision % 5 + 1 for choice in _CHOICES})
        case turn if turn <= 5:
            return contents.new_membership(
                MembershipRow(revision, _COMMUNITY, revision, "voter", False, False, _TIME, f"m{revision}")
            )
        case _:
            return contents.new_following(FollowingRow(revision, revision + 1, [], 1, _TIME))
