"""Telling whoever watches, moments after a commit: results, calculation status and community activity.

A hub inside the process carries the newest value of a topic from any thread to the event loops of its subscribers. What
it carries is a hint with a convenience: the database holds the truth, a lost message is made up for by the next
`catch_up`, which the sweep calls. A slow subscriber gets the newest value, not all of them.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from democracy import selectors
from democracy.models import Decision, DecisionSnapshot


def result_topic(decision_id: int) -> str:
    return f"result:{decision_id}"


def status_topic(decision_id: int) -> str:
    return f"status:{decision_id}"


def community_topic(community_id: int) -> str:
    return f"community:{community_id}"


def access_topic(user_id: int) -> str:
    return f"access:{user_id}"


def readers_topic(community_id: int) -> str:
    return f"readers:{community_id}"


class Inbox:
    """A subscriber's newest unread value per topic. Belongs to one event loop."""

    def __init__(self, topics: frozenset[str]) -> None:
        self.topics = topics
        self.loop = asyncio.get_running_loop()
        self._unread: dict[str, Any] = {}
        self._arrived = asyncio.Event()

    def put(self, topic: str, value: Any) -> None:
        self._unread[topic] = value
        self._arrived.set()

    async def next(self) -> dict[str, Any]:
        """Wait for news; the newest value of each topic that had some."""
        await self._arrived.wait()
        self._arrived.clear()
        unread, self._unread = self._unread, {}
        return unread


class Hub:
    """Topics and their subscribers in this process. `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inboxes: defaultdict[str, set[Inbox]] = defaultdict(set)

    def publish(self, topic: str, value: Any) -> None:
        with self._lock:
            inboxes = list(self._inboxes.get(topic, ()))
        for inbox in inboxes:
            try:
                # An asyncio object must only be touched from its own loop, or it may sleep through the message.
                inbox.loop.call_soon_threadsafe(inbox.put, topic, value)
            except RuntimeError:  # that loop has been closed; its subscribers are gone
                self._remove(inbox)

    def topics(self, prefix: str) -> list[str]:
        """The topics with subscribers that begin with `prefix`."""
        with self._lock:
            return [topic for topic, inboxes in self._inboxes.items() if inboxes and topic.startswith(prefix)]

    @asynccontextmanager
    async def subscribe(self, *topics: str) -> AsyncIterator[Inbox]:
        """Subscribe first, read the present value second: then nothing falls between the two."""
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
            for topic in inbox.topics:
                self._inboxes[topic].discard(inbox)
                if not self._inboxes[topic]:
                    del self._inboxes[topic]


hub = Hub()
# What subscribers have last been told of each decision, so that `catch_up` publishes only what they have missed.
_told: dict[str, Any] = {}


def result_stored(snapshot: DecisionSnapshot) -> None:
    """A new result is in the database."""
    _tell(result_topic(snapshot.decision_id), snapshot)


def status_changed(decision_ids: Iterable[int]) -> None:
    """The calculation status of these decisions may have changed."""
    watched = {int(topic.split(":")[1]) for topic in hub.topics("status:")}.intersection(decision_ids)
    if watched:
        for state in selectors.calculation_states(watched):
            _tell(status_topic(state.decision_id), state)


def inputs_changed(community_id: int, revision: int) -> None:
    """A community's ledger has grown to `revision`; some of its decisions may have become stale."""
    _tell(community_topic(community_id), revision)
    watched = [int(topic.split(":")[1]) for topic in hub.topics("status:")]
    if watched:
        status_changed(Decision.objects.filter(pk__in=watched, community=community_id).values_list("pk", flat=True))


def access_changed(user_id: int) -> None:
    """What this user may see may have changed (signed out, left, removed): their subscriptions look again."""
    hub.publish(access_topic(user_id), None)


def readers_changed(community_id: int) -> None:
    """Who may read this community may have changed: all who watch something of it look again."""
    hub.publish(readers_topic(community_id), None)


def catch_up() -> None:
    """Read what is watched from the database and tell what is news: changes made by other processes, and lost hints."""
    status_changed([int(topic.split(":")[1]) for topic in hub.topics("status:")])
    results = {int(topic.split(":")[1]) for topic in hub.topics("result:")}
    if results:
        for snapshot in selectors.newest_snapshots(results):
            _tell(result_topic(snapshot.decision_id), snapshot)
    communities = {int(topic.split(":")[1]) for topic in hub.topics("community:")}
    if communities:
        for community_id, revision in selectors.revisions(communities):
            _tell(community_topic(community_id), revision)
    # Forget topics that nobody watches any more.
    for topic in set(_told).difference(hub.topics("")):
        _told.pop(topic, None)


def _tell(topic: str, value: Any) -> None:
    if _told.get(topic) != value:
        _told[topic] = value
        hub.publish(topic, value)
