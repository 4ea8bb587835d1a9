"""Writers of one process take turns.

SQLite has one writer. A connection that finds it busy tries again after a pause that grows to 100 ms, so it is chance
who writes next: a vote could wait again and again while a community is recalculated without pause. Between threads of a
process a lock hands the turn on at once. Other processes still meet in the database.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

# Reentrant: a callback of the commit may write, too.
_turn = threading.RLock()


@contextmanager
def turn() -> Iterator[None]:
    """Wait for this thread's turn to write, and hold it for the transaction or statement inside.

    Do nothing on databases with many writers, or in a transaction that has begun already.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with _turn:
        yield
