"""Requests that open pages make by themselves come after what people do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crowdvote.serving import memory, refreshes
from crowdvote.serving.memory import Leaving
from crowdvote.serving.refreshes import refreshes_last


class Work:
    """An application whose requests end when the test says so."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.over = asyncio.Event()
        self.application = refreshes_last(self._run)

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        self.running.append(scope["path"])
        await self.over.wait()

    def begin(self, path: str, *, is_refresh: bool, method: str = "GET") -> asyncio.Task[None]:
        headers = [(b"x-refresh", b"1")] if is_refresh else []
        scope = {"type": "http", "method": method, "path": path, "headers": headers}
        return asyncio.ensure_future(self.application(scope, None, None))  # type: ignore[arg-type]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_two_refreshes_run_at_a_time_and_everything_else_at_once() -> None:
    work = Work()
    tasks = [work.begin(f"/panel/{number}", is_refresh=True) for number in range(4)]
    tasks += [work.begin("/vote", is_refresh=True, method="POST"), work.begin("/page", is_refresh=False)]
    await settle()
    assert work.running == ["/panel/0", "/panel/1", "/vote", "/page"]
    work.over.set()
    await asyncio.gather(*tasks)
    assert work.running[4:] == ["/panel/2", "/panel/3"]


async def test_a_refresh_that_takes_too_long_makes_room_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshes, "_PATIENCE", 0.0)
    work = Work()
    tasks = [work.begin(f"/panel/{number}", is_refresh=True) for number in range(3)]
    await asyncio.sleep(0.01)
    await settle()
    assert work.running == ["/panel/0", "/panel/1", "/panel/2"]
    monkeypatch.setattr(refreshes, "_PATIENCE", 60.0)
    work.over.set()
    await asyncio.gather(*tasks)
    work.over.clear()
    later = [work.begin(f"/panel/{number}", is_refresh=True) for number in range(3, 6)]
    await settle()
    assert work.running[3:] == ["/panel/3", "/panel/4"]
    work.over.set()
    await asyncio.gather(*later)


async def test_memory_is_given_back_once_a_crowd_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_WAIT", 0.0)
    given_back = asyncio.Event()
    loop = asyncio.get_running_loop()
    leaving = Leaving()
    give_back = leaving.give_back

    def noticed() -> None:
        give_back()
        loop.call_soon_threadsafe(given_back.set)

    monkeypatch.setattr(leaving, "give_back", noticed)
    for _ in range(memory._CROWD - 1):
        leaving.one_left()
    await settle()
    assert (given_back.is_set(), leaving._gone) == (False, memory._CROWD - 1)
    leaving.one_left()
    await asyncio.wait_for(given_back.wait(), 10)
    assert leaving._gone == 0
