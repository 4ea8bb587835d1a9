"""One clock decides: the database's, however the clocks of the machines differ."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from democracy import ledger
from democracy.database import clock
from democracy.models import DecisionSnapshot
from democracy.recalculation import recalculate_community
from democracy.recalculation.staging import forget_everything
from tests import factories

pytestmark = pytest.mark.django_db


def test_it_is_the_time() -> None:
    before = timezone.now()
    assert before - timedelta(seconds=5) < clock.now() < timezone.now() + timedelta(seconds=5)


def test_it_goes_on_within_a_transaction() -> None:
    with ledger.recording(factories.community()[0].pk):
        assert clock.now() < clock.now()


@pytest.mark.services("postgres")
def test_a_machine_whose_clock_is_ahead_neither_dates_nor_closes_ahead_of_time(monkeypatch) -> None:
    forget_everything()
    community, members = factories.community("ada")
    decision = factories.decision(community, members["manager"].user)
    assert connection.vendor == "postgresql"
    real_time = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real_time() + timedelta(days=365))
    factories.vote(members["ada"], decision, Ash=5)
    assert recalculate_community(community.pk)
    with ledger.recording(community.pk) as recording:
        assert recording.time < real_time() + timedelta(minutes=1)
    assert not DecisionSnapshot.objects.get(decision=decision).is_final
