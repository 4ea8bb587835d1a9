"""The cost of a GraphQL operation, judged before it is validated or executed.

One walk measures the operation. Each fragment is measured once, however often it is used, so measuring takes no longer
than the text is long.

# Note [Every list costs]
The cost below a list is multiplied by the list's length: the page's (`first`), or the one declared in LENGTHS, which is
a common length and not the greatest. A list of objects that has neither counts as the longest page; a test demands that
every list is declared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias, TypeGuard

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    IntValueNode,
    Lexer,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    Source,
    TokenKind,
    VariableNode,
    get_named_type,
    get_nullable_type,
    get_operation_ast,
    is_list_type,
)
from strawberry.extensions import SchemaExtension

from democracy.schema.paging import MAX_PAGE

# The lexer reads every character. Longer texts belong in variables.
MAX_CHARACTERS = 50_000
MAX_TOKENS = 2_000
# Parsing and validating recurse as deep as a document is nested.
MAX_NESTING = 60
MAX_DIGITS = 400
# Validation compares the fields of a selection set in pairs.
MAX_SELECTIONS = 300
MAX_DEPTH = 14
MAX_ALIASES = 30
MAX_COST = 20_000
# Events of subscriptions are made in the event loop, where nothing may take long.
MAX_EVENT_COST = 1_000
# Fields that ask the engine cost more than a row does. The sources of a ballot that rests on hundreds of members
# take a tenth of a second, so one page of 20 ballots with their sources is the most.
_COSTS = {
    "sources": 900,
    "influence": 900,
    "delegationGraph": 900,
    "whatIf": 900,
    "decisionsChanged": 2_000,
    "myData": 2_000,
}
# See Note [Every list costs].
LENGTHS = {
    "ResultCause.kinds": 9,
    "Ballot.sources": 20,
    "Ballot.stars": 10,
    "Ballot.tags": 3,
    "BallotMove.before": 10,
    "Community.webhooks": 3,
    "Decision.choices": 10,
    "Decision.clarifications": 3,
    "Decision.tags": 10,
    "Decision.topics": 3,
    "DelegationEdge.tags": 3,
    "Following.tags": 3,
    "Invitation.tags": 3,
    "Me.apiTokens": 20,
    "Me.noticePreferences": 12,
    "Me.passkeys": 20,
    "PastBallot.stars": 10,
    "PastBallot.tags": 3,
    "Preference.counts": 20,
    "Query.nodes": 20,
    "Result.finalists": 2,
    "Result.preferences": 20,
    "Result.scores": 10,
    "Result.tieBreaks": 2,
    "Runoff.votes": 2,
    "SetNoticePreferencesPayload.preferences": 12,
    "Source.path": 3,
    "TieBreak.choices": 3,
    "TieBreak.numbers": 3,
    "Webhook.deliveries": 20,
    "Webhook.events": 3,
    "WhatIf.decisionsChanged": 20,
    "WhatIf.mySourcesAfter": 20,
}
# The number of errors that a payload is assumed to have.
_ERRORS = 5


@dataclass(frozen=True)
class Measure:
    """The size of an operation, or of a part of it.

    `depth`: levels of nested fields. `aliases`: their number. `cost`: objects that may be read. `width`: fields side by
    side, those of fragments included. `widest`: the greatest width anywhere within.
    """

    depth: int = 0
    aliases: int = 0
    cost: int = 0
    width: int = 0
    widest: int = 0


class _Measuring:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self.schema = schema
        self.variables = variables
        self.fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        # Default values of variables; the largest, where operations differ.
        self.defaults: dict[str, int] = {}
        for operation in document.definitions:
            for definition in getattr(operation, "variable_definitions", None) or ():
                if isinstance(definition.default_value, IntValueNode):
                    name, value = definition.variable.name.value, _whole(definition.default_value)
                    self.defaults[name] = max(value, self.defaults.get(name, 0))
        self._measured: dict[str, Measure] = {}

    def operation(self, operation: OperationDefinitionNode) -> Measure:
        root = self.schema.get_root_type(operation.operation)
        return self._selections(operation.selection_set, root)

    def _selections(self, selections: SelectionSetNode | None, parent: GraphQLNamedType | None) -> Measure:
        depth, aliases, cost, width, widest = 0, 0, 0, 0, 0
        for selection in selections.selections if selections else ():
            match selection:
                case FieldNode():
                    one = self._field(selection, parent)
                case FragmentSpreadNode():
                    one = self._fragment(selection.name.value)
                case InlineFragmentNode():
                    condition = selection.type_condition
                    narrowed = self.schema.get_type(condition.name.value) if condition else parent
                    one = self._selections(selection.selection_set, narrowed)
                case _:
                    one = Measure()
            depth, aliases, cost = max(depth, one.depth), aliases + one.aliases, cost + one.cost
            width, widest = width + one.width, max(widest, one.widest)
        return Measure(depth, aliases, cost, width, max(width, widest))

    def _fragment(self, name: str) -> Measure:
        fragment = self.fragments.get(name)
        if fragment is None:
            return Measure()
        if name not in self._measured:
            # Validation refuses a fragment within itself.
            self._measured[name] = Measure()
            condition = self.schema.get_type(fragment.type_condition.name.value)
            self._measured[name] = self._selections(fragment.selection_set, condition)
        return self._measured[name]

    def _field(self, field: FieldNode, parent: GraphQLNamedType | None) -> Measure:
        name, aliases = field.name.value, 1 if field.alias else 0
        if name.startswith("__"):
            # Questions about the schema itself, which GraphiQL asks, are deep but cheap.
            return Measure(aliases=aliases, width=1)
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        found = fields.get(name)
        within = self._selections(field.selection_set, get_named_type(found.type) if found else None)
        times = 1
        if found is not None and "first" in found.args:
            times = self._page(field, found.args["first"].default_value)
        elif found is not None and parent is not None and is_list_type(get_nullable_type(found.type)):
            times = length(parent, name)
        own = _COSTS.get(name, 1) if field.selection_set else times - 1
        return Measure(within.depth + 1, within.aliases + aliases, own + times * within.cost, 1, within.widest)

    def _page(self, field: FieldNode, otherwise: int) -> int:
        """Return the number of nodes on a page. Validation refuses what is not a number."""
        for argument in field.arguments or ():
            if argument.name.value == "first":
                value: Any = otherwise
                if isinstance(argument.value, IntValueNode):
                    value = _whole(argument.value)
                elif isinstance(argument.value, VariableNode):
                    name = argument.value.name.value
                    value = self.variables.get(name, self.defaults.get(name, otherwise))
                # JSON may write a whole number as 1000.0.
                return max(1, math.ceil(value)) if _is_number(value) else max(otherwise, MAX_PAGE)
        return otherwise


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _whole(node: IntValueNode) -> int:
    return int(node.value)


def length(parent: GraphQLNamedType, name: str) -> int:
    """Return the assumed length of a list; 1 if the page around it already counts for it."""
    if is_page(parent):
        return 1
    return _ERRORS if name == "errors" else LENGTHS.get(f"{parent.name}.{name}", MAX_PAGE)


def is_page(kind: GraphQLNamedType) -> bool:
    """Tell whether the lists of this type are as long as the `first` of the field above says."""
    return kind.name.endswith("Connection") or kind.name == "DelegationGraph"


# Operations of one document, each with its measure.
Measured: TypeAlias = Sequence[tuple[OperationDefinitionNode, Measure]]


def measured(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> Measured:
    """Return the operations of the document, each with its measure."""
    measuring = _Measuring(schema, document, variables)
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    return [(operation, measuring.operation(operation)) for operation in operations]


def exceeded_limit(found: Measured) -> str | None:
    """Return the limit that one of the operations exceeds, in words, or None."""
    for operation, measure in found:
        for what, size, most in (
            ("levels deep", measure.depth, MAX_DEPTH),
            ("aliases", measure.aliases, MAX_ALIASES),
            ("fields side by side", measure.widest, MAX_SELECTIONS),
            ("objects, counting full pages", measure.cost, most_cost(operation)),
        ):
            if size > most:
                return f"{size:,} {what}; the most is {most:,}"
    return None


def most_cost(operation: OperationDefinitionNode) -> int:
    """Return the most that an operation of this kind may cost."""
    return MAX_EVENT_COST if operation.operation is OperationType.SUBSCRIPTION else MAX_COST


def unreadable(query: str) -> str | None:
    """Return why a query is not even parsed, in words, or None.

    Reasons are its length, brackets nested deeper than Python's stack, and numbers of thousands of digits. The parser
    refuses invalid tokens, and too many.
    """
    if len(query) > MAX_CHARACTERS:
        return f"{len(query):,} characters; the most is {MAX_CHARACTERS:,}, and variables bear longer texts"
    depth, lexer = 0, Lexer(Source(query))
    with suppress(GraphQLSyntaxError):
        for _ in range(MAX_TOKENS):
            token = lexer.advance()
            depth += (token.kind in _OPENING) - (token.kind in _CLOSING)
            if depth > MAX_NESTING:
                return f"more than {MAX_NESTING} brackets within one another"
            if token.kind in _NUMBERS and len(token.value or "") > MAX_DIGITS:
                return f"a number of more than {MAX_DIGITS} digits"
            if token.kind is TokenKind.EOF:
                break
    return None


_OPENING = {TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L}
_CLOSING = {TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R}
_NUMBERS = {TokenKind.INT, TokenKind.FLOAT}


def too_large(what: str) -> GraphQLError:
    return GraphQLError(f"This operation is too large: {what}.", extensions={"code": "TOO_LARGE"})


class Limits(SchemaExtension):
    """Refuse operations beyond the limits before anything is read, and tell what an operation costs."""

    _told: Mapping[str, Any] = MappingProxyType({})

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        document = context.graphql_document
        assert document is not None
        found = measured(context.schema._schema, document, context.variables or {})
        if problem := exceeded_limit(found):
            context.pre_execution_errors = [too_large(problem)]
        meant = get_operation_ast(document, context.operation_name)
        for operation, measure in found:
            if operation is meant:
                self._told = {"cost": {"requested": measure.cost, "limit": most_cost(operation)}}
        yield

    def get_results(self) -> dict[str, Any]:
        """Return the cost for the `extensions` of the first answer. Later events of a subscription cost the same."""
        told, self._told = self._told, {}
        return dict(told)
