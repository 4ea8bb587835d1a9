"""Open pages of one decision, as browsers hold them: a stream of events each, and what the events have them ask for."""

from __future__ import annotations

import asyncio
import random
import re
import threading
import time
from collections.abc import Callable, Iterator

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.urls import reverse

from accounts.models import User
from democracy import recalculation
from democracy.benchmarks import installation, networks, towns
from democracy.benchmarks.figures import Figure
from democracy.benchmarks.installation import Client
from democracy.benchmarks.towns import StoredTown

_HOST = "127.0.0.1"
_PATIENCE = 60.0
# Seconds without any news after which a page is taken to show everything.
_QUIET = 0.5
_OWN = "HX-Request: true\r\nHX-Target: own-ballot\r\nX-Refresh: 1\r\nConnection: close"
_SEEN = re.compile(r'name="seen" value="([^"]*)"')


def one_vote(scale: float) -> Iterator[Figure]:
    """Measure the time from a vote until the last of many open pages shows the new result and the viewer's own ballot,
    the server's time on the processor, and the vote's own time.
    """
    number = max(50, int(300 * min(1.0, scale * 4)))
    town = towns.store("pages", networks.preferential(1_000, 3_000))
    recalculation.recalculate_community(town.community.pk)
    chance = random.Random(8)
    people = chance.sample(town.memberships[1:], number)
    with installation.running() as running:
        voter = Client(running.first, town.memberships[0].user)
        idle = [_seconds_of_vote(voter, town, chance) for _ in range(10)]
        pages = Pages(running.last, town, [member.user for member in people])
        # What opening the pages has them ask for is no part of it.
        pages.wait_for(0)
        asked_before = pages.asked
        times, votes, costs = [], [], []
        for _ in range(5):
            start, cost = time.perf_counter(), running.processor_seconds()
            votes.append(_seconds_of_vote(voter, town, chance))
            times.append(pages.wait_for(towns.revision(town)) - start)
            costs.append(running.processor_seconds() - cost)
        given, asked = pages.given, pages.asked - asked_before
        pages.close()
    yield Figure(
        "pages",
        f"vote over HTTP to the last of {number} open pages and own ballots, worst of {len(times)}",
        max(times),
        "s",
        target="1.5 s",
        reached=max(times) <= 1.5,
        note=f"{running}; best {min(times):.2f} s; slowest vote {max(votes) * 1e3:.0f} ms, idle {max(idle) * 1e3:.0f} "
        f"ms; at most {max(costs):.2f} s of the servers' processors; pages were given {given} own ballots, asked for "
        f"{asked}",
    )


def _seconds_of_vote(voter: Client, town: StoredTown, chance: random.Random) -> float:
    start = time.perf_counter()
    voter.vote_at_random(town, chance)
    return time.perf_counter() - start


class Pages:
    """Open pages of a decision, one for each of these people, in an event loop of their own."""

    def __init__(self, port: int, town: StoredTown, people: list[User]) -> None:
        self._port, self._address = port, reverse("decision", args=(town.community.pk, town.decision.pk))
        self._changed = threading.Condition()
        self._shown = [""] * len(people)
        self._failure: BaseException | None = None
        self._last_news = 0.0
        # The own ballots that pages were given, and those that they had to ask for.
        self.given = self.asked = 0
        self._asking: set[asyncio.Task[None]] = set()
        self._cookies = [_session_of(user) for user in people]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._open_all(),), daemon=True)
        self._thread.start()
        self._wait(lambda: all(self._shown), "every page to show the present result")

    async def _open_all(self) -> None:
        opening = asyncio.Semaphore(8)
        following = [asyncio.create_task(self._follow(page, opening)) for page in range(len(self._shown))]
        await self._stop.wait()
        unfinished = [*following, *self._asking]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)

    async def _follow(self, page: int, opening: asyncio.Semaphore) -> None:
        try:
            async with opening:
                reader, _ = await self._request(page, "events/?place=&seen=0.0", "Accept: text/event-stream")
                await reader.readuntil(b"\r\n\r\n")
                await self._hear(page, reader)
            while True:
                await self._hear(page, reader)
        except Exception as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    async def _hear(self, page: int, reader: asyncio.StreamReader) -> None:
        """Read one part of the stream, and do what a page does."""
        size = int(await reader.readline(), 16)
        part = (await reader.readexactly(size + 2)).decode()
        for seen in _SEEN.findall(part):
            with self._changed:
                self._shown[page] = seen
                self._changed.notify_all()
        if "event: alive" not in part:
            self._last_news = time.perf_counter()
        if "event: own\ndata: " in part:
            self.given += 1
        elif "event: own\n" in part:
            self.asked += 1
            self._asking.add(asking := asyncio.create_task(self._ask(page)))
            asking.add_done_callback(self._asking.discard)

    async def _ask(self, page: int) -> None:
        """Ask for the viewer's own ballot, beside the stream."""
        answer, _ = await self._request(page, "", _OWN)
        await answer.read()
        self._last_news = time.perf_counter()

    async def _request(self, page: int, path: str, headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(_HOST, self._port, limit=2**20)
        cookie = f"Cookie: sessionid={self._cookies[page]}"
        request = f"GET {self._address}{path} HTTP/1.1\r\nHost: {_HOST}\r\n{cookie}\r\n{headers}\r\n\r\n"
        writer.write(request.encode())
        return reader, writer

    def wait_for(self, revision: int) -> float:
        """Wait until every page shows a result of this revision or a newer one, as calculated, and what came with it.
        Returns the moment of the last news, by `time.perf_counter`.

        Raises TimeoutError, and RuntimeError where a page failed.
        """

        def is_shown(seen: str) -> bool:
            _, shown, _, status, *_ = seen.split(".")
            return int(shown) >= revision and status == "done"

        self._wait(lambda: all(map(is_shown, self._shown)), f"a result of revision {revision}")
        while self._asking or time.perf_counter() - self._last_news < _QUIET:
            time.sleep(_QUIET / 10)
        return self._last_news

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        with self._changed:
            done = self._changed.wait_for(lambda: self._failure or condition(), _PATIENCE)
            if not done:
                raise TimeoutError(f"waited {_PATIENCE:g} s in vain for {what}")
        if self._failure:
            raise RuntimeError(f"a page failed: {self._failure}")

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE)
        self._loop.close()


def _session_of(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "accounts.backends.SignInLinkBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)
