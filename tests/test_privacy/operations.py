"""Every query that the schema allows, and every mutation, written down from the schema itself.

A query asks for all plain values and for the things that belong to a thing. A list gets a query of its own, and so does
each list within what it lists.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

# More than a test's town has of anything but ledger entries, and as many as the cost limit allows.
PAGE, LONG_PAGE = 15, 100
_DEEP = 5
# Lists nested deeper say nothing new.
_LISTS = 2

# Ids by their kind ("Community", "Decision", "Member" ...), as the API writes them.
Ids = Mapping[str, Sequence[str]]
Asked = tuple[str, str]
Wrap = Callable[[str], str]


@cache
def the_schema() -> GraphQLSchema:
    return build_schema(Path(settings.BASE_DIR, "schema.graphql").read_text())


def questions(ids: Ids) -> Iterator[Asked]:
    """Return name and text of every query, with these ids wherever one is wanted."""
    query = the_schema().query_type
    for name, asked in query.fields.items():
        for arguments in _arguments(name, asked, ids):
            yield from _questions(name, asked, arguments, lambda inner: f"query {{ {inner} }}", name, (), 0)
    yield from _nodes(ids)


def changes(ids: Ids) -> Iterator[Asked]:
    """Return name and text of every mutation, with these ids wherever one is wanted and something simple elsewhere."""
    for name, field in the_schema().mutation_type.fields.items():
        for arguments in _arguments(name, field, ids):
            inner = _selections(get_named_type(field.type), (), 3)
            yield f"{name}({arguments})", f"mutation {{ {name}{_called(arguments)} {inner} }}"


def change(name: str, arguments: str) -> str:
    """Return a mutation that asks for everything in its payload."""
    field = the_schema().mutation_type.fields[name]
    return f"mutation {{ {name}({arguments}) {_selections(get_named_type(field.type), (), 3)} }}"


def glances(decisions: Sequence[str]) -> str:
    """Return a query for the state of decisions, and for one's own ballots in them."""
    kind = the_schema().type_map["Decision"]
    assert isinstance(kind, GraphQLObjectType)
    fields = kind.fields
    inner = " ".join(
        f"{name} {{ {_plain(get_named_type(fields[name].type), (), 3)} }}"
        for name in ("calculation", "result", "myBallot")
    )
    asked = " ".join(f'd{number}: decision(id: "{one}") {{ ...said }}' for number, one in enumerate(decisions))
    return f"query {{ {asked} }} fragment said on Decision {{ {inner} }}"


def pasts(decision: str, revisions: Sequence[int]) -> str:
    """Return a query for a decision as of these revisions."""
    kind = the_schema().type_map["PastDecision"]
    ballots = _plain(the_schema().type_map["PastBallot"], ("PastDecision",), 1)
    inner = f"{_plain(kind, (), 3)} ballots(first: {PAGE}) {{ totalCount edges {{ node {{ {ballots} }} }} }}"
    asked = " ".join(f"r{one}: asOf(revision: {one}) {{ ...past }}" for one in revisions)
    return f'query {{ decision(id: "{decision}") {{ {asked} }} }} fragment past on PastDecision {{ {inner} }}'


def what_ifs(decision: str, member: str) -> Iterator[str]:
    """Return queries for what if one followed somebody, unfollowed them, or withdrew."""
    kind = get_named_type(the_schema().query_type.fields["whatIf"].type)
    for assumed in (
        f'{{follow: {{memberId: "{member}"}}}}',
        f'{{unfollow: {{memberId: "{member}"}}}}',
        "{withdraw: true}",
    ):
        called = f'whatIf(decisionId: "{decision}", changes: [{assumed}])'
        yield f"query {{ {called} {{ {_plain(kind, (kind.name,), 1)} }} }}"


def watching(ids: Ids) -> Iterator[Asked]:
    """Return every subscription."""
    for name, field in the_schema().subscription_type.fields.items():
        for arguments in _arguments(name, field, ids):
            inner = _selections(get_named_type(field.type), (), 0)
            yield f"{name}({arguments})", f"subscription {{ {name}{_called(arguments)} {inner} }}"


def _questions(
    name: str, field: GraphQLField, arguments: str, wrap: Wrap, path: str, seen: tuple[str, ...], lists: int
) -> Iterator[Asked]:
    kind = get_named_type(field.type)
    called = f"{name}{_called(arguments)}"
    if is_leaf_type(kind):
        yield f"{path}{_called(arguments)}", wrap(called)
        return
    within = _listed(kind)
    lists += within is not kind

    def wrap_within(inner: str) -> str:
        if within is kind:
            return wrap(f"{called} {{ __typename {inner} }}")
        return wrap(f"{called} {{ totalCount edges {{ cursor node {{ __typename {inner} }} }} }}")

    path = f"{path}{_called(arguments)}"
    yield path, wrap_within(_plain(within, (*seen, within.name), 1))
    if lists >= _LISTS:
        return
    for further, further_field in getattr(within, "fields", {}).items():
        kind_there = get_named_type(further_field.type)
        if _listed(kind_there) is not kind_there and _listed(kind_there).name not in seen:
            paged = f"first: {PAGE}" if "first" in further_field.args else ""
            yield from _questions(
                further, further_field, paged, wrap_within, f"{path}.{further}", (*seen, within.name), lists
            )


