"""Everything in the schema has a description, and each says more than the name."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)

from crowdvote.api.schema import schema

TYPES: GraphQLSchema = schema._schema
# Words that say nothing of a thing whose name is known.
_FILLER = re.compile(r"(an?|and|are|as|at|by|for|from|has|have|in|is|its?|of|on|or|s|that|the|this|to|with|whether)")


def described(types: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """Yield everything that needs a description, as Type.field.argument, with what it has."""
    for name, kind in types.type_map.items():
        if name.startswith("__"):
            continue
        yield name, kind.description or ""
        if isinstance(kind, GraphQLEnumType):
            yield from ((f"{name}.{value}", one.description or "") for value, one in kind.values.items())
        if isinstance(kind, GraphQLInputObjectType):
            yield from ((f"{name}.{field}", one.description or "") for field, one in kind.fields.items())
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field, one in kind.fields.items():
                yield f"{name}.{field}", one.description or ""
                for argument, of in one.args.items():
                    yield f"{name}.{field}.{argument}", of.description or ""


def words(text: str) -> set[str]:
    """Split names and sentences into words, in the singular, without those that say nothing."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ").lower()
    return {word.removesuffix("s") for word in re.findall(r"[a-z0-9]+", apart) if not _FILLER.fullmatch(word)}


def says_its_name(path: str, description: str) -> bool:
    """Tell whether a description has no word besides those of the thing's name and of what it belongs to."""
    return words(description) <= words(path.replace(".", " "))


def test_nothing_lacks_a_description() -> None:
    assert [path for path, description in described(TYPES) if not description.strip()] == []


def test_no_description_only_repeats_the_name() -> None:
    assert [path for path, description in described(TYPES) if description and says_its_name(path, description)] == []


def test_what_lacks_a_description_is_found_wherever_it_stands() -> None:
    types = build_schema(
        "type Query { vote(input: Vote, first: Int): Kind } input Vote { stars: Int } enum Kind { CAST } scalar Moment "
        "interface Node { id: ID }"
    )
    lacking = {path for path, description in described(types) if not description}
    assert lacking == {
        *("Query", "Query.vote", "Query.vote.input", "Query.vote.first"),
        *("Vote", "Vote.stars", "Kind", "Kind.CAST", "Moment", "Node", "Node.id"),
    }


@pytest.mark.parametrize(
    ("path", "description"),
    [
        ("Following.createdAt", "Created at."),
        ("Query.decision.decisionId", "The decision's id."),
        ("Ballot.voter", "The voter of the ballot."),
        ("DecisionStatus.CALLED_OFF", "It is called off."),
    ],
)
def test_a_repeated_name_is_found(path: str, description: str) -> None:
    assert says_its_name(path, description)
    assert not says_its_name(path, description + " Null for drafts.")
