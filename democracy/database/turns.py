"""Writers of one process take turns.

SQLite has one writer. A connection that finds it busy tries again after a pause that grows to 100 ms, so it is chance
who writes next: a vote could wait again and again while a community is recalculated without pause. Between threads of a
process a lock hands the turn on at once. Other processes still meet in the database.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


class _Line:
    """Threads in the order in which they came. The turn is handed to the first of them.

    A lock alone may be taken again by the thread that has just let it go, while the one that waited wakes up; a long
    list written in parts would so hold up a vote to its end.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._is_taken = False

    def take(self) -> None:
        with self._changing:
            if not self._is_taken:
                self._is_taken = True
                return
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        try:
            gate.acquire()
        except BaseException:
            with self._changing:
                is_handed_on = gate not in self._waiting
                if not is_handed_on:
                    self._waiting.remove(gate)
            if is_handed_on:
                self.hand_on()
            raise

    def hand_on(self) -> None:
        with self._changing:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


_line = _Line()
_own = threading.local()


@contextmanager
def turn() -> Iterator[None]:
    """Wait for this thread's turn to write, and hold it for the transaction or statement inside.

    Do nothing on databases with many writers, or in a transaction or a turn that has begun already: a callback of the
    commit may write, too.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block or getattr(_own, "has_turn", False):
        yield
        return
    _line.take()
    _own.has_turn = True
    try:
        yield
    finally:
        _own.has_turn = False
        _line.hand_on()
