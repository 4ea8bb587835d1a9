"""Questions to a calculation: what a ballot rests on, what a ballot carries, who hands on to whom, and what if.

They are asked for a viewer, write nothing, and are answered only where the decision shows its ballots. The calculation
is that of the inputs as they stand now (closed: at closing). Of ballots under pseudonyms nothing is told but to their
owners: what somebody rests on and whom they follow would be the same in every decision.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from django.utils import timezone

from democracy import access
from democracy.access import Viewer
from democracy.errors import BallotsHidden, DecisionClosed, DecisionNotOpen, InvalidInput, PermissionDenied
from democracy.explaining.closures import ballots_known
from democracy.models import Decision, Membership
from democracy.models import StagedBallot as StoredBallot
from democracy.models.results import DecisionResult
from democracy.reading.decisions import ShownBallot
from democracy.recalculation.staging import calculation_of
from democracy.services.ballots import check_stars
from democracy.services.followings import require_pair
from democracy.tags import normalise_tags
from graph import Calculation, CastBallot, FollowingRemoved, FollowingSet, GraphChange, Source, StagedBallot

MAX_CHANGES = 20
# Each of them is calculated while somebody waits.
_MOST_DECISIONS = 20
# Up to here members are looked up by number, beyond it all of the community are read.
_FEW_MEMBERS = 1_000
_ROWS = 10_000


# --- What a ballot rests on, and what it carries ----------------------------------------------------------------------


@dataclass(frozen=True)
class NamedSource:
    """A cast ballot that another rests on: whose, its share, and the strongest chain to it, both ends included."""

    member: Membership
    weight: Fraction | float
    path: tuple[Membership, ...]
    # Those on the path who are anonymous now: not even their pseudonyms are told.
    unnamed: frozenset[int] = frozenset()


def under_pseudonyms(decisions: Sequence[Decision]) -> dict[int, frozenset[int]]:
    """Whose ballots in each of these decisions others see under pseudonyms, or will once they are stored."""
    staged = StoredBallot.objects.filter(decision__in=decisions)
    members = Membership.objects.filter(community__in={one.community_id for one in decisions}, is_anonymous=True)
    anonymous: defaultdict[int, set[int]] = defaultdict(set)
    for pk, community in members.values_list("pk", "community"):
        anonymous[community].add(pk)
    found = {one.pk: set(anonymous[one.community_id]) for one in decisions}
    wrote = staged.filter(access.named_ballots(), kind__in=[StoredBallot.Kind.CAST, StoredBallot.Kind.ABSTAINED])
    for decision, member in wrote.filter(membership__is_anonymous=True).values_list("decision", "membership"):
        found[decision].discard(member)
    for decision, member in staged.exclude(access.named_ballots()).values_list("decision", "membership"):
        found[decision].add(member)
    return {decision: frozenset(hidden) for decision, hidden in found.items()}


def explain(viewer: Viewer, ballots: Iterable[ShownBallot]) -> dict[ShownBallot, list[NamedSource]]:
    """The sources of these ballots, heaviest first. None where ballots are hidden, and of somebody else's under a
    pseudonym.
    """
    by_decision: defaultdict[Decision, list[ShownBallot]] = defaultdict(list)
    for ballot in ballots:
        is_known = not ballot.is_anonymous or access.is_self(viewer, ballot.membership)
        if access.shows_ballots(ballot.decision) and is_known:
            by_decision[ballot.decision].append(ballot)
    sources: dict[ShownBallot, tuple[Source, ...]] = {}
    for decision, of_decision in by_decision.items():
        known = ballots_known(decision, [ballot.membership.pk for ballot in of_decision])
        sources |= {ballot: known.calculation.sources(ballot.membership.pk) for ballot in of_decision}
    members = _members({member for found in sources.values() for source in found for member in source.path})
    unnamed = under_pseudonyms(list(by_decision))
    return {
        ballot: [_named(source, members, unnamed[ballot.decision.pk] - {ballot.membership.pk}) for source in found]
        for ballot, found in sources.items()
    }


def _copy_of(decision: Decision) -> Calculation:
    """The calculation to ask at leisure: whoever held the community's own would keep its next run waiting."""
    with calculation_of(decision) as live:
        return live.calculation.copy()


def _named(source: Source, members: Mapping[int, Membership], unnamed: frozenset[int]) -> NamedSource:
    path = tuple(members[one] for one in source.path)
    return NamedSource(members[source.member], source.weight, path, unnamed.intersection(source.path))


