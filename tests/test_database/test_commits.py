"""Callbacks wait for the commit of the transaction in which they were registered, and for no other."""

from __future__ import annotations

import pytest
from django.db import transaction

from democracy.database import commits

pytestmark = pytest.mark.django_db(transaction=True)


class Mark:
    def __init__(self, name: str) -> None:
        self.name, self.calls = name, 0
        self.__qualname__ = type(self).__qualname__

    def __call__(self) -> None:
        self.calls += 1


class Other(Mark):
    pass


def names(kind: type[Mark] = Mark) -> list[str]:
    return [mark.name for mark in commits.waiting(kind)]


@pytest.mark.parametrize("robust", [True, False])
def test_those_of_one_class_wait_newest_first_until_the_commit(robust: bool) -> None:
    marks = [Mark("first"), Other("second"), Mark("third")]
    with transaction.atomic():
        for mark in marks:
            transaction.on_commit(mark, robust=robust)
        transaction.on_commit(lambda: None, robust=robust)
        assert (names(), names(Other)) == (["third", "second", "first"], ["second"])
    assert (names(), [mark.calls for mark in marks]) == ([], [1, 1, 1])


def test_a_rollback_takes_them_away_to_a_savepoint_those_since() -> None:
    with transaction.atomic():
        transaction.on_commit(Mark("before"))
        with transaction.atomic():
            transaction.on_commit(Mark("kept"))
        with transaction.atomic():
            transaction.on_commit(Mark("gone"))
            transaction.set_rollback(True)
        assert names() == ["kept", "before"]
        transaction.set_rollback(True)
    assert names() == []


def test_of_several_about_one_thing_the_newest_is_kept() -> None:
    called: list[str] = []

    def waits(kind: type[Mark], name: str) -> None:
        mark = kind(name)
        transaction.on_commit(lambda: called.append(f"after {name}"))
        transaction.on_commit(mark)

    with transaction.atomic():
        for name in ("ash 1", "birch 1", "ash 2"):
            waits(Mark, name)
        waits(Other, "ash 3")
        commits.keep_newest(Mark, lambda mark: mark.name.split()[0] if type(mark) is Mark else "other")
        assert names() == ["ash 3", "ash 2", "birch 1"]
    assert called == ["after ash 1", "after birch 1", "after ash 2", "after ash 3"]