def _nodes(ids: Ids) -> Iterator[Asked]:
    """Return a query for things by id, present or not, each with its plain values."""
    schema = the_schema()
    for kind in schema.get_possible_types(schema.type_map["Node"]):  # type: ignore[arg-type]
        for one in ids.get(kind.name, ()):
            inner = _plain(kind, (kind.name,), 1)
            yield (
                f"node({kind.name} {one})",
                f'query {{ node(id: "{one}") {{ __typename ... on {kind.name} {{ {inner} }} }} }}',
            )


def _plain(kind: GraphQLNamedType, seen: tuple[str, ...], depth: int) -> str:
    """Select all plain values of a thing and of the things that belong to it, but no lists of pages."""
    if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    found = []
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        paged = f"(first: {PAGE})" if "first" in field.args else ""
        if is_leaf_type(inner):
            found.append(f"{name}{paged}")
        elif _listed(inner) is inner and depth < _DEEP:
            # A thing that it belongs to: only that thing's own values.
            further = _leaves(inner) if inner.name in seen else _plain(inner, (*seen, inner.name), depth + 1)
            if further:
                found.append(f"{name}{paged} {{ {further} }}")
    return " ".join(found)


def _leaves(kind: GraphQLNamedType) -> str:
    fields = getattr(kind, "fields", {}).items()
    return " ".join(name for name, field in fields if is_leaf_type(get_named_type(field.type)) and not field.args)


def _selections(kind: GraphQLNamedType, seen: tuple[str, ...], depth: int) -> str:
    inner = _plain(kind, (*seen, kind.name), depth)
    return f"{{ __typename {inner} }}" if not is_leaf_type(kind) else ""


def _listed(kind: GraphQLNamedType) -> GraphQLNamedType:
    """Return the type that a connection lists; any other type as it is."""
    if not kind.name.endswith("Connection"):
        return kind
    assert isinstance(kind, GraphQLObjectType)
    edge = get_named_type(kind.fields["edges"].type)
    assert isinstance(edge, GraphQLObjectType)
    return get_named_type(edge.fields["node"].type)


# --- Arguments --------------------------------------------------------------------------------------------------------


def _called(arguments: str) -> str:
    return f"({arguments})" if arguments else ""


def _arguments(name: str, field: GraphQLField, ids: Ids) -> Iterator[str]:
    """Return the required arguments in every way that the ids allow, and the size of a page."""
    wanted = [(key, one) for key, one in field.args.items() if is_required_argument(one) or key == "first"]
    values = [_values(key, one, name, ids) for key, one in wanted]
    for chosen in itertools.product(*values):
        yield ", ".join(f"{key}: {value}" for (key, _), value in zip(wanted, chosen, strict=True))


def _values(key: str, argument: GraphQLArgument, name: str, ids: Ids) -> Sequence[str]:
    if key == "first":
        return [str(LONG_PAGE if name == "ledger" else PAGE)]
    return _inputs(key, argument.type, name, ids)


def _inputs(key: str, kind: GraphQLInputType, name: str, ids: Ids) -> Sequence[str]:
    named = get_named_type(kind)
    bare = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if isinstance(bare, GraphQLList):
        return [f"[{one}]" for one in _inputs(key, bare.of_type, name, ids)]
    if isinstance(named, GraphQLInputObjectType):
        return _objects(named, name, ids)
    if isinstance(named, GraphQLEnumType):
        return [*named.values][:1]
    match named.name:
        case "ID":
            kind_of_id = key.removesuffix("Id") if key != "id" else name
            return [f'"{one}"' for one in ids.get(kind_of_id[:1].upper() + kind_of_id[1:], ["x"])]
        case "Boolean":
            return ["true"]
        case "Int" | "Float" | "BigInt":
            return ["1"]
        case "DateTime":
            return ['"2026-03-20T12:00:00+00:00"']
        case _:
            return ['"something"']


def _objects(kind: GraphQLInputObjectType, name: str, ids: Ids) -> Sequence[str]:
    wanted: list[tuple[str, Any]] = [
        (key, one.type) for key, one in kind.fields.items() if is_required_input_field(one) or kind.is_one_of
    ]
    if kind.is_one_of:
        return [f"{{{key}: {value}}}" for key, type_ in wanted for value in _inputs(key, type_, name, ids)[:1]]
    values = [_inputs(key, type_, name, ids) for key, type_ in wanted]
    return [
        "{" + ", ".join(f"{key}: {value}" for (key, _), value in zip(wanted, chosen, strict=True)) + "}"
        for chosen in itertools.product(*values)
    ]
