"""Rows that a module keeps are there for each of its tests, as they were written, and gone after the last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from accounts.models import User
from tests import factories


@pytest.fixture(scope="module")
def gone_afterwards(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    yield
    with django_db_blocker.unblock():
        assert not User.objects.exists()


@pytest.fixture(scope="module")
def written(gone_afterwards: None, module_rows: None) -> int:
    return factories.person("kept").pk


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_finds_what_was_written_and_nothing_else(written: int, db: None, turn: int) -> None:
    assert list(User.objects.values_list("pk", "name")) == [(written, "Kept")]
    User.objects.update(name="Changed")
    factories.person()
