"""The server that `manage.py serve` runs: uvicorn, with an orderly end.

On SIGTERM or SIGINT, /readyz says that the server is stopping. It goes on serving for DRAIN seconds, so that a balancer
can look elsewhere. Then it closes its socket, ends streams and WebSockets, waits at most GRACE seconds for requests
under way and as long again for calculations, and exits with 0. A second signal ends it at once. Even that, like kill
-9, loses nothing that was acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from crowdvote.serving.streams import serving

logger = logging.getLogger(__name__)

# Seconds within which the head of a request has to arrive, and its greatest size. `bodies` has those of bodies.
HEAD_SECONDS = 10.0
MAX_HEAD = 64 * 1024
# Seconds between signs of life on a WebSocket: less than the minute after which proxies give up on a silent connection.
PING_SECONDS = 45.0


def longest_stop() -> float:
    """Return the seconds after which a server that is told to end has ended, whatever hangs.

    Requests, the scheduler's own thread and calculations may take GRACE each, Redis the rest.
    """
    return settings.DRAIN + 3 * settings.GRACE + 10.0


class Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        self.should_exit = True
        serving.stopping = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Not in the signal's handler: it may have interrupted the start of another thread, and would wait for its lock.
        threading.Thread(target=_end_by_force, name="longest-stop", daemon=True).start()
        await asyncio.sleep(settings.DRAIN)
        serving.end_streams()
        await super().shutdown(sockets)


class Protocol(HttpToolsProtocol):
    """An HTTP connection that closes unless a whole request head arrives in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: asyncio.TimerHandle | None = None
        self._size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_come()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._size += len(data)
        if self._waiting is not None and self._size > MAX_HEAD:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        self._size = 0
        if self._waiting is None:
            self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._has_come()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEAD_SECONDS, self._refuse, b"408 Request Timeout")

    def _has_come(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _refuse(self, status: bytes) -> None:
        self._has_come()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that may be refused with a reason, which uvicorn would log as a failure of ours."""

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True


def _end_by_force() -> None:
    """Exit now: the interpreter would wait for the thread of a request that hangs."""
    threading.Event().wait(longest_stop())
    logger.error("did not end within %g seconds; ending by force", longest_stop())
    os._exit(1)
