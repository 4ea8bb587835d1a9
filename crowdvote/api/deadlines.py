"""Deadlines of work, in whichever threads and with whichever database connections it runs.

# Note [What can be stopped]
Python cannot stop a thread safely: an exception thrown into it may strike between two lines that belong together, such
as those that keep the state behind all calculations of a community. So work past its deadline is stopped where it can
be: it begins no further query; SQLite, which asks now and then, stops the current one; PostgreSQL is told to; and
waiting in an event loop is cancelled. The transaction is rolled back, and its locks are free. Computing goes on until
its next query or its end; `crowdvote.api.limits` bounds how long that can be.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

# The steps after which SQLite asks whether to go on: some hundredths of a second.
_STEPS = 200_000


class DeadlineExceeded(OperationalError):
    """A query that was not begun, because its work is past its deadline."""


class Deadline:
    """The deadline of one piece of work, which may go through several threads."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._running: set[Any] = set()

    def begin(self, seconds: float) -> None:
        """Restart the time, when the work really begins."""
        self.at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self.at - time.monotonic())

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.at

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Apply this deadline to what runs within, and to threads that take over its context."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    @contextmanager
    def running(self, session: Any) -> Iterator[None]:
        """Register a database session (psycopg's connection) while it runs a query of this work."""
        with self._lock:
            self._running.add(session)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(session)

    def stop(self) -> None:
        """End the work now, and cancel its queries on the server. May take as long as connecting does."""
        self.at = min(self.at, time.monotonic())
        # The lock keeps sessions from going on to other work, which must not be cancelled.
        with self._lock:
            for session in self._running:
                session.cancel_safe(timeout=1.0)


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def is_over() -> bool:
    """Tell whether the current work is past its deadline."""
    deadline = _current.get()
    return deadline is not None and deadline.is_over


def keep_deadlines(sender: object, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Make the queries of this connection keep deadlines. Receiver of `connection_created`."""
    if connection.vendor == "sqlite":
        connection.connection.set_progress_handler(is_over, _STEPS)
    if _within_deadline not in connection.execute_wrappers:
        connection.execute_wrappers.append(_within_deadline)


def _within_deadline(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    deadline = _current.get()
    if deadline is None:
        return execute(sql, params, many, context)
    if deadline.is_over:
        raise DeadlineExceeded("past its deadline")
    connection = context["connection"]
    if connection.vendor != "postgresql":
        return execute(sql, params, many, context)
    with deadline.running(connection.connection):
        return execute(sql, params, many, context)
