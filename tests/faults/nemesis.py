"""The faults done to the cluster: a random schedule from a seed, and a record of every fault."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.faults.cluster import Cluster
from tests.faults.process import Process


class Kind(StrEnum):
    KILL_WORKER = "kill -9 a worker"
    KILL_WEB = "kill -9 a web process"
    KILL_POSTGRES = "kill -9 PostgreSQL"
    KILL_BACKEND = "kill -9 one of PostgreSQL's processes"
    KILL_REDIS = "kill -9 Redis"
    END_WORKER = "SIGTERM to a worker"
    END_WEB = "SIGTERM to a web process"
    FREEZE_WORKER = "freeze a worker for longer than its lease"
    FREEZE_WEB = "freeze a web process"


# The share of each kind among the kills, and how many of the others come with one kill.
_KILLS = {
    Kind.KILL_WORKER: 0.3,
    Kind.KILL_WEB: 0.25,
    Kind.KILL_REDIS: 0.2,
    Kind.KILL_POSTGRES: 0.15,
    Kind.KILL_BACKEND: 0.1,
}
_OTHERS = {Kind.FREEZE_WORKER: 0.15, Kind.FREEZE_WEB: 0.05, Kind.END_WORKER: 0.1, Kind.END_WEB: 0.1}


@dataclass(frozen=True)
class Fault:
    """`down`: seconds until it was undone; `back`: from then until the target served again."""

    kind: Kind
    target: str
    at: float
    down: float
    back: float = 0.0

    @property
    def is_kill(self) -> bool:
        return self.kind in _KILLS

    @property
    def served_again(self) -> float:
        return self.at + self.down + self.back


def schedule(seed: int, *, seconds: float, kills: int, workers: bool) -> list[tuple[float, Kind]]:
    """Plan what happens when: every kind in its share, in random order, over the whole time."""
    chance = random.Random(f"{seed}:nemesis")

    def possible(kind: Kind) -> Kind:
        """Where web processes calculate, what would be done to a worker is done to one of them."""
        instead = {
            Kind.KILL_WORKER: Kind.KILL_WEB,
            Kind.END_WORKER: Kind.END_WEB,
            Kind.FREEZE_WORKER: Kind.FREEZE_WEB,
        }
        return kind if workers else instead.get(kind, kind)

    kinds: list[Kind] = []
    for number in range(1, kills + 1):
        # The one that is furthest behind its share.
        kinds.append(max(_KILLS, key=lambda kind: _KILLS[kind] * number - kinds.count(kind)))
    kinds += [kind for kind, share in _OTHERS.items() for _ in range(max(1, round(share * kills)))]
    kinds = [possible(kind) for kind in kinds]
    chance.shuffle(kinds)
    step = seconds / len(kinds)
    return [((number + chance.random()) * step, kind) for number, kind in enumerate(kinds)]


class Nemesis:
    def __init__(self, cluster: Cluster, seed: int, now: Callable[[], float], *, lease: float) -> None:
        self.cluster, self.now, self.lease = cluster, now, lease
        self.faults: list[Fault] = []
        self._chance = random.Random(f"{seed}:targets")
        self._busy: set[str] = set()

    async def torment(self, plan: Sequence[tuple[float, Kind]]) -> None:
        """Do all of it at its time, each undone after a while; faults may overlap."""
        began = time.monotonic()

        async def one(at: float, kind: Kind) -> None:
            await asyncio.sleep(began + at - time.monotonic())
            await self._do(kind)

        await asyncio.gather(*(one(at, kind) for at, kind in plan))

    async def _do(self, kind: Kind) -> None:
        target = await self._target(kind)
        try:
            began = self.now()
            await self._strike(kind, target)
            undone = self.now()
            await self._bring_back(kind, target)
            self.faults.append(Fault(kind, target.name, began, undone - began, self.now() - undone))
        finally:
            self._busy.discard(target.name)

    async def _target(self, kind: Kind) -> Process:
        """One that is up, and that nothing else is being done to; waits for it."""
        match kind:
            case Kind.KILL_WORKER | Kind.END_WORKER | Kind.FREEZE_WORKER:
                among = self.cluster.workers
            case Kind.KILL_WEB | Kind.END_WEB | Kind.FREEZE_WEB:
                among = self.cluster.web
            case Kind.KILL_POSTGRES | Kind.KILL_BACKEND:
                among = [self.cluster.postgres]
            case Kind.KILL_REDIS:
                among = [self.cluster.redis]
        while True:
            free = [process for process in among if process.is_up and process.name not in self._busy]
            if free:
                target = self._chance.choice(free)
                self._busy.add(target.name)
                return target
            await asyncio.sleep(0.1)

    async def _strike(self, kind: Kind, target: Process) -> None:
        """Do it, and wait for as long as it lasts."""
        match kind:
            case Kind.FREEZE_WORKER | Kind.FREEZE_WEB:
                target.freeze()
                await asyncio.sleep(self.lease * self._chance.uniform(1.2, 2.5))
            case Kind.END_WORKER | Kind.END_WEB:
                await target.end()
            case Kind.KILL_BACKEND:
                target.kill_a_child(self._chance)
            case _:
                target.kill(signal.SIGKILL)
                await asyncio.sleep(self._chance.uniform(0.1, 3.0))

    async def _bring_back(self, kind: Kind, target: Process) -> None:
        match kind:
            case Kind.FREEZE_WORKER | Kind.FREEZE_WEB:
                target.thaw()
            case Kind.KILL_POSTGRES:
                await self.cluster.start_postgres()
            case Kind.KILL_BACKEND:
                await self.cluster.until(target, self.cluster.postgres.answers)
            case Kind.KILL_REDIS:
                await self.cluster.start_redis()
            case _:
                target.start()
                if target in self.cluster.web:
                    await self.cluster.until_serving(target)
