"""A function is tried again where the database undid it and says that another try may succeed, and not otherwise."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError, connection, transaction

from democracy.database.retrying import retried
from democracy.models import Community
from tests import factories


class _Undone(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


class Flaky:
    """Fails so many times as the database would, then succeeds."""

    def __init__(self, failures: int, sqlstate: str = "40001") -> None:
        self.failures, self.sqlstate, self.calls = failures, sqlstate, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise OperationalError("undone") from _Undone(self.sqlstate)
        return "done"

    __name__ = "flaky"


@pytest.mark.django_db(transaction=True)
class TestTrying:
    @pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
    def test_again_until_it_succeeds(self, sqlstate: str) -> None:
        flaky = Flaky(2, sqlstate)
        assert (retried(flaky)(), flaky.calls) == ("done", 3)

    def test_not_for_ever(self) -> None:
        flaky = Flaky(100)
        with pytest.raises(OperationalError):
            retried(flaky)()
        assert flaky.calls == 4

    def test_not_where_the_transaction_may_have_been_committed(self) -> None:
        flaky = Flaky(1, "57P01")
        with pytest.raises(OperationalError):
            retried(flaky)()
        assert flaky.calls == 1

    def test_not_inside_somebody_elses_transaction(self) -> None:
        flaky = Flaky(1)
        with pytest.raises(OperationalError), transaction.atomic():
            retried(flaky)()
        assert flaky.calls == 1


@pytest.mark.services("postgres")
@pytest.mark.django_db(transaction=True)
def test_two_that_deadlock_both_succeed() -> None:
    ours, theirs = (factories.community()[0].pk for _ in range(2))
    meet, failed = threading.Barrier(2, timeout=20), []

    def both(first: int, second: int) -> None:
        met = False

        @retried
        def lock_one_then_the_other() -> None:
            nonlocal met
            with transaction.atomic():
                Community.objects.select_for_update().get(pk=first)
                if not met:
                    met = True
                    meet.wait()
                Community.objects.select_for_update().get(pk=second)

        try:
            lock_one_then_the_other()
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=both, args=order) for order in ((ours, theirs), (theirs, ours))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
