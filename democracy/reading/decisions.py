"""Decisions as a viewer may see them, with their choices, results and the state of their calculation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.prepared import prepared
from accounts.text import search_words
from democracy import access
from democracy.access import Viewer
from democracy.models import (
    Ballot,
    CalculationClaim,
    Choice,
    Clarification,
    Community,
    Decision,
    DecisionSnapshot,
    LedgerEntry,
)
from democracy.models.decisions import DecisionQuerySet
from democracy.reading.ballots import turnouts

# Counts that one statement takes; SQLite takes 500.
_COUNTS = 400


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
    return [state_of(row) for row in _with_marks(list(decision_ids), timezone.now())]


@prepared
def _with_marks(decision_ids: list[int], now: datetime) -> QuerySet[Decision]:
    return Decision.objects.filter(pk__in=decision_ids).annotate(has_final=has_final(), is_claimed=is_claimed(now))


def has_final() -> Exists:
    """Whether a decision has its final result: a column beside it."""
    return Exists(DecisionSnapshot.objects.filter(decision=OuterRef("pk"), is_final=True))


def is_claimed(now: datetime) -> Exists:
    """Whether a run calculates the decisions of its community now: a column beside a decision."""
    return Exists(CalculationClaim.objects.filter(community=OuterRef("community"), expires_at__gt=now))


def state_of(decision: Decision) -> CalculationState:
    """The state of a decision that was read with the columns `has_final` and `is_claimed`."""
    is_final: bool = decision.has_final  # type: ignore[attr-defined]
    if access.hides_ballots(decision):
        current = Decision.CalculationStatus.CURRENT
        return CalculationState(decision.pk, current, None, None, None, is_final=False, error="")
    return CalculationState(
        decision_id=decision.pk,
        status=decision.derive_calculation_status(
            is_final=is_final,
            is_claimed=decision.is_claimed,  # type: ignore[attr-defined]
        ),
        input_revision=decision.input_revision,
        calculated_revision=decision.calculated_revision,
        last_calculated=decision.last_calculated,
        is_final=is_final,
        error=decision.calculation_error,
    )


def newest_snapshots(decision_ids: Iterable[int]) -> list[DecisionSnapshot]:
    """The present result of each of these decisions that has one: the final one, otherwise the one of the highest
    revision. A decision that was called off has none.
    """
    return _newest_snapshots(list(decision_ids))


@prepared
def _newest_snapshots(decision_ids: list[int]) -> QuerySet[DecisionSnapshot]:
    newest = DecisionSnapshot.objects.filter(decision=OuterRef("decision")).order_by("-is_final", "-revision")
    standing = DecisionSnapshot.objects.filter(decision__pk__in=decision_ids, decision__called_off_at=None)
    return standing.filter(pk=Subquery(newest.values("pk")[:1])).select_related("decision")


@dataclass(frozen=True)
class Cause:
    """Changes between a result and the one before it: the kinds of ledger entries, and the entries on ballots."""

    kinds: tuple[str, ...]
    ballots: int


def causes(snapshot_ids: Iterable[int]) -> dict[int, Cause]:
    """The causes of these results: entries on their decision, or on none, since the result before whose revision is
    told. The others' would tell whose ballots they count.
    """
    told = DecisionSnapshot.objects.filter(Q(is_final=True) | Q(decision__results_visibility=Decision.Visibility.LIVE))
    before = told.filter(decision=OuterRef("decision"), pk__lt=OuterRef("pk")).order_by("-pk")
    rows = DecisionSnapshot.objects.filter(pk__in=snapshot_ids).select_related("decision")
    rows = rows.annotate(since=Coalesce(Subquery(before.values("revision")[:1]), 0))
    found: dict[int, dict[str, int]] = {row.pk: {} for row in rows}
    counted = [_entries_since(row, row.since) for row in rows]
    for start in range(0, len(counted), _COUNTS):
        first, *others = counted[start : start + _COUNTS]
        for kind, pk, number in first.union(*others, all=True) if others else first:
            found[pk][kind] = number
    return {pk: Cause(tuple(sorted(numbers)), numbers.get(LedgerEntry.Kind.BALLOT, 0)) for pk, numbers in found.items()}


def _entries_since(snapshot: DecisionSnapshot, since: int) -> QuerySet[LedgerEntry, tuple[str, int, int]]:
    """Count the entries behind a result by their kind."""
    entries = LedgerEntry.objects.filter(
        Q(decision=snapshot.decision_id) | Q(decision=None),
        community=snapshot.decision.community_id,
        revision__gt=since,
        revision__lte=snapshot.revision,
    )
    by_kind = entries.order_by().annotate(of=Value(snapshot.pk)).values("kind", "of")
    return by_kind.annotate(number=Count("pk")).values_list("kind", "of", "number")


# --- Lists of many parents at once ------------------------------------------------------------------------------------
# Each takes the ids of its parents, so that a list of lists costs as many queries as one list.


def decisions_of_communities(
    viewer: Viewer, communities: Sequence[int], *, status: str | None = None, search: str = ""
) -> QuerySet[Decision]:
    """The decisions of these communities that the viewer may see, as `decisions_listed` lists them."""
    return decisions_listed(viewer, status=status, search=search).filter(community__in=communities)


def decisions_listed(viewer: Viewer, *, status: str | None = None, search: str = "") -> QuerySet[Decision]:
    """The decisions that the viewer may see, in one status or in all.

    `search`: words that are all in the question, its description, or the title of a choice.
    """
    now = timezone.now()
    decisions = access.decisions_visible_to(viewer)
    for word in search_words(search):
        choices = Choice.objects.filter(decision=OuterRef("pk"), title__icontains=word)
        decisions = decisions.filter(Q(title__icontains=word) | Q(description__icontains=word) | Exists(choices))
    match status:
        case None:
            return decisions
        case Decision.Status.DRAFT:
            return decisions.drafts()
        case Decision.Status.SCHEDULED:
            return decisions.scheduled(now)
        case Decision.Status.OPEN:
            return decisions.open(now)
        case Decision.Status.CALLED_OFF:
            return decisions.called_off()
        case _:
            return decisions.closed(now)


def snapshots_of(viewer: Viewer, decisions: Sequence[int]) -> QuerySet[DecisionSnapshot]:
    """The stored results of these decisions, as far as the viewer may see them, with decisions."""
    return access.snapshots_visible_to(viewer).filter(decision__in=decisions)


def choices_of(decisions: Iterable[int]) -> dict[int, list[Choice]]:
    """The choices of these decisions, in order."""
    choices: defaultdict[int, list[Choice]] = defaultdict(list)
    for choice in _choices(list(decisions)):
        choices[choice.decision_id].append(choice)
    return choices


@prepared
def _choices(decision_ids: list[int]) -> QuerySet[Choice]:
    return Choice.objects.filter(decision__pk__in=decision_ids)


def clarifications_of(decision: Decision) -> list[Clarification]:
    """The clarifications of a decision, oldest first."""
    return _clarifications(decision.pk)


@prepared
def _clarifications(decision_id: int) -> QuerySet[Clarification]:
    return Clarification.objects.filter(decision=decision_id)


# --- The page of a community ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DecisionRow:
    """A decision in a list. `winner`: of the final result, "" where there is none. `ballots`: how many were cast, at
    least that many where ballots are hidden; None before voting opens.
    """

    decision: Decision
    has_ballot: bool
    winner: str
    ballots: int | None

    @property
    def shows_exact_turnout(self) -> bool:
        return not access.hides_ballots(self.decision)


def decisions_found(viewer: Viewer, search: str, *, community: Community | None = None) -> QuerySet[Decision]:
    """The decisions that the viewer may see with all these words, of one community or of all, those that end last
    first; with communities and `has_ballot`.
    """
    own = Ballot.objects.of(viewer).filter(decision=OuterRef("pk"))
    found = decisions_listed(viewer, search=search).annotate(has_ballot=Exists(own)).select_related("community")
    if community is not None:
        found = found.filter(community=community)
    return found.order_by(F("closes_at").desc(nulls_first=True), "-pk")


def decisions_of(viewer: Viewer, community: Community) -> DecisionQuerySet:
    """The decisions of a community that the viewer may see, with `has_ballot`: the viewer's own."""
    own = Ballot.objects.of(viewer).filter(decision=OuterRef("pk"))
    return access.decisions_visible_to(viewer).filter(community=community).annotate(has_ballot=Exists(own))


