"""The server's entry point: HTTP goes to Django, WebSockets go to GraphQL subscriptions.

Importing this module starts nothing. The recalculation scheduler starts and stops with the server, which must speak
ASGI's lifespan protocol (uvicorn and hypercorn do).
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any
from urllib.parse import ParseResult

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import close_old_connections
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crowdvote.settings")
django_application = get_asgi_application()

# Models can be imported only now that Django is set up.
from accounts.outages import DATABASE_AWAY, RETRY_AFTER, SORRY  # noqa: E402
from crowdvote.graphql_view import GraphQLConsumer  # noqa: E402
from crowdvote.serving import ending_streams, serving  # noqa: E402
from democracy import interpreter, publishing, recalculation  # noqa: E402
from democracy.relay import relay  # noqa: E402

logger = logging.getLogger(__name__)

if settings.CROWDVOTE_EXECUTOR == "celery":
    # Makes the queue known that jobs are sent to.
    import crowdvote.celery  # noqa: F401


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Close a WebSocket to an address where there is none, without the traceback that a missing route would log."""
    await receive()
    await send({"type": "websocket.close"})


async def _refuse_for_now(scope: Any, send: Any) -> None:
    logger.error("a WebSocket is refused: the database is away")
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", str(RETRY_AFTER).encode())]
    await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": SORRY.encode()})


class OurPagesAndPrograms(OriginValidator):
    """Lets in our own pages, and programs. Another site's page could act with the cookies of whoever looks at it.

    A browser always names the origin of the page that opens a WebSocket; where none is named, no browser asks.
    """

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        return parsed_origin is None or self.validate_origin(parsed_origin)


_routes = URLRouter(
    [
        re_path(r"^graphql/?$", GraphQLConsumer.as_asgi()),
        re_path(r"", refuse),  # type: ignore[arg-type]
    ]
)
_from_this_site = OurPagesAndPrograms(AuthMiddlewareStack(_routes), settings.ALLOWED_HOSTS)


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    """One WebSocket, with a thread of its own for database work; without it all sockets would share one.

    With each message, and at the end, that thread gives its database connection back: an open socket holds none, or the
    pool would be empty after a few, and a closed one would take its own along.
    """

    async def giving_back(message: Any) -> None:
        await sync_to_async(close_old_connections)()
        await send(message)

    with serving.socket():
        async with ThreadSensitiveContext():
            try:
                await _from_this_site(scope, receive, giving_back)
            except DATABASE_AWAY:
                # Before it was opened: a session could not be read.
                await _refuse_for_now(scope, send)
            finally:
                await sync_to_async(close_old_connections)()


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Start the scheduler, and the exchange with other processes, with the server and stop them with it.

    A calculation under way that takes longer than GRACE is lost, and found stale by the next sweep.
    """
    await receive()
    interpreter.prepare()
    if settings.METRICS:
        # Rests on an optional package.
        from crowdvote import metrics

        metrics.connect()
    publishing.start_relay()
    recalculation.scheduler.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.to_thread(recalculation.scheduler.stop, settings.GRACE)
    await asyncio.to_thread(relay.stop)
    await send({"type": "lifespan.shutdown.complete"})


application = ProtocolTypeRouter(
    {"http": ending_streams(django_application), "websocket": websocket, "lifespan": lifespan}
)
