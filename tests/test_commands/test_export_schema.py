"""`export_schema`: the schema on standard output or in a file, and refusals of what is none."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from strawberry.printer import print_schema

from crowdvote.api.schema import schema


def test_prints_the_schema_or_writes_it_to_a_file(tmp_path: Path) -> None:
    printed, path = StringIO(), tmp_path / "schema.graphql"
    call_command("export_schema", "crowdvote.api.schema", stdout=printed)
    call_command("export_schema", "crowdvote.api.schema", "--path", str(path))
    assert printed.getvalue().strip() == path.read_text().strip() == print_schema(schema).strip()


@pytest.mark.parametrize("name", ["crowdvote.nowhere", "crowdvote.api.limits", "crowdvote.api.limits:LENGTHS"])
def test_refuses_what_is_no_schema_and_writes_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "schema.graphql"
    with pytest.raises(CommandError):
        call_command("export_schema", name, "--path", str(path))
    assert not path.exists()
