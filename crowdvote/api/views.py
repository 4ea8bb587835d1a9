"""GraphQL over HTTP, with subscriptions as server-sent events, and over WebSocket."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

from cross_web import HTTPException
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from strawberry.channels import GraphQLWSConsumer
from strawberry.channels.handlers.ws_handler import ChannelsWebSocketAdapter
from strawberry.django.views import AsyncGraphQLView
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import NonJsonMessageReceived
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.unset import UNSET, UnsetType

from accounts.api import RequestContext
from accounts.errors import AccountError
from accounts.middleware import user_for_scope
from accounts.outages import DATABASE_AWAY, SORRY
from crowdvote.api.graphiql import graphiql_page
from crowdvote.api.schema import schema

logger = logging.getLogger(__name__)

# Time for a client that opens a WebSocket to begin the protocol.
_INIT_TIME = timedelta(seconds=10)
# The closing code after which clients connect again.
_TRY_AGAIN_LATER = 1013


class GraphQLView(AsyncGraphQLView[RequestContext, None]):
    """Serve queries by GET or POST, mutations by POST, and subscriptions by either with Accept: text/event-stream."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(subscription_protocols=(GRAPHQL_SSE_PROTOCOL,), **kwargs)

    def parse_json(self, data: str | bytes) -> Any:
        # Strawberry itself fails on a body such as 7, on bytes that are no text, on numbers of thousands of digits,
        # and on nesting deeper than Python's stack.
        try:
            found = super().parse_json(data)
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, "Unable to parse request body as JSON") from error
        if not isinstance(found, dict | list):
            raise HTTPException(400, "A request is a JSON object.")
        return found

    async def get_context(self, request: HttpRequest, response: HttpResponse) -> RequestContext:
        return RequestContext(await request.auser(), request=request, response=response)

    async def render_graphql_ide(self, request: HttpRequest) -> HttpResponse:
        return await graphiql_page(request)


class JsonMessages(ChannelsWebSocketAdapter):
    """Read the messages of a WebSocket. An unreadable one closes it, whatever is wrong with it."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        try:
            async for message in super().iter_json(ignore_parsing_errors=ignore_parsing_errors):
                if not isinstance(message, dict):
                    raise NonJsonMessageReceived
                yield message
        except (ValueError, RecursionError) as error:
            raise NonJsonMessageReceived from error


class GraphQLConsumer(GraphQLWSConsumer[RequestContext, None]):
    """Serve any operation over a WebSocket. A wrong token is refused, not treated as a visitor."""

    websocket_adapter_class = JsonMessages

    def __init__(self) -> None:
        super().__init__(
            schema=schema,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=_INIT_TIME,
        )

    async def run(self, *args: Any, **kwargs: Any) -> Any:
        """Serve the socket until it closes. While the database is away, tell the client to connect again later."""
        try:
            return await super().run(*args, **kwargs)
        except DATABASE_AWAY:
            logger.error("a WebSocket is closed: the database is away")
            await self.close(code=_TRY_AGAIN_LATER, reason=SORRY)

    async def get_context(self, request: Any, response: Any) -> RequestContext:
        return RequestContext(AnonymousUser(), scope=request.scope)

    async def on_ws_connect(self, context: RequestContext) -> UnsetType:
        try:
            context.viewer = await user_for_scope(context.scope, context.connection_params)
        except AccountError as error:
            raise ConnectionRejectionError({"code": error.code}) from error
        return UNSET
