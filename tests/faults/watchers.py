"""People who watch a decision, by WebSocket or by the events of its page, come back when they are cut off, and write
down which results they saw.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import connect

from tests.faults.state import UNTOLD, Shown, Sighting
from tests.faults.town import Question

# A connection is given up when not even a sign of life comes for this long.
SILENCE = 40.0
_FIELDS = "{ revision isFinal winner { id } scores { choice { id } score } participation { counted } }"
_SUBSCRIPTION = f"subscription ($id: ID!) {{ result: decisionResult(decisionId: $id) {_FIELDS} }}"
_QUERY = f"query ($id: ID!) {{ decision(id: $id) {{ result {_FIELDS} }} }}"
_CUT_OFF = (OSError, httpx.TransportError, websockets.WebSocketException, TimeoutError, json.JSONDecodeError)


class Refused(Exception):
    """The server answered, but not with a result."""


def content_of(result: Mapping[str, Any]) -> str:
    """Select what tells two results apart: winner, scores and how many were counted."""
    told = {
        "winner": result["winner"] and result["winner"]["id"],
        "scores": {score["choice"]["id"]: int(score["score"]) for score in result["scores"]},
        "counted": result["participation"]["counted"],
    }
    return json.dumps(told, sort_keys=True)


@dataclass
class Watcher:
    """Watches one decision from one site after the other."""

    name: str
    decision: Question
    token: str
    sites: Mapping[str, str]
    now: Callable[[], float]
    by_events: bool = False
    sightings: list[Sighting] = field(default_factory=list)
    connections: int = 0
    refusals: dict[str, int] = field(default_factory=dict)

    def has_seen(self, newest: tuple[Shown, str] | None) -> bool:
        """Whether a result, with its content, is what was seen last."""
        if not self.sightings or newest is None:
            return not self.sightings and newest is None
        last, (shown, content) = self.sightings[-1], newest
        return last.content == content and (last.shown == shown or last.shown == Shown(shown.is_final, UNTOLD))

    async def watch(self) -> None:
        """Until cancelled."""
        first = random.Random(self.name).randrange(len(self.sites))
        for site in itertools.islice(itertools.cycle(self.sites.values()), first, None):
            try:
                source = self._events(site) if self.by_events else self._subscription(site)
                async with aclosing(source) as results:
                    async for result in results:
                        self._saw(result)
            except _CUT_OFF:
                pass
            except Refused as refusal:
                self.refusals[str(refusal)] = self.refusals.get(str(refusal), 0) + 1
            await asyncio.sleep(0.3)

    def _saw(self, result: Mapping[str, Any] | None) -> None:
        if result is not None:
            told = result["revision"]
            shown = Shown(result["isFinal"], UNTOLD if told is None else int(told))
            self.sightings.append(Sighting(self.name, self.now(), self.decision.pk, shown, content_of(result)))

    async def _subscription(self, site: str) -> AsyncGenerator[Mapping[str, Any] | None, None]:
        async with connect(
            site.replace("http", "ws", 1) + "/graphql/",
            subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
            additional_headers={"Authorization": f"Bearer {self.token}"},
            open_timeout=10,
            ping_interval=5,
            ping_timeout=10,
            close_timeout=1,
        ) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            self.connections += 1
            async for text in socket:
                message = json.loads(text)
                match message["type"]:
                    case "connection_ack":
                        payload = {"query": _SUBSCRIPTION, "variables": {"id": self.decision.id}}
                        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
                    case "ping":
                        await socket.send(json.dumps({"type": "pong"}))
                    case "next":
                        told = message["payload"]
                        if told.get("errors"):
                            raise Refused(str(told["errors"])[:200])
                        yield told["data"]["result"]
                    case "error" | "complete":
                        raise Refused(str(message)[:200])

    async def _events(self, site: str) -> AsyncGenerator[Mapping[str, Any] | None, None]:
        headers = {"Authorization": f"Bearer {self.token}"}
        page = f"{site}/communities/{self.decision.community}/decisions/{self.decision.pk}/events/"
        timeout = httpx.Timeout(10, read=SILENCE)
        async with (
            httpx.AsyncClient(headers=headers, timeout=timeout) as client,
            # As a page does that was loaded before there was a result: the first event follows at once.
            client.stream("GET", page, params={"seen": "0.0"}) as response,
        ):
            if response.status_code != 200:
                raise Refused(f"events: HTTP {response.status_code}")
            self.connections += 1
            async for line in response.aiter_lines():
                if line == "event: end":
                    raise Refused("events: ended")
                if line == "event: result":
                    yield await self._asked(client, site)

    async def _asked(self, client: httpx.AsyncClient, site: str) -> Mapping[str, Any] | None:
        asked = {"query": _QUERY, "variables": {"id": self.decision.id}}
        response = await client.post(f"{site}/graphql/", json=asked, timeout=10)
        if response.status_code != 200:
            raise Refused(f"query: HTTP {response.status_code}")
        told = response.json()
        if told.get("errors"):
            raise Refused(f"query: {told['errors']}"[:200])
        result: Mapping[str, Any] | None = told["data"]["decision"]["result"]
        return result
