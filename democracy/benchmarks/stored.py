"""A large community in the database: loaded, calculated and stored; then one vote after the other."""

from __future__ import annotations

import random
from collections.abc import Iterator

from democracy import recalculation, services
from democracy.benchmarks import networks, towns
from democracy.benchmarks.figures import Figure, percentile, seconds
from democracy.models import Decision
from democracy.reading.staged_ballots import numbers_of_ballots
from democracy.recalculation.staging import forget_everything

_VOTES = 50


def load_calculate_store(scale: float) -> Iterator[Figure]:
    """Measure loading, calculating and storing a large community, then single changed votes."""
    members, followings = int(100_000 * scale), int(200_000 * scale)
    town = networks.preferential(members, followings)
    stored = towns.store("stored", town)
    forget_everything()
    took, done = seconds(lambda: recalculation.recalculate_community(stored.community.pk))
    assert done
    assert Decision.objects.get(pk=stored.decision.pk).calculation_status == Decision.CalculationStatus.CURRENT
    ballots = numbers_of_ballots([stored.decision.pk])[stored.decision.pk]
    yield Figure(
        "stored",
        f"loading, calculating, storing {members:,} members, {followings:,} followings",
        took,
        "s",
        target="8 s",
        reached=took <= 8 if scale == 1 else None,
        note=f"{ballots:,} staged ballots written",
    )
    chance = random.Random(3)
    times = []
    for voter in chance.sample(sorted(town.ballots), min(_VOTES, len(town.ballots))):
        stars = dict(zip((c.pk for c in stored.choices), networks.stars(chance, town.choices), strict=True))
        services.cast_ballot(stored.memberships[voter - 1].user, stored.decision.pk, stars=stars)
        times.append(seconds(lambda: recalculation.recalculate_community(stored.community.pk))[0])
    yield Figure(
        "stored",
        f"one changed vote calculated and stored, median of {len(times)}",
        percentile(times, 50) * 1e3,
        "ms",
        baseline=took * 1e3,
        baseline_is="loading and from scratch",
        note=f"p95 {percentile(times, 95) * 1e3:.3g} ms",
    )
    forget_everything()
