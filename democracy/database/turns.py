"""Writers of one process take turns.

SQLite has one writer. A connection that finds it busy tries again after a pause that grows to 100 ms, so it is chance
who writes next: a vote could wait again and again while a community is recalculated without pause. Between threads of a
process a lock hands the turn on at once. Other processes still meet in the database.

# Note [Written together]
A transaction ends when the disk has it, and while one waits for the disk nobody else can write. So whoever has the turn
takes along what others wait to do by `together`: all of it in one transaction, each in a savepoint of its own, so that
what fails is undone alone. Nobody is answered before that transaction has committed. Where the transaction itself
fails, nothing of it is written, and each does its own by itself.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

from django.db import connection, transaction

logger = logging.getLogger(__name__)

T = TypeVar("T")

# The most that is written in one transaction, so that whoever is next does not wait long.
_AT_ONCE = 32


class _Work:
    """The work that a thread waits to do, in its own context, and how it ended."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function, self._context = function, copy_context()
        # Whether it is committed, or was refused beside others that are.
        self.is_done = False
        self._value: Any = None
        self._error: Exception | None = None

    def attempt(self) -> None:
        """Do it within somebody's transaction. Raises _Undone where that is lost; keeps what the function raises."""
        try:
            self._value = self._context.run(self._function)
        except Exception as error:
            self._error = error
        if transaction.get_rollback():
            raise _Undone

    def outcome(self) -> Any:
        """Return what it gave. Raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._value


class _Undone(Exception):
    """The end of a transaction in which something happened that undoes all of it."""


class _Place:
    """A place in the line. Its gate opens when it is this thread's turn, or when another has done its work."""

    def __init__(self, work: _Work | None) -> None:
        self.work = work
        self.is_taken_along = False
        self.gate = threading.Lock()
        self.gate.acquire()


class _Line:
    """Threads in the order in which they came. The turn is handed to the first of them.

    A lock alone may be taken again by the thread that has just let it go, while the one that waited wakes up; a long
    list written in parts would so hold up a vote to its end.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._waiting: deque[_Place] = deque()
        self._is_taken = False

    def take(self, work: _Work | None = None) -> None:
        """Wait for the turn, or until another has done the work."""
        with self._changing:
            if not self._is_taken:
                self._is_taken = True
                return
            place = _Place(work)
            self._waiting.append(place)
        try:
            place.gate.acquire()
        except BaseException:
            with self._changing:
                is_waiting = place in self._waiting
                if is_waiting:
                    self._waiting.remove(place)
            if not is_waiting and not place.is_taken_along:
                self.hand_on()
            raise

    def take_along(self, most: int) -> list[_Place]:
        """Take the first of those who wait to do something together out of the line."""
        with self._changing:
            taken = [place for place in self._waiting if place.work is not None][:most]
            for place in taken:
                place.is_taken_along = True
                self._waiting.remove(place)
        return taken

    def put_back(self, places: Sequence[_Place]) -> None:
        """Let these be the next, each by itself."""
        with self._changing:
            for place in reversed(places):
                place.work, place.is_taken_along = None, False
                self._waiting.appendleft(place)

    def hand_on(self) -> None:
        with self._changing:
            if self._waiting:
                self._waiting.popleft().gate.release()
            else:
                self._is_taken = False


_line = _Line()
_own = threading.local()


def _has_turn() -> bool:
    """Whether there is nothing to wait for: the database has many writers, or this thread is the one that writes."""
    return connection.vendor != "sqlite" or connection.in_atomic_block or getattr(_own, "has_turn", False)


@contextmanager
def turn() -> Iterator[None]:
    """Wait for this thread's turn to write, and hold it for the transaction or statement inside.

    Do nothing on databases with many writers, or in a transaction or a turn that has begun already: a callback of the
    commit may write, too.
    """
    if _has_turn():
        yield
        return
    _line.take()
    _own.has_turn = True
    try:
        yield
    finally:
        _own.has_turn = False
        _line.hand_on()


def together(function: Callable[[], T], *, before_commit: Callable[[], None]) -> T:
    """Call a function that writes in one transaction, when it is its turn, see Note [Written together].

    It may be called in another thread than this, with this one's context, and again from the beginning where nothing of
    it was written. Returns what it returns, once that is committed; raises what it raises. `before_commit` is called
    once where several were, before their transaction commits.
    """
    if _has_turn():
        return function()
    own = _Work(function)
    _line.take(own)
    if own.is_done:
        value: T = own.outcome()
        return value
    _own.has_turn = True
    along = _line.take_along(_AT_ONCE - 1)
    works = [own, *(place.work for place in along if place.work is not None)]
    try:
        if len(works) > 1:
            _do_all(works, before_commit)
        return own.outcome() if works[0].is_done else function()
    finally:
        # Also where this thread was stopped after the commit.
        are_done = works[0].is_done
        _own.has_turn = False
        if not are_done:
            _line.put_back(along)
        _line.hand_on()
        if are_done:
            for place in along:
                place.gate.release()


def _do_all(works: Sequence[_Work], before_commit: Callable[[], None]) -> None:
    """Do all of it in one transaction, or none; each then knows whether it is done."""

    def committed() -> None:
        for one in works:
            one.is_done = True

    try:
        with transaction.atomic():
            # Before what else waits for the commit, and may fail after it.
            transaction.on_commit(committed)
            for one in works:
                one.attempt()
            before_commit()
    except Exception:
        # What it may have written stands where it had committed; else each tries again by itself.
        logger.exception("%s writers that wrote together failed", len(works))
