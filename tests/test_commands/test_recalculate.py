"""Calculating in the foreground."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management.base import CommandError
from django.utils import timezone

from democracy import ledger
from democracy.models import CalculationClaim, Decision, DecisionSnapshot, LedgerEntry
from democracy.recalculation.claims import Claim
from tests import factories
from tests.factories import close, vote
from tests.rules import entries
from tests.test_commands.running import refused, run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def town():
    made, members = factories.community("ann", name="Town")
    one = factories.decision(made, members["manager"].user, title="Trees")
    vote(members["ann"], one, Ash=5)
    return made, members, one


def status(of: Decision) -> str:
    return Decision.objects.get(pk=of.pk).calculation_status


def test_what_is_stale_is_current_afterwards_and_it_says_so(town):
    made, _, one = town
    assert status(one) == "stale"
    lines = run("recalculate")
    assert status(one) == "current"
    assert (
        lines[0] == f"decision {one.pk} “Trees”: current at revision {made.__class__.objects.get(pk=made.pk).revision}"
    )
    assert lines[1].startswith(f"community {made.pk} “Town”: 1 calculated in ")
    assert run("recalculate", "--all") == [f"community {made.pk} “Town”: was current"]


def test_one_community_or_decision_can_be_named_and_the_others_stay_as_they_are(town):
    _, _, one = town
    other, others = factories.community("bob", name="Other")
    second = factories.decision(other, others["manager"].user)
    vote(others["bob"], second, Ash=5)
    run("recalculate", "--decision", one.pk)
    assert (status(one), status(second)) == ("current", "stale")
    run("recalculate", "--community", other.pk)
    assert status(second) == "current"


def test_a_closed_decision_gets_its_final_result(town):
    _, _, one = town
    close(one)
    run("recalculate")
    assert DecisionSnapshot.objects.get(decision=one).is_final


def test_from_scratch_calculates_what_is_current_and_gives_the_same(town):
    made, _, one = town
    run("recalculate")
    before = DecisionSnapshot.objects.values_list("pk", "result").get(decision=one)
    revision = Decision.objects.get(pk=one.pk).calculated_revision
    run("recalculate", "--decision", one.pk, "--from-scratch")
    assert Decision.objects.get(pk=one.pk).calculated_revision == revision + 1
    assert DecisionSnapshot.objects.values_list("pk", "result").get(decision=one) == before
    assert [entry.kind for entry in entries(made, after=revision)] == [LedgerEntry.Kind.RECALCULATION]
    assert list(ledger.faults(made.__class__.objects.get(pk=made.pk))) == []


def test_from_scratch_of_a_community_without_live_decisions_writes_nothing(town):
    made, _, one = town
    close(one)
    run("recalculate")
    before = entries(made)
    run("recalculate", "--community", made.pk, "--from-scratch")
    assert entries(made) == before


def test_a_final_result_is_never_calculated_again(town):
    _, _, one = town
    close(one)
    run("recalculate")
    with refused(f"Decision {one.pk} is closed: its result is final."):
        run("recalculate", "--decision", one.pk, "--from-scratch")


def test_a_failure_is_told_and_fails_the_command_and_the_next_try_heals_it(town, monkeypatch):
    _, _, one = town

    def broken(*args: object, **kwargs: object) -> None:
        raise ArithmeticError("no numbers today")

    with monkeypatch.context() as patch:
        patch.setattr("democracy.recalculation.staging.Calculation.from_scratch", broken)
        with pytest.raises(CommandError, match=r"1 calculation failed\."):
            run("recalculate")
    assert status(one) == "failed"
    run("recalculate")
    assert status(one) == "current"


def test_another_process_s_run_is_waited_for_and_in_the_end_reported(town):
    made, _, one = town
    claim = Claim.take(made.pk)
    CalculationClaim.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    with refused("Another process has been calculating"):
        run("recalculate", "--patience", "0.2")
    claim.release()
    run("recalculate", "--patience", "0.2")
    assert status(one) == "current"


def test_what_does_not_exist_is_refused(town):
    made, members, _ = town
    draft = factories.draft(made, members["manager"].user)
    for arguments, message in (
        (("--decision", 0), "There is no decision 0."),
        (("--community", 0), "There is no community 0."),
        (("--decision", draft.pk), "is a draft"),
        (("--decision", draft.pk, "--all"), "not allowed with"),
    ):
        with refused(message):
            run("recalculate", *arguments)
