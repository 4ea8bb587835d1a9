"""Sources: the cast ballots that a ballot rests on, the ballots that a cast one carries, and who hands on to whom.

Answers are for a viewer, and only where the decision shows its ballots. The calculation is that of the inputs as they
stand now (closed: at closing). Of ballots under pseudonyms only their owners are told anything: sources and followings
would be the same in every decision, and give the member away.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from democracy import access
from democracy.access import Viewer
from democracy.explaining.closures import ballots_known
from democracy.models import Ballot, Decision, Membership
from democracy.reading import staged_ballots
from democracy.reading.ballots import ShownBallot
from democracy.recalculation.staging import LiveCalculation, calculation_of
from graph import Source

# Up to here members are looked up by number, beyond it all of the community are read.
_FEW_MEMBERS = 1_000
_ROWS = 10_000


# --- What a ballot rests on, and what it carries ----------------------------------------------------------------------


@dataclass(frozen=True)
class NamedSource:
    """A cast ballot that another rests on: its member, its share, and the strongest chain to it, both ends included."""

    member: Membership
    weight: Fraction | float
    path: tuple[Membership, ...]
    # Those on the path who are anonymous now: not even their pseudonyms are told.
    unnamed: frozenset[int] = frozenset()


def members_under_pseudonyms(decisions: Sequence[Decision]) -> dict[int, frozenset[int]]:
    """Name the members whose ballots others see under pseudonyms, or will once they are stored, by decision."""
    members = Membership.objects.filter(community__in={one.community_id for one in decisions}, is_anonymous=True)
    anonymous: defaultdict[int, set[int]] = defaultdict(set)
    for pk, community in members.values_list("pk", "community"):
        anonymous[community].add(pk)
    found = {one.pk: set(anonymous[one.community_id]) for one in decisions}
    # Only as long as they stand: a ballot that was just withdrawn may still be stored as staged.
    wrote = Ballot.objects.filter(decision__in=decisions, is_anonymous=False, membership__is_anonymous=True)
    for decision, member in wrote.values_list("decision", "membership"):
        found[decision].discard(member)
    unnamed = Ballot.objects.filter(decision__in=decisions, is_anonymous=True)
    for decision, member in unnamed.values_list("decision", "membership"):
        found[decision].add(member)
    for decision, staged in staged_ballots.members_under_pseudonyms(decisions).items():
        found[decision].update(staged)
    return {decision: frozenset(hidden) for decision, hidden in found.items()}


def explain(viewer: Viewer, ballots: Iterable[ShownBallot]) -> dict[ShownBallot, list[NamedSource]]:
    """Find the sources of these ballots, heaviest first.

    Left out are ballots that are hidden, and those of others under pseudonyms.
    """
    shown = [ballot for ballot in ballots if access.shows_ballots(ballot.decision)]
    unnamed = members_under_pseudonyms([ballot.decision for ballot in shown])
    by_decision: defaultdict[Decision, list[ShownBallot]] = defaultdict(list)
    for ballot in shown:
        is_unnamed = ballot.is_anonymous or ballot.membership.pk in unnamed[ballot.decision.pk]
        if not is_unnamed or access.is_self(viewer, ballot.membership):
            by_decision[ballot.decision].append(ballot)
    sources: dict[ShownBallot, tuple[Source, ...]] = {}
    for decision, of_decision in by_decision.items():
        known = ballots_known(decision, [ballot.membership.pk for ballot in of_decision])
        sources |= {ballot: known.calculation.sources(ballot.membership.pk) for ballot in of_decision}
    members = members_with({member for found in sources.values() for source in found for member in source.path})
    hidden = {ballot: unnamed[ballot.decision.pk] - {ballot.membership.pk} for ballot in sources}
    return {
        ballot: [named_source(source, members, hidden[ballot]) for source in found] for ballot, found in sources.items()
    }


def copy_of(decision: Decision) -> LiveCalculation:
    """Copy a decision's calculation, to ask at leisure: holding the community's own would keep its next run waiting."""
    with calculation_of(decision) as live:
        return live.copy()


def named_source(source: Source, members: Mapping[int, Membership], unnamed: frozenset[int]) -> NamedSource:
    path = tuple(members[one] for one in source.path)
    return NamedSource(members[source.member], source.weight, path, unnamed.intersection(source.path))


def members_with(ids: Iterable[int]) -> dict[int, Membership]:
    """Read these members, and their users, by id."""
    wanted = list(set(ids))
    found: dict[int, Membership] = {}
    for start in range(0, len(wanted), _ROWS):
        rows = Membership.objects.select_related("user").filter(pk__in=wanted[start : start + _ROWS])
        found.update((row.pk, row) for row in rows)
    return found


@dataclass(frozen=True)
class Influence:
    """The number of counted ballots that a cast ballot carries, itself included, without those under pseudonyms."""

    member: Membership
    ballots: float


def influence(decision: Decision, *, start: int = 0, stop: int) -> tuple[list[Influence], int]:
    """Find the cast ballots that carry most, from place `start` to `stop`, and how many cast ballots there are.

    Ties go by handle. Ballots under pseudonyms are left out; a decision that hides its ballots has none.
    """
    if not access.shows_ballots(decision):
        return [], 0
    unnamed = members_under_pseudonyms([decision])[decision.pk]
    influence = copy_of(decision).calculation.influence(leaving_out=unnamed)
    carried = {member: round(ballots, 6) for member, ballots in influence.items()}
    shown = _heaviest(decision, carried, start, stop)
    members = members_with(shown)
    return [Influence(members[member], carried[member]) for member in shown], len(carried)


def _heaviest(decision: Decision, weights: Mapping[int, float], start: int, stop: int) -> list[int]:
    """The members at these places: the heaviest first, equal ones by handle. Only handles that decide are read."""
    page = sorted(weights.values(), reverse=True)[start:stop]
    if not page:
        return []
    alike = [member for member, weight in weights.items() if page[-1] <= weight <= page[0]]
    names = _names(decision, alike)
    alike.sort(key=lambda member: (-weights[member], names[member]))
    heavier = sum(weight > page[0] for weight in weights.values())
    return alike[start - heavier : stop - heavier]


def _names(decision: Decision, ids: Iterable[int]) -> dict[int, str]:
    """Read the handles of these members. In a large community whole rows take several seconds, handles do not."""
    wanted = set(ids)
    rows = Membership.objects.filter(community=decision.community_id)
    if len(wanted) <= _FEW_MEMBERS:
        rows = rows.filter(pk__in=wanted)
    return {pk: handle for pk, handle in rows.values_list("pk", "user__handle").iterator(_ROWS) if pk in wanted}


@dataclass(frozen=True)
class ActiveFollowings:
    """The active followings of one decision, between positions in `members`; these with the kinds of their ballots."""

    members: list[tuple[Membership, str]]
    followings: list[tuple[int, int, tuple[str, ...]]]
    is_complete: bool


def active_followings(decision: Decision, *, most: int) -> ActiveFollowings:
    """Find the active followings between members whose ballots bear names: the `most` with most followings at them.

    A decision that hides its ballots has none.
    """
    if not access.shows_ballots(decision):
        return ActiveFollowings([], [], is_complete=True)
    calculation = copy_of(decision).calculation
    hidden = members_under_pseudonyms([decision])[decision.pk]
    pairs = [pair for pair in calculation.active_followings() if hidden.isdisjoint(pair)]
    followees = calculation.graph.followees

    def kind_of(member: int) -> str:
        ballot = calculation.staged(member)
        return ballot.kind if ballot else "none"

    return most_followed(decision, {(a, b): followees[a][b]["tags"] for a, b in pairs}, kind_of, most=most)


def most_followed(
    decision: Decision, pairs: Mapping[tuple[int, int], frozenset[str]], kind_of: Callable[[int], str], *, most: int
) -> ActiveFollowings:
    """Choose the `most` members with most of these followings at them, and name them.

    `pairs`: active followings with their tags; `kind_of`: the kind of a member's ballot.
    """
    ends = Counter(member for pair in pairs for member in pair)
    names = _names(decision, ends)
    chosen = sorted(sorted(ends, key=lambda one: (-ends[one], names[one]))[:most], key=lambda one: names[one])
    place = {member: index for index, member in enumerate(chosen)}
    members = members_with(chosen)
    return ActiveFollowings(
        [(members[one], kind_of(one)) for one in chosen],
        sorted(
            (place[a], place[b], tuple(sorted(tags))) for (a, b), tags in pairs.items() if a in place and b in place
        ),
        is_complete=len(chosen) == len(ends),
    )
