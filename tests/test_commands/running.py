"""Running commands as the shell does, and checking that a refusal changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import User
from democracy.models import Community, Decision, Membership
from tests import factories
from tests.rules import written


def run(command: str, *args: object) -> list[str]:
    """Return the lines that the command prints on standard output."""
    out = StringIO()
    call_command(command, *map(str, args), stdout=out, stderr=StringIO())
    return out.getvalue().splitlines()


def said(command: str, *args: object) -> str:
    """Return the text that the command prints on standard error."""
    err = StringIO()
    call_command(command, *map(str, args), stdout=StringIO(), stderr=err)
    return err.getvalue()


@contextmanager
def refused(message: str) -> Iterator[None]:
    """Expect the command to fail with these words, and nothing written."""
    before = (written(), User.objects.count())
    with pytest.raises(CommandError) as caught:
        yield
    assert message in str(caught.value)
    assert (written(), User.objects.count()) == before


def town_of(*handles: str) -> tuple[Community, dict[str, Membership]]:
    """Create a community of people with exactly these handles, who can sign in, beside its manager."""
    town, members = factories.community()
    return town, members | {handle: factories.join(town, factories.person(handle)) for handle in handles}


def write(path: Path, content: str | dict[str, Any]) -> Path:
    file = path / "input"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def made_community(lines: list[str]) -> Community:
    word, pk = lines[0].split()
    assert word == "community"
    return Community.objects.get(pk=pk)


def made_decisions(lines: list[str]) -> dict[str, Decision]:
    """Return the decisions named in the output of `import_community`, by the file's ids."""
    found = {}
    for line in lines[1:]:
        word, file_id, pk = line.split()
        assert word == "decision"
        found[file_id] = Decision.objects.get(pk=pk)
    return found


def exported(decision: Decision, *args: str) -> dict[str, Any]:
    bundle: dict[str, Any] = json.loads("\n".join(run("export_decision", decision.pk, *args)))
    return bundle
