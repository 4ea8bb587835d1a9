"""Everything that a server has open, and its end: say so, end what would stay for ever, then close.

A stream of server-sent events ends only when its client leaves, so a server that waited for its streams would wait for
ever. This module ends them, as a lost connection would and not as a finished subscription would: the client connects
again, to another process or to this one's successor. The server itself closes WebSockets, with 1012, "service restart".
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
    """The open streams and sockets of this process's server, in one event loop, and whether it is ending."""

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
        if self.stopping:  # it was asked for before the end and begins only now
            stream.end()

    def stream_closed(self, stream: EventStream) -> None:
        self._streams.discard(stream)

    @contextmanager
    def socket(self) -> Iterator[None]:
        """Register a WebSocket while it is open."""
        self.sockets += 1
        try:
            with self.patience("a WebSocket"):
                yield
        finally:
            self.sockets -= 1

    @contextmanager
    def patience(self, what: str) -> Iterator[None]:
        """Let the ending server wait for this work. When the wait is over it cancels the work, which is no error."""
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
        """Return the client's next message. A stream that has to end is told that its client has left."""
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
        """Complete the exchange after the application is done or given up.

        A request without an answer is refused. The answer of a stream that had to end is completed.
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


def wants_events(scope: Any) -> bool:
    """Whether a request asks for a stream of server-sent events, by its header or its address."""
    accept = dict(scope["headers"]).get(b"accept", b"")
    return b"text/event-stream" in accept or scope["path"].endswith("/events/")


def ending_streams(application: Application) -> Application:
    """Wrap the application so that its streams of server-sent events end with the server."""

    async def http(scope: Any, receive: Receive, send: Send) -> None:
        stream = EventStream(receive, send)
        with serving.patience("a request"):
            await application(scope, stream.receive, stream.send)
        await stream.close()

    return http
