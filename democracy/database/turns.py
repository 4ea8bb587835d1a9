"""Writers of one process take turns.

SQLite has one writer. Whoever finds it busy asks again after a pause that grows to 100 ms, and whoever happens to ask
at the right moment comes first: a vote could be passed by again and again while a community is recalculated without
pause. Between threads of a process a lock hands the turn on at once; other processes still meet in the database.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

# What a commit sets off may write in its turn.
_turn = threading.RLock()


@contextmanager
def turn() -> Iterator[None]:
    """Write, to the end of the transaction or statement, when it is this thread's turn. Databases with many writers and
    transactions that have begun already have no turns.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with _turn:
        yield
