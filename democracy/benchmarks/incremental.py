"""One changed vote in a large community: brought up to date, against calculated from scratch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

from democracy.benchmarks import networks
from democracy.benchmarks.counting import from_scratch
from democracy.benchmarks.figures import Figure, best_of, percentile, seconds
from graph import Calculation, CastBallot

_VOTES = 500
# Where there are large loops, a vote costs up to as much as everything.
_VOTES_IN_LOOPS = 50


def one_vote(scale: float) -> Iterator[Figure]:
    """Measure one changed vote in the engine, against a calculation from scratch."""
    members, followings = int(100_000 * scale), int(200_000 * scale)
    for name, make in networks.SHAPES.items():
        town = make(members, followings)
        graph = town.graph()
        calculation = from_scratch(graph, town)
        scratch = best_of(3, partial(from_scratch, graph, town))
        times, changed = _change(calculation, town, _VOTES if name == networks.LIKELY else _VOTES_IN_LOOPS)
        assert calculation.result == from_scratch(graph, town).result
        median, mean = percentile(times, 50), sum(changed) / len(changed)
        yield Figure(
            "incremental",
            f"one changed vote, {members:,} members, {name}, median of {len(times)} voters",
            median * 1e3,
            "ms",
            target="1,000 times" if name == networks.LIKELY else "",
            reached=scratch / median >= 1_000 if scale == 1 and name == networks.LIKELY else None,
            baseline=scratch * 1e3,
            baseline_is="from scratch",
            note=f"p75 {percentile(times, 75) * 1e3:.3g} ms, p95 {percentile(times, 95) * 1e3:.3g} ms, "
            f"worst {max(times) * 1e3:.3g} ms, mean {sum(times) / len(times) * 1e3:.3g} ms; ballots changed: "
            f"median {percentile(changed, 50):g}, mean {mean:.1f} ({mean / members:.3%} of the members), "
            f"most {max(changed):,}",
        )


def _change(calculation: Calculation, town: networks.Town, votes: int) -> tuple[list[float], list[int]]:
    """Change the votes of some voters one by one; return how long each took, and how many ballots it changed."""
    chance = random.Random(2)
    times, changed = [], []
    for voter in chance.sample(sorted(town.ballots), min(votes, len(town.ballots))):
        town.ballots[voter] = CastBallot(networks.stars(chance, town.choices), networks.NO_TAGS)
        time, count = seconds(partial(_update, calculation, voter, town.ballots[voter]))
        times.append(time)
        changed.append(count)
    return times, changed


def _update(calculation: Calculation, voter: int, ballot: CastBallot) -> int:
    changed = calculation.update(calculation.graph, changes=[], ballots={voter: ballot})
    assert calculation.result is not None
    return len(changed)
