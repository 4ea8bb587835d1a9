"""The running of GraphQL operations: off the event loop, with a deadline, a limited number at once.

# Note [The event loop only waits]
Resolving thousands of fields keeps Python busy, and whatever runs in the server's event loop makes everybody wait. So
each query and mutation runs in a thread, in an event loop of its own; the server's loop waits for it and answers
everybody else meanwhile. Subscriptions stay in the server's loop, where they mostly wait. Their number is limited, and
so is the cost of each event (`limits.MAX_EVENT_COST`): each reads in that loop when it begins, and asks every half
minute whether its viewer may still see.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections, connections

from accounts import ratelimit
from accounts.api import RequestContext
from accounts.errors import DomainError, TooManyRequests
from accounts.stepping import SteppingLoop
from crowdvote.api.deadlines import Deadline

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Further operations wait. More threads would not be faster: Python runs one at a time, SQLite has one writer.
_threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="operation")
# Seconds for an operation past its deadline to end by itself, before the client is answered without it.
NOTICE = 0.5
# Seconds that an operation beyond the number at once waits for one of the others to end, and between two looks.
_PATIENCE = 1.0
_LOOK_AGAIN = 0.03


class DeadlineReached(DomainError):
    code = "DEADLINE_EXCEEDED"

    def __init__(self) -> None:
        super().__init__(
            f"This took longer than {settings.OPERATION_SECONDS:g} seconds and was given up. Ask for less at once; a "
            "mutation may be sent again."
        )


class _RunningOperations:
    """The number of operations of each viewer and of each address, running or waiting for a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def begin(self, limits: Iterable[tuple[str, int]]) -> None:
        """Count one more operation under each key. Raises TooManyRequests if a key has reached its limit."""
        limits = list(limits)
        with self._lock:
            if any(self._counts[key] >= most for key, most in limits):
                raise TooManyRequests("Too many operations at once. Wait for the answers of those that you have sent.")
            self._counts.update(key for key, _ in limits)

    def end(self, keys: Iterable[str]) -> None:
        with self._lock:
            for key in keys:
                self._counts[key] -= 1
                if not self._counts[key]:
                    del self._counts[key]


running_operations = _RunningOperations()


def limits_of(context: RequestContext) -> list[tuple[str, int]]:
    """Return the keys that an operation counts under, with their limits.

    A viewer has a limit of their own wherever they ask from; the visitors of an address share one. Everybody at an
    address shares a much higher one: hundreds of people may vote from one hall at once.
    """
    address = ratelimit.client_of_scope(context.scope)
    who = f"viewer:{context.viewer.pk}" if context.viewer.pk else f"visitors:{address}"
    return [(who, settings.OPERATIONS_AT_ONCE), (f"address:{address}", settings.OPERATIONS_AT_ONCE_PER_ADDRESS)]


@contextmanager
def watching(context: RequestContext) -> Iterator[None]:
    """Count a subscription while it is open. Raises TooManyRequests if its address has reached its limit."""
    address = f"subscriptions:{ratelimit.client_of_scope(context.scope)}"
    try:
        running_operations.begin([(address, settings.SUBSCRIPTIONS_PER_ADDRESS)])
    except TooManyRequests as error:
        raise TooManyRequests("Too many open subscriptions from your address. Close some of them.") from error
    try:
        yield
    finally:
        running_operations.end([address])


async def run(work: Callable[[], Awaitable[T]], context: RequestContext) -> T:
    """Run `work` in a thread and return its answer. Raises what it raises, TooManyRequests, DeadlineReached."""
    limits = limits_of(context)
    await _begin(limits)
    # The time spent waiting for a thread does not count.
    deadline = Deadline(math.inf)

    def in_thread() -> T:
        deadline.begin(settings.OPERATION_SECONDS)
        with deadline():
            found = _until(deadline, work)
            return _run_served(found, context) if context.is_served else asyncio.run(found)

    running = asyncio.ensure_future(sync_to_async(in_thread, thread_sensitive=False, executor=_threads)())
    # It counts until it has really ended, even if nobody waits for it any more.
    running.add_done_callback(lambda done: running_operations.end(key for key, _ in limits))
    running.add_done_callback(_retrieve_error)
    await _wait(running, deadline)
    if not running.done() or isinstance(running.exception(), DeadlineReached):
        logger.warning("an operation was given up after %g seconds", settings.OPERATION_SECONDS)
        await asyncio.to_thread(deadline.stop)
        raise DeadlineReached
    return running.result()


def _run_served(work: Coroutine[Any, Any, T], context: RequestContext) -> T:
    """Run the work in this thread, which has a connection to the database of its own."""
    close_old_connections()
    try:
        return SteppingLoop().run(work)
    finally:
        if context.request is None:
            # Whoever has an open socket holds no connection to the database.
            connections.close_all()
        else:
            close_old_connections()


async def _begin(limits: list[tuple[str, int]]) -> None:
    """Count one more operation, if need be after a moment's wait. Raises TooManyRequests.

    Programs send a page's operations all at once; most of them are over before the wait is.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return running_operations.begin(limits)
        except TooManyRequests:
            if time.monotonic() >= until:
                raise
        await asyncio.sleep(_LOOK_AGAIN)


async def _until(deadline: Deadline, work: Callable[[], Awaitable[T]]) -> T:
    try:
        async with asyncio.timeout(deadline.left):
            found = await work()
    except TimeoutError:
        raise DeadlineReached from None
    if deadline.is_over:
        # The deadline stopped its query, which failed with an error of the database.
        raise DeadlineReached
    return found


async def _wait(running: asyncio.Future[Any], deadline: Deadline) -> None:
    """Wait until it is done, or a moment past its deadline. Cancelling this wait does not cancel `running`."""
    while not running.done() and (left := deadline.at + NOTICE - time.monotonic()) > 0:
        # The deadline moves when the work begins.
        await asyncio.wait({running}, timeout=min(left, settings.OPERATION_SECONDS + NOTICE))


def _retrieve_error(done: asyncio.Future[Any]) -> None:
    """Retrieve the error of an operation that nobody waits for, so that asyncio does not log it."""
    if not done.cancelled():
        done.exception()
