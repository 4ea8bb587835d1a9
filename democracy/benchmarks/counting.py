"""The engine alone: all from scratch, staging against a plain recursion, the tally against plain dictionaries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

import networkx as nx
import numpy as np

from democracy.benchmarks import networks
from democracy.benchmarks.figures import Figure, best_of, seconds
from graph import STAR, Calculation, CastBallot, DelegationGraph, tally

_DICT_BALLOTS = 100_000


def scratch(scale: float) -> Iterator[Figure]:
    """Measure full staging and tally of a large community in the engine."""
    members, followings = int(100_000 * scale), int(200_000 * scale)
    for name, make in networks.SHAPES.items():
        town = make(members, followings)
        building, graph = seconds(town.graph)
        took = [seconds(partial(from_scratch, graph, town))[0] for _ in range(4)]
        yield Figure(
            "scratch",
            f"staging and tally, {members:,} members, {followings:,} followings, {name}",
            min(took[1:]),
            "s",
            target="0.4 s",
            reached=min(took[1:]) <= 0.4 if scale == 1 else None,
            note=f"the first time, with arrays made from the DiGraph: {took[0]:.2f} s; "
            f"building the DiGraph: {building:.2f} s",
        )


def from_scratch(graph: DelegationGraph, town: networks.Town) -> Calculation:
    """Calculate all staged ballots and the result."""
    calculation = Calculation.from_scratch(graph, lots=town.lots, ballots=town.ballots)
    assert calculation.result is not None
    return calculation


def staging(scale: float) -> Iterator[Figure]:
    """Measure staging and tally against a memoised walk over the DiGraph, where no loops make it fail."""
    town = networks.loopless(max(200, int(20_000 * scale)), max(400, int(40_000 * scale)))
    graph = town.graph()

    took = best_of(3, partial(from_scratch, graph, town))
    plainly, walked = seconds(lambda: _walk(graph.digraph, town.ballots, town.choices))
    calculation = from_scratch(graph, town)
    for member, means in walked.items():
        ballot = calculation.staged(member)
        assert ballot is not None
        assert all(abs(a - b * STAR) < 1 for a, b in zip(ballot.microstars, means, strict=True))
    yield Figure(
        "staging",
        f"staging and tally, {town.members:,} members, no loops",
        took,
        "s",
        baseline=plainly,
        baseline_is="memoised networkx recursion, floats, staging only",
        note="the recursion cannot do loops, tags or exact rounding, and counts nothing",
    )


def _walk(digraph: nx.DiGraph[int], cast: dict[int, CastBallot], choices: int) -> dict[int, list[float]]:
    known: dict[int, list[float] | None] = {}

    def ballot(member: int) -> list[float] | None:
        if member not in known:
            if member in cast:
                known[member] = [float(stars) for stars in cast[member].stars]
            else:
                found = [theirs for followee in digraph.successors(member) if (theirs := ballot(followee)) is not None]
                known[member] = [sum(row[c] for row in found) / len(found) for c in range(choices)] if found else None
        return known[member]

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        return {member: found for member in digraph if (found := ballot(member)) is not None}
    finally:
        sys.setrecursionlimit(limit)


def ballots(scale: float) -> Iterator[Figure]:
    """Measure the tally of many ballots against one dictionary per ballot."""
    number, choices = int(1_000_000 * scale), 10
    numbers = np.random.default_rng(1)
    rows = numbers.integers(0, 6, size=(number, choices), dtype=np.int32) * STAR
    in_columns = np.asfortranarray(rows)
    took = best_of(3, lambda: tally(in_columns))
    some = min(number, _DICT_BALLOTS)
    names = [f"choice {n}" for n in range(choices)]
    as_dicts = [dict(zip(names, row, strict=True)) for row in rows[:some].tolist()]
    plainly, counted = seconds(lambda: _count(as_dicts, names))
    totals = tally(rows[:some])
    assert counted == (totals.scores, totals.preferences)
    baseline = plainly * number / some
    yield Figure(
        "tally",
        f"{number:,} ballots x {choices} choices",
        took,
        "s",
        target="0.1 s",
        reached=took <= 0.1 if scale == 1 else None,
    )
    yield Figure(
        "tally",
        "against dictionaries",
        took,
        "s",
        target="150 times",
        reached=baseline / took >= 150 if scale == 1 else None,
        baseline=baseline,
        baseline_is="a dictionary per ballot",
        note=f"the dictionaries were timed on {some:,} ballots and multiplied by {number / some:g}"
        if some < number
        else "",
    )


def _count(ballots: list[dict[str, int]], names: list[str]) -> tuple[list[int], list[list[int]]]:
    scores = dict.fromkeys(names, 0)
    preferences = {a: dict.fromkeys(names, 0) for a in names}
    for ballot in ballots:
        for a, stars in ballot.items():
            scores[a] += stars
            for b, others in ballot.items():
                if stars > others:
                    preferences[a][b] += 1
    return list(scores.values()), [list(row.values()) for row in preferences.values()]
