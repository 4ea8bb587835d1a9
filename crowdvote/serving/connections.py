"""Connections that stay open (WebSockets, server-sent events): their number, and the threads that work for them.

Each takes a file of the process, and files are limited: without a limit on connections, pages would fail for want of
one. A few threads do the database work of all of them, one call at a time, because each asks little and seldom.
"""

from __future__ import annotations

import itertools
import resource
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.db import connections

from accounts import ratelimit
from crowdvote.serving.memory import leaving

# Files reserved for everything else: requests, databases, logs.
_FILES_KEPT = 256
_THREADS = 8


class TooManyConnections(Exception):
    """A refusal of another open connection, with `status` and message for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Places:
    """The places for open connections in one event loop."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, scope: Any) -> Iterator[None]:
        """Hold a place while the connection is open. Raises TooManyConnections."""
        address = ratelimit.client_of_scope(scope)
        most = capacity()
        if self._taken.total() >= most:
            raise TooManyConnections(503, "Too many open connections. Try again in a moment.")
        # No address may take all places.
        if self._taken[address] >= min(settings.CONNECTIONS_PER_ADDRESS, max(1, most // 2)):
            raise TooManyConnections(429, "Too many open connections from your address. Close some of them.")
        self._taken[address] += 1
        try:
            yield
        finally:
            self._taken[address] -= 1
            if not self._taken[address]:
                del self._taken[address]
            leaving.one_left()


places = Places()


def capacity() -> int:
    """Return how many connections may stay open, by the settings and by the files that the process may have."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return int(settings.CONNECTIONS)
    return min(settings.CONNECTIONS, max(1, files - _FILES_KEPT))


def raise_file_limit() -> None:
    """Raise the limit on open files to the highest allowed: shells and service managers start lower."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _DatabaseThread(ThreadPoolExecutor):
    """A thread that gives its database connection back after each call, so that waiting holds none."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="open-connections")

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def giving_back() -> Any:
            try:
                return function(*args, **kwargs)
            finally:
                connections.close_all()

        return super().submit(giving_back)


_next_thread = itertools.cycle([_DatabaseThread() for _ in range(_THREADS)])


@asynccontextmanager
async def shared_thread() -> AsyncIterator[None]:
    """Run thread-sensitive work within this block, above all the database's, in a thread that is shared."""
    async with ThreadSensitiveContext(executor=next(_next_thread)):
        yield
