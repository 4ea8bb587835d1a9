"""Reading: questions to the database that pages, GraphQL and publishing share. Who may ask is decided in
`democracy.access`.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, Exists, F, Max, OuterRef, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from accounts.models import named
from accounts.text import search_words
from democracy import access
from democracy.access import Viewer
from democracy.models import (
    Application,
    Ballot,
    CalculationClaim,
    Choice,
    Community,
    Decision,
    DecisionSnapshot,
    LedgerEntry,
    Membership,
    StagedBallot,
    Vote,
)
from graph import STAR

_NOT_ON_THE_OVERVIEW = (LedgerEntry.Kind.BALLOT, LedgerEntry.Kind.FOLLOWING, LedgerEntry.Kind.RECALCULATION)


@dataclass(frozen=True)
class CalculationState:
    """Whether a decision's stored result is current, from its counters and marks; where it hides its ballots, always,
    and nothing more is told.
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


def overview_changed(community_id: int, *, since: int) -> bool:
    """Whether something that a community's page shows has changed after this revision."""
    entries = LedgerEntry.objects.filter(community=community_id, revision__gt=since)
    return entries.exclude(kind__in=_NOT_ON_THE_OVERVIEW).exists()


def last_final_result(community_id: int) -> int:
    """The key of the newest final result of a community, 0 where there is none."""
    final = DecisionSnapshot.objects.filter(decision__community=community_id, is_final=True)
    return final.aggregate(last=Max("pk"))["last"] or 0


# --- Lists of many parents at once ------------------------------------------------------------------------------------
# Each takes the viewer and the ids of its parents, so that a list of lists costs as many queries as one list.


def member_counts(communities: Iterable[int]) -> dict[int, int]:
    """How many current members these communities have, the anonymous ones among them."""
    current = Membership.objects.current().filter(community__in=communities).order_by().values("community")
    return dict(current.annotate(number=Count("pk")).values_list("community", "number"))


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


def members_of_communities(
    viewer: Viewer, communities: Sequence[int], *, search: str = "", role: str | None = None
) -> QuerySet[Membership]:
    """The members whose identity the viewer may know, with users; those found by name or handle."""
    members = access.memberships_visible_to(viewer).filter(community__in=communities).select_related("user")
    if role:
        members = members.filter(role=role)
    return members.filter(*map(named, search_words(search)))


def pending_applications_to(viewer: Viewer, communities: Sequence[int]) -> QuerySet[Application]:
    """The pending applications that the viewer may see, with users: all for managers, else one's own."""
    pending = access.applications_visible_to(viewer).pending()
    return pending.filter(community__in=communities).select_related("user")


def own_memberships(viewer: Viewer, communities: Sequence[int] | None = None) -> QuerySet[Membership]:
    """The viewer's current memberships, with community and user; of all communities or of these."""
    mine = Membership.objects.of(viewer).current().select_related("community", "user")
    return mine if communities is None else mine.filter(community__in=communities)


def own_applications(viewer: Viewer, communities: Sequence[int] | None = None) -> QuerySet[Application]:
    """The viewer's applications, with community and user; of all communities, or the pending ones to these."""
    mine = Application.objects.of(viewer).select_related("community", "user")
    return mine if communities is None else mine.pending().filter(community__in=communities)


def snapshots_of(viewer: Viewer, decisions: Sequence[int]) -> QuerySet[DecisionSnapshot]:
    return access.snapshots_visible_to(viewer).filter(decision__in=decisions)


# --- Ballots ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShownBallot:
    """A ballot that somebody may see. `microstars`: in the order of the decision's choices. `is_anonymous`: others see
    it under a pseudonym.
    """

    decision: Decision
    membership: Membership
    kind: str
    microstars: tuple[int, ...]
    tags: tuple[str, ...]
    is_counted: bool
    is_anonymous: bool


def choices_of(decisions: Iterable[int]) -> dict[int, list[Choice]]:
    """The choices of these decisions, in order."""
    choices: defaultdict[int, list[Choice]] = defaultdict(list)
    for choice in Choice.objects.filter(decision__in=decisions):
        choices[choice.decision_id].append(choice)
    return choices


def tags_of(decisions: Iterable[Decision]) -> dict[int, list[str]]:
    """The tags on the cast ballots of these decisions, in order; decisions that hide their ballots are left out."""
    shown = [decision.pk for decision in decisions if access.shows_ballots(decision)]
    cast = StagedBallot.objects.filter(decision__in=shown, kind=StagedBallot.Kind.CAST)
    tags: dict[int, set[str]] = {decision: set() for decision in shown}
    for decision, on_ballot in cast.values_list("decision", "tags").order_by().distinct():
        tags[decision].update(on_ballot)
    return {decision: sorted(found) for decision, found in tags.items()}


def _shown(staged: StagedBallot, decision: Decision) -> ShownBallot:
    packed = bytes(staged.microstars)
    microstars = struct.unpack(f"<{len(packed) // 4}i", packed)
    is_anonymous = access.bears_pseudonym(staged.membership, kind=staged.kind, is_anonymous=staged.is_anonymous)
    return ShownBallot(
        decision,
        staged.membership,
        staged.kind,
        microstars,
        tuple(sorted(staged.tags)),
        staged.is_counted,
        is_anonymous,
    )


def without_fingerprints(ballot: ShownBallot) -> ShownBallot:
    """The ballot as others see it: inherited under a pseudonym it has no tags, which tell whom somebody follows."""
    is_inherited = ballot.kind == StagedBallot.Kind.INHERITED
    return replace(ballot, tags=()) if is_inherited and ballot.is_anonymous else ballot


