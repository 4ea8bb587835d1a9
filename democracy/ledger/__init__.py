"""The ledger of all changes of inputs: recordings, entries, contents, the chain, checkpoints and staleness."""

from democracy.ledger.chain import GENESIS, Chain, chain_hash, commitment, entries_in_order, entry_content, faults
from democracy.ledger.changes import Change, Content, NewSubject
from democracy.ledger.entries import (
    NewContent,
    ballots_at,
    ballots_withdrawn,
    calculated_contents_at,
    contents_after,
    contents_at,
    entries_after,
    followings_at,
    hash_at,
    newest_entry,
    revision_before,
    subjects_after,
)
from democracy.ledger.recordings import Recording, changed, committed, recorded, recording

__all__ = [
    "GENESIS",
    "Chain",
    "Change",
    "Content",
    "NewContent",
    "NewSubject",
    "Recording",
    "ballots_at",
    "ballots_withdrawn",
    "calculated_contents_at",
    "chain_hash",
    "changed",
    "commitment",
    "committed",
    "contents_after",
    "contents_at",
    "entries_after",
    "entries_in_order",
    "entry_content",
    "faults",
    "followings_at",
    "hash_at",
    "newest_entry",
    "recorded",
    "recording",
    "revision_before",
    "subjects_after",
]
