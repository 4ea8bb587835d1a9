"""The example on the start page: a live decision of a community that the operator chose, or a made-up one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from democracy import access
from democracy.models import Decision, DecisionSnapshot
from democracy.reading import decisions

# The number of newest decisions to look at: in some, nobody may have voted.
_CANDIDATES = 20
MICROSTARS = 1_000_000


@dataclass(frozen=True)
class Row:
    """One choice: its average in microstars, its share of five stars, and how far it got."""

    title: str
    microstars: int
    share: float
    is_winner: bool
    is_finalist: bool


@dataclass(frozen=True)
class Example:
    """A decision as a visitor sees it. `decision` and `snapshot` are None for the made-up one."""

    question: str
    rows: tuple[Row, ...]
    winner: str
    runner_up: str
    ahead: int
    behind: int
    equal: int
    cast: int
    inherited: int
    decision: Decision | None = None
    snapshot: DecisionSnapshot | None = None

    @property
    def counted(self) -> int:
        return self.cast + self.inherited


def live_example() -> Example | None:
    """Return the operator's newest open decision that every visitor may see and that has a winner so far."""
    if not settings.EXAMPLE_COMMUNITY:
        return None
    now = timezone.now()
    visible = access.decisions_visible_to(AnonymousUser()).filter(
        community=settings.EXAMPLE_COMMUNITY,
        results_visibility=Decision.Visibility.LIVE,
        opens_at__lte=now,
        closes_at__gt=now,
    )
    newest = list(visible.select_related("community").order_by("-published_at", "-pk")[:_CANDIDATES])
    shown = {snapshot.decision_id: snapshot for snapshot in decisions.newest_snapshots([one.pk for one in newest])}
    for decision in newest:
        snapshot = shown.get(decision.pk)
        if snapshot is not None and snapshot.result["winner"] is not None:
            titles = {str(choice.pk): choice.title for choice in decision.choices.all()}
            return _example(decision.title, titles, snapshot.result, decision, snapshot)
    return None


def _example(
    question: str,
    titles: Mapping[str, str],
    result: Mapping[str, Any],
    decision: Decision | None = None,
    snapshot: DecisionSnapshot | None = None,
) -> Example:
    """Return the panel for a `result` (keys as in a bundle) between choices with these titles."""
    winner, runner_up = result["winner"], result["runner_up"]
    counted = result["participation"]["counted"]
    in_order = sorted(titles, key=lambda choice: (-result["scores"][choice], titles[choice]))
    return Example(
        question=question,
        rows=tuple(
            Row(
                title=titles[choice],
                microstars=round(Fraction(result["scores"][choice], counted)),
                share=result["scores"][choice] / (counted * 5 * MICROSTARS),
                is_winner=choice == winner,
                is_finalist=choice in result["finalists"],
            )
            for choice in in_order
        ),
        winner=titles[winner],
        runner_up=titles[runner_up],
        ahead=result["runoff"]["for"][winner],
        behind=result["runoff"]["for"][runner_up],
        equal=result["runoff"]["equal"],
        cast=result["participation"]["cast"],
        inherited=result["participation"]["inherited"],
        decision=decision,
        snapshot=snapshot,
    )


# Twelve ballots: 6 give 1, 5 and 2 stars; 4 give 5, 3 and 0; 2 give 4, 4 and 1.
WORKED = _example(
    "What do we do about the roof?",
    {"repair": "Repair it once more", "replace": "Replace it next summer", "wait": "Wait for two years"},
    {
        "winner": "replace",
        "runner_up": "repair",
        "finalists": ["replace", "repair"],
        "scores": {"repair": 34_000_000, "replace": 50_000_000, "wait": 14_000_000},
        "runoff": {"for": {"replace": 6, "repair": 4}, "equal": 2},
        "participation": {"cast": 7, "inherited": 5, "counted": 12},
    },
)
