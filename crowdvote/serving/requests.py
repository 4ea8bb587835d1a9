"""Requests as Django answers them: in one thread from the first middleware to the last, and the threads for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# Threads that are kept for the next requests. Each has an open connection to the database, if that is SQLite.
_KEPT = 64


class Handler(ASGIHandler):
    """Django's handler with all middleware and synchronous views in the thread of the request.

    One of the middleware has no asynchronous form, so that each request has its thread anyhow. Django's own handler
    goes from that to the event loop and back for each of the others.
    """

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware()
        in_thread: Callable[[HttpRequest], HttpResponseBase] = self._middleware_chain  # type: ignore[has-type]
        self._middleware_chain = sync_to_async(in_thread, thread_sensitive=True)

    async def listen_for_disconnect(self, receive: Callable[[], Awaitable[Any]]) -> None:
        """Listen until the client has left. Raises RequestAborted then.

        A request that is cancelled leaves this task, and asyncio would log that nobody asked how it ended.
        """
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await super().listen_for_disconnect(receive)


def django_application() -> Handler:
    django.setup(set_prefix=False)
    return Handler()


_idle: list[ThreadPoolExecutor] = []


@asynccontextmanager
async def own_thread() -> AsyncIterator[None]:
    """Run thread-sensitive work within this block in a thread that nobody else uses meanwhile."""
    thread = _idle.pop() if _idle else ThreadPoolExecutor(max_workers=1, thread_name_prefix="request")
    try:
        async with ThreadSensitiveContext(executor=thread):
            yield
    finally:
        # By the thread itself: a request that was given up may keep it busy still.
        thread.submit(_give_back, thread)


def _give_back(thread: ThreadPoolExecutor) -> None:
    # A request that was given up has not closed its own.
    close_old_connections()
    if len(_idle) < _KEPT:
        _idle.append(thread)
    else:
        thread.shutdown(wait=False)
