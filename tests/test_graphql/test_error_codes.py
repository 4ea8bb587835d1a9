"""The codes of refusals: the enum has those of all apps, and each says something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from graphql import GraphQLEnumType

from accounts.api import node_id
from accounts.errors import DomainError
from crowdvote.api.error_codes import ErrorCode
from crowdvote.api.schema import schema
from tests import factories
from tests.test_graphql.api import id_of, post

# Refusals of an operation as a whole, which has no payload: their code is in `extensions`.
OF_OPERATIONS = {"BAD_REQUEST", "DEADLINE_EXCEEDED", "DOCUMENT_NOT_ALLOWED", "PERSISTED_QUERY_NOT_FOUND"}


def kinds_of(error: type[DomainError]) -> Iterator[type[DomainError]]:
    yield error
    for kind in error.__subclasses__():
        yield from kinds_of(kind)


def test_every_refusal_of_every_app_is_in_the_enum_and_nothing_else() -> None:
    ours = [kind for kind in kinds_of(DomainError) if not kind.__module__.startswith("tests.")]
    assert {kind.code for kind in ours} - OF_OPERATIONS == {one.value for one in ErrorCode}
    assert "code: ErrorCode!" in schema.as_str()


def test_each_is_named_by_its_value_and_says_what_it_means() -> None:
    enum = schema._schema.type_map["ErrorCode"]
    assert isinstance(enum, GraphQLEnumType)
    assert [name for name, value in enum.values.items() if name != value.value] == []
    assert [name for name, value in enum.values.items() if not (value.description or "").endswith(".")] == []
    said = [value.description for value in enum.values.values()]
    assert len(said) == len(set(said))


VOTE = "mutation($input: CastVoteInput!) { done: castVote(input: $input) { errors { field code message } } }"


@pytest.mark.django_db
def test_visitors_are_asked_to_sign_in_whether_a_thing_exists_or_not() -> None:
    community, members = factories.community(visibility="members")
    there = id_of(factories.decision(community, members["manager"].user))
    told = [
        post(Client(), VOTE, input={"decisionId": one, "abstain": True})["data"]["done"]["errors"]
        for one in (there, node_id("Decision", 10**9))
    ]
    assert told == [[{"field": "", "code": "SIGN_IN", "message": "Sign in first."}]] * 2
