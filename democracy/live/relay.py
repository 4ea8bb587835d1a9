"""The relay: hints between processes, over Redis, that something has changed.

A hint names a row and never its content: whoever hears it reads the database. Sending never waits and never fails;
`publishing.catch_up` makes up for hints that are lost while Redis does not answer.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias
from uuid import uuid4

from django.conf import settings

logger = logging.getLogger(__name__)

# The kind of change, and the row.
Hint: TypeAlias = tuple[str, int]

# Seconds until Redis is asked again after it did not answer, and to wait for an answer.
_PAUSE = 1.0
_TIMEOUT = 2.0
# The most hints that wait to be sent; more are lost.
_WAITING = 10_000


class Relay:
    """One process's ends of the channel that all processes of an installation share. Off without REDIS_URL."""

    def __init__(self) -> None:
        self._me = uuid4().hex
        self._outgoing: queue.Queue[Hint] = queue.Queue(_WAITING)
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        # Set while this process hears what others send.
        self.listening = threading.Event()

    def start(self, hear: Callable[[set[Hint]], None], catch_up: Callable[[], None]) -> None:
        """Start sending and listening.

        `hear` is called with hints of others, `catch_up` where some may have been missed.
        """
        if not settings.REDIS_URL or self._threads:
            return
        self._stopped.clear()
        self._threads = [
            threading.Thread(target=self._send_all, name="relay-sender", daemon=True),
            threading.Thread(target=self._listen, args=(hear, catch_up), name="relay-listener", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT)
        self._threads = []
        self._outgoing = queue.Queue(_WAITING)

    def send(self, hints: Iterable[Hint]) -> None:
        """Tell other processes. Returns at once; may be called from any thread."""
        if not self._threads:
            return
        for hint in hints:
            try:
                self._outgoing.put_nowait(hint)
            except queue.Full:
                return

    def _send_all(self) -> None:
        client = _client()
        failing = False
        while not self._stopped.is_set():
            hints = self._next()
            if not hints:
                continue
            try:
                client.publish(_channel(), json.dumps({"from": self._me, "hints": sorted(hints)}))
                failing = False
            except Exception as error:
                if not failing:
                    logger.warning("other processes are not told of news: %s", error)
                failing = True
        client.close()

    def _next(self) -> set[Hint]:
        """Take all hints that wait, each once; none after a while without any."""
        hints: set[Hint] = set()
        try:
            hints.add(self._outgoing.get(timeout=0.2))
            while True:
                hints.add(self._outgoing.get_nowait())
        except queue.Empty:
            return hints

    def _listen(self, hear: Callable[[set[Hint]], None], catch_up: Callable[[], None]) -> None:
        complained = False
        while not self._stopped.is_set():
            try:
                with _client() as client, client.pubsub(ignore_subscribe_messages=True) as channel:
                    channel.subscribe(_channel())
                    self.listening.set()
                    complained = False
                    catch_up()
                    while not self._stopped.is_set():
                        self._hear(channel.get_message(timeout=0.5), hear)
            except Exception as error:
                if not complained:
                    logger.warning("news of other processes come late: %s", error)
                complained = True
                self._stopped.wait(_PAUSE)
            finally:
                self.listening.clear()

    def _hear(self, message: dict[str, Any] | None, hear: Callable[[set[Hint]], None]) -> None:
        if message is None:
            return
        content = json.loads(message["data"])
        if content["from"] != self._me:
            hear({(what, row) for what, row in content["hints"]})


def _channel() -> str:
    # Redis has one space of channels, whatever the database: installations that share it must not hear each other.
    return f"crowdvote:{settings.INSTALLATION}"


def _client() -> Any:
    # The package is optional: REDIS_URL needs it.
    import redis

    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=_TIMEOUT, socket_timeout=_TIMEOUT, health_check_interval=10
    )


relay = Relay()
