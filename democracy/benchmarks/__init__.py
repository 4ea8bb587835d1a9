"""The cases of `manage.py bench`: the engine alone, with a database, and servers as people use them.

A case is a function of the scale (1: as named, with 100,000 members in the largest communities; less: smaller) that
gives figures, beside a plain baseline of the same run where there is one. Cases that need a database find one of their
own; the command sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from democracy.benchmarks import (
    counting,
    drawn,
    incremental,
    invited,
    large,
    ledgers,
    many,
    open_pages,
    requests,
    served,
    staged_blocks,
    statements,
    stored,
)
from democracy.benchmarks.figures import Figure

Case: TypeAlias = Callable[[float], Iterator[Figure]]

CASES: dict[str, Case] = {
    "scratch": counting.scratch,
    "staging": counting.staging,
    "tally": counting.ballots,
    "incremental": incremental.one_vote,
    "statements": statements.statements,
    "changes": incremental.other_changes,
    "stored": stored.load_calculate_store,
    "blocks": staged_blocks.store_many_changed_ballots,
    "many": many.decisions,
    "sweep": many.communities,
    "network": drawn.followings,
    "requests": requests.requests,
    "rate": requests.rate,
    "latency": served.latency,
    "subscribers": served.subscribers,
    "pages": open_pages.one_vote,
    "mutation": served.mutation,
    "voters": served.voters,
    "invitations": invited.invitations,
    "large": large.from_file_to_file,
    "ledger": ledgers.verified,
}
QUICK = 0.05
# Members of the largest communities at scale 1.
MEMBERS = 100_000
