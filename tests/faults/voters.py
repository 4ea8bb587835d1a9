"""People who vote, follow, come and go through the API, and write down what they asked and were told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from tests.faults.history import Operation, Outcome
from tests.faults.town import Member, Town
from tests.faults.wishes import MUTATIONS, Request, wish

# Seconds after which somebody gives up on an answer.
PATIENCE = 15.0


@dataclass
class Voters:
    """`rate` operations a second by `actors` that each do one at a time. Two actors may act for the same member, as one
    person at two screens does.
    """

    towns: Sequence[Town]
    sites: Mapping[str, str]
    now: Callable[[], float]
    seed: int
    rate: float = 30.0
    actors: int = 24
    operations: list[Operation] = field(default_factory=list)

    async def vote(self, until: float) -> None:
        """Act until the time is over; returns when the last has been answered or given up."""
        members = [(town, member) for town in self.towns for member in town.people]
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=self.actors * len(self.sites))
        async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as client:
            await asyncio.gather(
                *(
                    # Every member belongs to one actor, and every third to the next one, too.
                    self._act(
                        client,
                        random.Random(f"{self.seed}:{actor}"),
                        [
                            one
                            for n, one in enumerate(members)
                            if n % self.actors == actor or (n % 3 == 0 and (n + 1) % self.actors == actor)
                        ],
                        until,
                    )
                    for actor in range(self.actors)
                )
            )

    async def _act(
        self, client: httpx.AsyncClient, chance: random.Random, people: Sequence[tuple[Town, Member]], until: float
    ) -> None:
        unanswered: Request | None = None
        while True:
            await asyncio.sleep(chance.expovariate(self.rate / self.actors))
            if self.now() >= until:
                return
            # Whoever got no answer often tries the same again.
            if unanswered is not None and chance.random() < 0.5:
                request = unanswered
            else:
                request = wish(chance, *chance.choice(people))
            operation = await self._ask(client, chance.choice(list(self.sites)), request)
            self.operations.append(operation)
            unanswered = request if operation.outcome in {Outcome.UNKNOWN, Outcome.UNREACHED} else None

    async def _ask(self, client: httpx.AsyncClient, server: str, request: Request) -> Operation:
        invoked = self.now()
        receipt, code, detail = None, "", ""
        try:
            response = await client.post(
                f"{self.sites[server]}/graphql/",
                json={"query": MUTATIONS[request.kind], "variables": request.variables},
                headers={"Authorization": f"Bearer {request.asker.token}"},
            )
            outcome, receipt, code, detail = _read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            outcome, detail = Outcome.UNREACHED, repr(error)
        except httpx.TransportError as error:
            outcome, detail = Outcome.UNKNOWN, repr(error)
        return Operation(
            request.register,
            request.kind,
            invoked,
            self.now(),
            outcome,
            request.value,
            receipt,
            code,
            server,
            detail[:300],
        )


def _read(response: httpx.Response) -> tuple[Outcome, str | None, str, str]:
    """Outcome, receipt, code and detail of an answer. Only one that says so plainly is a refusal: an error in the
    middle may have come after the commit.
    """
    if response.status_code >= 500:
        return Outcome.UNKNOWN, None, f"HTTP_{response.status_code}", response.text
    if response.status_code >= 400:
        return Outcome.REFUSED, None, f"HTTP_{response.status_code}", response.text
    told = response.json()
    answer = (told.get("data") or {}).get("answer")
    if answer is None or told.get("errors"):
        return Outcome.UNKNOWN, None, "ERRORS", str(told.get("errors"))
    if answer["errors"]:
        return Outcome.REFUSED, None, answer["errors"][0]["code"], answer["errors"][0]["message"]
    return Outcome.ACKNOWLEDGED, answer.get("receipt"), "", ""