def living_decisions(viewer: Viewer, community: Community) -> dict[str, list[DecisionRow]]:
    """The decisions of a community that are not over, by status: open ones in the order of closing, scheduled ones in
    the order of opening, drafts with the newest first. Pinned ones are left out.
    """
    decisions = decisions_of(viewer, community).not_over(timezone.now()).filter(is_pinned=False)
    rows: dict[str, list[DecisionRow]] = {status: [] for status in Decision.Status}
    for row in decision_rows(decisions.order_by("closes_at", "-pk")):
        rows[row.decision.status].append(row)
    rows[Decision.Status.SCHEDULED].sort(key=lambda row: (row.decision.opens_at, row.decision.pk))
    return rows


def decisions_over(viewer: Viewer, community: Community) -> QuerySet[Decision]:
    """The decisions of a community that are closed or called off, those that ended last first; without pinned ones."""
    over = decisions_of(viewer, community).over(timezone.now()).filter(is_pinned=False)
    return over.order_by(Coalesce("called_off_at", "closes_at").desc(), "-pk")


def pinned_decisions(viewer: Viewer, community: Community) -> list[DecisionRow]:
    """The decisions that a manager pinned, those that close last first."""
    return decision_rows(decisions_of(viewer, community).filter(is_pinned=True).order_by("-closes_at", "-pk"))


def decision_rows(decisions: Iterable[Decision]) -> list[DecisionRow]:
    """Rows of these decisions, which have `has_ballot`, with the winner where the final result is stored."""
    rows = list(decisions)
    finals = [one for one in newest_snapshots(row.pk for row in rows) if one.is_final]
    won = {one.decision_id: one.read_result().winner for one in finals}
    choices = Choice.objects.filter(pk__in=[winner for winner in won.values() if winner is not None])
    titles = dict(choices.values_list("pk", "title"))
    cast = turnouts(rows)
    has_opened = {one.pk for one in rows if one.status not in {Decision.Status.DRAFT, Decision.Status.SCHEDULED}}
    return [
        DecisionRow(
            one,
            one.has_ballot,  # type: ignore[attr-defined]
            titles.get(won.get(one.pk) or 0, ""),
            cast[one.pk] if one.pk in has_opened else None,
        )
        for one in rows
    ]