def _staged(decisions: Iterable[Decision]) -> QuerySet[StagedBallot]:
    shown = [decision for decision in decisions if access.shows_ballots(decision)]
    return StagedBallot.objects.filter(decision__in=shown).exclude(kind=StagedBallot.Kind.NONE)


def ballot_counts(decisions: Iterable[Decision]) -> dict[int, int]:
    """How many ballots each of these decisions has, where its ballots are shown."""
    counts = _staged(decisions).values("decision").annotate(number=Count("pk"))
    return dict(counts.values_list("decision", "number"))


def ballots_of(decisions: Sequence[Decision], *, start: int, stop: int) -> dict[int, list[ShownBallot]]:
    """The ballots with these places in each decision: those that bear names by handle, then the others by pseudonym.

    Nothing where ballots are hidden. Always four queries.
    """
    by_id = {decision.pk: decision for decision in decisions}
    staged = _staged(decisions)
    known = staged.filter(access.named_ballots())
    numbers = dict(known.order_by().values("decision").annotate(number=Count("pk")).values_list("decision", "number"))
    hidden: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
    rest = staged.exclude(access.named_ballots()).values_list("decision", "membership", "kind", "pk")
    for decision, membership, kind, pk in rest:
        hidden[decision].append((access.pseudonym(decision, membership, kind=kind), pk))
    wanted = (_page_of_one if len(by_id) == 1 else _page_of_each)(known, start, stop)
    for decision, names in hidden.items():
        before = numbers.get(decision, 0)
        wanted += [pk for _, pk in sorted(names)[max(0, start - before) : max(0, stop - before)]]
    rows = {row.pk: row for row in staged.select_related("membership__user").filter(pk__in=wanted)}
    pages: dict[int, list[ShownBallot]] = {pk: [] for pk in by_id}
    for row in (rows[pk] for pk in wanted if pk in rows):
        pages[row.decision_id].append(without_fingerprints(_shown(row, by_id[row.decision_id])))
    return pages


# Both give keys only, since there may be a million rows to sort; and of one decision a database finds the first few
# without putting all others in order, while numbers are given to every row.


def _page_of_one(known: QuerySet[StagedBallot], start: int, stop: int) -> list[int]:
    return list(known.order_by("membership__user__handle").values_list("pk", flat=True)[start:stop])


def _page_of_each(known: QuerySet[StagedBallot], start: int, stop: int) -> list[int]:
    place = Window(RowNumber(), partition_by=F("decision"), order_by="membership__user__handle")
    numbered = known.annotate(place=place).filter(place__gt=start, place__lte=stop)
    return list(numbered.order_by("decision", "place").values_list("pk", flat=True))


def own_ballots(viewer: Viewer, decisions: Sequence[Decision]) -> dict[int, ShownBallot]:
    """The viewer's own ballot in each of these decisions: as cast, else as last calculated. Whether they inherit one is
    not told while ballots are hidden: by whom they follow they would read those of others.
    """
    members = {one.community_id: one for one in own_memberships(viewer, [one.community_id for one in decisions])}
    by_id = {one.pk: one for one in decisions if one.community_id in members}
    mine = {"decision__in": by_id, "membership__in": list(members.values())}
    shown = [pk for pk, one in by_id.items() if access.shows_ballots(one)]
    inherited = StagedBallot.objects.filter(kind=StagedBallot.Kind.INHERITED, **mine | {"decision__in": shown})
    staged = inherited.select_related("membership__user")
    found = {row.decision_id: _shown(row, by_id[row.decision_id]) for row in staged}
    cast = {row.decision_id: row for row in Ballot.objects.filter(**mine)}
    votes = Vote.objects.filter(ballot__in=cast.values()).values_list("ballot", "choice", "stars")
    stars = {(ballot, choice): count for ballot, choice, count in votes}
    choices = choices_of(cast)
    for decision_id, ballot in cast.items():
        member = members[by_id[decision_id].community_id]
        kind = StagedBallot.Kind.ABSTAINED if ballot.abstain else StagedBallot.Kind.CAST
        microstars = tuple(stars.get((ballot.pk, choice.pk), 0) * STAR for choice in choices[decision_id])
        counts = kind == StagedBallot.Kind.CAST and (ballot.is_anonymous or member.role == Membership.Role.VOTER)
        found[decision_id] = ShownBallot(
            by_id[decision_id], member, kind, microstars, tuple(sorted(ballot.tags)), counts, ballot.is_anonymous
        )
    return found


TURNOUT_STEP = 5


def turnouts(decisions: Iterable[Decision]) -> dict[int, int]:
    """How many ballots were cast in each of these decisions; while ballots are hidden, at least: in steps.

    Those of members who left are among them: else it would tell whether somebody had voted when they are removed.
    """
    by_id = {decision.pk: decision for decision in decisions}
    rows = Ballot.objects.filter(decision__in=by_id).order_by().values("decision").annotate(number=Count("pk"))
    cast = dict(rows.values_list("decision", "number"))
    return {
        pk: cast.get(pk, 0) - (cast.get(pk, 0) % TURNOUT_STEP if access.hides_ballots(decision) else 0)
        for pk, decision in by_id.items()
    }


def comments_of(ballots: Iterable[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """The comments on cast ballots, by decision and membership."""
    pairs = set(ballots)
    rows = Ballot.objects.filter(
        decision__in={decision for decision, _ in pairs}, membership__in={member for _, member in pairs}
    )
    return {(row.decision_id, row.membership_id): row.comment for row in rows}
