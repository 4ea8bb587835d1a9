"""GraphQL documents as clients send them: read, kept for the next time, and the operation in them that is meant."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    get_operation_ast,
    parse,
    validate,
)
from strawberry.extensions import SchemaExtension

from crowdvote.api import limits

# Programs send the same few documents again and again. A longer one is read anew each time: it would fill the memory,
# where one of this length takes up to 0.7 MB.
_KEPT = 128
_KEPT_CHARACTERS = 10_000


def read(text: str) -> DocumentNode:
    """Return the document. Raises GraphQLError if it cannot be read, or is too large to be."""
    return _kept(text) if len(text) <= _KEPT_CHARACTERS else _read(text)


def operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """Return the operation of this name; without a name, the only one. Raises GraphQLError."""
    found = get_operation_ast(document, name)
    if found is not None:
        return found
    if name is not None:
        raise GraphQLError(f'Unknown operation named "{name}".')
    if any(isinstance(one, OperationDefinitionNode) for one in document.definitions):
        raise GraphQLError("Must provide operation name if query contains multiple operations.")
    raise GraphQLError("Must provide an operation.")


def _read(text: str) -> DocumentNode:
    if problem := limits.unreadable(text):
        raise limits.too_large(problem)
    try:
        return parse(text, max_tokens=limits.MAX_TOKENS)
    except GraphQLSyntaxError as error:
        # As an error of the base class: Strawberry would close a whole WebSocket for a mistake in one operation.
        raise GraphQLError(error.message, source=error.source, positions=error.positions) from None


def _faults(schema: GraphQLSchema, text: str) -> list[GraphQLError]:
    return validate(schema, read(text))


_kept = lru_cache(maxsize=_KEPT)(_read)
_kept_faults = lru_cache(maxsize=_KEPT)(_faults)


class KnownDocuments(SchemaExtension):
    """Read and validate a document once. Stands behind Limits: what they refuse is not validated."""

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        # Without a document yet, the name is the one that the client gave.
        name = context.operation_name
        try:
            document = read(context.query or "")
            operation(document, name)
        except GraphQLError as error:
            context.pre_execution_errors = [error]
            raise
        context.graphql_document = document
        yield

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        text = context.query or ""
        if context.pre_execution_errors is None:
            find = _kept_faults if len(text) <= _KEPT_CHARACTERS else _faults
            context.pre_execution_errors = find(context.schema._schema, text)
        yield
