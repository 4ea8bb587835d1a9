"""Requests by which open pages bring themselves up to date: few at a time, so that votes go first.

A page marks them by a header (session.js). When a result changes for hundreds of pages at once, a vote would have to
share the interpreter with all of them.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from crowdvote.serving.streams import Application, Receive, Send

_MARK = (b"x-refresh", b"1")
_AT_ONCE = 2
# Seconds after which one that is not over makes room: it must not keep all others waiting.
_PATIENCE = 5.0

# By event loop, as a semaphore belongs to one.
_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def refreshes_last(application: Application) -> Application:
    """Wrap the application so that at most _AT_ONCE refreshes run at a time."""

    async def http(scope: Any, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET" or _MARK not in scope["headers"]:
            await application(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        places = _places.setdefault(loop, asyncio.Semaphore(_AT_ONCE))
        await places.acquire()
        making_room = _Once(places)
        timer = loop.call_later(_PATIENCE, making_room.release)
        try:
            await application(scope, receive, send)
        finally:
            timer.cancel()
            making_room.release()

    return http


class _Once:
    """A place that is given back once."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places: asyncio.Semaphore | None = places

    def release(self) -> None:
        if self._places is not None:
            self._places.release()
            self._places = None
