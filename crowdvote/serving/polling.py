"""Polls of open pages, answered before Django sees them where memory has the answer.

A poll is a GET by htmx that says what its page shows (`seen`). What the answer depends on, of the address and of the
headers, names the page that asks; everything else that pages send is alike or does not matter.
"""

from __future__ import annotations

import hashlib
from typing import Any

from crowdvote.serving.streams import Application, Message, Receive, Send
from democracy.live.polls import POLL, polls

_DEPENDS_ON = frozenset(
    {
        b"authorization",
        b"cookie",
        b"host",
        b"hx-target",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-viewer",
    }
)
_SEEN = b"seen="

_NOTHING_NEW: Message = {
    "type": "http.response.start",
    "status": 204,
    "headers": [(b"cache-control", b"private, no-store"), (b"vary", b"Cookie, HX-Request, HX-Target")],
}


def answering_polls(application: Application) -> Application:
    """Wrap the application so that a poll which finds nothing new is answered from memory."""

    async def http(scope: Any, receive: Receive, send: Send) -> None:
        poll, seen = _read(scope)
        if poll is None:
            await application(scope, receive, send)
        elif polls.has_nothing_new(poll, seen):
            await send(_NOTHING_NEW)
            await send({"type": "http.response.body", "body": b""})
        else:
            await application(scope | {POLL: poll}, receive, send)

    return http


def _read(scope: Any) -> tuple[bytes | None, str]:
    """Return what names the page that polls (None where the request is no poll), and what it says that it shows."""
    query: bytes = scope["query_string"]
    if scope["method"] != "GET" or _SEEN not in query:
        return None, ""
    parts = query.split(b"&")
    seen = [part for part in parts if part.startswith(_SEEN)]
    headers = [(name, value) for name, value in scope["headers"] if name in _DEPENDS_ON or name == b"hx-request"]
    if len(seen) != 1 or (b"hx-request", b"true") not in headers:
        return None, ""
    asked = [scope["scheme"].encode(), scope["path"].encode("utf-8", "surrogatepass")]
    asked += sorted(part for part in parts if part != seen[0])
    asked += [name + b":" + value for name, value in sorted(headers)]
    return hashlib.sha256(b"\n".join(asked)).digest(), seen[0].removeprefix(_SEEN).decode("latin-1")
