"""The ledger of all changes of inputs: recordings, entries, contents, the chain, checkpoints and staleness."""

from democracy.ledger.chain import GENESIS, chain_hash, commitment, entry_content, faults
from democracy.ledger.changes import Change, Content, NewSubject
from democracy.ledger.entries import (
    ballots_withdrawn,
    contents_at,
    contents_of_kind_at,
    entries_after,
    hash_at,
    newest_entry,
    revision_before,
    subjects_after,
)
from democracy.ledger.recordings import Recording, changed, committed, recording

__all__ = [
    "GENESIS",
    "Change",
    "Content",
    "NewSubject",
    "Recording",
    "ballots_withdrawn",
    "chain_hash",
    "changed",
    "commitment",
    "committed",
    "contents_at",
    "contents_of_kind_at",
    "entries_after",
    "entry_content",
    "faults",
    "hash_at",
    "newest_entry",
    "recording",
    "revision_before",
    "subjects_after",
]
