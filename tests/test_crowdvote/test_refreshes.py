"""Requests that open pages make by themselves come after what people do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from crowdvote.serving import memory, refreshes
from crowdvote.serving.memory import Leaving
from crowdvote.serving.refreshes import refreshes_last
from crowdvote.serving.streams import Message


class Browser:
    """A client: what it sends, each message once, and then nothing until it leaves."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.sent.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    def leave(self) -> None:
        self.sent.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> Message:
        return await self.sent.get()


class Work:
    """An application whose requests end when the test says so, or when their clients leave."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.heard: dict[str, list[str]] = {}
        self.over = asyncio.Event()
        self.application = refreshes_last(self._run)

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        self.running.append(scope["path"])
        self.heard[scope["path"]] = heard = []
        heard.append((await receive())["type"])
        left = asyncio.ensure_future(receive())
        over = asyncio.ensure_future(self.over.wait())
        await asyncio.wait({left, over}, return_when=asyncio.FIRST_COMPLETED)
        if left.done():
            heard.append(left.result()["type"])
        left.cancel()
        over.cancel()

    def begin(
        self,
        path: str,
        *,
        is_refresh: bool,
        method: str = "GET",
        accept: bytes = b"text/html",
        browser: Browser | None = None,
    ) -> asyncio.Task[None]:
        headers = [(b"accept", accept), *([(b"x-refresh", b"1")] if is_refresh else [])]
        scope = {"type": "http", "method": method, "path": path, "headers": headers}
        receive = (browser or Browser()).receive
        return asyncio.ensure_future(self.application(scope, receive, None))  # type: ignore[arg-type]

    async def end(self, *tasks: asyncio.Task[None]) -> None:
        self.over.set()
        await asyncio.gather(*tasks)
        self.over.clear()


async def settle() -> None:
    for _ in range(20):
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


async def test_whoever_waits_goes_on_without_a_place_before_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshes, "_LONGEST_WAIT", 0.0)
    work = Work()
    tasks = [work.begin(f"/panel/{number}", is_refresh=True) for number in range(20)]
    await asyncio.sleep(0.01)
    await settle()
    assert len(work.running) == 20
    await work.end(*tasks)
    assert set(map(tuple, work.heard.values())) == {("http.request",)}
    # Those that had no place give none back.
    monkeypatch.setattr(refreshes, "_LONGEST_WAIT", 60.0)
    later = [work.begin(f"/later/{number}", is_refresh=True) for number in range(4)]
    await settle()
    assert work.running[20:] == ["/later/0", "/later/1"]
    await work.end(*later)


def test_nobody_waits_for_longer_than_a_second() -> None:
    assert refreshes._LONGEST_WAIT <= 1.0


async def test_streams_of_events_neither_take_a_place_nor_wait_for_one() -> None:
    work = Work()
    streams = [work.begin(f"/communities/{number}/events/", is_refresh=True) for number in range(12)]
    streams += [work.begin(f"/graphql/{number}", is_refresh=True, accept=b"text/event-stream") for number in range(12)]
    panels = [work.begin(f"/panel/{number}", is_refresh=True) for number in range(3)]
    await settle()
    assert (len(work.running), work.running[24:]) == (26, ["/panel/0", "/panel/1"])
    streams.append(work.begin("/communities/1/events/", is_refresh=True))
    await settle()
    assert work.running[26:] == ["/communities/1/events/"]
    await work.end(*streams, *panels)


async def test_a_client_that_has_left_is_not_waited_for() -> None:
    work, browser = Work(), Browser()
    panels = [work.begin(f"/panel/{number}", is_refresh=True) for number in range(2)]
    leaving = work.begin("/left", is_refresh=True, browser=browser)
    staying = work.begin("/stays", is_refresh=True)
    await settle()
    browser.leave()
    await asyncio.wait_for(leaving, 10)
    assert work.running == ["/panel/0", "/panel/1"]
    await work.end(*panels, staying)
    assert work.running == ["/panel/0", "/panel/1", "/stays"]


async def test_a_server_that_gives_up_those_who_wait_loses_no_place() -> None:
    work = Work()
    panels = [work.begin(f"/panel/{number}", is_refresh=True) for number in range(3)]
    await settle()
    panels[2].cancel()
    with pytest.raises(asyncio.CancelledError):
        await panels.pop()
    await work.end(*panels)
    later = [work.begin(f"/later/{number}", is_refresh=True) for number in range(3)]
    await settle()
    assert work.running[2:] == ["/later/0", "/later/1"]
    await work.end(*later)


async def test_who_waited_is_told_all_that_its_client_sends() -> None:
    work, browser = Work(), Browser()
    panels = [work.begin(f"/panel/{number}", is_refresh=True) for number in range(2)]
    waiting = work.begin("/waiting", is_refresh=True, browser=browser)
    await settle()
    await work.end(*panels)
    await settle()
    assert work.heard["/waiting"] == ["http.request"]
    browser.leave()
    await asyncio.wait_for(waiting, 10)
    assert work.heard["/waiting"] == ["http.request", "http.disconnect"]


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
