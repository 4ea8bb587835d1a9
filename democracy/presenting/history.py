"""The history of a decision's result, calculation by calculation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, QuerySet

from democracy import access
from democracy.access import Viewer
from democracy.models import MAX_STARS, Choice, Decision, DecisionSnapshot
from democracy.models.results import COUNTED, SCORES, WINNER
from democracy.presenting import charts
from democracy.presenting.charts import LineChart
from democracy.presenting.results import Outcome
from graph import STAR


@dataclass(frozen=True)
class Calculated:
    """A stored result in short, as far as it may be told (`access.shown_revision`)."""

    calculated_at: datetime
    revision: int | None
    is_final: bool
    winner: Choice | None
    counted: int
    keeps_ballots: bool


def calculations(viewer: Viewer, decision: Decision) -> QuerySet[DecisionSnapshot]:
    """List the stored results, newest first, without their long content."""
    snapshots = access.snapshots_visible_to(viewer).filter(decision=decision).order_by("-is_final", "-revision", "-pk")
    return snapshots.defer("result")


def in_short(snapshots: Sequence[DecisionSnapshot], choices: Sequence[Choice]) -> list[Calculated]:
    """Read these results in short, in this order."""
    by_id = {str(choice.pk): choice for choice in choices}
    rows = DecisionSnapshot.objects.filter(pk__in=[snapshot.pk for snapshot in snapshots])
    found = {pk: (winner, counted) for pk, winner, counted in rows.values_list("pk", WINNER, COUNTED)}
    return [
        Calculated(
            calculated_at=access.shown_time(snapshot),
            revision=access.shown_revision(snapshot),
            is_final=snapshot.is_final,
            # SQLite takes an id for a number.
            winner=by_id.get(str(found[snapshot.pk][0])),
            counted=found[snapshot.pk][1],
            keeps_ballots=snapshot.keeps_ballots,
        )
        for snapshot in snapshots
    ]


def history_chart(viewer: Viewer, decision: Decision, outcome: Outcome) -> LineChart | None:
    """Draw the best choices' average stars over time; None before there are two results, or any counted ballot."""
    rows = calculations(viewer, decision).order_by("calculated_at", "pk").values_list("pk", flat=True)
    shown = charts.thinned(list(rows))
    in_order = DecisionSnapshot.objects.filter(pk__in=shown).select_related("decision").order_by("calculated_at", "pk")
    # Of a long result only what is drawn.
    drawn = in_order.defer("result").annotate(scores=F(SCORES), counted=F(COUNTED))
    points = [(access.shown_time(one), one.scores, one.counted) for one in drawn]
    if len(points) < 2 or not any(counted for _, _, counted in points):
        return None
    best = {row.series: row.choice for row in outcome.rows if row.series}
    return charts.line_chart(
        {series: choice.title for series, choice in best.items()},
        [at for at, _, _ in points],
        [
            [scores[str(choice.pk)] / STAR / counted if counted else 0.0 for _, scores, counted in points]
            for choice in best.values()
        ],
        highest=MAX_STARS,
    )
