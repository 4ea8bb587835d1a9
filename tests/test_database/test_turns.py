"""Writers take turns: whoever waits is next, however often another writes."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection

from democracy.database import turns
from democracy.database.turns import turn

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases have many writers"),
    pytest.mark.django_db(transaction=True),
]


def test_turns_are_taken_in_the_order_in_which_they_were_asked_for_also_by_whoever_had_the_last() -> None:
    order: list[str] = []
    writers = [threading.Thread(target=_write, args=(order, name), daemon=True) for name in ("first", "second")]
    with turn():
        for number, writer in enumerate(writers, start=1):
            writer.start()
            while len(turns._line._waiting) < number:
                time.sleep(0.001)
    _write(order, "again")
    for writer in writers:
        writer.join(20)
    assert order == ["first", "second", "again"]


def _write(order: list[str], name: str) -> None:
    with turn():
        order.append(name)


def test_a_turn_within_a_turn_is_the_same() -> None:
    with turn(), turn():
        pass
    order: list[str] = []
    other = threading.Thread(target=_write, args=(order, "other"), daemon=True)
    other.start()
    other.join(20)
    assert order == ["other"]
