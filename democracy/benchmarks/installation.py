"""Servers, and workers where there is Redis, in processes of their own on this process's database; their clients."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from strawberry.relay import to_base64
from websockets.asyncio.client import connect

from accounts.models import User
from accounts.services import create_api_token
from democracy.benchmarks import networks
from democracy.benchmarks.towns import StoredTown

_HOST = "127.0.0.1"
_PATIENCE = 60.0
# Seconds for which a connection is used again; servers close one that is idle for 5.
_KEPT_ALIVE = 2.0
_CAST = "mutation ($input: CastVoteInput!) { castVote(input: $input) { receipt errors { code message } } }"
_RECALCULATE = "mutation ($id: ID!) { recalculate(decisionId: $id) { errors { code message } } }"
_WATCH = "subscription ($id: ID!) { decisionResult(decisionId: $id) { revision } }"


@dataclass(frozen=True)
class Installation:
    """A running installation: the ports of the servers, the number of workers, and the ids of all its processes."""

    ports: Sequence[int]
    workers: int
    processes: Sequence[int]

    def __str__(self) -> str:
        if not self.workers:
            return "one process"
        return f"{len(self.ports)} servers, {self.workers} worker{'s' if self.workers > 1 else ''}"

    def processor_seconds(self) -> float:
        """The time that all its processes have had on processors; 0 where the system does not tell."""
        return sum(map(_processor_seconds, self.processes))

    @property
    def first(self) -> int:
        return self.ports[0]

    @property
    def last(self) -> int:
        """The last server: where there are several, news has to come to it from the first."""
        return self.ports[-1]


@contextmanager
def running(**environment: str) -> Iterator[Installation]:
    """Run one server that calculates by itself or, with REDIS_URL, two servers and a worker."""
    servers, workers = (2, 1) if settings.REDIS_URL else (1, 0)
    everything = {
        **os.environ,
        "CROWDVOTE_EXECUTOR": "celery" if workers else "threads",
        "CROWDVOTE_DB_POOL": "16",
        # All clients come from one address, and one of them asks without pause.
        "CROWDVOTE_CONNECTIONS_PER_ADDRESS": "2000",
        "CROWDVOTE_OPERATIONS_PER_MINUTE": "0",
        **environment,
    }
    processes = []
    try:
        ports = [free_port() for _ in range(servers)]
        processes += [_start("serve", {**everything, "PORT": str(port)}) for port in ports]
        processes += [_start("worker", everything) for _ in range(workers)]
        for port in ports:
            _until_answering(port)
        yield Installation(ports, workers, [process.pid for process in processes])
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _start(command: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-m", "django", command]
    return subprocess.Popen(arguments, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL)


def _processor_seconds(process: int) -> float:
    """As Linux tells it: after the program's name, which may have spaces, user and system time in ticks."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Find a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _until_answering(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            client = http.client.HTTPConnection(_HOST, port, timeout=_PATIENCE)
            client.request("GET", "/healthz")
            if client.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


class Client:
    """A program that asks a server's API for somebody, over one connection as long as it is in use."""

    def __init__(self, port: int, user: User, *, patience: float = _PATIENCE) -> None:
        self._connection = http.client.HTTPConnection(_HOST, port, timeout=patience)
        self._asked_at = 0.0
        self.token = create_api_token(user, "bench")[1]

    def ask(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask, and return the answer's data. Raises RuntimeError where the server refuses."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if time.monotonic() - self._asked_at > _KEPT_ALIVE:
            self._connection.close()
        self._asked_at = time.monotonic()
        self._connection.request("POST", "/graphql/", json.dumps({"query": query, "variables": variables}), headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{response.status}: {body[:200]!r}")
        answer = json.loads(body)
        if answer.get("errors") or any(payload["errors"] for payload in answer["data"].values()):
            raise RuntimeError(f"refused: {answer}")
        data: Mapping[str, Any] = answer["data"]
        return data

    def vote(self, town: StoredTown, stars: Sequence[int]) -> None:
        rated = [
            {"choiceId": to_base64("Choice", choice.pk), "stars": count}
            for choice, count in zip(town.choices, stars, strict=True)
        ]
        self.ask(_CAST, {"input": {"decisionId": to_base64("Decision", town.decision.pk), "stars": rated}})

    def vote_at_random(self, town: StoredTown, chance: random.Random) -> None:
        self.vote(town, networks.stars(chance, len(town.choices)))

    def recalculate(self, town: StoredTown) -> None:
        self.ask(_RECALCULATE, {"id": to_base64("Decision", town.decision.pk)})

    def close(self) -> None:
        self._connection.close()


class Watchers:
    """Subscribers of a decision's result over WebSockets, in an event loop of their own."""

    def __init__(self, port: int, token: str, decision_id: int, number: int = 1) -> None:
        self._address, self._token, self._decision = f"ws://{_HOST}:{port}/graphql/", token, decision_id
        self._changed = threading.Condition()
        self._revisions = [-1] * number
        self._failure: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._watch_all(),), daemon=True)
        self._thread.start()
        # Each gets what there is at once.
        self._wait(lambda: min(self._revisions) >= 0, "every subscriber to have the present result")

    async def _watch_all(self) -> None:
        watching = [asyncio.create_task(self._watch(number)) for number in range(len(self._revisions))]
        await self._stop.wait()
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

    async def _watch(self, number: int) -> None:
        try:
            headers = {"Authorization": f"Bearer {self._token}"}
            async with connect(
                self._address,
                subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
                additional_headers=headers,
                open_timeout=_PATIENCE,
            ) as socket:
                await socket.send(json.dumps({"type": "connection_init"}))
                await socket.recv()
                payload = {"query": _WATCH, "variables": {"id": to_base64("Decision", self._decision)}}
                await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
                async for text in socket:
                    message = json.loads(text)
                    if message["type"] == "next":
                        result = message["payload"]["data"]["decisionResult"]
                        self._tell(number, int(result["revision"]) if result else 0)
        except Exception as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _tell(self, number: int, revision: int) -> None:
        with self._changed:
            self._revisions[number] = revision
            self._changed.notify_all()

    def wait_for(self, revision: int) -> None:
        """Wait until every subscriber has a result of this revision or a newer one.

        Raises TimeoutError, and RuntimeError where a subscriber failed.
        """
        self._wait(lambda: min(self._revisions) >= revision, f"a result of revision {revision}")

    def _wait(self, condition: Any, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._failure or condition(), _PATIENCE):
                raise TimeoutError(f"waited {_PATIENCE:g} s in vain for {what}")
        if self._failure:
            raise RuntimeError(f"a subscriber failed: {self._failure}")

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE)
        self._loop.close()
