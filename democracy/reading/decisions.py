"""Decisions as a viewer may see them, with their choices, results and the state of their calculation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils import timezone

from democracy import access
from democracy.access import Viewer
from democracy.models import (
    Ballot,
    CalculationClaim,
    Choice,
    Community,
    Decision,
    DecisionSnapshot,
)
from democracy.models.decisions import DecisionQuerySet


@dataclass(frozen=True)
class CalculationState:
    """The state of a decision's stored result, from its counters and marks. A decision that hides its ballots is always
    told to be current, and nothing more is told.
    """

    decision_id: int
    status: Decision.CalculationStatus
    input_revision: int | None
    calculated_revision: int | None
    last_calculated: datetime | None
    is_final: bool
    error: str

    @property
    def is_calculating(self) -> bool:
        return self.status == Decision.CalculationStatus.CALCULATING


def calculation_states(decision_ids: Iterable[int]) -> list[CalculationState]:
    """The states of these decisions, in one query."""
    claims = CalculationClaim.objects.filter(community=OuterRef("community"), expires_at__gt=timezone.now())
    final = DecisionSnapshot.objects.filter(decision=OuterRef("pk"), is_final=True)
    rows = Decision.objects.filter(pk__in=decision_ids).annotate(has_final=Exists(final), is_claimed=Exists(claims))
    return [_state(row, is_final=row.has_final, is_claimed=row.is_claimed) for row in rows]  # type: ignore[attr-defined]


def _state(decision: Decision, *, is_final: bool, is_claimed: bool) -> CalculationState:
    if access.hides_ballots(decision):
        current = Decision.CalculationStatus.CURRENT
        return CalculationState(decision.pk, current, None, None, None, is_final=False, error="")
    return CalculationState(
        decision_id=decision.pk,
        status=decision.derive_calculation_status(is_final=is_final, is_claimed=is_claimed),
        input_revision=decision.input_revision,
        calculated_revision=decision.calculated_revision,
        last_calculated=decision.last_calculated,
        is_final=is_final,
        error=decision.calculation_error,
    )


def newest_snapshots(decision_ids: Iterable[int]) -> list[DecisionSnapshot]:
    """The present result of each of these decisions that has one: the final one, otherwise the one of the highest
    revision.
    """
    newest = DecisionSnapshot.objects.filter(decision=OuterRef("decision")).order_by("-is_final", "-revision")
    return list(
        DecisionSnapshot.objects.filter(decision__in=decision_ids, pk=Subquery(newest.values("pk")[:1])).select_related(
            "decision"
        )
    )


# --- Lists of many parents at once ------------------------------------------------------------------------------------
# Each takes the ids of its parents, so that a list of lists costs as many queries as one list.


def decisions_of_communities(
    viewer: Viewer, communities: Sequence[int], *, status: str | None = None
) -> QuerySet[Decision]:
    """The decisions that the viewer may see, in one status or in all."""
    now = timezone.now()
    decisions = access.decisions_visible_to(viewer).filter(community__in=communities)
    match status:
        case None:
            return decisions
        case Decision.Status.DRAFT:
            return decisions.drafts()
        case Decision.Status.SCHEDULED:
            return decisions.scheduled(now)
        case Decision.Status.OPEN:
            return decisions.open(now)
        case _:
            return decisions.closed(now)


def snapshots_of(viewer: Viewer, decisions: Sequence[int]) -> QuerySet[DecisionSnapshot]:
    """The stored results of these decisions, as far as the viewer may see them, with decisions."""
    return access.snapshots_visible_to(viewer).filter(decision__in=decisions)


def choices_of(decisions: Iterable[int]) -> dict[int, list[Choice]]:
    """The choices of these decisions, in order."""
    choices: defaultdict[int, list[Choice]] = defaultdict(list)
    for choice in Choice.objects.filter(decision__in=decisions):
        choices[choice.decision_id].append(choice)
    return choices


# --- The page of a community ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DecisionRow:
    """A decision in a list. `winner`: of the final result, "" where there is none."""

    decision: Decision
    has_ballot: bool
    winner: str


def decisions_of(viewer: Viewer, community: Community) -> DecisionQuerySet:
    """The decisions of a community that the viewer may see, with `has_ballot`: the viewer's own."""
    own = Ballot.objects.of(viewer).filter(decision=OuterRef("pk"))
    return access.decisions_visible_to(viewer).filter(community=community).annotate(has_ballot=Exists(own))


def living_decisions(viewer: Viewer, community: Community) -> dict[str, list[DecisionRow]]:
    """The decisions of a community that are not closed, by status: open ones in the order of closing, scheduled ones in
    the order of opening, drafts with the newest first.
    """
    decisions = decisions_of(viewer, community).not_closed(timezone.now())
    rows: dict[str, list[DecisionRow]] = {status: [] for status in Decision.Status}
    for one in decisions.order_by("closes_at", "-pk"):
        rows[one.status].append(DecisionRow(one, one.has_ballot, ""))  # type: ignore[attr-defined]
    rows[Decision.Status.SCHEDULED].sort(key=lambda row: (row.decision.opens_at, row.decision.pk))
    return rows


def closed_decisions(viewer: Viewer, community: Community) -> QuerySet[Decision]:
    """The closed decisions of a community, those closed last first."""
    closed = decisions_of(viewer, community).closed(timezone.now())
    return closed.order_by("-closes_at", "-pk")


def with_winners(decisions: Iterable[Decision]) -> list[DecisionRow]:
    """Rows of these closed decisions, with the winner where the final result is stored."""
    rows = list(decisions)
    finals = [one for one in newest_snapshots(row.pk for row in rows) if one.is_final]
    won = {one.decision_id: one.read_result().winner for one in finals}
    choices = Choice.objects.filter(pk__in=[winner for winner in won.values() if winner is not None])
    titles = dict(choices.values_list("pk", "title"))
    return [DecisionRow(one, one.has_ballot, titles.get(won.get(one.pk) or 0, "")) for one in rows]  # type: ignore[attr-defined]
