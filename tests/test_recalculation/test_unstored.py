"""Unstored ballots: what a process takes for storing until it knows that it is stored."""

from __future__ import annotations

import pytest

from democracy.models import Decision
from democracy.recalculation.unstored import Unstored
from tests import factories
from tests.test_recalculation.test_storing import Scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def decision() -> Decision:
    community, members = factories.community()
    return factories.decision(community, members["manager"].user)


def test_all_ballots_are_unstored_until_the_first_time_they_are_stored(decision: Decision) -> None:
    unstored = Unstored()
    unstored.begin(decision.pk)
    assert unstored.take(decision.pk, 5, stored=0) is None
    unstored.add(decision.pk, [1])
    assert unstored.take(decision.pk, 6, stored=0) is None
    unstored.has_stored(decision.pk, 6)
    assert unstored.take(decision.pk, 6, stored=6) == frozenset()


def test_what_was_taken_is_taken_again_until_it_is_stored(decision: Decision) -> None:
    unstored = Unstored()
    unstored.begin(decision.pk)
    unstored.take(decision.pk, 5, stored=0)
    unstored.has_stored(decision.pk, 5)
    unstored.add(decision.pk, [1])
    assert unstored.take(decision.pk, 6, stored=5) == {1}
    unstored.add_everywhere(2)
    assert unstored.take(decision.pk, 7, stored=5) == {1, 2}
    # The earlier run was held up; the later one has taken more.
    unstored.has_stored(decision.pk, 6)
    assert unstored.take(decision.pk, 8, stored=6) == {1, 2}
    unstored.has_stored(decision.pk, 8)
    assert unstored.take(decision.pk, 8, stored=8) == frozenset()


@pytest.mark.parametrize(("by_another", "members"), [(False, frozenset({1})), (True, None)])
def test_where_another_process_stored_ballots_all_are_taken(by_another: bool, members: frozenset[int] | None) -> None:
    scene = Scene()
    before = scene.revision
    if by_another:
        scene.vote("ada", Ash=5)
        scene.calculate()
    unstored = Unstored()
    unstored.begin(scene.decision.pk)
    unstored.take(scene.decision.pk, before, stored=0)
    unstored.has_stored(scene.decision.pk, before)
    unstored.add(scene.decision.pk, [1])
    # The counter alone tells of nothing that differs.
    assert unstored.take(scene.decision.pk, before + 1, stored=before + 1) == members


def test_what_is_dropped_begins_anew(decision: Decision) -> None:
    unstored = Unstored()
    unstored.begin(decision.pk)
    unstored.take(decision.pk, 5, stored=0)
    unstored.has_stored(decision.pk, 5)
    unstored.drop(decision.pk)
    unstored.begin(decision.pk)
    assert unstored.take(decision.pk, 6, stored=5) is None
