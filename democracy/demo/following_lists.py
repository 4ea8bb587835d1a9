"""Followings of the demo, each at the next place in its follower's list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from democracy.files.new_community import NewFollowing


def followings(rows: Iterable[tuple[str, str, Sequence[str]]]) -> list[NewFollowing]:
    """Return the followings of these rows: follower, followee, tags."""
    places: Counter[str] = Counter()
    found = []
    for follower, followee, tags in rows:
        places[follower] += 1
        found.append(NewFollowing(follower, followee, tags, places[follower]))
    return found
