"""What an operation of the GraphQL API may cost, judged before it is validated or executed.

One walk over the operation; a fragment is measured once however often it is used, so measuring costs no more than the
text is long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from strawberry.extensions import SchemaExtension

from democracy.schema.paging import DEFAULT_PAGE, MAX_PAGE

MAX_TOKENS = 2_000
MAX_DEPTH = 14
MAX_ALIASES = 30
MAX_COST = 20_000
# Fields that ask the engine cost more than one that reads a row: the sources of a ballot that rests on hundreds of
# members take a tenth of a second, so one page of 20 ballots with their sources is the most.
_COSTS = {"sources": 900, "influence": 900, "delegationGraph": 900, "whatIf": 900, "decisionsChanged": 2_000}


@dataclass(frozen=True)
class Measure:
    """`depth` of nested fields, `aliases` in all, `cost`: objects that may be read, pages multiplied."""

    depth: int = 0
    aliases: int = 0
    cost: int = 0


class _Measuring:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self.schema = schema
        self.variables = variables
        self.fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measured: dict[str, Measure] = {}

    def operation(self, operation: OperationDefinitionNode) -> Measure:
        root = self.schema.get_root_type(operation.operation)
        return self._selections(operation.selection_set, root)

    def _selections(self, selections: SelectionSetNode | None, parent: GraphQLNamedType | None) -> Measure:
        depth, aliases, cost = 0, 0, 0
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
        return Measure(depth, aliases, cost)

    def _fragment(self, name: str) -> Measure:
        fragment = self.fragments.get(name)
        if fragment is None:
            return Measure()
        if name not in self._measured:
            # A fragment within itself is for validation to refuse.
            self._measured[name] = Measure()
            condition = self.schema.get_type(fragment.type_condition.name.value)
            self._measured[name] = self._selections(fragment.selection_set, condition)
        return self._measured[name]

    def _field(self, field: FieldNode, parent: GraphQLNamedType | None) -> Measure:
        name, aliases = field.name.value, 1 if field.alias else 0
        if name.startswith("__"):
            # Questions about the schema itself, which GraphiQL asks, are deep but cheap.
            return Measure(aliases=aliases)
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        kind = get_named_type(fields[name].type) if name in fields else None
        within = self._selections(field.selection_set, kind)
        times = self._page(field) if kind is not None and kind.name.endswith("Connection") else 1
        own = _COSTS.get(name, 1 if field.selection_set else 0)
        return Measure(within.depth + 1, within.aliases + aliases, own + times * within.cost)

    def _page(self, field: FieldNode) -> int:
        """How many nodes a page has. What is no number here is for validation to refuse."""
        for argument in field.arguments or ():
            if argument.name.value == "first":
                value: Any = DEFAULT_PAGE
                if isinstance(argument.value, IntValueNode):
                    value = int(argument.value.value)
                elif isinstance(argument.value, VariableNode):
                    value = self.variables.get(argument.value.name.value, MAX_PAGE)
                return max(1, value) if isinstance(value, int) else MAX_PAGE
        return DEFAULT_PAGE


def excess(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> str | None:
    """Which limit the document exceeds, in words; None where it exceeds none."""
    measuring = _Measuring(schema, document, variables)
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    for measure in map(measuring.operation, operations):
        for what, found, most in (
            ("levels deep", measure.depth, MAX_DEPTH),
            ("aliases", measure.aliases, MAX_ALIASES),
            ("objects, counting full pages", measure.cost, MAX_COST),
        ):
            if found > most:
                return f"This operation is too large: {found:,} {what}; the most is {most:,}."
    return None


class Limits(SchemaExtension):
    """Refuses operations beyond the limits before anything is read."""

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = MAX_TOKENS
        yield

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        assert context.graphql_document is not None
        message = excess(context.schema._schema, context.graphql_document, context.variables or {})
        if message is not None:
            context.pre_execution_errors = [GraphQLError(message, extensions={"code": "TOO_LARGE"})]
        yield
