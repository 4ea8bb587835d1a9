"""A member's own ballot in a decision: the one they cast, or the one they inherit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from accounts.prepared import prepared
from democracy import access, ledger
from democracy.access import Viewer
from democracy.caches import BoundedCache
from democracy.ledger import contents
from democracy.models import Ballot, Choice, Decision, LedgerEntry, Membership, StagedBallot, Vote
from democracy.models.packed import TAGS_TEXT, tag_set
from democracy.reading.ballots import ShownBallot, shown_ballot, tags_by_use
from democracy.reading.communities import memberships_in
from democracy.reading.decisions import choices_of
from democracy.reading.staged_ballots import staged_ballot, staged_ballots
from graph import STAR

Kind = StagedBallot.Kind
# Suggestions come from so many of a community's different lists of tags.
_LISTS_OF_TAGS = 200
_SUGGESTIONS = 12


@dataclass(frozen=True)
class OwnBallot:
    """A member's own ballot. `stars`: (choice, microstars); `receipt`: the newest ledger entry about a cast one;
    `is_anonymous`: others see it under a pseudonym.
    """

    kind: str
    ballot: Ballot | None
    stars: tuple[tuple[Choice, int], ...] = ()
    tags: tuple[str, ...] = ()
    receipt: LedgerEntry | None = None
    is_anonymous: bool = False


def own_ballot(membership: Membership, decision: Decision, choices: Sequence[Choice]) -> OwnBallot:
    """The ballot as cast; otherwise as inherited when the decision was last calculated, which is not told while ballots
    are hidden.
    """
    of_member = next(iter(_ballots_of(decision.pk, membership.pk)), None)
    if of_member is not None:
        cast = {choice: count * STAR for choice, count in _stars_of(of_member.pk)}
        return OwnBallot(
            kind=Kind.ABSTAINED if of_member.abstain else Kind.CAST,
            ballot=of_member,
            stars=tuple((choice, cast.get(choice.pk, 0)) for choice in choices),
            tags=tuple(of_member.tags),
            receipt=_receipt(decision, membership),
            is_anonymous=of_member.is_anonymous,
        )
    if not access.shows_ballots(decision):
        return OwnBallot(Kind.NONE, None)
    return _inherited(staged_ballot(decision.pk, membership.pk), membership, decision, choices)


def ballots_of_those_who_cast_none(
    decision: Decision, members: Iterable[int], choices: Sequence[Choice]
) -> list[tuple[Membership, OwnBallot]]:
    """`own_ballot` of those of these members who are there and have not cast one. The decision shows its ballots."""
    cast = Ballot.objects.filter(decision=decision, membership=OuterRef("pk"))
    people = list(Membership.objects.current().filter(~Exists(cast), pk__in=set(members)))
    staged = staged_ballots({decision.pk: [one.pk for one in people]})
    return [(one, _inherited(staged.get((decision.pk, one.pk)), one, decision, choices)) for one in people]


def _inherited(
    staged: StagedBallot | None, membership: Membership, decision: Decision, choices: Sequence[Choice]
) -> OwnBallot:
    if staged is None or staged.kind != Kind.INHERITED:
        return OwnBallot(Kind.NONE, None)
    shown = shown_ballot(staged, membership, decision)
    stars = tuple(zip(choices, shown.microstars, strict=True))
    return OwnBallot(Kind.INHERITED, None, stars, shown.tags, is_anonymous=shown.is_anonymous)


@prepared
def _ballots_of(decision: int, membership: int) -> QuerySet[Ballot]:
    return Ballot.objects.filter(decision=decision, membership=membership)


@prepared
def _stars_of(ballot: int) -> QuerySet[Vote, tuple[int, int]]:
    return Vote.objects.filter(ballot=ballot).values_list("choice", "stars")


def _receipt(decision: Decision, membership: Membership) -> LedgerEntry | None:
    subject = contents.ballot_subject(decision.pk, membership.pk)
    return ledger.newest_entry(decision.community_id, subject)


# Staged ballots of members who were asked about, by decision and the revision that it was calculated for.
_seen: BoundedCache[tuple[int, int], dict[int, StagedBallot | None]] = BoundedCache(64)


def moved_ballots(decision_id: int, members: Iterable[int], *, since: int) -> frozenset[int]:
    """Those of these members whose own ballot in a decision may not be what it was when the decision was calculated for
    the revision `since`: it was staged anew, they changed the one that they cast, or nobody here remembers.
    """
    people = set(members)
    standing = remember_ballots(decision_id, people)
    before = _seen.get((decision_id, since)) or {}
    staged = {member for member in people if member not in before or before[member] != standing[member]}
    subjects = {contents.ballot_subject(decision_id, member): member for member in people}
    entries = LedgerEntry.objects.filter(
        community__decisions=decision_id, subject__in=subjects, revision__gt=since
    ).order_by()
    return frozenset(staged.union(subjects[subject] for subject in entries.values_list("subject", flat=True)))


def remember_ballots(decision_id: int, members: Set[int]) -> Mapping[int, StagedBallot | None]:
    """Read the staged ballots of these members, and remember them for `moved_ballots`."""
    calculated = _calculated_revision(decision_id)
    found = staged_ballots({decision_id: members})
    standing = {member: found.get((decision_id, member)) for member in members}
    if calculated == _calculated_revision(decision_id):
        _seen.put((decision_id, calculated), (_seen.get((decision_id, calculated)) or {}) | standing)
    return standing


def are_remembered(decision_id: int, revision: int) -> bool:
    """Whether the staged ballots of anybody are remembered as they were when the decision was calculated for it."""
    return _seen.get((decision_id, revision)) is not None


def forget_ballots() -> None:
    """Remember nobody's ballot any more."""
    _seen.clear()


