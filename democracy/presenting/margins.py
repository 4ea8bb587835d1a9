"""Margins in words: the number of ballots that would have to be different for another choice to win."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache

from democracy.models import BallotColumns, Choice
from democracy.models.results import DecisionResult
from democracy.presenting import wording
from graph import Margin, Totals, margin_bounds, margin_of_victory

_lock = threading.Lock()


def rough_margin(result: DecisionResult, choices: Sequence[Choice]) -> str:
    """Say how close a result is as far as its totals tell; "" without a winner."""
    if result.winner is None or result.runner_up is None:
        return ""
    ids = [choice.pk for choice in choices]
    totals = Totals(
        scores=[result.scores[one] for one in ids],
        preferences=[[0 if a == b else result.preferences[a][b] for b in ids] for a in ids],
        five_stars=[result.five_stars[one] for one in ids],
        counted=result.counted,
    )
    bounds = margin_bounds(totals, ids.index(result.winner), ids.index(result.runner_up))
    return _sentence(bounds, choices, totals.counted)


def exact_margin(columns: BallotColumns, choices: Sequence[Choice]) -> str:
    """Say how close a result is by its ballots; "" without a winner. Thousands of ballots take up to a second."""
    lots = tuple(choice.lot or 0 for choice in choices)
    # One at a time: of the readers of a new result the first works it out, and the others wait for that.
    with _lock:
        found = _margin(columns, lots)
    return _sentence(found, choices, int(columns.counted.sum())) if found is not None else ""


@lru_cache(maxsize=8)
def _margin(columns: BallotColumns, lots: tuple[int, ...]) -> Margin | None:
    return margin_of_victory(columns.microstars[columns.counted], lots)


def _sentence(found: Margin, choices: Sequence[Choice], counted: int) -> str:
    return wording.margin_sentence(found.least, found.enough, counted, choices[found.challenger].title)
