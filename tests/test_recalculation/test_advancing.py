"""Advancing: decisions of which a change moves no ballot are stored together, as if each were by itself."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from democracy.live.hub import hub
from democracy.models import CalculationClaim, Decision, DecisionSnapshot
from democracy.recalculation import advancing, recalculate_community, runs
from democracy.recalculation.claims import Claim, ClaimLost
from democracy.recalculation.staging import StageBallots
from tests import factories, rules
from tests.towns import Town

pytestmark = pytest.mark.django_db

Visibility = Decision.Visibility


@pytest.fixture
def decisions(town: Town) -> list[Decision]:
    """Five decisions that are current: three that show their ballots, two that hide them."""
    shown = [town.decision, *(factories.decision(town.community, town.manager) for _ in range(2))]
    hidden = [
        factories.decision(town.community, town.manager, results_visibility=visibility)
        for visibility in (Visibility.BATCHED, Visibility.AFTER_CLOSE)
    ]
    for decision in (*shown, *hidden):
        factories.vote(town.ada, decision, Ash=5)
    recalculate_community(town.community.pk)
    return [*shown, *hidden]


def counters(decisions: list[Decision]) -> list[tuple[int, int, bool]]:
    """(input revision, calculated revision, whether the time of staleness is known) of each."""
    rows = Decision.objects.in_bulk([one.pk for one in decisions])
    found = [rows[one.pk] for one in decisions]
    return [(row.input_revision, row.calculated_revision, row.stale_since is not None) for row in found]


def results(decision: Decision) -> list[tuple[int, int]]:
    """(revision, eligible voters) of each result, oldest first."""
    rows = DecisionSnapshot.objects.filter(decision=decision).order_by("revision")
    return [(row.revision, row.result["participation"]["eligible"]) for row in rows]


def statements(town: Town, what: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        recalculate_community(town.community.pk)
    return sum(what in query["sql"] for query in queries)


def test_a_join_advances_every_decision_and_shows_whom_it_makes_eligible(
    town: Town, bystander: Town, decisions: list[Decision]
) -> None:
    before = {one.pk: results(one) for one in decisions}
    factories.join(town.community, factories.person())
    # One for those that show their ballots, one for those that hide them.
    assert statements(town, 'SET "calculated_revision"') == 2
    revision = rules.revision(town.community)
    assert counters(decisions) == [(revision, revision, False)] * 5
    for one in decisions[:3]:
        assert results(one) == [*before[one.pk], (revision, 6)]
    for one in decisions[3:]:
        assert results(one) == before[one.pk]


def test_a_join_takes_no_more_statements_for_more_decisions(town: Town, decisions: list[Decision]) -> None:
    def asked() -> int:
        factories.join(town.community, factories.person())
        return statements(town, " ")

    few = asked()
    for _ in range(5):
        factories.vote(town.ada, factories.decision(town.community, town.manager), Ash=5)
    recalculate_community(town.community.pk)
    assert asked() == few


def test_whoever_watches_is_told_of_each_new_result(
    town: Town, decisions: list[Decision], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[str] = []
    monkeypatch.setattr(hub, "publish", lambda topic, value: told.append(topic))
    factories.join(town.community, factories.person())
    with django_capture_on_commit_callbacks(execute=True):
        recalculate_community(town.community.pk)
    assert sorted(topic for topic in told if topic.startswith("result:")) == sorted(
        f"result:{one.pk}" for one in decisions[:3]
    )


def test_one_that_closes_meanwhile_keeps_nothing_back_but_itself(
    town: Town, decisions: list[Decision], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counters(decisions)
    factories.join(town.community, factories.person())
    together = advancing.stored_together

    def closing(some: list[advancing.Counted], claim: Claim) -> bool:
        Decision.objects.filter(pk=decisions[0].pk).update(closes_at=timezone.now())
        return together(some, claim)

    monkeypatch.setattr(runs, "stored_together", closing)
    monkeypatch.setattr(StageBallots, "final", lambda decision: 1 / 0)
    recalculate_community(town.community.pk)
    revision = rules.revision(town.community)
    assert counters(decisions)[1:] == [(revision, revision, False)] * 4
    assert counters(decisions)[0][1] == before[0][1]


def test_without_its_claim_a_run_advances_nothing(
    town: Town, decisions: list[Decision], monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.join(town.community, factories.person())
    before = counters(decisions), [results(one) for one in decisions]
    together = advancing.stored_together

    def overtaken(some: list[advancing.Counted], claim: Claim) -> bool:
        CalculationClaim.objects.filter(community=town.community).update(fence=claim.fence + 1)
        with pytest.raises(ClaimLost):
            together(some, claim)
        raise ClaimLost("another run")

    monkeypatch.setattr(runs, "stored_together", overtaken)
    recalculate_community(town.community.pk)
    assert (counters(decisions), [results(one) for one in decisions]) == before


def test_an_older_calculation_of_all_of_them_stores_nothing(
    town: Town, decisions: list[Decision], monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.join(town.community, factories.person())
    together = advancing.stored_together
    newer = rules.revision(town.community) + 1

    def late(some: list[advancing.Counted], claim: Claim) -> bool:
        ids = [one.decision.pk for one in some]
        Decision.objects.filter(pk__in=ids).update(calculated_revision=newer, input_revision=newer)
        return together(some, claim)

    monkeypatch.setattr(runs, "stored_together", late)
    before = [results(one) for one in decisions]
    recalculate_community(town.community.pk)
    assert [results(one) for one in decisions] == before
    assert {calculated for _, calculated, _ in counters(decisions)} == {newer}
