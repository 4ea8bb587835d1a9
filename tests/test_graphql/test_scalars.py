"""Scalars keep to the specifications that the schema names."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from graphql import GraphQLScalarType

from crowdvote.api.schema import schema

# `date-time` of RFC 3339, section 5.6.
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@pytest.fixture
def moment() -> GraphQLScalarType:
    kind = schema._schema.type_map["DateTime"]
    assert isinstance(kind, GraphQLScalarType)
    return kind


def test_a_moment_is_specified_by_rfc_3339(moment: GraphQLScalarType) -> None:
    assert moment.specified_by_url == "https://www.rfc-editor.org/rfc/rfc3339"


@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 3, 20, 18, tzinfo=UTC),
        datetime(1900, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(8999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
    ],
)
def test_a_moment_is_written_so_and_read_back(moment: GraphQLScalarType, time: datetime) -> None:
    written = moment.serialize(time)
    assert RFC_3339.fullmatch(written)
    assert moment.parse_value(written) == time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-20T18:00:00Z", datetime(2026, 3, 20, 18, tzinfo=UTC)),
        ("2026-03-20T20:00:00+02:00", datetime(2026, 3, 20, 18, tzinfo=UTC)),
        ("2026-03-20T18:00:00.5Z", datetime(2026, 3, 20, 18, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-20T18:00:00.123456789-00:00", datetime(2026, 3, 20, 18, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_clients_write_it(moment: GraphQLScalarType, text: str, time: datetime) -> None:
    assert RFC_3339.fullmatch(text)
    assert moment.parse_value(text) == time


def test_the_other_scalars_name_no_specification_that_they_do_not_keep_to() -> None:
    scalars = {name: one for name, one in schema._schema.type_map.items() if isinstance(one, GraphQLScalarType)}
    assert {name for name, one in scalars.items() if one.specified_by_url} == {"DateTime", "JSON"}
