"""The deadline of a piece of work, wherever it goes on: in which threads, with which database connections.

# Note [What can be stopped]
Python has no way to stop a thread that is safe: an exception thrown into it may strike between two lines that belong
together, such as those that keep what all calculations of a community rest on. So work past its deadline is stopped
where it can be: it begins no further query, SQLite stops the one it is at (it asks now and then), PostgreSQL is told
to, and what waits in an event loop is cancelled. A transaction is then rolled back, and its locks are free. What
computes goes on until its next query or its end; how much that can be is what `crowdvote.api.limits` bounds.
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

# SQLite asks whether to go on each time it has done so many steps: some hundredths of a second.
_STEPS = 200_000


class DeadlineExceeded(OperationalError):
    """A query was not begun, because the work that it belongs to is past its deadline."""


class Deadline:
    """Of one piece of work, which may go through several threads."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._running: set[Any] = set()

    def begin(self, seconds: float) -> None:
        """Its time begins only now."""
        self.at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self.at - time.monotonic())

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.at

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """While this is the deadline of what runs here, and in the threads that take over its context."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    @contextmanager
    def running(self, session: Any) -> Iterator[None]:
        """While a database's session (psycopg's connection) is at a query of this work."""
        with self._lock:
            self._running.add(session)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(session)

    def stop(self) -> None:
        """The work is over now: have the server stop queries that it is at. May take as long as connecting does."""
        self.at = min(self.at, time.monotonic())
        # Held meanwhile, so that no session is cancelled that has come to other work.
        with self._lock:
            for session in self._running:
                session.cancel_safe(timeout=1.0)


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def is_over() -> bool:
    """Whether what runs here is past its deadline."""
    deadline = _current.get()
    return deadline is not None and deadline.is_over


def watch(sender: object, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Have the queries of this connection keep deadlines. Receiver of `connection_created`."""
    if connection.vendor == "sqlite":
        connection.connection.set_progress_handler(is_over, _STEPS)
    if _keep not in connection.execute_wrappers:
        connection.execute_wrappers.append(_keep)


def _keep(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
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
