"""What a server has open, and how it ends: it says so first, ends what would never end by itself, and only then closes.

A stream of server-sent events is over only when its client leaves, so a server that waited for its streams would wait
for ever. They are ended here, as a connection ends and not as a subscription does: whoever watched connects again, to
another process or to this one's successor. WebSockets are closed by the server itself, with 1012: "service restart".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]


class Serving:
    """What this process's server has open, all of its event loop, and whether it is ending."""

    def __init__(self) -> None:
        self.stopping = False
        self.sockets = 0
        self._streams: set[EventStream] = set()

    @property
    def streams(self) -> int:
        return len(self._streams)

    def end_streams(self) -> None:
        self.stopping = True
        for stream in list(self._streams):
            stream.end()

    def stream_opened(self, stream: EventStream) -> None:
        self._streams.add(stream)
        if self.stopping:  # it was asked for before and begins only now
            stream.end()

    def stream_closed(self, stream: EventStream) -> None:
        self._streams.discard(stream)

    @contextmanager
    def socket(self) -> Iterator[None]:
        """While a WebSocket is open."""
        self.sockets += 1
        try:
            with self.patience("a WebSocket"):
                yield
        finally:
            self.sockets -= 1

    @contextmanager
    def patience(self, what: str) -> Iterator[None]:
        """While the server, which ends, waits for this. Once it waits no longer it cancels it, which is no error."""
        try:
            yield
        except asyncio.CancelledError:
            if not self.stopping:
                raise
            logger.warning("ended without waiting any longer for %s", what)


serving = Serving()


class EventStream:
    """One HTTP exchange, which may turn out to be a stream of server-sent events."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._told_to_end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._has_begun = False

    def end(self) -> None:
        if not self._told_to_end.done():
            self._told_to_end.set_result(None)

    async def receive(self) -> Message:
        """What the client sends next. A stream that is to end hears that its client has left."""
        message = asyncio.ensure_future(self._receive())
        try:
            waited_for: set[asyncio.Future[Any]] = {message, self._told_to_end}
            await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else {"type": "http.disconnect"}
        finally:
            message.cancel()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_begun = True
            if _is_event_stream(message):
                serving.stream_opened(self)
        await self._send(message)

    async def close(self) -> None:
        """The application is done, or given up. What it left unanswered is refused; the answer of a stream that was
        told to end is completed for it.
        """
        serving.stream_closed(self)
        if not self._has_begun:
            await self._send(_RESTARTING)
        if self._told_to_end.done() or not self._has_begun:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


_RESTARTING: Message = {
    "type": "http.response.start",
    "status": 503,
    "headers": [(b"content-length", b"0"), (b"retry-after", b"1"), (b"connection", b"close")],
}


def _is_event_stream(start: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in start.get("headers", ())
    )


def ending_streams(application: Application) -> Application:
    """The application, whose streams of server-sent events end with the server."""

    async def http(scope: Any, receive: Receive, send: Send) -> None:
        stream = EventStream(receive, send)
        with serving.patience("a request"):
            await application(scope, stream.receive, stream.send)
        await stream.close()

    return http
