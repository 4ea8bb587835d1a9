"""Single changes in communities: brought up to date, against calculated from scratch."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

from democracy.benchmarks import networks
from democracy.benchmarks.counting import from_scratch
from democracy.benchmarks.figures import Figure, best_of, percentile, seconds
from graph import (
    Calculation,
    CastBallot,
    FollowingRemoved,
    FollowingSet,
    GraphChange,
    Member,
    MemberRemoved,
    MemberSet,
)

_VOTES = 500
# Where there are large loops, a vote reaches half of a community.
_VOTES_IN_LOOPS = 50
_OTHERS = 40
_LOOPED = "anybody follows anybody"
_REAL = ("advogato.txt", "Advogato, a real trust network")
_SMALL = (250, 1_000, 10_000)

Change: TypeAlias = tuple[list[GraphChange], dict[Member, CastBallot | None]]


def one_vote(scale: float) -> Iterator[Figure]:
    """Measure one changed vote in the engine, against a calculation from scratch."""
    members, followings = int(100_000 * scale), int(200_000 * scale)
    for name, make in networks.SHAPES.items():
        votes = _VOTES if name == networks.LIKELY else _VOTES_IN_LOOPS
        yield _votes(
            make(members, followings), name, votes, within=1_000 if name == networks.LIKELY else 1, scale=scale
        )
    for size in _SMALL:
        yield _votes(networks.uniform(size, 2 * size), _LOOPED, _VOTES_IN_LOOPS, within=1, scale=scale)
    if (town := networks.real(_REAL[0])) is not None:
        yield _votes(town, _REAL[1], _VOTES_IN_LOOPS, within=1, scale=scale)


def other_changes(scale: float) -> Iterator[Figure]:
    """Measure first votes, followings that come, change and go, and members who join and leave, likewise."""
    members, followings = int(100_000 * scale), int(200_000 * scale)
    towns = {name: networks.SHAPES[name](members, followings) for name in (networks.LIKELY, _LOOPED)}
    if (town := networks.real(_REAL[0])) is not None:
        towns[_REAL[1]] = town
    for name, town in towns.items():
        calculation = from_scratch(town.graph(), town)
        scratch = best_of(3, partial(from_scratch, calculation.graph, town))
        chance = random.Random(3)
        for what, change in _CHANGES.items():
            times = [seconds(partial(_update, calculation, *change(town, chance)))[0] for _ in range(_OTHERS)]
            mean = sum(times) / len(times)
            yield Figure(
                "changes",
                f"{what}, {town.members:,} members, {name}, median of {len(times)}",
                percentile(times, 50) * 1e3,
                "ms",
                target="from scratch, on average",
                reached=mean <= scratch if scale == 1 else None,
                baseline=scratch * 1e3,
                baseline_is="from scratch",
                note=f"mean {mean * 1e3:.3g} ms, p95 {percentile(times, 95) * 1e3:.3g} ms, "
                f"worst {max(times) * 1e3:.3g} ms",
            )


def _votes(town: networks.Town, name: str, votes: int, *, within: int, scale: float) -> Figure:
    """Measure votes; the median is to be `within` times less than from scratch."""
    graph = town.graph()
    calculation = from_scratch(graph, town)
    scratch = best_of(3, partial(from_scratch, graph, town))
    times, changed = _change(calculation, town, votes)
    assert calculation.result == from_scratch(graph, town).result
    median, mean = percentile(times, 50), sum(changed) / len(changed)
    return Figure(
        "incremental",
        f"one changed vote, {town.members:,} members, {name}, median of {len(times)} voters",
        median * 1e3,
        "ms",
        target=f"{within:,} times" if within > 1 else "from scratch",
        reached=scratch / median >= within if scale == 1 else None,
        baseline=scratch * 1e3,
        baseline_is="from scratch",
        note=f"p75 {percentile(times, 75) * 1e3:.3g} ms, p95 {percentile(times, 95) * 1e3:.3g} ms, "
        f"worst {max(times) * 1e3:.3g} ms, mean {sum(times) / len(times) * 1e3:.3g} ms; ballots changed: "
        f"median {percentile(changed, 50):g}, mean {mean:.1f} ({mean / town.members:.3%} of the members), "
        f"most {max(changed):,}",
    )


def _change(calculation: Calculation, town: networks.Town, votes: int) -> tuple[list[float], list[int]]:
    """Change the votes of some voters one by one; return how long each took, and how many ballots it changed."""
    chance = random.Random(2)
    times, changed = [], []
    for voter in chance.sample(sorted(town.ballots), min(votes, len(town.ballots))):
        town.ballots[voter] = CastBallot(networks.stars(chance, town.choices), networks.NO_TAGS)
        time, count = seconds(partial(_update, calculation, [], {voter: town.ballots[voter]}))
        times.append(time)
        changed.append(count)
    return times, changed


def _update(calculation: Calculation, changes: list[GraphChange], ballots: dict[Member, CastBallot | None]) -> int:
    graph = calculation.graph
    later = graph.updated(changes, revision=graph.revision + 1) if changes else graph
    changed = calculation.update(later, changes=changes, ballots=ballots)
    assert calculation.result is not None
    return len(changed)


def _first_vote(town: networks.Town, chance: random.Random) -> Change:
    return [], {_anybody(town, chance): CastBallot(networks.stars(chance, town.choices))}


def _follow(town: networks.Town, chance: random.Random) -> Change:
    return [FollowingSet(_anybody(town, chance), _anybody(town, chance))], {}


def _unfollow(town: networks.Town, chance: random.Random) -> Change:
    return [FollowingRemoved(*chance.choice(town.followings))], {}


def _retag(town: networks.Town, chance: random.Random) -> Change:
    return [FollowingSet(*chance.choice(town.followings), frozenset({"roads"}))], {}


def _join(town: networks.Town, chance: random.Random) -> Change:
    newcomer = town.members + chance.randint(1, 1_000_000)
    return [MemberSet(newcomer, True), FollowingSet(newcomer, _anybody(town, chance))], {}


def _leave(town: networks.Town, chance: random.Random) -> Change:
    return [MemberRemoved(_anybody(town, chance))], {}


def _anybody(town: networks.Town, chance: random.Random) -> Member:
    return chance.randint(1, town.members)


_CHANGES: dict[str, Callable[[networks.Town, random.Random], Change]] = {
    "one vote of anybody": _first_vote,
    "one following more": _follow,
    "one following less": _unfollow,
    "tags on one following": _retag,
    "one who joins and follows": _join,
    "one who leaves": _leave,
}