def _calculated_revision(decision_id: int) -> int:
    return Decision.objects.values_list("calculated_revision", flat=True).get(pk=decision_id)


def anonymously_cast(casters: Iterable[tuple[Decision, Membership]]) -> dict[int, bool]:
    """Whether a ballot that the member casts now will bear a pseudonym, by decision.

    If they have had a ballot there, it bears a pseudonym if that one did: a ballot that appears under the other name
    while one vanishes would tell whose both are.
    """
    subjects = {contents.ballot_subject(one.pk, member.pk): (one, member) for one, member in casters}
    communities = {member.community_id for _, member in subjects.values()}
    earlier = {
        subject: bool((after or before or {}).get("anonymous"))
        for subject, before, after in _newest_contents(list(communities), list(subjects))
    }
    return {one.pk: earlier.get(subject, member.is_anonymous) for subject, (one, member) in subjects.items()}


@prepared
def _newest_contents(communities: list[int], subjects: list[str]) -> QuerySet[LedgerEntry, tuple[str, Any, Any]]:
    later = LedgerEntry.objects.filter(
        community=OuterRef("community"), subject=OuterRef("subject"), revision__gt=OuterRef("revision")
    )
    entries = LedgerEntry.objects.filter(~Exists(later), community__pk__in=communities, subject__in=subjects)
    return entries.order_by().values_list("subject", "before", "after")


def suggested_tags(viewer: Viewer, decision: Decision) -> list[str]:
    """Tags on ballots of this community that the viewer may see, the most widely used first."""
    decisions = access.decisions_of_community(viewer, decision.community_id)
    shown = [one.pk for one in decisions if access.shows_ballots(one)]
    return tags_by_use(map(tag_set, _lists_of_tags(shown)))[:_SUGGESTIONS]


@prepared
def _lists_of_tags(decisions: list[int]) -> QuerySet[Ballot, str]:
    lists = Ballot.objects.filter(decision__pk__in=decisions).annotate(text=TAGS_TEXT).values_list("text", flat=True)
    return lists.distinct().order_by("text")[:_LISTS_OF_TAGS]


def own_ballots(viewer: Viewer, decisions: Sequence[Decision]) -> dict[int, ShownBallot]:
    """The viewer's own ballot in each of these decisions: as cast, otherwise as inherited when last calculated.

    An inherited ballot is not told while ballots are hidden: from it, the viewer could read those of their followees.
    """
    own = memberships_in(viewer, [one.community_id for one in decisions])
    members, keys = {one.community_id: one for one in own}, [one.pk for one in own]
    by_id = {one.pk: one for one in decisions if one.community_id in members}
    shown = {pk: members[one.community_id] for pk, one in by_id.items() if access.shows_ballots(one)}
    staged = staged_ballots({pk: [member.pk] for pk, member in shown.items()})
    found = {
        pk: shown_ballot(ballot, shown[pk], by_id[pk])
        for (pk, _), ballot in staged.items()
        if ballot.kind == Kind.INHERITED
    }
    cast = {row.decision_id: row for row in _all_cast(list(by_id), keys)}
    votes = _all_stars([ballot.pk for ballot in cast.values()])
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


@prepared
def _all_cast(decisions: list[int], memberships: list[int]) -> QuerySet[Ballot]:
    return Ballot.objects.filter(decision__pk__in=decisions, membership__pk__in=memberships)


@prepared
def _all_stars(ballots: list[int]) -> QuerySet[Vote, tuple[int, int, int]]:
    return Vote.objects.filter(ballot__pk__in=ballots).values_list("ballot", "choice", "stars")
