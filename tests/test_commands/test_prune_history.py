"""History is kept for a settable time: old days keep their last interim result, nothing else is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from democracy.models import Decision, DecisionSnapshot, LedgerEntry
from democracy.recalculation import Scheduler, pruning
from democracy.recalculation.executors import Threads
from tests import factories
from tests.recalculation import until
from tests.test_commands.running import refused, run

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture
def decision() -> Decision:
    community, members = factories.community()
    return factories.decision(community, members["manager"].user)


def snapshot(of: Decision, revision: int, *, days: int, hours: int = 0, final: bool = False) -> int:
    """Store a result of so many days and hours before noon today."""
    at = NOW - timedelta(days=days, hours=hours)
    row = DecisionSnapshot.objects.create(
        decision=of, revision=revision, calculated_at=at, is_final=final, result={"winner": None}
    )
    return row.revision


def kept(of: Decision) -> list[tuple[int, bool]]:
    rows = DecisionSnapshot.objects.filter(decision=of).order_by("revision", "is_final")
    return list(rows.values_list("revision", "is_final"))


def test_old_days_keep_their_last_interim_result_and_young_days_all(decision):
    snapshot(decision, 1, days=9, hours=5)
    snapshot(decision, 2, days=9, hours=1)
    snapshot(decision, 3, days=8, hours=11)
    snapshot(decision, 4, days=8, hours=3)
    snapshot(decision, 5, days=8)
    snapshot(decision, 6, days=7, hours=2)
    snapshot(decision, 7, days=7)
    snapshot(decision, 8, days=0)
    assert run("prune_history", "--days", 7) == ["3 interim results deleted"]
    assert kept(decision) == [(2, False), (5, False), (6, False), (7, False), (8, False)]
    assert run("prune_history", "--days", 7) == ["0 interim results deleted"]


def test_the_newest_interim_result_stays_however_old_and_other_decisions_count_for_themselves(decision):
    other = factories.decision(decision.community, decision.community.memberships.get().user)
    snapshot(decision, 1, days=90, hours=1)
    snapshot(decision, 2, days=90)
    snapshot(other, 3, days=90)
    assert run("prune_history", "--days", 1) == ["1 interim result deleted"]
    assert (kept(decision), kept(other)) == ([(2, False)], [(3, False)])


def test_final_results_stay_beside_the_last_interim_one_and_the_ledger_is_left_alone(decision):
    snapshot(decision, 1, days=40, hours=2)
    snapshot(decision, 2, days=40, hours=1)
    snapshot(decision, 2, days=40, final=True)
    entries = LedgerEntry.objects.count()
    run("prune_history", "--days", 30)
    assert kept(decision) == [(2, False), (2, True)]
    assert LedgerEntry.objects.count() == entries


def test_more_than_one_batch_is_deleted(decision, monkeypatch):
    monkeypatch.setattr(pruning, "_BATCH", 2)
    for revision in range(1, 8):
        snapshot(decision, revision, days=5, hours=8 - revision)
    assert run("prune_history", "--days", 2) == ["6 interim results deleted"]
    assert kept(decision) == [(7, False)]


def test_the_setting_says_how_many_days_and_without_it_all_is_kept(decision, settings):
    snapshot(decision, 1, days=5, hours=1)
    snapshot(decision, 2, days=5)
    with refused("CROWDVOTE_HISTORY_DAYS is not set"):
        run("prune_history")
    with refused("at least 1"):
        run("prune_history", "--days", 0)
    settings.HISTORY_DAYS = 4
    assert run("prune_history") == ["1 interim result deleted"]


def test_a_server_prunes_at_most_once_an_hour_and_only_where_it_is_told_to(decision, settings, monkeypatch):
    monkeypatch.setattr(pruning, "_next", 0.0)
    snapshot(decision, 1, days=5, hours=2)
    snapshot(decision, 2, days=5, hours=1)
    assert pruning.prune_history_if_due() == 0
    settings.HISTORY_DAYS = 2
    assert pruning.prune_history_if_due() == 1
    snapshot(decision, 3, days=5)
    assert pruning.prune_history_if_due() == 0
    assert kept(decision) == [(2, False), (3, False)]


def test_a_server_prunes_a_batch_at_a_time_and_goes_on_at_its_next_look(decision, settings, monkeypatch):
    monkeypatch.setattr(pruning, "_next", 0.0)
    monkeypatch.setattr(pruning, "_BATCH", 2)
    settings.HISTORY_DAYS = 2
    for revision in range(1, 7):
        snapshot(decision, revision, days=5, hours=8 - revision)
    assert [pruning.prune_history_if_due() for _ in range(4)] == [2, 2, 1, 0]
    assert kept(decision) == [(6, False)]


@pytest.mark.django_db(transaction=True)
def test_the_sweep_prunes(decision, settings, monkeypatch):
    monkeypatch.setattr(pruning, "_next", 0.0)
    settings.HISTORY_DAYS = 2
    snapshot(decision, 1, days=5, hours=1)
    snapshot(decision, 2, days=5)
    scheduler = Scheduler()
    scheduler.start(Threads())
    try:
        until(lambda: kept(decision) == [(2, False)], "the older result to go")
    finally:
        scheduler.stop()
