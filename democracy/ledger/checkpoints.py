"""Checkpoints: the site's word, signed, for what a community's ledger was at a revision.

They stand in every export, result page and print, and some are kept, so that a ledger that was cut off or written anew
contradicts them (`verify_ledger`), or those that others kept (`verify/crowdvote_verify.py`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from democracy.database import clock
from democracy.ledger import signing
from democracy.ledger.canonical import canonical, written_time
from democracy.models import Checkpoint

FORMAT, VERSION = "crowdvote-checkpoint", 1
# While a community changes, one is kept with the first change of each hour; besides, one with every final result.
EVERY = timedelta(hours=1)


def signed(community_id: int, revision: int, hash: str, time: datetime) -> Checkpoint:
    """A checkpoint of now or, where it is to be the same whenever it is asked for, of `time`. It is not kept."""
    checkpoint = Checkpoint(
        community_id=community_id, revision=revision, hash=hash, time=time, key=signing.public_key()
    )
    checkpoint.signature = signing.sign(_message(checkpoint))
    return checkpoint


def keep(community_id: int, revision: int, hash: str) -> None:
    """Keep a checkpoint of now, unless one of that revision is kept already."""
    Checkpoint.objects.bulk_create([signed(community_id, revision, hash, clock.now())], ignore_conflicts=True)


def period(time: datetime) -> float:
    """The number of the EVERY in which a moment lies. The first change in each has a checkpoint."""
    return time.timestamp() // EVERY.total_seconds()


def is_genuine(checkpoint: Checkpoint) -> bool:
    return signing.is_signed(_message(checkpoint), key=checkpoint.key, signature=checkpoint.signature)


def content(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint as files have it."""
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
