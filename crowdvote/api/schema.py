"""The GraphQL schema, merged once from the parts of every app."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import strawberry
from django.conf import settings
from graphql import GraphQLError
from graphql import OperationType as GraphQLOperationType
from strawberry.extensions import MaskErrors, SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StreamResult
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

import accounts.schema
import democracy.schema.joining
import democracy.schema.lifecycle
import democracy.schema.mutations
import democracy.schema.notices
import democracy.schema.own_data
import democracy.schema.queries
import democracy.schema.subscriptions
import democracy.schema.telling
import democracy.schema.webhooks
from accounts.api import RequestContext, camel
from accounts.errors import DomainError, TooManyRequests
from accounts.outages import DATABASE_AWAY, RETRY_AFTER, SORRY
from crowdvote.api import admission, concurrency, deadlines, documents, persisted
from crowdvote.api.concurrency import DeadlineReached
from crowdvote.api.documents import KnownDocuments
from crowdvote.api.limits import Limits
from crowdvote.api.persisted import DocumentRefused, KeptDocuments
from democracy.schema.scalars import SCALARS

logger = logging.getLogger(__name__)


@strawberry.type(
    description="Everything that can be read. What does not exist and what you may not see are answered alike."
)
class Query(democracy.schema.queries.Query, democracy.schema.own_data.Query):
    pass


@strawberry.type(
    description="Every mutation answers a payload. Its `errors` say why nothing was written; they are empty where the "
    "mutation did what it was asked."
)
class Mutation(
    accounts.schema.Mutation,
    democracy.schema.mutations.Mutation,
    democracy.schema.joining.Mutation,
    democracy.schema.lifecycle.Mutation,
    democracy.schema.notices.NoticeMutation,
    democracy.schema.own_data.Mutation,
    democracy.schema.telling.TellingMutation,
    democracy.schema.webhooks.WebhookMutation,
):
    pass


@strawberry.type(
    description="Over WebSocket (graphql-transport-ws) or server-sent events. A subscription first yields the present "
    "value, then every newer one; a slow client gets the newest, not all. It ends with PERMISSION_DENIED when its "
    "viewer loses the right to see."
)
class Subscription(democracy.schema.subscriptions.Subscription, democracy.schema.notices.NoticeSubscription):
    pass


def _is_foreign(error: GraphQLError) -> bool:
    """Tell whether an error comes from our code, not from the operation."""
    return error.original_error is not None and not isinstance(error.original_error, GraphQLError)


class Refusals(MaskErrors):
    """Convert errors for clients: a refusal keeps its code, an unforeseen error becomes "Internal error"."""

    def __init__(self) -> None:
        super().__init__(should_mask_error=_is_foreign)

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        refusal = error.original_error
        if isinstance(refusal, DomainError):
            message, extensions = refusal.message, {"code": refusal.code, "field": camel(refusal.field)}
        elif isinstance(refusal, DATABASE_AWAY) and not deadlines.is_over():
            message, extensions = SORRY, {"code": "INTERNAL"}
            self._unavailable()
        else:
            message, extensions = "Internal error", {"code": "INTERNAL"}
        return GraphQLError(
            message,
            nodes=error.nodes,
            source=error.source,
            positions=error.positions,
            path=error.path,
            extensions=extensions,
        )

    def _unavailable(self) -> None:
        """Make the HTTP answer 503, with the time to wait before asking again."""
        context = self.execution_context.context
        if isinstance(context, RequestContext) and context.response is not None:
            context.response.status_code = 503
            context.response["Retry-After"] = str(RETRY_AFTER)


class Identity(SchemaExtension):
    """Identify the viewer anew for every operation over a WebSocket, because the socket outlives a sign-out."""

    async def on_operation(self) -> AsyncIterator[None]:
        context = self.execution_context.context
        if isinstance(context, RequestContext) and context.request is None:
            try:
                await context.identify()
            except DATABASE_AWAY as error:
                # An exception raised here would leave the client without an answer.
                self.execution_context.pre_execution_errors = [GraphQLError(SORRY, original_error=error)]
        yield


class Schema(strawberry.Schema):
    async def execute(self, query: str | None, *args: Any, **kwargs: Any) -> ExecutionResult:
        """Run an operation that has one answer, in a thread.

        Refuses subscriptions, which have many answers: the client has to accept a stream.
        """
        allowed = kwargs.pop("allowed_operation_types", None) or OperationType
        kwargs["allowed_operation_types"] = set(allowed) - {OperationType.SUBSCRIPTION}
        try:
            query = await admitted(query, kwargs["context_value"], kwargs.get("operation_extensions"))
        except (TooManyRequests, DocumentRefused) as error:
            return refused(error, kwargs["context_value"])
        return await self._run(query, *args, **kwargs)

    async def _run(self, query: str | None, *args: Any, **kwargs: Any) -> ExecutionResult:
        """Run an operation that has been admitted."""
        context: RequestContext = kwargs["context_value"]
        execute = functools.partial(super().execute, query, *args, **kwargs)
        try:
            return await concurrency.run(execute, context)
        except (TooManyRequests, DeadlineReached) as error:
            return refused(error, context)

    async def stream(self, query: str | None, *args: Any, **kwargs: Any) -> StreamResult:
        """Run an operation whose answers come as they are made: over a WebSocket, or a subscription over HTTP."""
        context: RequestContext = kwargs["context_value"]
        extensions = kwargs.setdefault("operation_extensions", persisted.extensions_of_message.get())
        try:
            query = await admitted(query, context, extensions)
        except (TooManyRequests, DocumentRefused) as error:
            return _only(refused(error, context))
        kind = _kind(query or "", kwargs.get("operation_name"))
        is_over_socket = kwargs.get("allowed_operation_types") is None
        if kind is None or (is_over_socket and kind is not GraphQLOperationType.SUBSCRIPTION):
            kwargs["allowed_operation_types"] = set(OperationType) - {OperationType.SUBSCRIPTION}
            return _only(await self._run(query, *args, **kwargs))
        return _watching(context, await super().stream(query, *args, **kwargs))

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log unforeseen errors, and none that a client caused."""
        for error in errors:
            if deadlines.is_over():
                # The deadline stopped it: any error may come of that.
                continue
            if isinstance(error.original_error, DATABASE_AWAY):
                logger.error("GraphQL: the database is away: %s", error.original_error)
            elif _is_foreign(error) and not isinstance(error.original_error, DomainError):
                logger.error("GraphQL: %s", error, exc_info=error.original_error)


