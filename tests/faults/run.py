"""One run: set up, vote and kill, let everything come to rest, judge."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

from tests.faults import nemesis
from tests.faults.checker import check
from tests.faults.cluster import Cluster
from tests.faults.report import Report
from tests.faults.town import SETTLED, Town, settle
from tests.faults.voters import Voters
from tests.faults.watchers import Watcher
from tests.faults.witness import Witness

# Seconds after the last fault within which every result must be current, and every watcher have it.
PATIENCE = 60.0


@dataclass(frozen=True)
class Plan:
    seconds: float
    kills: int
    seed: int = 1
    executor: str = "threads"
    towns: int = 3
    members: int = 40
    newcomers: int = 6
    rate: float = 30.0
    lease: float = 2.0
    first_port: int = 18_120


def run(plan: Plan, directory: Path) -> Report:
    """Raises DidNotStart; everything that was started is ended, whatever happens."""
    settings = {"CROWDVOTE_LEASE": str(plan.lease), "CROWDVOTE_SWEEP_INTERVAL": "1"}
    cluster = Cluster(directory, executor=plan.executor, first_port=plan.first_port, settings=settings)
    try:
        return asyncio.run(_run(plan, cluster))
    finally:
        asyncio.run(cluster.stop())


async def _run(plan: Plan, cluster: Cluster) -> Report:
    cluster.prepare()
    witness = Witness(cluster)
    witness.take_place()
    await cluster.start()
    towns = settle(
        cluster, plan.towns, members=plan.members, newcomers=plan.newcomers, closing_in=plan.seconds * 0.6 + 5
    )
    witness.begin()
    began, began_at = time.monotonic(), time.time()

    def now() -> float:
        return time.monotonic() - began

    voters = Voters(towns, cluster.sites, now, plan.seed, rate=plan.rate)
    watchers = list(_watchers(towns, cluster, now))
    watching = [asyncio.create_task(watcher.watch()) for watcher in watchers]
    fury = nemesis.Nemesis(cluster, plan.seed, now, lease=plan.lease)
    faults = nemesis.schedule(plan.seed, seconds=plan.seconds, kills=plan.kills, workers=bool(cluster.workers))
    tormenting = asyncio.create_task(fury.torment(faults))
    measuring = asyncio.create_task(witness.measure(until=tormenting.done))
    try:
        await asyncio.gather(tormenting, measuring, voters.vote(until=plan.seconds))
        ended = now()
        await _until(witness.is_finished)
        await _until(lambda: all(watcher.has_seen(witness.newest(watcher.decision)) for watcher in watchers))
        settling = now() - ended
        for task in watching:
            if task.done():
                await task  # it never ends by itself but with an error, which is ours
    finally:
        for task in (*watching, tormenting, measuring):
            task.cancel()
        await asyncio.gather(*watching, tormenting, measuring, return_exceptions=True)
    state = witness.state(towns)
    violations = check(
        voters.operations,
        [sighting for watcher in watchers for sighting in watcher.sightings],
        state,
        watching=[(watcher.name, watcher.decision.pk) for watcher in watchers],
        closing={decision.pk: decision.closes_at - began_at for town in towns for decision in town.decisions},
        began_at=began_at,
    )
    # For whoever wants to know more; the directory goes with the run unless it is kept.
    told = [*map(asdict, voters.operations), *map(asdict, state.entries), *map(asdict, state.runs)]
    (cluster.directory / "history.json").write_text(json.dumps(told, indent=1))
    return Report(
        asdict(plan),
        now(),
        settling,
        violations,
        fury.faults,
        voters.operations,
        watchers,
        witness.lags,
        # What a run says that was frozen, say, and finds its claim taken.
        sum(process.output.read_text().count("claimed by another run") for process in cluster.processes),
        state,
    )


def _watchers(towns: list[Town], cluster: Cluster, now: Callable[[], float]) -> list[Watcher]:
    """Of each decision one or two by WebSocket and one by the events of its page."""
    return [
        Watcher(
            f"{'page' if by_events else 'subscriber'} {decision.pk}.{number}",
            decision,
            member.token,
            cluster.sites,
            now,
            by_events,
        )
        for town in towns
        for place, (decision, member) in enumerate(zip(town.decisions, cycle(town.members[1:SETTLED]), strict=False))
        for number, by_events in enumerate((False, False, True) if place == 0 else (False, True))
    ]


async def _until(condition: Callable[[], bool]) -> None:
    """Wait for it, for a while: what has not come by then the checker finds."""
    deadline = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(condition) and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.2)
