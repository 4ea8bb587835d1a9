"""Staged ballots counted in further ways: stars for each choice, and the result of cast ballots alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from democracy.models import BallotColumns, Choice, StagedBallot
from democracy.models.results import DecisionResult
from graph import STAR, Participation, star, tally


@dataclass(frozen=True)
class Distribution:
    """Counted ballots that give a choice 0, 1 ... 5 stars, to the nearest whole star; `shares` of the largest count."""

    choice: Choice
    counts: tuple[int, ...]
    shares: tuple[float, ...]


def distributions(
    columns: BallotColumns, choices: Sequence[Choice], *, order: Sequence[Choice] | None = None
) -> list[Distribution]:
    """Count the stars of each choice, in `order`. The columns of ballots are in the order of `choices`."""
    whole = np.floor(columns.microstars[columns.counted] / STAR + 0.5).astype(np.int64)
    counts = [np.bincount(whole[:, at], minlength=6).tolist() for at in range(len(choices))]
    most = max((max(of_choice) for of_choice in counts), default=0) or 1
    found = {
        choice: Distribution(choice, tuple(of_choice), tuple(count / most for count in of_choice))
        for choice, of_choice in zip(choices, counts, strict=True)
    }
    return [found[choice] for choice in order or choices]


def cast_only(columns: BallotColumns, choices: Sequence[Choice]) -> DecisionResult:
    """Count the ballots that voters cast, without inheritance."""
    ballots = columns.microstars[columns.of_kind(StagedBallot.Kind.CAST) & columns.counted]
    count = len(ballots)
    participation = Participation(count, count, 0, 0, 0, 0, count)
    result = star(tally(ballots), [choice.lot or 0 for choice in choices], participation)
    return DecisionResult.of(result, tuple(choice.pk for choice in choices))