def _kind(query: str, operation_name: str | None) -> GraphQLOperationType | None:
    """Return whether it is a query, a mutation or a subscription; None if it cannot be read, and will be refused."""
    try:
        return documents.operation(documents.read(query), operation_name).operation
    except GraphQLError:
        return None


async def admitted(query: str | None, context: RequestContext, extensions: Mapping[str, Any] | None) -> str | None:
    """Count the operation, then return its document. Raises TooManyRequests, DocumentRefused."""
    if context.is_admitted:
        return query
    await admission.admit(context)
    return await persisted.document(query, extensions)


def refused(error: TooManyRequests | DeadlineReached | DocumentRefused, context: RequestContext) -> ExecutionResult:
    """Return the answer of an operation that is not run, and set the status of the response."""
    if context.response is not None and isinstance(error, TooManyRequests):
        context.response.status_code = 429
        context.response["Retry-After"] = str(error.wait)
    elif context.response is not None and isinstance(error, DocumentRefused) and error.status is not None:
        context.response.status_code = error.status
    return PreExecutionError(
        data=None, errors=[GraphQLError(error.message, extensions={"code": error.code, "field": ""})]
    )


async def _watching(context: RequestContext, results: StreamResult) -> AsyncGenerator[Any, None]:
    """Yield the results while the subscription is open, and count it for its address."""
    async with aclosing(results):
        try:
            with concurrency.watching(context):
                async for result in results:
                    yield result
        except TooManyRequests as error:
            yield refused(error, context)


async def _only(result: ExecutionResult) -> AsyncGenerator[ExecutionResult, None]:
    yield result


_extensions: list[type[SchemaExtension]] = [Limits, KnownDocuments, KeptDocuments, Identity, Refusals]
if settings.METRICS:
    from crowdvote.operations.metrics import Operations

    _extensions.insert(0, Operations)

schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    extensions=_extensions,
    config=StrawberryConfig(scalar_map=SCALARS),
)
