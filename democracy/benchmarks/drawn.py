"""Followings for drawing: read in a database that nobody has analysed, and given again."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth.models import AnonymousUser

from democracy.benchmarks import networks, towns
from democracy.benchmarks.figures import Figure, seconds
from democracy.models import Community
from democracy.reading import followings as reading_followings


def followings(scale: float) -> Iterator[Figure]:
    """Measure reading who follows whom, for the picture, and giving it again."""
    members = int(20_000 * scale)
    stored = towns.store("drawn", networks.preferential(members, 2 * members))
    community, visitor = stored.community, AnonymousUser()
    Community.objects.filter(pk=community.pk).update(visibility=Community.Visibility.PUBLIC)
    community.refresh_from_db()
    most = min(reading_followings.MOST_DRAWN, members // 3)
    reading_followings.forget_pictures()
    first, _ = seconds(lambda: reading_followings.followings_to_draw(visitor, community, most=most))
    again, _ = seconds(lambda: reading_followings.followings_to_draw(visitor, community, most=most))
    yield Figure(
        "network",
        f"who follows whom of {members:,} members, given again",
        again * 1e3,
        "ms",
        baseline=first * 1e3,
        baseline_is="read",
        target="read in 2 s",
        reached=first <= 2 if scale == 1 else None,
        note=f"{most:,} members drawn",
    )
    reading_followings.forget_pictures()
