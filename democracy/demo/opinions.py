"""Made-up ballots: opinions of camps with some noise, the same in every run."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime

from democracy.files.new_community import NewBallot
from democracy.models import MAX_STARS


def ballots(
    people: Sequence[str],
    camps: Sequence[tuple[float, Mapping[str, int]]],
    *,
    tags: Sequence[str],
    between: tuple[datetime, datetime],
    seed: int,
    comments: Mapping[str, str] | None = None,
    fixed: Mapping[str, Mapping[str, int]] | None = None,
) -> list[NewBallot]:
    """Return one ballot for each of these people, cast between the two times.

    Each person belongs to a camp (share of the people, stars by choice), and deviates from its stars by at most one.
    `fixed` gives the exact ballots of some people.
    """
    chance = random.Random(seed)
    shares = [share for share, _ in camps]
    start, end = between
    cast = []
    for person in people:
        ((_, leaning),) = chance.choices(camps, shares)
        wavering = {c: min(MAX_STARS, max(0, stars + chance.choice((-1, 0, 0, 0, 1)))) for c, stars in leaning.items()}
        moment = start + (end - start) * chance.random()
        stars = (fixed or {}).get(person, wavering)
        comment = (comments or {}).get(person, "")
        cast.append(NewBallot(person, stars, tags=sorted(tags), comment=comment, cast_at=moment))
    return cast
