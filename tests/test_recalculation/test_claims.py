"""Claims: at most one run per community at a time, and none that stores after it lost its claim."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connection
from django.db.backends.signals import connection_created
from django.utils import timezone
from pytest_django import Settings

from democracy.models import CalculationClaim, Community
from democracy.recalculation import claims
from democracy.recalculation.claims import Claim, ClaimLost
from tests import factories, rules
from tests.recalculation import until

pytestmark = pytest.mark.django_db


@pytest.fixture
def community(db: None) -> Community:
    made, _ = factories.community()
    return made


def take(community: Community) -> Claim:
    claim = Claim.take(community.pk)
    assert claim is not None
    return claim


def expire(community: Community) -> None:
    """Let the lease run out, as it does when the holder's process dies."""
    CalculationClaim.objects.filter(community=community).update(expires_at=timezone.now() - timedelta(seconds=1))


def row(community: Community) -> CalculationClaim:
    return CalculationClaim.objects.get(community=community)


class TestTaking:
    def test_a_claimed_community_cannot_be_claimed_until_it_is_released(self, community: Community) -> None:
        claim = take(community)
        assert (Claim.take(community.pk), row(community).is_live) == (None, True)
        claim.release()
        assert not row(community).is_live
        assert take(community).fence == claim.fence + 1

    def test_one_that_its_holder_renewed_while_another_looked_is_not_taken(
        self, community: Community, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        claim = take(community)
        monkeypatch.setattr(claims, "_free_fence", lambda community_id, now: [claim.fence])
        assert Claim.take(community.pk) is None
        claim.hold()

    def test_claims_on_different_communities_do_not_meet(self, community: Community) -> None:
        other, _ = factories.community()
        take(community)
        take(other).release()
        assert (row(community).is_live, row(other).is_live) == (True, False)

    def test_it_is_free_from_the_moment_on_at_which_it_ends(
        self, community: Community, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = rules.Clock(monkeypatch)
        clock.advance(minutes=1)
        fence = take(community).fence
        clock.set(row(community).expires_at - timedelta(microseconds=1))
        assert Claim.take(community.pk) is None
        clock.advance(microseconds=1)
        assert take(community).fence == fence + 1

    def test_it_says_who_holds_it(self, community: Community) -> None:
        claim = take(community)
        assert row(community).holder.split(":")[1:] == [str(os.getpid()), str(threading.get_ident())]
        claim.release()
        assert row(community).holder == ""

    def test_a_lease_that_has_run_out_is_free_and_one_that_has_not_is_not(
        self, community: Community, settings: Settings
    ) -> None:
        before = timezone.now()
        first = take(community)
        lease = timedelta(seconds=settings.RECALCULATION_LEASE)
        assert before + lease <= row(community).expires_at <= timezone.now() + lease
        assert Claim.take(community.pk) is None
        expire(community)
        assert take(community).fence == first.fence + 1

    def test_the_fence_grows_with_every_claim(self, community: Community) -> None:
        fences = []
        for _ in range(5):
            claim = take(community)
            fences.append(claim.fence)
            claim.release()
        assert fences == [1, 2, 3, 4, 5]

    @pytest.mark.django_db(transaction=True)
    def test_of_many_who_take_at_once_one_gets_it(self, transactional_db: None, community: Community) -> None:
        for round_ in (1, 2, 3):
            ready = threading.Barrier(8)
            taken: list[int] = []

            def run(ready: threading.Barrier = ready, taken: list[int] = taken) -> None:
                try:
                    ready.wait()
                    claim = Claim.take(community.pk)
                    if claim is not None:
                        taken.append(claim.fence)
                finally:
                    connection.close()

            threads = [threading.Thread(target=run) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert taken == [round_]
            expire(community)


class TestHolding:
    def test_holding_renews_the_lease(self, community: Community) -> None:
        claim = take(community)
        expire(community)
        claim.hold()
        assert row(community).is_live
        assert Claim.take(community.pk) is None

    def test_whoever_was_replaced_can_neither_hold_nor_release(self, community: Community) -> None:
        old = take(community)
        expire(community)
        new = take(community)
        with pytest.raises(ClaimLost):
            old.hold()
        old.release()
        assert (row(community).is_live, row(community).fence) == (True, new.fence)
        new.hold()

    def test_whoever_released_and_was_not_replaced_lost_nothing(self, community: Community) -> None:
        claim = take(community)
        claim.release()
        claim.hold()
        assert row(community).is_live


@pytest.mark.django_db(transaction=True)
class TestKeepingAlive:
    def test_a_claim_is_renewed_beside_a_long_calculation_until_it_is_released(
        self, transactional_db: None, community: Community, settings: Settings
    ) -> None:
        settings.RECALCULATION_LEASE = 0.3
        claim = take(community)
        first = row(community).expires_at
        claim.keep_alive(60)
        until(lambda: row(community).expires_at > first + timedelta(seconds=0.5), "two renewals")
        claim.release()
        name = f"claim-{community.pk}"
        until(lambda: all(thread.name != name for thread in threading.enumerate()), "the renewing thread to end")
        expire(community)
        assert take(community).fence == claim.fence + 1

    def test_a_renewal_that_comes_after_the_release_does_not_undo_it(
        self, transactional_db: None, community: Community, settings: Settings
    ) -> None:
        settings.RECALCULATION_LEASE = 0.3
        claim = take(community)
        claim.release()
        late = Claim(community.pk, claim.fence)
        late.keep_alive(60)
        name = f"claim-{community.pk}"
        until(lambda: all(thread.name != name for thread in threading.enumerate()), "the renewing thread to end")
        assert not row(community).is_live

    def test_it_is_renewed_in_time(self, transactional_db: None, community: Community, settings: Settings) -> None:
        settings.RECALCULATION_LEASE = 1.5
        claim = take(community)
        leases = {row(community).expires_at}
        claim.keep_alive(60)

        def renewed() -> bool:
            now = row(community)
            assert now.is_live
            leases.add(now.expires_at)
            return len(leases) > 2

        until(renewed, "two renewals, each before the lease has run out")
        claim.release()

    def test_a_renewal_for_which_the_database_is_too_busy_is_followed_by_another(
        self, community: Community, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        claim = take(community)
        with monkeypatch.context() as busy:
            busy.setattr(Claim, "_mine", Mock(side_effect=OperationalError("database is locked")))
            assert claim._renew()
        assert claim._renew()
        claim.release()
        assert not claim._renew()

    def test_a_run_that_hangs_loses_its_claim(
        self, transactional_db: None, community: Community, settings: Settings
    ) -> None:
        settings.RECALCULATION_LEASE = 0.3
        claim = take(community)
        claim.keep_alive(0.2)
        until(lambda: not row(community).is_live, "the lease to run out")
        assert take(community).fence == claim.fence + 1
        with pytest.raises(ClaimLost):
            claim.hold()

    @pytest.mark.services("postgres")
    def test_a_renewal_over_a_connection_that_was_cut_is_followed_by_another(
        self, transactional_db: None, community: Community, settings: Settings
    ) -> None:
        settings.RECALCULATION_LEASE = 0.3
        claim = take(community)
        backends: list[int] = []

        def note(connection: Any, **kwargs: Any) -> None:
            if threading.current_thread().name == f"claim-{community.pk}":
                backends.append(connection.connection.info.backend_pid)

        connection_created.connect(note)
        try:
            claim.keep_alive(60)
            until(lambda: bool(backends), "the first renewal")
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", [backends[0]])
            expire(community)
            until(lambda: row(community).is_live, "another renewal")
        finally:
            connection_created.disconnect(note)
            claim.release()

    def test_renewing_stops_when_somebody_else_has_claimed_the_community(
        self, transactional_db: None, community: Community, settings: Settings
    ) -> None:
        settings.RECALCULATION_LEASE = 0.3
        old = take(community)
        old.keep_alive(60)
        CalculationClaim.objects.filter(community=community).update(fence=old.fence + 1)
        name = f"claim-{community.pk}"
        until(lambda: all(thread.name != name for thread in threading.enumerate()), "the renewing thread to end")
        until(lambda: not row(community).is_live, "the lease to run out")
