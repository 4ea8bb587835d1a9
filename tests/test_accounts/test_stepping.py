"""The event loop of an operation: what blocks is done in its own thread, once nothing else can go on."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.stepping import SteppingLoop, blocking


class Reading:
    """Blocking work that remembers when and where it was done."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.threads: set[int] = set()
        self.was_in_loop: set[bool] = set()

    def __call__(self, what: Any) -> Any:
        self.done.append(what)
        self.threads.add(threading.get_ident())
        try:
            asyncio.get_running_loop()
            self.was_in_loop.add(True)
        except RuntimeError:
            self.was_in_loop.add(False)
        return what


@pytest.fixture
def reading() -> Reading:
    return Reading()


def test_blocking_work_is_done_in_the_loops_own_thread_while_the_loop_stands(reading: Reading) -> None:
    async def work() -> list[Any]:
        return [await blocking(reading, "a"), await sync_to_async(reading)("b"), await asyncio.to_thread(reading, "c")]

    assert SteppingLoop().run(work()) == ["a", "b", "c"]
    assert (reading.threads, reading.was_in_loop) == ({threading.get_ident()}, {False})


def test_it_waits_until_nothing_else_can_go_on(reading: Reading) -> None:
    async def read_after(steps: int) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        reading.done.append(f"wanted {steps}")
        await blocking(reading, steps)

    async def work() -> None:
        await asyncio.gather(*map(read_after, (5, 0, 3)))

    SteppingLoop().run(work())
    assert reading.done == ["wanted 0", "wanted 3", "wanted 5", 0, 3, 5]


def test_an_error_of_blocking_work_reaches_whoever_wanted_it_and_nobody_else(reading: Reading) -> None:
    def fail() -> None:
        raise LookupError("nothing there")

    async def work() -> tuple[Any, Any]:
        return await asyncio.gather(blocking(fail), blocking(reading, "other"), return_exceptions=True)

    error, other = SteppingLoop().run(work())
    assert (type(error), str(error), other) == (LookupError, "nothing there", "other")


def test_what_was_given_up_is_not_begun(reading: Reading) -> None:
    async def work() -> str:
        given_up = asyncio.ensure_future(blocking(reading, "given up"))
        await asyncio.sleep(0)
        given_up.cancel()
        return await blocking(reading, "wanted")

    assert SteppingLoop().run(work()) == "wanted"
    assert reading.done == ["wanted"]


def test_what_the_work_leaves_behind_ends_with_it(reading: Reading) -> None:
    ended: list[Any] = []

    async def left_behind() -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            ended.append("left behind")

    async def work() -> None:
        ended.append(asyncio.ensure_future(left_behind()))
        await asyncio.sleep(0)
        raise LookupError("the work's own")

    loop = SteppingLoop()
    with pytest.raises(LookupError, match="the work's own"):
        loop.run(work())
    task, *others = ended
    assert (task.cancelled(), others, loop.is_closed()) == (True, ["left behind"], True)


def test_a_timeout_ends_work_that_waits(reading: Reading) -> None:
    async def work() -> None:
        async with asyncio.timeout(0):
            await blocking(reading, "never")

    with pytest.raises(TimeoutError):
        SteppingLoop().run(work())
    assert reading.done == []


async def test_elsewhere_blocking_work_is_done_in_another_thread(reading: Reading) -> None:
    assert await blocking(reading, "a") == "a"
    assert reading.was_in_loop == {False}
