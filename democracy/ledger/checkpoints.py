"""Checkpoints: signed statements of the site that a community's ledger had this hash at this revision.

Every export, result page and print has one, and the site keeps some. A ledger that was cut off or written anew
contradicts those that the site kept (`verify_ledger`) or that others kept (`verify/crowdvote_verify.py`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from democracy.database import clock
from democracy.ledger import signing
from democracy.ledger.canonical import canonical, written_time
from democracy.models import Checkpoint

FORMAT, VERSION = "crowdvote-checkpoint", 1
# The site keeps one with the first change of a community in each hour, and one with every final result.
EVERY = timedelta(hours=1)


def signed(community_id: int, revision: int, hash: str, time: datetime) -> Checkpoint:
    """Sign a checkpoint without keeping it. `time`: a fixed one gives the equal checkpoint each time."""
    checkpoint = Checkpoint(
        community_id=community_id, revision=revision, hash=hash, time=time, key=signing.public_key()
    )
    checkpoint.signature = signing.sign(_message(checkpoint))
    return checkpoint


def keep(community_id: int, revision: int, hash: str) -> None:
    """Keep a checkpoint of now, unless one of that revision is kept already."""
    Checkpoint.objects.bulk_create([signed(community_id, revision, hash, clock.now())], ignore_conflicts=True)


def period(time: datetime) -> float:
    """The number of the hour (EVERY) in which a moment lies."""
    return time.timestamp() // EVERY.total_seconds()


def is_genuine(checkpoint: Checkpoint) -> bool:
    """Check the signature, by the key that the checkpoint names."""
    return signing.is_signed(_message(checkpoint), key=checkpoint.key, signature=checkpoint.signature)


def content(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint as JSON, for files."""
    return {
        "format": FORMAT,
        "version": VERSION,
        **_vouched_for(checkpoint),
        "key": checkpoint.key,
        "signature": checkpoint.signature,
    }


def _vouched_for(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "community": checkpoint.community_id,
        "revision": checkpoint.revision,
        "hash": checkpoint.hash,
        "time": written_time(checkpoint.time),
    }


def _message(checkpoint: Checkpoint) -> bytes:
    return b"crowdvote-checkpoint " + canonical(_vouched_for(checkpoint))
