"""Requests by which open pages bring themselves up to date: few at a time, so that votes go first.

A page marks them by a header (session.js). When a result changes for hundreds of pages at once, a vote would have to
share the interpreter with all of them. The order is a courtesy and no gate: anybody can send the header, so nobody
waits long for a place, whoever has the places. A stream of events, which lasts, neither takes one nor waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any
from weakref import WeakKeyDictionary

from crowdvote.serving.streams import Application, Message, Receive, Send, wants_events

_MARK = (b"x-refresh", b"1")
_AT_ONCE = 2
# Seconds after which one that waits goes on without a place.
_LONGEST_WAIT = 1.0
# Seconds after which one that is not over makes room: it must not keep all others waiting.
_PATIENCE = 5.0

# By event loop, as a semaphore belongs to one.
_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def refreshes_last(application: Application) -> Application:
    """Wrap the application so that at most _AT_ONCE refreshes run at a time, and those that have waited long enough."""

    async def http(scope: Any, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET" or _MARK not in scope["headers"] or wants_events(scope):
            await application(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        places = _places.setdefault(loop, asyncio.Semaphore(_AT_ONCE))
        client = _Client(receive)
        place = _Place(places)
        timer: asyncio.TimerHandle | None = None
        try:
            await place.wait_for(client)
            if client.has_left:
                return
            timer = loop.call_later(_PATIENCE, place.release)
            await application(scope, client.receive, send)
        finally:
            if timer is not None:
                timer.cancel()
            place.release()
            client.close()

    return http


class _Client:
    """A client whose messages are read ahead while it waits: it may leave. The application gets them all."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ahead: deque[asyncio.Future[Message]] = deque()
        self.has_left = False

    async def leaves(self) -> None:
        """Return when the client has left, or what it sends cannot be read, which the application is told."""
        while True:
            message = asyncio.ensure_future(self._receive())
            self._ahead.append(message)
            # Unlike to await it, this leaves it running when the wait for a place is over: no message is lost.
            await asyncio.wait({message})
            if message.exception() is not None:
                return
            if message.result()["type"] == "http.disconnect":
                self.has_left = True
                return

    async def receive(self) -> Message:
        return await (self._ahead.popleft() if self._ahead else self._receive())

    def close(self) -> None:
        for message in self._ahead:
            message.cancel()


class _Place:
    """A place, if one gets it in time. It is given back once."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._is_taken = False

    async def wait_for(self, client: _Client) -> None:
        """Wait for a place, but no longer than _LONGEST_WAIT, and not for a client that leaves."""
        if not self._places.locked():
            # At once: there is one.
            await self._take()
            return
        taking, leaving = asyncio.ensure_future(self._take()), asyncio.ensure_future(client.leaves())
        try:
            await asyncio.wait({taking, leaving}, timeout=_LONGEST_WAIT, return_when=asyncio.FIRST_COMPLETED)
        finally:
            taking.cancel()
            leaving.cancel()

    async def _take(self) -> None:
        await self._places.acquire()
        self._is_taken = True

    def release(self) -> None:
        if self._is_taken:
            self._is_taken = False
            self._places.release()
