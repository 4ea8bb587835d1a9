"""Limits on the body of a request: its length, and the time it takes to arrive.

Django would keep a body, on disk if need be, before it looks at the sender and the address. No page takes more than
MAX_BODY; large files are imported on the command line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from accounts.api_failures import JSON, failure_bytes, is_api
from accounts.outages import RETRY_AFTER
from crowdvote.serving.streams import Application, Message, Receive, Send

MAX_BODY = 1024 * 1024
# Seconds within which a body has to arrive.
BODY_SECONDS = 30.0
_GONE: Message = {"type": "http.disconnect"}


def limited_bodies(application: Application) -> Application:
    """Wrap the application so that bodies which are too large or too slow are refused before it sees them."""

    async def http(scope: Any, receive: Receive, send: Send) -> None:
        if _length(scope) > MAX_BODY:
            await refuse(scope, send, 413, "A request has at most 1 MiB.")
            return
        body = _Body(scope, receive, send)
        await application(scope, body.receive, body.send)

    return http


class _Body:
    def __init__(self, scope: Any, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._size = 0
        self._is_complete = self._is_refused = self._is_answered = False
        self._until = time.monotonic() + BODY_SECONDS

    async def receive(self) -> Message:
        if self._is_refused:
            return _GONE
        if self._is_complete:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._until - time.monotonic()))
        except TimeoutError:
            return await self._refuse(408, "The request did not come in time.")
        self._size += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        if self._size > MAX_BODY:
            return await self._refuse(413, "A request has at most 1 MiB.")
        return message

    async def send(self, message: Message) -> None:
        # The request was refused: drop the rest of its answer.
        if not self._is_refused:
            self._is_answered = True
            await self._send(message)

    async def _refuse(self, status: int, message: str) -> Message:
        self._is_refused = True
        if not self._is_answered:
            await refuse(self._scope, self._send, status, message)
        return _GONE


def _length(scope: Mapping[str, Any]) -> int:
    """Return the length that the request declares; 0 if that is no number, which the server itself refuses."""
    text = dict(scope["headers"]).get(b"content-length", b"0")
    return int(text[:20]) if text.isdigit() else 0


async def refuse(scope: Any, send: Send, status: int, message: str) -> None:
    """Answer with a short text or, for the API, a GraphQL error, and close the connection."""
    for_api = is_api(scope["path"])
    body = failure_bytes(status, message) if for_api else message.encode()
    headers = [
        (b"content-type", f"{JSON if for_api else 'text/plain'}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    if status in {429, 503}:
        headers.append((b"retry-after", str(RETRY_AFTER).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