def _members(ids: Iterable[int]) -> dict[int, Membership]:
    """The members with these ids, and their users."""
    wanted = list(set(ids))
    found: dict[int, Membership] = {}
    for start in range(0, len(wanted), _ROWS):
        rows = Membership.objects.select_related("user").filter(pk__in=wanted[start : start + _ROWS])
        found.update((row.pk, row) for row in rows)
    return found


@dataclass(frozen=True)
class Influence:
    """How many counted ballots a cast ballot carries, its own among them, without those under pseudonyms."""

    member: Membership
    ballots: float


def influence(decision: Decision, *, start: int = 0, stop: int) -> tuple[list[Influence], int]:
    """The cast ballots of a decision that shows them and that bear names, those that carry most first, then by handle:
    from one place to another, and how many there are in all.
    """
    if not access.shows_ballots(decision):
        return [], 0
    influence = _copy_of(decision).influence(leaving_out=under_pseudonyms([decision])[decision.pk])
    carried = {member: round(ballots, 6) for member, ballots in influence.items()}
    names = _names(decision, carried)
    shown = sorted(carried, key=lambda member: (-carried[member], names[member]))[start:stop]
    members = _members(shown)
    return [Influence(members[member], carried[member]) for member in shown], len(carried)


def _names(decision: Decision, ids: Iterable[int]) -> dict[int, str]:
    """The handles of these members of the community. Rows of all members are several seconds' work in a large one,
    handles are not.
    """
    wanted = set(ids)
    rows = Membership.objects.filter(community=decision.community_id)
    if len(wanted) <= _FEW_MEMBERS:
        rows = rows.filter(pk__in=wanted)
    return {pk: handle for pk, handle in rows.values_list("pk", "user__handle").iterator(_ROWS) if pk in wanted}


@dataclass(frozen=True)
class Network:
    """Who hands on to whom in one decision: `followings` are active ones, between positions in `members`."""

    members: list[tuple[Membership, str]]
    followings: list[tuple[int, int, tuple[str, ...]]]
    is_complete: bool


def network(decision: Decision, *, most: int) -> Network:
    """The active followings of a decision that shows its ballots between members whose ballots bear names, among the
    `most` whom most of them follow or who follow most; with the kinds of their ballots.
    """
    if not access.shows_ballots(decision):
        return Network([], [], is_complete=True)
    calculation = _copy_of(decision)
    hidden = under_pseudonyms([decision])[decision.pk]
    pairs = [pair for pair in calculation.active_followings() if hidden.isdisjoint(pair)]
    ends = Counter(member for pair in pairs for member in pair)
    names = _names(decision, ends)
    chosen = sorted(sorted(ends, key=lambda one: (-ends[one], names[one]))[:most], key=lambda one: names[one])
    place = {member: index for index, member in enumerate(chosen)}
    members = _members(chosen)
    followees = calculation.graph.followees
    return Network(
        [(members[one], ballot.kind if (ballot := calculation.staged(one)) else "none") for one in chosen],
        sorted(
            (place[a], place[b], tuple(sorted(followees[a][b]["tags"]))) for a, b in pairs if a in place and b in place
        ),
        is_complete=len(chosen) == len(ends),
    )


# --- What if ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Follow:
    member_id: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unfollow:
    member_id: int


@dataclass(frozen=True)
class Vote:
    """Stars per choice id, or an abstention; without tags the ballot has none."""

    stars: tuple[tuple[int, int], ...]
    tags: tuple[str, ...] = ()
    abstain: bool = False


@dataclass(frozen=True)
class Withdraw:
    """No ballot of one's own."""


Change = Follow | Unfollow | Vote | Withdraw


@dataclass(frozen=True)
class WhatIf:
    """The result and one's own ballot as they stand and as they would be. Results as stored ones. `others_changed`:
    without ballots under pseudonyms.
    """

    decision: Decision
    revision: int
    before: DecisionResult
    after: DecisionResult
    ballot_before: ShownBallot | None
    ballot_after: ShownBallot | None
    sources_after: list[NamedSource]
    others_changed: int


