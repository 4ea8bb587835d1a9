"""Writers take turns: whoever waits is next, however often another writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from democracy.database import turns
from democracy.database.turns import together, turn
from tests.lines import let_go_together

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


class Writers:
    """Threads that wait for the turn of another, to write together; `outcomes` by name: value or error."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Any] = {}
        self.by_thread: dict[str, int] = {}
        self.finished = 0

    def run(self, **functions: Callable[[], Any]) -> None:
        threads = [threading.Thread(target=self._write, args=one, daemon=True) for one in functions.items()]
        let_go_together(threads)
        assert not turns._line._is_taken

    def _write(self, name: str, function: Callable[[], Any]) -> None:
        _who.set(name)

        def whole() -> Any:
            assert _who.get() == name
            self.by_thread[name] = threading.get_ident()
            with transaction.atomic():
                User.objects.create(handle=name, name=name)
                return function()

        try:
            self.outcomes[name] = together(whole, before_commit=self._finish)
        except Exception as error:
            self.outcomes[name] = type(error)
        finally:
            connection.close()

    def _finish(self) -> None:
        self.finished += 1


_who: ContextVar[str] = ContextVar("who")


def _written() -> list[str]:
    return sorted(User.objects.values_list("handle", flat=True))


def test_those_who_wait_to_write_together_do_so_in_one_transaction_and_each_gets_their_own_answer() -> None:
    told: list[tuple[str, list[str]]] = []

    def telling(name: str) -> str:
        transaction.on_commit(lambda: told.append((name, _written())))
        return f"{name}'s"

    writers = Writers()
    writers.run(**{name: lambda name=name: telling(name) for name in ("ada", "ben", "cleo")})
    assert writers.outcomes == {name: f"{name}'s" for name in ("ada", "ben", "cleo")}
    # Nobody is told before all of them are committed.
    assert told == [(name, ["ada", "ben", "cleo"]) for name in ("ada", "ben", "cleo")]
    assert (len(set(writers.by_thread.values())), writers.finished) == (1, 1)


def test_what_one_of_them_fails_at_is_undone_alone() -> None:
    def refused() -> None:
        transaction.on_commit(lambda: pytest.fail("told of what was undone"))
        raise ValueError

    writers = Writers()
    writers.run(ada=lambda: 1, ben=refused, cleo=lambda: 3)
    assert writers.outcomes == {"ada": 1, "ben": ValueError, "cleo": 3}
    assert _written() == ["ada", "cleo"]


def test_where_the_transaction_itself_is_lost_each_writes_by_itself() -> None:
    def losing() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")

    writers = Writers()
    writers.run(ada=lambda: 1, ben=losing, cleo=lambda: 3)
    assert writers.outcomes == {"ada": 1, "ben": None, "cleo": 3}
    assert _written() == ["ada", "cleo"]
    # Begun together, then each again in its own thread.
    assert (len(set(writers.by_thread.values())), writers.finished) == (3, 0)


def test_nobody_is_answered_for_a_transaction_that_does_not_commit() -> None:
    class Failing(Writers):
        def _finish(self) -> None:
            super()._finish()
            assert _written() == ["ada", "ben"]
            raise OSError

    writers = Failing()
    writers.run(ada=lambda: 1, ben=lambda: 2)
    assert (writers.outcomes, _written()) == ({"ada": 1, "ben": 2}, ["ada", "ben"])
    assert (len(set(writers.by_thread.values())), writers.finished) == (2, 1)


def test_those_who_write_alone_wait_for_those_who_write_together_and_keep_their_place() -> None:
    order: list[str] = []
    writers = Writers()
    alone = threading.Thread(target=_write, args=(order, "alone"), daemon=True)
    with turn():
        alone.start()
        while not turns._line._waiting:
            time.sleep(0.001)
        late = threading.Thread(target=writers._write, args=("ada", lambda: order.append("ada")), daemon=True)
        late.start()
        while len(turns._line._waiting) < 2:
            time.sleep(0.001)
    for thread in (alone, late):
        thread.join(20)
    assert order == ["alone", "ada"]


def test_in_a_transaction_or_a_turn_that_has_begun_nothing_is_waited_for() -> None:
    with turn():
        assert together(lambda: "in a turn", before_commit=pytest.fail) == "in a turn"
    with transaction.atomic():
        assert together(lambda: "in a transaction", before_commit=pytest.fail) == "in a transaction"
    assert together(lambda: "alone", before_commit=pytest.fail) == "alone"


def test_somebody_stopped_after_the_commit_has_everybody_answered_all_the_same() -> None:
    class Stopped(BaseException):
        """As when a program is interrupted."""

    def stopping() -> None:
        def stop() -> None:
            raise Stopped

        transaction.on_commit(stop)

    class Writing(Writers):
        def _write(self, name: str, function: Callable[[], Any]) -> None:
            with suppress(Stopped):
                super()._write(name, function)

    writers = Writing()
    writers.run(ada=stopping, ben=lambda: 2, cleo=lambda: 3)
    assert (writers.outcomes, _written()) == ({"ben": 2, "cleo": 3}, ["ada", "ben", "cleo"])
