"""Many decisions of one community, and many communities: changes that touch all of the decisions, or none."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

from django.utils import timezone

from accounts.models import User
from democracy import ledger, recalculation, services
from democracy.benchmarks import networks, towns
from democracy.benchmarks.figures import Figure, percentile, seconds
from democracy.ledger import contents
from democracy.models import Community, Decision, Following, Membership
from democracy.recalculation import scheduling, staging

_TIMES = 5
# In many communities, so many decisions each; all but some are closed, as after a few years.
_OF_EACH, _OPEN = 23, 3


def decisions(scale: float) -> Iterator[Figure]:
    """Measure a community with many open decisions: the first calculation, and changes that concern all of them."""
    members = max(100, int(10_000 * scale))
    yield from _first_and_join(members, max(5, int(200 * scale)), is_whole=scale == 1)
    yield from _follow(members, max(5, int(50 * scale)), is_whole=scale == 1)
    yield from _catching_up(max(100, int(100_000 * scale)), max(20, int(5_000 * scale)), is_whole=scale == 1)


def communities(scale: float) -> Iterator[Figure]:
    """Measure the sweep where there are many communities and next to nothing to calculate."""
    number = max(20, int(5_000 * scale))
    now = timezone.now()
    made = [Community(name=f"Community {n}") for n in range(number)]
    Community.objects.bulk_create(made)
    Decision.objects.bulk_create(
        (_settled(community, n, is_open=n < _OPEN) for community in made for n in range(_OF_EACH)), batch_size=5_000
    )
    stale = Decision.objects.filter(community=made[number // 2], closes_at__gt=now)
    stale.update(input_revision=2)
    took = min(seconds(scheduling.scheduler.sweep)[0] for _ in range(_TIMES))
    plain, _ = seconds(lambda: [pk for pk, one in Decision.objects.in_bulk().items() if one.is_stale])
    yield Figure(
        "sweep",
        f"{number * _OF_EACH:,} decisions of {number:,} communities",
        took * 1e3,
        "ms",
        target="5 ms",
        reached=took <= 0.005 if scale == 1 else None,
        baseline=plain * 1e3,
        baseline_is="looking at every row",
    )


def _settled(community: Community, number: int, *, is_open: bool) -> Decision:
    began = timezone.now() - timedelta(days=30)
    return Decision(
        community=community,
        title=f"Decision {number}",
        published_at=began,
        opens_at=began,
        closes_at=began + timedelta(days=60 if is_open else 7),
        input_revision=1,
        calculated_revision=1,
        has_final_result=not is_open,
    )


def _first_and_join(members: int, number: int, *, is_whole: bool) -> Iterator[Figure]:
    town = towns.store("many", networks.preferential(members, 2 * members))
    towns.add_decisions(town, number - 1)
    staging.forget_everything()
    first, _ = seconds(lambda: _calculate(town))
    yield Figure(
        "many",
        f"{number} open decisions of {members:,} members, calculated for the first time",
        first,
        "s",
        target="4 s",
        reached=first <= 4 if is_whole else None,
        note=f"{staging.kept().nbytes / 2**20:,.0f} MiB are kept",
    )
    Community.objects.filter(pk=town.community.pk).update(joining=Community.Joining.OPEN)

    def join() -> None:
        newcomer = User.objects.create(handle=f"newcomer_{random.random()}")
        services.apply_to_community(newcomer, town.community.pk)

    times = _times(town, join)
    yield Figure(
        "many",
        f"one join, {number} open decisions, no ballot changes, median of {len(times)}",
        percentile(times, 50) * 1e3,
        "ms",
        target="50 ms",
        reached=percentile(times, 50) <= 0.05 if is_whole else None,
        baseline=first * 1e3,
        baseline_is="the first calculation",
    )
    staging.forget_everything()


def _follow(members: int, number: int, *, is_whole: bool) -> Iterator[Figure]:
    town = towns.store("followed", networks.uniform(members, 2 * members))
    towns.add_decisions(town, number - 1)
    staging.forget_everything()
    first, _ = seconds(lambda: _calculate(town))
    chance = random.Random(7)

    def follow() -> None:
        follower, followee = chance.sample(town.memberships, 2)
        services.follow(follower.user, followee.pk)

    times = _times(town, follow)
    yield Figure(
        "many",
        f"one follow, {number} open decisions, {members:,} members, anybody follows anybody, worst of {len(times)}",
        max(times),
        "s",
        target="1 s",
        reached=max(times) <= 1 if is_whole else None,
        baseline=first,
        baseline_is="the first calculation",
    )
    staging.forget_everything()


def _catching_up(members: int, entries: int, *, is_whole: bool) -> Iterator[Figure]:
    town = towns.store("behind", networks.preferential(members, 2 * members))
    staging.forget_everything()
    loading, _ = seconds(lambda: _calculate(town))
    chance = random.Random(8)
    with ledger.recording(town.community.pk) as recording:
        joined = [
            Membership(community=town.community, user=User(name=f"Newcomer {n}", handle=f"behind_n{n}", password="!"))
            for n in range(entries // 2)
        ]
        User.objects.bulk_create(one.user for one in joined)
        Membership.objects.bulk_create(joined)
        follows = [Following(follower=one, followee=chance.choice(town.memberships)) for one in joined]
        for one in joined:
            recording.add(contents.membership_change(one))
        for following in Following.objects.bulk_create(follows):
            recording.add(contents.following_change(following, is_new=True))
    took, _ = seconds(lambda: _calculate(town))
    yield Figure(
        "many",
        f"catching up with {len(joined) + len(follows):,} entries, {members:,} members",
        took,
        "s",
        baseline=loading,
        baseline_is="loading, from scratch and storing all",
        reached=took <= loading if is_whole else None,
        target="the cheaper of the two",
    )
    staging.forget_everything()


def _times(town: towns.StoredTown, change: Callable[[], None]) -> list[float]:
    """Make the change some times; return how long each took to be calculated and stored."""
    times = []
    for _ in range(_TIMES):
        change()
        times.append(seconds(lambda: _calculate(town))[0])
    return times


def _calculate(town: towns.StoredTown) -> None:
    assert recalculation.recalculate_community(town.community.pk)
