"""Help for tests of the rules: everything that people wrote, refusals that write nothing, and a clock to set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

import pytest
from django.db import connection, models
from django.utils import timezone

from democracy.database import clock
from democracy.errors import PermissionDenied, SignInFirst
from democracy.models import (
    Application,
    Ballot,
    Choice,
    Clarification,
    Community,
    Decision,
    Following,
    Invitation,
    InvitationLink,
    LedgerEntry,
    Membership,
    Moderation,
    PublishedResult,
    Vote,
)
from tests import factories

# Every table of inputs, and the ledger, with the path from a row to its community.
WRITTEN: dict[type[models.Model], str] = {
    Community: "pk",
    Membership: "community",
    Application: "community",
    Invitation: "community",
    InvitationLink: "community",
    Following: "follower__community",
    Decision: "community",
    Choice: "decision__community",
    Clarification: "decision__community",
    Ballot: "decision__community",
    Vote: "ballot__decision__community",
    PublishedResult: "decision__community",
    Moderation: "community",
    LedgerEntry: "community",
}

Refusal = TypeVar("Refusal", bound=Exception)
Rows = dict[str, list[tuple[Any, ...]]]


def written(of: Community | None = None) -> Rows:
    """Return every row of the tables of inputs and the ledger, of one community or of all."""
    return {model.__name__: rows(model, **({path: of.pk} if of else {})) for model, path in WRITTEN.items()}


def _query(model: type[models.Model], **conditions: object) -> tuple[str, tuple[Any, ...]]:
    return model._default_manager.filter(**conditions).order_by("pk").values().query.sql_with_params()


# Writing the query takes longer than most of them.
_query_of_all = cache(_query)


def rows(model: type[models.Model], **conditions: object) -> list[tuple[Any, ...]]:
    """Return a table's rows as the database has them: in a fifth of the time that columns of Python's kinds take."""
    query, parameters = _query(model, **conditions) if conditions else _query_of_all(model)
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


@contextmanager
def refused(error: type[Refusal]) -> Iterator[pytest.ExceptionInfo[Refusal]]:
    """Expect exactly this error within the block, and nothing written. Where a right is missing, visitors are asked to
    sign in: tests/test_graphql/test_rights.py says who is told which.
    """
    before = written()
    with pytest.raises(error) as caught:
        yield caught
    assert type(caught.value) is error or (error is PermissionDenied and type(caught.value) is SignInFirst)
    assert written() == before


def entries(of: Community, *, after: int = 0) -> list[LedgerEntry]:
    return list(LedgerEntry.objects.filter(community=of, revision__gt=after).order_by("revision"))


def revision(of: Community) -> int:
    return Community.objects.values_list("revision", flat=True).get(pk=of.pk)


def new_community(*handles: str) -> tuple[Community, dict[str, Membership]]:
    """Create a community by `factories.community`, of people whose handles reveal nothing."""
    community, members = factories.community()
    people = factories.voters(community, [f"person_{next(factories.numbers)}" for _ in handles])
    return community, members | dict(zip(handles, people, strict=True))


class Clock:
    """The time that everybody reads, once `set` or `advance` has stopped it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.now = timezone.now()

    def set(self, moment: datetime) -> None:
        self.now = moment
        self._monkeypatch.setattr(timezone, "now", lambda: self.now)
        self._monkeypatch.setattr(clock, "now", lambda: self.now)

    def advance(self, **delta: float) -> None:
        self.set(self.now + timedelta(**delta))
