"""GraphQL over HTTP, with subscriptions as server-sent events, and over WebSocket."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any, cast

from cross_web import AsyncHTTPRequestAdapter, HTTPException
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_protect
from graphql import GraphQLError, OperationType
from strawberry.channels import GraphQLWSConsumer
from strawberry.channels.handlers.ws_handler import ChannelsWebSocketAdapter
from strawberry.django.views import AsyncGraphQLView, TemporalHttpResponse
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.exceptions import NonJsonMessageReceived
from strawberry.http.streaming import SSETransport
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import SubscribeMessage
from strawberry.types import ExecutionResult, SubscriptionExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType as StrawberryOperation
from strawberry.types.unset import UNSET, UnsetType

from accounts.api import RequestContext
from accounts.api_failures import JSON, RESPONSE_JSON, failure
from accounts.errors import AccountError, TooManyRequests
from accounts.middleware import user_for_scope
from accounts.outages import DATABASE_AWAY, SORRY
from crowdvote.api import documents, persisted
from crowdvote.api.admission import HEADERS
from crowdvote.api.graphiql import graphiql_page
from crowdvote.api.persisted import DocumentRefused
from crowdvote.api.schema import admitted, refused, schema

logger = logging.getLogger(__name__)

_NOT_AS_JSON = (
    "A subscription is not answered with JSON: ask for events with `Accept: text/event-stream`, or over WebSocket "
    f"(`{GRAPHQL_TRANSPORT_WS_PROTOCOL}`)."
)
# Time for a client that opens a WebSocket to begin the protocol.
_INIT_TIME = timedelta(seconds=10)
# The closing code after which clients connect again.
_TRY_AGAIN_LATER = 1013


class _Events(SSETransport):
    """Server-sent events whose lines end with LF. The standard allows CR LF, too, but some clients do not read it."""

    def encode_event(self, event: str, data: str | None = None) -> str:
        return super().encode_event(event, data).replace("\r\n", "\n")

    def encode_comment(self, comment: str) -> str:
        return super().encode_comment(comment).replace("\r\n", "\n")


class GraphQLView(AsyncGraphQLView[RequestContext, None]):
    """Serve queries by GET or POST, mutations by POST, and subscriptions by either to whoever accepts events.

    Every answer is JSON as the specification of GraphQL over HTTP has it, whatever its status, but the explorer for
    browsers. A session cookie has to come with a CSRF token; bearer tokens and visitors need none.
    """

    stream_transport_classes_by_protocol = {GRAPHQL_SSE_PROTOCOL: _Events}  # noqa: RUF012

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(subscription_protocols=(GRAPHQL_SSE_PROTOCOL,), **kwargs)
        # Of the answer, as operations write them. Django makes a view for every request.
        self._headers: Mapping[str, str] = {}

    async def dispatch(  # type: ignore[override]  # as Strawberry's own
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            return await csrf_protect(self._answer)(request)
        return await self._answer(request)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return await self.run(request=request)
        except HTTPException as error:
            is_wrong_method = isinstance(error.__cause__, InvalidOperationTypeError) and request.method == "GET"
            status = 405 if is_wrong_method else error.status_code
            response = failure(status, _reason(error), media_type=_media_type(request))
            if status == 405:
                response["Allow"] = "POST" if is_wrong_method else "GET, POST"
            for name in HEADERS & self._headers.keys():
                response[name] = self._headers[name]
            return response

    def should_render_graphql_ide(self, request: Any) -> bool:
        # With a query, too: the explorer opens with it.
        return request.method == "GET" and "text/html" in request.headers.get("accept", "")

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

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData | list[GraphQLRequestData]:
        data = await super().parse_http_body(request)
        if isinstance(data, GraphQLRequestData) and not isinstance(data.operation_name, str | None):
            raise HTTPException(400, "The GraphQL operation's `operationName` must be a string or null.")
        if isinstance(data, GraphQLRequestData) and not data.query:
            sent = request.query_params if request.method == "GET" else self.parse_json(await request.get_body())
            data.extensions = persisted.with_name(data.extensions, sent.get("documentId"))
        return data

    async def execute_operation(  # type: ignore[override]  # all are given by name
        self,
        *,
        request_adapter: AsyncHTTPRequestAdapter,
        request_data: GraphQLRequestData,
        context: RequestContext,
        **others: Any,
    ) -> ExecutionResult | list[ExecutionResult] | SubscriptionExecutionResult:
        if request_data.protocol == "sse" and "json" in request_adapter.headers.get("accept", ""):
            # The client takes JSON as well, and sends the same header with every operation.
            try:
                request_data.query = await admitted(request_data.query, context, request_data.extensions)
            except (TooManyRequests, DocumentRefused) as error:
                return refused(error, context)
            context.is_admitted = True
            if not _is_subscription(request_data):
                request_data.protocol = "http"
        return await super().execute_operation(
            request_adapter=request_adapter, request_data=request_data, context=context, **others
        )

    async def get_context(self, request: HttpRequest, response: HttpResponse) -> RequestContext:
        return RequestContext(await request.auser(), request=request, response=response)

    async def get_sub_response(self, request: HttpRequest) -> TemporalHttpResponse:
        response = await super().get_sub_response(request)
        response["Content-Type"] = f"{_media_type(request)}; charset=utf-8"
        self._headers = response.headers
        return response

    async def process_result(self, request: HttpRequest, result: ExecutionResult) -> GraphQLHTTPResponse:
        answer = await super().process_result(request, result)
        if _was_not_executed(result):
            del answer["data"]
        return answer

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: HttpResponse
    ) -> HttpResponseBase:
        is_strict = sub_response["Content-Type"].startswith(RESPONSE_JSON)
        if is_strict and "data" not in response_data and not sub_response.status_code:
            sub_response.status_code = 400
        return super().create_response(response_data, sub_response)

    async def render_graphql_ide(self, request: HttpRequest) -> HttpResponse:
        return await graphiql_page(request)


def _media_type(request: HttpRequest) -> str:
    """Return the type of JSON that the client would rather have; the older one if it does not mind."""
    return request.get_preferred_type([JSON, RESPONSE_JSON]) or JSON


def _reason(error: HTTPException) -> str:
    """Return what is wrong with a request, and of a subscription that was asked for as JSON how to ask for it."""
    cause = error.__cause__
    if isinstance(cause, InvalidOperationTypeError) and cause.operation_type is StrawberryOperation.SUBSCRIPTION:
        return _NOT_AS_JSON
    return error.reason


def _is_subscription(data: GraphQLRequestData) -> bool:
    try:
        document = documents.read(data.query or "")
        return documents.operation(document, data.operation_name).operation is OperationType.SUBSCRIPTION
    except GraphQLError:
        return False


def _was_not_executed(result: ExecutionResult) -> bool:
    """Tell whether the request failed before any field was resolved, as with a variable of a wrong type."""
    if isinstance(result, PreExecutionError):
        return True
    return result.data is None and all(error.path is None for error in result.errors or ())


class Messages(ChannelsWebSocketAdapter):
    """Read the messages of a WebSocket. One that is no message of the protocol closes it, with code 4400."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        try:
            async for message in super().iter_json(ignore_parsing_errors=ignore_parsing_errors):
                if not _is_message(message):
                    raise NonJsonMessageReceived
                yield message
        except (ValueError, RecursionError) as error:
            raise NonJsonMessageReceived from error


