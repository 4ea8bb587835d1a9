"""Connections that stay open (WebSockets, streams of server-sent events): how many, and which threads work for them.

Each costs a file of the process, and there are only so many: without a limit, pages would fail for want of one. A few
threads do the database work of all of them, a call at a time: each asks little, and most of the time nothing.
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
from django.db import close_old_connections

from accounts import ratelimit

# Files that are left to everything else: requests, databases, logs.
_FILES_KEPT = 256
_THREADS = 8


class TooManyConnections(Exception):
    """There is no place for another connection; `status` and message say why to whoever wanted it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Places:
    """The places for connections that stay open, all of one event loop."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, scope: Any) -> Iterator[None]:
        """While this connection is open. Raises TooManyConnections."""
        address = ratelimit.client_of_scope(scope)
        most = capacity()
        if self._taken.total() >= most:
            raise TooManyConnections(503, "Too many open connections. Try again in a moment.")
        # No address may have them all.
        if self._taken[address] >= min(settings.CONNECTIONS_PER_ADDRESS, max(1, most // 2)):
            raise TooManyConnections(429, "Too many open connections from your address. Close some of them.")
        self._taken[address] += 1
        try:
            yield
        finally:
            self._taken[address] -= 1
            if not self._taken[address]:
                del self._taken[address]


places = Places()


def capacity() -> int:
    """How many connections may stay open: as the settings say, and as the process has files for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return int(settings.CONNECTIONS)
    return min(settings.CONNECTIONS, max(1, files - _FILES_KEPT))


def raise_file_limit() -> None:
    """Take as many files as the process may have; shells and service managers begin with fewer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _DatabaseThread(ThreadPoolExecutor):
    """One thread, which after each call gives its database connection back: whoever waits holds none."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="open-connections")

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def giving_back() -> Any:
            try:
                return function(*args, **kwargs)
            finally:
                close_old_connections()

        return super().submit(giving_back)


_next_thread = itertools.cycle([_DatabaseThread() for _ in range(_THREADS)])


@asynccontextmanager
async def shared_thread() -> AsyncIterator[None]:
    """Within it, work that has to be in a thread (the database, above all) is done by one that others share."""
    async with ThreadSensitiveContext(executor=next(_next_thread)):
        yield
