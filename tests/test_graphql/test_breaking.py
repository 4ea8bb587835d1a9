"""No release breaks a client of the last one without saying so; what is deprecated says what to use instead."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from graphql import GraphQLSchema, build_schema

from crowdvote.api.schema import schema
from tests.test_graphql.breaking import changes_since, file_at, newest_tag, unnamed_breaks

TYPES: GraphQLSchema = schema._schema
PROJECT = Path(settings.BASE_DIR)
OLD = "type Query { a: Int b(first: Int): String } enum Kind { CAST STAGED }"


def test_nothing_breaks_a_client_of_the_last_release_without_a_word_in_the_changelog() -> None:
    if (tag := newest_tag(PROJECT)) is None:
        pytest.skip("there is no tag of a release to compare the schema with")
    if (released := file_at(PROJECT, tag, "schema.graphql")) is None:
        pytest.skip(f"the release {tag} had no schema.graphql to compare with")
    changes = changes_since((PROJECT / "CHANGELOG.md").read_text(), tag)
    assert unnamed_breaks(released, (PROJECT / "schema.graphql").read_text(), changes) == []


def test_what_only_adds_breaks_nothing() -> None:
    new = "type Query { a: Int! b(first: Int, after: String): String c: Int } enum Kind { CAST STAGED NONE }"
    assert unnamed_breaks(OLD, new, "") == []


@pytest.mark.parametrize(
    ("new", "found"),
    [
        ("type Query { b(first: Int): String } enum Kind { CAST STAGED }", ["Query.a"]),
        ("type Query { a: String b(first: Int): String } enum Kind { CAST STAGED }", ["Query.a"]),
        ("type Query { a: Int b: String } enum Kind { CAST STAGED }", ["Query.b"]),
        ("type Query { a: Int b(first: Int!): String } enum Kind { CAST STAGED }", ["Query.b"]),
        ("type Query { a: Int b(first: Int): String } enum Kind { CAST }", ["STAGED"]),
        ("type Query { b(first: Int): String }", ["Kind", "Query.a"]),
    ],
)
def test_what_breaks_is_found_unless_it_is_said(new: str, found: list[str]) -> None:
    breaks = unnamed_breaks(OLD, new, "Nothing of that.")
    assert len(breaks) == len(found)
    assert all(name in one for name, one in zip(found, breaks, strict=True))
    said = "- Gone, as announced:\n  " + "\n  ".join(re.sub(r"(\w+\.\w+)", r"`\1`", one) for one in breaks)
    assert unnamed_breaks(OLD, new, said) == []


def test_only_changes_since_the_release_count() -> None:
    log = "# Changes\n\n## 0.10.0\n\nnew\n\n## 0.1.0\n\nold\n"
    assert changes_since(log, "0.1.0") == changes_since(log, "v0.1.0") == "# Changes\n\n## 0.10.0\n\nnew\n\n"
    assert changes_since(log, "0.10.0") == "# Changes\n\n"
    assert changes_since(log, "0.1") == log


def test_the_last_release_is_the_newest_tag_before(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    assert newest_tag(tmp_path) is None

    def git(*arguments: str) -> None:
        names = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "schema.graphql").write_text(OLD)
    git("add", ".")
    git("commit", "--message", "one")
    assert newest_tag(tmp_path) is None
    git("tag", "0.1.0")
    (tmp_path / "schema.graphql").write_text("type Query { a: Int }")
    git("commit", "--all", "--message", "two")
    assert newest_tag(tmp_path) == "0.1.0"
    assert file_at(tmp_path, "0.1.0", "schema.graphql") == OLD
    assert file_at(tmp_path, "0.1.0", "missing") is None


def deprecated(types: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """Yield the name and the reason of each field, argument, input and value that is deprecated."""
    for kind in types.type_map.values():
        parts = [*getattr(kind, "values", {}).items(), *getattr(kind, "fields", {}).items()]
        parts += [argument for _, part in parts for argument in getattr(part, "args", {}).items()]
        yield from ((name, part.deprecation_reason) for name, part in parts if part.deprecation_reason)


def test_what_is_deprecated_says_what_to_use_instead_and_stands_in_the_changelog() -> None:
    log = (PROJECT / "CHANGELOG.md").read_text()
    found = list(deprecated(TYPES))
    assert [name for name, reason in found if not reason.startswith("Use ")] == []
    assert [name for name, _ in found if f"`{name}`" not in log] == []


def test_what_is_deprecated_is_found_wherever_it_stands() -> None:
    gone = '@deprecated(reason: "Use x.")'
    types = build_schema(
        f"type Query {{ a: Int {gone} b(c: Int {gone}, d: Int): Kind }} enum Kind {{ E {gone} F }} "
        f"input In {{ g: Int {gone} h: Int }}"
    )
    assert sorted(deprecated(types)) == [(name, "Use x.") for name in ("E", "a", "c", "g")]
