"""The hub: it carries the newest value of a topic from any thread to its subscribers' event loops in this process.

What was read from the database can be kept with a mark on the topics that tell of its changes, for as long as the mark
is fresh.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar


def result_topic(decision_id: int) -> str:
    return f"result:{decision_id}"


def status_topic(decision_id: int) -> str:
    return f"status:{decision_id}"


def community_topic(community_id: int) -> str:
    return f"community:{community_id}"


def overview_topic(community_id: int) -> str:
    return f"overview:{community_id}"


def access_topic(user_id: int) -> str:
    return f"access:{user_id}"


def notices_topic(user_id: int) -> str:
    return f"notices:{user_id}"


def readers_topic(community_id: int) -> str:
    return f"readers:{community_id}"


class Inbox:
    """A subscriber's newest unread value per topic. It belongs to one event loop."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self.loop = asyncio.get_running_loop()
        self._unread: dict[str, Any] = {}
        self._arrived = asyncio.Event()

    def put(self, topic: str, value: Any) -> None:
        self._unread[topic] = value
        self._arrived.set()

    async def next(self) -> dict[str, Any]:
        """Wait for news, and return the newest value of each topic that had some."""
        await self._arrived.wait()
        self._arrived.clear()
        unread, self._unread = self._unread, {}
        return unread


class Mark:
    """A sign that is fresh until something is told on one of its topics. Any thread may look at it."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self.is_fresh = True


Kept = TypeVar("Kept", Inbox, Mark)


class Hub:
    """Topics and their subscribers in this process. `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inboxes: defaultdict[str, set[Inbox]] = defaultdict(set)
        self._marks: defaultdict[str, set[Mark]] = defaultdict(set)

    def publish(self, topic: str, value: Any) -> None:
        with self._lock:
            # Marks first: whoever is woken must not take for fresh what was read before.
            for mark in list(self._marks.get(topic, ())):
                mark.is_fresh = False
                self._discard(self._marks, mark)
            inboxes = list(self._inboxes.get(topic, ()))
        for inbox in inboxes:
            try:
                # An asyncio object must only be touched from its own loop, or it may sleep through the message.
                inbox.loop.call_soon_threadsafe(inbox.put, topic, value)
            except RuntimeError:  # that loop has been closed; its subscribers are gone
                self._remove(inbox)

    def subscribers(self) -> Counter[str]:
        """Count the subscriptions by kind of topic: the part before the colon."""
        counts: Counter[str] = Counter()
        with self._lock:
            for topic, inboxes in self._inboxes.items():
                counts[topic.partition(":")[0]] += len(inboxes)
        return counts

    def topics(self, prefix: str) -> list[str]:
        """List the topics that somebody subscribes to, or marked, and that begin with `prefix`."""
        with self._lock:
            return [topic for topic in self._inboxes.keys() | self._marks.keys() if topic.startswith(prefix)]

    def mark(self, *topics: str) -> Mark:
        """Mark these topics. Mark before reading, so that nothing is missed."""
        mark = Mark(frozenset(topics))
        with self._lock:
            for topic in topics:
                self._marks[topic].add(mark)
        return mark

    def forget(self, mark: Mark) -> None:
        """Stop keeping a mark, which is not fresh any more."""
        with self._lock:
            mark.is_fresh = False
            self._discard(self._marks, mark)

    @asynccontextmanager
    async def subscribe(self, *topics: str) -> AsyncIterator[Inbox]:
        """Open an inbox of these topics. Subscribe before reading the present value, so that nothing is missed."""
        inbox = Inbox(frozenset(topics))
        with self._lock:
            for topic in topics:
                self._inboxes[topic].add(inbox)
        try:
            yield inbox
        finally:
            self._remove(inbox)

    def _remove(self, inbox: Inbox) -> None:
        with self._lock:
            self._discard(self._inboxes, inbox)

    @staticmethod
    def _discard(kept: dict[str, set[Kept]], one: Kept) -> None:
        for topic in one.topics:
            others = kept.get(topic, set())
            others.discard(one)
            if not others:
                kept.pop(topic, None)


hub = Hub()
