"""Staleness: how long the decision that waits longest for its result has waited."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from democracy.ledger import staleness
from democracy.models import Decision, LedgerEntry
from democracy.recalculation import recalculate_community
from democracy.recalculation.claims import Claim
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import StageBallots, forget_everything
from democracy.recalculation.storing import record_failure, store
from tests import factories, rules
from tests.test_ledger.test_staleness_of_kinds import Scene, scene, written

__all__ = ["scene", "written"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_waits(scene: Scene) -> None:
    forget_everything()
    for decision in scene.decisions.values():
        recalculate_community(decision.community_id)
    assert staleness.staleness(timezone.now()) == timedelta()


def after(seconds: float) -> float:
    return staleness.staleness(timezone.now() + timedelta(seconds=seconds)).total_seconds()


def test_it_grows_from_the_first_change_that_is_not_calculated(scene: Scene) -> None:
    factories.vote(scene["ada"], scene.decisions["first"], Ash=1)
    since = LedgerEntry.objects.get(community=scene.community, revision=rules.revision(scene.community)).time
    factories.vote(scene["ada"], scene.decisions["first"], Ash=2)
    factories.vote(scene["ada"], scene.decisions["second"], Ash=2)
    assert staleness.staleness(since + timedelta(seconds=60)) == timedelta(seconds=60)
    recalculate_community(scene.community.pk)
    assert after(60) == 0


def test_older_changes_that_did_not_affect_a_decision_do_not_age_it(scene: Scene) -> None:
    factories.vote(scene["ada"], scene.decisions["second"], Ash=1)
    recalculate_community(scene.community.pk)
    LedgerEntry.objects.update(time=timezone.now() - timedelta(days=3))
    factories.vote(scene["ada"], scene.decisions["first"], Ash=1)
    assert after(0) < 3_600


def test_a_change_during_the_calculation_begins_a_new_wait(scene: Scene) -> None:
    first = scene.decisions["first"]
    factories.vote(scene["ada"], first, Ash=1)
    Decision.objects.update(stale_since=timezone.now() - timedelta(days=3))
    claim = Claim.take(scene.community.pk)
    live = [decision.pk for decision in staleness.live_decisions(scene.community.pk, timezone.now())]
    ((_, staged),) = StageBallots(scene.community.pk).process([first.pk], live=live)
    factories.vote(scene["ada"], first, Ash=2)
    first.refresh_from_db()
    assert store(first, staged, Tally().process(staged), claim) is not None
    first.refresh_from_db()
    assert first.is_stale
    assert after(0) < 3_600
    claim.release()
    recalculate_community(scene.community.pk)
    assert Decision.objects.get(pk=first.pk).stale_since is None


def test_one_that_fails_to_be_calculated_goes_on_waiting(scene: Scene) -> None:
    factories.vote(scene["ada"], scene.decisions["first"], Ash=1)
    first = Decision.objects.get(pk=scene.decisions["first"].pk)
    record_failure(first, first.input_revision, "failed")
    assert after(60) >= 60


def test_after_closing_it_is_the_final_result_that_is_waited_for(scene: Scene) -> None:
    closed = factories.close(scene.decisions["first"], timezone.now() - timedelta(seconds=100))
    assert 100 <= after(0) < 160
    recalculate_community(closed.community_id)
    assert after(0) == 0


def test_of_several_the_longest_wait_counts_and_none_is_less_than_nothing(scene: Scene) -> None:
    now = timezone.now()
    for name, hours in (("first", 2), ("second", 5), ("scheduled", -1)):
        Decision.objects.filter(pk=scene.decisions[name].pk).update(
            input_revision=10**6, stale_since=now - timedelta(hours=hours)
        )
    assert staleness.staleness(now) == timedelta(hours=5)
    assert staleness.staleness(now - timedelta(days=1)) == timedelta()
    factories.close(scene.decisions["second"], now - timedelta(hours=8))
    assert staleness.staleness(now) == timedelta(hours=8)


def test_drafts_wait_for_nothing(scene: Scene) -> None:
    factories.draft(scene.community, scene["manager"].user)
    assert after(60) == 0
