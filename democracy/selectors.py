"""Reading: questions to the database that pages, GraphQL and publishing share. Who may ask is decided in
`democracy.access`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Subquery
from django.utils import timezone

from democracy.models import CalculationClaim, Community, Decision, DecisionSnapshot


@dataclass(frozen=True)
class CalculationState:
    """Whether a decision's stored result is current, from its counters and marks."""

    decision_id: int
    status: Decision.CalculationStatus
    input_revision: int
    calculated_revision: int
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
    return [
        CalculationState(
            decision_id=row.pk,
            status=row.derive_calculation_status(is_final=row.has_final, is_claimed=row.is_claimed),
            input_revision=row.input_revision,
            calculated_revision=row.calculated_revision,
            last_calculated=row.last_calculated,
            is_final=row.has_final,
            error=row.calculation_error,
        )
        for row in rows
    ]


def newest_snapshots(decision_ids: Iterable[int]) -> list[DecisionSnapshot]:
    """The present result of each of these decisions that has one: the final one, else that of the highest revision."""
    newest = DecisionSnapshot.objects.filter(decision=OuterRef("decision")).order_by("-is_final", "-revision")
    return list(
        DecisionSnapshot.objects.filter(decision__in=decision_ids, pk=Subquery(newest.values("pk")[:1])).select_related(
            "decision"
        )
    )


def revisions(community_ids: Iterable[int]) -> list[tuple[int, int]]:
    """(community id, revision) of these communities."""
    return list(Community.objects.filter(pk__in=community_ids).values_list("pk", F("revision")))
