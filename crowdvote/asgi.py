"""The server's entry point: Django serves HTTP, and WebSockets carry GraphQL subscriptions.

Importing this module starts nothing, and fails if the API cannot run what its operator has listed. The recalculation
scheduler starts and stops with the server, which must speak ASGI's lifespan protocol, as uvicorn and hypercorn do.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any
from urllib.parse import ParseResult

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.urls import re_path

from crowdvote.serving.requests import django_application, own_thread

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crowdvote.settings")
_django = django_application()

# Models can be imported only after Django is set up.
from accounts.outages import DATABASE_AWAY, RETRY_AFTER, SORRY  # noqa: E402
from crowdvote.api import persisted  # noqa: E402
from crowdvote.api.schema import schema  # noqa: E402
from crowdvote.api.views import GraphQLConsumer  # noqa: E402
from crowdvote.serving import bodies  # noqa: E402
from crowdvote.serving.connections import TooManyConnections, places, shared_thread  # noqa: E402
from crowdvote.serving.polling import answering_polls  # noqa: E402
from crowdvote.serving.refreshes import refreshes_last  # noqa: E402
from crowdvote.serving.streams import Application, ending_streams, serving, wants_events  # noqa: E402
from democracy import recalculation  # noqa: E402
from democracy.live import publishing  # noqa: E402
from democracy.live.relay import relay  # noqa: E402
from democracy.notices import sending  # noqa: E402
from democracy.recalculation import interpreter  # noqa: E402

logger = logging.getLogger(__name__)

persisted.check_listed(schema._schema)

# Marks a connection to the server, whose work with the database may be in any thread.
SERVED = {"served": True}

if settings.CROWDVOTE_EXECUTOR == "celery":
    # Registers the queue that jobs are sent to.
    import crowdvote.celery  # noqa: F401


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Close a WebSocket to an unknown address, without the traceback that a missing route would log."""
    await receive()
    await send({"type": "websocket.close"})


async def _refuse_for_now(scope: Any, send: Any, status: int, message: str) -> None:
    """Refuse a WebSocket and say why, if the server can; otherwise just refuse it."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", str(RETRY_AFTER).encode())]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": message.encode()})


class CheckedOrigin(OriginValidator):
    """Let in our own pages, and programs. Another site's page could act with its reader's cookies.

    A browser always names the origin of the page that opens a WebSocket, so a request without one comes from a program.
    """

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        return parsed_origin is None or self.validate_origin(parsed_origin)


def _origin(scope: Any) -> str:
    found: bytes = dict(scope["headers"]).get(b"origin", b"")
    return found.decode("latin-1")


def _without_cookies(scope: Any) -> Any:
    """Return the scope of a WebSocket that another origin's page opened: its reader's cookies do not count."""
    return scope | {"headers": [(name, value) for name, value in scope["headers"] if name != b"cookie"]}


_routes = URLRouter(
    [
        re_path(r"^graphql/?$", GraphQLConsumer.as_asgi()),
        re_path(r"", refuse),  # type: ignore[arg-type]
    ]
)
_with_session = AuthMiddlewareStack(_routes)
_from_this_site = CheckedOrigin(_with_session, settings.ALLOWED_HOSTS)


async def websocket(scope: Any, receive: Any, send: Any) -> None:
    """Serve one WebSocket, if there is a place for it."""
    with serving.socket():
        try:
            with places.take(scope):
                async with shared_thread():
                    if _origin(scope) in settings.CORS_ALLOWED_ORIGINS:
                        await _with_session(_without_cookies(scope) | SERVED, receive, send)
                    else:
                        await _from_this_site(scope | SERVED, receive, send)
        except TooManyConnections as error:
            await _refuse_for_now(scope, send, error.status, error.message)
        except DATABASE_AWAY:
            # The session could not be read before the socket was opened.
            logger.error("a WebSocket is refused: the database is away")
            await _refuse_for_now(scope, send, 503, SORRY)


def with_limited_streams(django: Application) -> Application:
    """Serve HTTP with Django. A stream of server-sent events needs a place."""

    async def http(scope: Any, receive: Any, send: Any) -> None:
        if not wants_events(scope):
            async with own_thread():
                await django(scope | SERVED, receive, send)
            return
        try:
            with places.take(scope):
                async with shared_thread():
                    await django(scope | SERVED, receive, send)
        except TooManyConnections as error:
            await bodies.refuse(scope, send, error.status, error.message)

    return http


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Start the scheduler, the relay and the senders of mails with the server, and stop them with it.

    A calculation that takes longer than GRACE is lost; the next sweep finds its decision stale.
    """
    await receive()
    interpreter.prepare()
    if settings.METRICS:
        # Needs an optional package.
        from crowdvote.operations import metrics

        metrics.connect()
    publishing.start_relay()
    recalculation.scheduler.start()
    sending.start_in_server()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.to_thread(recalculation.scheduler.stop, settings.GRACE)
    await asyncio.to_thread(sending.stop, settings.GRACE)
    await asyncio.to_thread(relay.stop)
    await send({"type": "lifespan.shutdown.complete"})


application = ProtocolTypeRouter(
    {
        "http": answering_polls(bodies.limited_bodies(ending_streams(refreshes_last(with_limited_streams(_django))))),
        "websocket": websocket,
        "lifespan": lifespan,
    }
)
