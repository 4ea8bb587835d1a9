"""The threads of requests: one at a time each, used again, and never while they are still busy."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async

from crowdvote.serving import requests
from crowdvote.serving.requests import own_thread
from tests.recalculation import until


@pytest.fixture(autouse=True)
def _no_idle_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_idle", [])


async def thread_of_request() -> int:
    async with own_thread():
        first = await sync_to_async(threading.get_ident)()
        assert await sync_to_async(threading.get_ident)() == first
    return first


async def until_idle(number: int) -> None:
    await asyncio.to_thread(until, lambda: len(requests._idle) >= number)


async def test_a_thread_is_used_again_by_the_next_request() -> None:
    first = await thread_of_request()
    await until_idle(1)
    assert await thread_of_request() == first


async def test_requests_at_the_same_time_have_threads_of_their_own() -> None:
    together = threading.Barrier(3)

    async def request() -> int:
        async with own_thread():
            await sync_to_async(together.wait)(10)
            return await sync_to_async(threading.get_ident)()

    assert len(set(await asyncio.gather(request(), request(), request()))) == 3
    await until_idle(3)


async def test_a_thread_that_is_still_busy_with_a_request_that_was_given_up_serves_no_other() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def busy() -> None:
        begun.set()
        go_on.wait(10)

    async def request() -> None:
        async with own_thread():
            await sync_to_async(busy)()

    given_up = asyncio.ensure_future(request())
    await asyncio.to_thread(begun.wait, 10)
    given_up.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert requests._idle == []
    await thread_of_request()
    await until_idle(1)
    go_on.set()
    await until_idle(2)
    await asyncio.wait({given_up})
