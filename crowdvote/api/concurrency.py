"""Running the operations of the GraphQL API: off the event loop, each until its deadline, only so many at once.

# Note [The event loop only waits]
Resolving thousands of fields is Python's own work, and whatever runs in the server's event loop makes everybody wait.
So each query and mutation runs in a thread, in an event loop of its own; the server's only waits for it, and answers
everybody else meanwhile. Subscriptions stay in the server's loop, where they mostly wait; what an event of theirs may
cost is limited more (`limits.MAX_EVENT_COST`), and so is how many there are: each is read in that loop when it begins,
and asks every half a minute whether its viewer may still see.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings

from accounts import ratelimit
from accounts.api import RequestContext
from accounts.errors import DomainError, TooManyRequests
from crowdvote.api.deadlines import Deadline

logger = logging.getLogger(__name__)

T = TypeVar("T")

# What is beyond waits. More would not be faster: Python runs one thread at a time, SQLite has one writer.
_threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="operation")
# Seconds that an operation has to notice that its time is up, before it is answered without it.
NOTICE = 0.5


class DeadlineReached(DomainError):
    code = "DEADLINE_EXCEEDED"

    def __init__(self) -> None:
        super().__init__(
            f"This took longer than {settings.OPERATION_SECONDS:g} seconds and was given up. Ask for less at once; a "
            "mutation may be sent again."
        )


class _Underway:
    """How many operations there are of each viewer and of each address: running, or waiting for a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def begin(self, limits: Iterable[tuple[str, int]]) -> None:
        """One more under each of these keys. Raises TooManyRequests where one of them has as many as it may."""
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


underway = _Underway()


def _limits(context: RequestContext) -> list[tuple[str, int]]:
    """A viewer is limited as such wherever they ask from, and so are all the visitors of an address; so are, much
    higher, all who share an address: hundreds of people may vote from one hall at once.
    """
    address = ratelimit.client_of_scope(context.scope)
    who = f"viewer:{context.viewer.pk}" if context.viewer.pk else f"visitors:{address}"
    return [(who, settings.OPERATIONS_AT_ONCE), (f"address:{address}", settings.OPERATIONS_AT_ONCE_PER_ADDRESS)]


async def admit(context: RequestContext) -> None:
    """Count one more operation in this minute, before anything of it is read. Raises TooManyRequests."""
    if settings.OPERATIONS_PER_MINUTE:
        who, _ = _limits(context)[0]
        await asyncio.to_thread(ratelimit.hit, "operations", who, limit=settings.OPERATIONS_PER_MINUTE, seconds=60)


@contextmanager
def watching(context: RequestContext) -> Iterator[None]:
    """While a subscription is open. Raises TooManyRequests where its address has as many as it may."""
    address = f"subscriptions:{ratelimit.client_of_scope(context.scope)}"
    try:
        underway.begin([(address, settings.SUBSCRIPTIONS_PER_ADDRESS)])
    except TooManyRequests as error:
        raise TooManyRequests("Too many open subscriptions from your address. Close some of them.") from error
    try:
        yield
    finally:
        underway.end([address])


async def run(work: Callable[[], Awaitable[T]], context: RequestContext) -> T:
    """What `work` answers, which runs in a thread. Raises what it raises, TooManyRequests, DeadlineReached."""
    limits = _limits(context)
    underway.begin(limits)
    deadline = Deadline(settings.OPERATION_SECONDS)
    loop, began = asyncio.get_running_loop(), asyncio.Event()

    def in_thread() -> T:
        # What it waited for a thread is not its fault.
        deadline.begin(settings.OPERATION_SECONDS)
        loop.call_soon_threadsafe(began.set)
        with deadline():
            return asyncio.run(_until(deadline, work))

    running = asyncio.ensure_future(sync_to_async(in_thread, thread_sensitive=False, executor=_threads)())
    # It counts until it has really ended, whether or not somebody still waits for it.
    running.add_done_callback(lambda done: underway.end(key for key, _ in limits))
    running.add_done_callback(_look_at)
    await _first(running, asyncio.ensure_future(began.wait()))
    await asyncio.wait({running}, timeout=settings.OPERATION_SECONDS + NOTICE)
    if not running.done() or isinstance(running.exception(), DeadlineReached):
        logger.warning("an operation was given up after %g seconds", settings.OPERATION_SECONDS)
        await asyncio.to_thread(deadline.stop)
        raise DeadlineReached
    return running.result()


async def _until(deadline: Deadline, work: Callable[[], Awaitable[T]]) -> T:
    try:
        async with asyncio.timeout(deadline.left):
            found = await work()
    except TimeoutError:
        raise DeadlineReached from None
    if deadline.is_over:
        # What was at a query then was stopped, and says so in words of the database.
        raise DeadlineReached
    return found


async def _first(running: asyncio.Future[Any], other: asyncio.Future[Any]) -> None:
    """Until one of the two is done. Whoever stops waiting stops neither `running` nor what it does."""
    try:
        await asyncio.wait({running, other}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        other.cancel()


def _look_at(done: asyncio.Future[Any]) -> None:
    """Where nobody waits for it any more, what it failed with is nobody's."""
    if not done.cancelled():
        done.exception()
