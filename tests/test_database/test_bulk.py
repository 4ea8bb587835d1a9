"""Rows written in bulk, few or many, are what they would be one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from democracy.database import bulk
from democracy.models import Decision, DecisionSnapshot, Membership, StagedBlock
from tests import factories

pytestmark = pytest.mark.django_db

ODD = {"text": 'tab\t, line\n, \\N, back\\slash, "quotes", ü'}
BLOCK = ("decision_id", "first", "revision", "size", "members", "marks", "tag_sets", "tags", "microstars")


@pytest.fixture(params=[1, 500], ids=["copied where that is possible", "one statement each"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of writing, each in more than one batch where there are batches."""
    monkeypatch.setattr(bulk, "_FEW", request.param)
    monkeypatch.setattr(bulk, "_BATCH", 2)


@pytest.fixture
def scene() -> tuple[Decision, dict[str, Membership]]:
    community, members = factories.community("ann", "bob", "cat", "dan")
    return factories.decision(community, members["manager"].user), members


def insert_snapshots(decision: Decision, numbers: range) -> None:
    time = connection.ops.adapt_datetimefield_value(timezone.now())
    rows: Iterator[tuple[Any, ...]] = ((decision.pk, number, time, False, json.dumps(ODD)) for number in numbers)
    columns = ("decision_id", "revision", "calculated_at", "is_final", "result")
    bulk.insert(DecisionSnapshot._meta.db_table, columns, rows)


@pytest.mark.parametrize("number", [0, 1, 5])
def test_rows_are_inserted_with_what_they_say(few: None, scene: tuple[Decision, Any], number: int) -> None:
    decision, _ = scene
    insert_snapshots(decision, range(1, number + 1))
    found = DecisionSnapshot.objects.filter(decision=decision).order_by("revision")
    assert list(found.values_list("revision", "is_final", "result")) == [(n, False, ODD) for n in range(1, number + 1)]


def test_without_a_key_what_is_there_is_not_replaced(few: None, scene: tuple[Decision, Any]) -> None:
    decision, _ = scene
    insert_snapshots(decision, range(3, 4))
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_snapshots(decision, range(1, 5))
    assert list(DecisionSnapshot.objects.values_list("revision", flat=True)) == [3]


def test_with_a_key_rows_replace_those_that_bear_it_and_no_others(
    few: None, scene: tuple[Decision, dict[str, Membership]]
) -> None:
    decision, members = scene
    pks = {name: member.pk for name, member in members.items()}

    def write(names: str, revision: int) -> None:
        rows = [
            (decision.pk, pks[name], revision, 1, b"", b"\t", '[["é"]]', b"", bytes([0, 92, revision, 255]))
            for name in names.split()
        ]
        bulk.insert(StagedBlock._meta.db_table, BLOCK, rows, key=BLOCK[:2])

    # Twice in one transaction: what the first left behind does not stand in the way.
    write("ann bob cat", 1)
    write("bob cat dan", 2)
    found = StagedBlock.objects.filter(decision=decision)
    assert {(row.first, row.revision, bytes(row.microstars)[2]) for row in found} == {
        (pks[name], revision, revision) for name, revision in (("ann", 1), ("bob", 2), ("cat", 2), ("dan", 2))
    }
    assert all((row.size, row.tag_sets, bytes(row.marks)) == (1, '[["é"]]', b"\t") for row in found)


@pytest.mark.parametrize("number", [0, 1, 4])
def test_rows_with_these_keys_are_deleted_and_no_others(few: None, scene: tuple[Decision, Any], number: int) -> None:
    decision, _ = scene
    insert_snapshots(decision, range(1, 6))
    bulk.delete(DecisionSnapshot._meta.db_table, iter(range(1, number + 1)), column="revision")
    left = DecisionSnapshot.objects.order_by("revision").values_list("revision", flat=True)
    assert list(left) == list(range(number + 1, 6))


@pytest.mark.parametrize("number", [0, 1, 3])
def test_new_keys_are_free_and_whoever_comes_next_gets_later_ones(scene: tuple[Decision, Any], number: int) -> None:
    decision, _ = scene
    with transaction.atomic():
        keys = list(bulk.new_keys(DecisionSnapshot._meta.db_table, number))
        assert (len(keys), keys) == (number, sorted(set(keys)))
        time = connection.ops.adapt_datetimefield_value(timezone.now())
        columns = ("id", "decision_id", "revision", "calculated_at", "is_final", "result")
        rows = [(key, decision.pk, key, time, False, "{}") for key in keys]
        bulk.insert(DecisionSnapshot._meta.db_table, columns, rows)
    later = DecisionSnapshot.objects.create(decision=decision, revision=10_000, calculated_at=timezone.now(), result={})
    assert list(DecisionSnapshot.objects.order_by("pk").values_list("pk", flat=True)) == [*keys, later.pk]


def test_a_large_cache_is_given_back() -> None:
    def size() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA cache_size")
            return cursor.fetchone()

    if connection.vendor != "sqlite":
        with bulk.large_cache():
            return
    before = size()
    with bulk.large_cache():
        assert size() == (-bulk._CACHE_KIB,)
    assert size() == before
