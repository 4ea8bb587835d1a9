"""Writers of one process take turns on SQLite, and nobody waits for a turn who must not."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from democracy.database.turns import turn
from tests.recalculation import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)


def in_another_thread(taken: threading.Event) -> threading.Thread:
    def take() -> None:
        with turn():
            taken.set()
        connection.close()

    thread = threading.Thread(target=take)
    thread.start()
    return thread


def test_one_waits_for_the_other_on_sqlite_and_on_no_other_database() -> None:
    taken = threading.Event()
    with turn():
        thread = in_another_thread(taken)
        has_turns = connection.vendor == "sqlite"
        assert taken.wait(0.2 if has_turns else PATIENCE) is not has_turns
    thread.join(PATIENCE)
    assert taken.is_set()


def test_what_a_turn_sets_off_may_write_in_it() -> None:
    with turn(), turn():
        pass


def test_a_transaction_that_has_begun_waits_for_nobody() -> None:
    """It holds the database's own lock: waiting for a turn as well, it and whoever has the turn would wait for ever."""
    begun, taken = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            begun.set()
            with turn():
                taken.set()
        connection.close()

    with turn():
        thread = threading.Thread(target=write)
        thread.start()
        assert begun.wait(PATIENCE)
        assert taken.wait(PATIENCE)
    thread.join(PATIENCE)