def what_if(viewer: Viewer, decision_id: int, changes: Sequence[Change]) -> WhatIf:
    """An open decision if the viewer followed, unfollowed, voted or withdrew, in this order. Writes nothing.

    Members only. Raises PermissionDenied, BallotsHidden, DecisionNotOpen, DecisionClosed, and what the commands raise
    for such a change.
    """
    decision, member = _asked(viewer, decision_id)
    edges = _edges(viewer, member, changes)
    votes = [change for change in changes if isinstance(change, Vote | Withdraw)]
    for vote in votes:
        if isinstance(vote, Vote):
            check_stars(decision, dict(vote.stars), abstain=vote.abstain)
    with calculation_of(decision) as live:
        choices, calculation = live.choices, live.calculation.copy()
        revision = live.revision
    before, ballot_before = calculation.result, calculation.staged(member.pk)
    graph = calculation.graph.updated(edges, revision=revision)
    ballots = {member.pk: _cast(votes[-1], choices)} if votes else {}
    changed = calculation.update(graph, changes=edges, ballots=ballots)
    sources = calculation.sources(member.pk)
    members = _members({one for source in sources for one in source.path})
    hidden = under_pseudonyms([decision])[decision.pk]
    return WhatIf(
        decision=decision,
        revision=revision,
        before=DecisionResult.of(before, choices),
        after=DecisionResult.of(calculation.result, choices),
        ballot_before=_shown(decision, member, ballot_before),
        ballot_after=_shown(decision, member, calculation.staged(member.pk)),
        sources_after=[_named(source, members, hidden - {member.pk}) for source in sources],
        # Those of anonymous members would tell how many of them follow this one.
        others_changed=len(changed - {member.pk} - hidden),
    )


def decisions_changed(viewer: Viewer, decision_id: int, changes: Sequence[Change]) -> list[Decision]:
    """The open decisions of the community, at most 20, in which the viewer's own ballot would be another after these
    followings; those that hide their ballots are left out.
    """
    decision, member = _asked(viewer, decision_id)
    edges = _edges(viewer, member, changes)
    now = timezone.now()
    open_ones = access.decisions_visible_to(viewer).filter(
        community=decision.community_id, published_at__isnull=False, opens_at__lte=now, closes_at__gt=now
    )
    return [
        one
        for one in open_ones.order_by("closes_at", "pk")[:_MOST_DECISIONS]
        if edges and access.shows_ballots(one) and _changes_ballot(_copy_of(one), member.pk, edges)
    ]


def _changes_ballot(calculation: Calculation, member: int, edges: Sequence[GraphChange]) -> bool:
    before, graph = calculation.staged(member), calculation.graph
    calculation.update(graph.updated(edges, revision=graph.revision), changes=edges, ballots={})
    return calculation.staged(member) != before


def _asked(viewer: Viewer, decision_id: int) -> tuple[Decision, Membership]:
    decision = access.require_decision(viewer, decision_id)
    member = access.require_member(viewer, decision.community_id)
    if decision.status == Decision.Status.CLOSED:
        raise DecisionClosed("Voting has closed; the result is final.")
    if decision.status != Decision.Status.OPEN:
        raise DecisionNotOpen("Voting has not opened yet.")
    if not access.shows_ballots(decision):
        raise BallotsHidden("This decision shows its results after closing; until then nobody can try out changes.")
    return decision, member


def _edges(viewer: Viewer, member: Membership, changes: Sequence[Change]) -> list[GraphChange]:
    if len(changes) > MAX_CHANGES:
        raise InvalidInput(f"At most {MAX_CHANGES} changes at once.", field="changes")
    return [_edge(viewer, member, change) for change in changes if isinstance(change, Follow | Unfollow)]


def _edge(viewer: Viewer, member: Membership, change: Follow | Unfollow) -> GraphChange:
    followee, follower = require_pair(viewer, change.member_id)
    if followee.is_anonymous or not followee.is_current or follower.pk != member.pk:
        raise PermissionDenied
    if isinstance(change, Unfollow):
        return FollowingRemoved(member.pk, followee.pk)
    return FollowingSet(member.pk, followee.pk, frozenset(normalise_tags(change.tags)))


def _cast(vote: Vote | Withdraw, choices: tuple[int, ...]) -> CastBallot | None:
    if isinstance(vote, Withdraw):
        return None
    stars = dict(vote.stars)
    rated = tuple(stars.get(choice, 0) for choice in choices)
    return CastBallot(rated, frozenset(normalise_tags(vote.tags)), vote.abstain)


def _shown(decision: Decision, member: Membership, ballot: StagedBallot | None) -> ShownBallot | None:
    if ballot is None:
        return None
    return ShownBallot(
        decision,
        member,
        ballot.kind,
        ballot.microstars,
        tuple(sorted(ballot.tags)),
        ballot.counted,
        is_anonymous=member.is_anonymous,
    )
