"""Things kept for many viewers: as long as it is true, and made once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from democracy.live.hub import hub
from democracy.live.shared import Made, Shared

pytestmark = pytest.mark.django_db(transaction=True)


class Panels:
    """Panels that are numbered as they are made."""

    def __init__(self) -> None:
        self.shared, self.number = Shared(most=2), 0

    def make(self, seconds: float = 60) -> Made[int]:
        mark = hub.mark("result:1")
        self.number += 1
        return Made(self.number, mark, timezone.now() + timedelta(seconds=seconds))

    def get(self, key: str = "a", **more: float) -> int:
        return self.shared.get(key, lambda: self.make(**more))


@pytest.fixture
def panels() -> Iterator[Panels]:
    panels = Panels()
    yield panels
    panels.shared.forget_all()


def test_a_thing_is_made_once_until_a_change_of_it_is_told(panels: Panels) -> None:
    assert [panels.get(), panels.get(), panels.shared.known("a")] == [1, 1, 1]
    hub.publish("result:2", None)
    assert panels.get() == 1
    hub.publish("result:1", None)
    assert (panels.shared.known("a"), panels.shared.is_over("a"), panels.get()) == (None, False, 2)


def test_a_thing_is_made_anew_when_its_time_is_over(panels: Panels) -> None:
    assert [panels.get(seconds=0), panels.shared.is_over("a"), panels.get(seconds=0)] == [1, True, 2]


def test_a_change_that_is_told_while_a_thing_is_made_makes_it_untrue(panels: Panels) -> None:
    def make() -> Made[int]:
        made = panels.make()
        hub.publish("result:1", None)
        return made

    assert [panels.shared.get("a", make), panels.get()] == [1, 2]


def test_those_asked_for_least_lately_are_forgotten_and_their_topics_with_them(panels: Panels) -> None:
    for key in "aba":
        panels.get(key)
    panels.get("c")
    assert {key: panels.shared.known(key) for key in "abc"} == {"a": 1, "b": None, "c": 3}
    panels.shared.forget_all()
    assert hub.topics("result:") == []


def test_a_transaction_sees_its_own_and_keeps_nothing(panels: Panels) -> None:
    with transaction.atomic():
        assert [panels.get(), panels.get()] == [1, 2]
    assert (panels.shared.known("a"), hub.topics("result:")) == (None, [])


def test_threads_that_ask_together_get_what_one_of_them_makes(panels: Panels) -> None:
    found: list[int] = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        found.append(panels.get())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8


async def test_streams_that_wait_together_get_what_one_of_them_has_made(panels: Panels) -> None:
    assert await asyncio.gather(*[panels.shared.wait_for("a", panels.make) for _ in range(8)]) == [1] * 8
    hub.publish("result:1", None)
    assert await asyncio.gather(*[panels.shared.wait_for("a", panels.make) for _ in range(8)]) == [2] * 8


async def test_a_failure_reaches_all_who_wait_and_the_next_one_tries_again(panels: Panels) -> None:
    def fail() -> Made[int]:
        raise ValueError("the database is away")

    failures = await asyncio.gather(*[panels.shared.wait_for("a", fail) for _ in range(3)], return_exceptions=True)
    assert [str(failure) for failure in failures] == ["the database is away"] * 3
    assert await panels.shared.wait_for("a", panels.make) == 1
