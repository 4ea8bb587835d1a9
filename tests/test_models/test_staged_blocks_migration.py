"""Rows of staged ballots become blocks that say the same, and blocks become rows again."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from democracy.models import Decision, StagedBallot, StagedBlock
from tests import factories
from tests.staged import stored

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE, AFTER = ("democracy", "0018_idempotency_keys"), ("democracy", "0019_staged_blocks")


def migrate(*targets: tuple[str, str]) -> Any:
    """Migrate, and return the models as they are then."""
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets))
    return MigrationExecutor(connection).loader.project_state(list(targets)).apps


@pytest.fixture
def decisions() -> Iterator[list[Decision]]:
    """Three decisions of a community, in a database that has rows of staged ballots, not blocks."""
    community, members = factories.community("ada")
    yield [factories.decision(community, members["manager"].user) for _ in range(3)]
    migrate(*MigrationExecutor(connection).loader.graph.leaf_nodes())


def ballot(member: int, kind: str = "cast", *stars: int, tags: str = "", counted: bool = True, anonymous: bool = False):
    return StagedBallot(member, kind, stars or (0, 0, 0), frozenset(tags.split()), counted, anonymous)


def test_rows_become_blocks_and_rows_again(decisions: list[Decision], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("democracy.migrations.0019_staged_blocks"), "BLOCK", 2)
    first, second, _ = decisions
    one_member, another = sorted(first.community.memberships.values_list("pk", flat=True))
    people = [one_member, another, *(factories.join(first.community, factories.person()).pk for _ in range(3))]
    made = {
        first: [
            (ballot(people[0], "cast", 5_000_000, 0, 1, tags="budget roads"), 3),
            (ballot(people[1], "inherited", 1, 2, 3_333_333, anonymous=True), 7),
            (ballot(people[3], "abstained", tags="parks", counted=False), 4),
            (ballot(people[4], "inherited", 1, 1, 1, counted=False), 5),
        ],
        second: [(ballot(people[2], "cast", 0, 4_000_000, 0, tags="parks"), 6)],
    }
    apps = migrate(BEFORE)
    rows = apps.get_model("democracy", "StagedBallot").objects
    for decision, ballots in made.items():
        for one, revision in reversed(ballots):
            rows.create(
                decision_id=decision.pk,
                membership_id=one.member,
                kind=one.kind,
                microstars=np.array(one.microstars, dtype="<i4").tobytes(),
                tags=sorted(one.tags),
                is_counted=one.is_counted,
                is_anonymous=one.is_anonymous,
                changed_revision=revision,
            )
    # Of a ballot that was there once.
    rows.create(decision_id=first.pk, membership_id=people[2], kind="none", microstars=b"", changed_revision=9)

    migrate(AFTER)
    for decision in decisions:
        assert stored(decision) == {one.member: one for one, _ in made.get(decision, [])}
    blocks = StagedBlock.objects.order_by("decision", "first").values_list("decision", "first", "revision", "size")
    assert list(blocks) == [
        (first.pk, 0, 7, 2),
        (first.pk, people[1] + 1, 9, 1),
        (first.pk, people[3] + 1, 5, 1),
        (second.pk, 0, 6, 1),
    ]

    apps = migrate(BEFORE)
    rows = apps.get_model("democracy", "StagedBallot").objects.order_by("decision", "membership")
    assert [
        (
            row.decision_id,
            row.membership_id,
            row.kind,
            bytes(row.microstars),
            row.tags,
            row.is_counted,
            row.is_anonymous,
        )
        for row in rows
    ] == [
        (
            decision.pk,
            one.member,
            one.kind,
            np.array(one.microstars, dtype="<i4").tobytes(),
            sorted(one.tags),
            one.is_counted,
            one.is_anonymous,
        )
        for decision, ballots in made.items()
        for one, _ in ballots
    ]
    assert [row.changed_revision for row in rows] == [7, 7, 9, 5, 6]