def _is_message(message: object) -> bool:
    """Tell whether a message has the parts that its type demands, each of the right kind."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] not in {"subscribe", "complete"}:
        return isinstance(message.get("payload"), dict | None)
    if not isinstance(message.get("id"), str) or not message["id"]:
        return False
    if message["type"] == "complete":
        return True
    payload = message.get("payload")
    return (
        isinstance(payload, dict)
        and (isinstance(payload.get("query"), str) or ("query" not in payload and _has_hash(payload)))
        and isinstance(payload.get("operationName"), str | None)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("extensions"), dict | None)
    )


def _has_hash(payload: Mapping[str, object]) -> bool:
    extensions = payload.get("extensions")
    return "documentId" in payload or (isinstance(extensions, dict) and "persistedQuery" in extensions)


class Operations(BaseGraphQLTransportWSHandler[RequestContext, None]):
    """Begin the operations of a WebSocket, also those whose document comes by its hash alone."""

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        payload = cast("dict[str, Any]", message["payload"])
        extensions = payload.get("extensions")
        if not payload.setdefault("query", ""):
            extensions = persisted.with_name(extensions, payload.get("documentId"))
        # The task that runs the operation inherits it.
        persisted.extensions_of_message.set(extensions)
        await super().handle_subscribe(message)


class GraphQLConsumer(GraphQLWSConsumer[RequestContext, None]):
    """Serve any operation over a WebSocket. A wrong token is refused, not treated as a visitor."""

    websocket_adapter_class = Messages
    graphql_transport_ws_handler_class = Operations

    def __init__(self) -> None:
        super().__init__(
            schema=schema,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=_INIT_TIME,
            allowed_origins=settings.CORS_ALLOWED_ORIGINS,
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
