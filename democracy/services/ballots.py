"""Commands on ballots. All of them need a current member and an open decision, judged by the clock read under the
community's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.prepared import prepared
from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.database import bulk
from democracy.errors import (
    CommunityHidden,
    DecisionCalledOff,
    DecisionClosed,
    DecisionNotOpen,
    EmptyBallot,
    InvalidStars,
    NoBallot,
    PermissionDenied,
)
from democracy.ledger import contents
from democracy.models import MAX_STARS, Ballot, Choice, Decision, LedgerEntry, Membership, Vote
from democracy.reading.own_ballots import anonymously_cast
from democracy.services import validation
from democracy.services.commands import command
from democracy.tags import normalise_tags

_VOTES = Vote._meta.db_table
_NONE = "You have not cast a ballot in this decision."


@dataclass(frozen=True)
class RecordedBallot:
    """A ballot as a command left it (None: withdrawn), and the ledger entry that records it: the caster's receipt.

    The entry's hash shows to anybody that the ballot was recorded. With the salt its caster can show what was recorded.
    """

    decision: Decision
    ballot: Ballot | None
    entry: LedgerEntry

    @property
    def entry_hash(self) -> str:
        return self.entry.hash


@command
def cast_ballot(
    viewer: Viewer,
    decision_id: int,
    *,
    stars: Mapping[int, int],
    tags: Iterable[str] | None = None,
    comment: str | None = None,
    abstain: bool = False,
    if_revision: int | None = None,
) -> RecordedBallot:
    """Cast or change one's ballot. An abstention stops inheritance, hands nothing on, and rates nothing.

    `stars`: 0 to 5 by choice id; a choice that isn't named is unrated. `tags`, `comment`: None keeps those of the
    ballot that is there; without one, the tags are the decision's topics. Returns the ballot with its entry, the one
    before where nothing changed. `if_revision`: see `validation.check_unchanged`.
    Raises PermissionDenied, DecisionNotOpen, DecisionClosed, InvalidStars, EmptyBallot, InvalidTag, InvalidInput,
    ChangedMeanwhile.
    """
    decision, member = _voter(viewer, decision_id)
    check_stars(decision, stars, abstain=abstain)
    subject = contents.ballot_subject(decision.pk, member.pk)

    def write(recording: ledger.Recording) -> Ballot:
        _require_open(decision, member, recording)
        validation.check_unchanged(decision.community_id, subject, if_revision)
        ballot = _ballot_of(decision, member)
        if ballot is None:
            is_anonymous = anonymously_cast([(decision, member)])[decision.pk]
            ballot = Ballot(decision=decision, membership=member, is_anonymous=is_anonymous, cast_at=recording.time)
            ballot.tags = decision.topics
        before = ballot.tags, ballot.comment, ballot.abstain
        if tags is not None:
            ballot.tags = normalise_tags(tags)
        if comment is not None:
            words = validation.text(comment, field="comment")
            if words != ballot.comment:
                validation.check_not_hidden(words, decision.community_id, subject, "comment")
            ballot.comment = words
        ballot.abstain = abstain
        validation.check(ballot)
        if ballot.pk is None or (ballot.tags, ballot.comment, ballot.abstain) != before:
            ballot.save()
        _write_votes(ballot, stars)
        recording.add(contents.ballot_written(ballot, stars))
        _log(eventlog.vote_cast, decision, member, ballot)
        return ballot

    ballot, entry = ledger.recorded(decision.community_id, subject, write, actor=member.user)
    return RecordedBallot(decision, ballot, entry)


def _log(write: Callable[[str, str], None], decision: Decision, member: Membership, ballot: Ballot) -> None:
    """Log a ballot's change, under its caster's name where the ballot bears it.

    Log nothing while the decision hides its ballots: then nobody learns that somebody voted, operators neither.
    """
    if not access.hides_ballots(decision):
        name = access.ANONYMOUS if ballot.is_anonymous else member.user.handle
        transaction.on_commit(lambda: write(name, decision.title), robust=True)


def _write_votes(ballot: Ballot, stars: Mapping[int, int]) -> None:
    """Make the ballot's votes these, touching only those that differ. In bulk: the command says what changed."""
    present = {choice_id: (pk, count) for pk, choice_id, count in _votes_of(ballot.pk)}
    gone = [pk for choice_id, (pk, _) in present.items() if choice_id not in stars]
    rows = [
        (ballot.pk, choice_id, count)
        for choice_id, count in stars.items()
        if choice_id not in present or present[choice_id][1] != count
    ]
    if gone:
        bulk.delete(_VOTES, gone)
    if rows:
        bulk.insert(_VOTES, ("ballot_id", "choice_id", "stars"), rows, key=("ballot_id", "choice_id"))


@command
def tag_ballot(viewer: Viewer, decision_id: int, *, tags: Iterable[str]) -> RecordedBallot:
    """Replace the tags of one's cast ballot.

    Raises PermissionDenied, DecisionNotOpen, DecisionClosed, NoBallot, InvalidTag.
    """
    decision, member = _voter(viewer, decision_id)
    wanted = normalise_tags(tags)

    def write(recording: ledger.Recording) -> Ballot:
        _require_open(decision, member, recording)
        ballot = _own_ballot(decision, member)
        ballot.tags = wanted
        ballot.save(update_fields=["tags"])
        _log(eventlog.vote_tagged, decision, member, ballot)
        return ballot

    subject = contents.ballot_subject(decision.pk, member.pk)
    ballot, entry = ledger.recorded(decision.community_id, subject, write, actor=member.user)
    return RecordedBallot(decision, ballot, entry)


@command
def withdraw_ballot(viewer: Viewer, decision_id: int) -> RecordedBallot:
    """Take one's ballot back and inherit again. Of a ballot that was taken back before, return the receipt of that.

    Raises PermissionDenied, DecisionNotOpen, DecisionClosed, NoBallot for whoever never had one.
    """
    decision, member = _voter(viewer, decision_id)
    subject = contents.ballot_subject(decision.pk, member.pk)

    def write(recording: ledger.Recording) -> None:
        _require_open(decision, member, recording)
        ballot = _ballot_of(decision, member)
        if ballot is not None:
            bulk.delete(_VOTES, [ballot.pk], column="ballot_id")
            ballot.delete()
            recording.add(contents.ballot_withdrawn(ballot))
            _log(eventlog.vote_withdrawn, decision, member, ballot)
        elif ledger.newest_entry(decision.community_id, subject) is None:
            raise NoBallot(_NONE)

    _, entry = ledger.recorded(decision.community_id, subject, write, actor=member.user)
    return RecordedBallot(decision, None, entry)


def _voter(viewer: Viewer, decision_id: int) -> tuple[Decision, Membership]:
    """Find a published decision and the viewer's membership in its community. Raises PermissionDenied."""
    user = access.require_user(viewer)
    found = _published(decision_id)
    if not found:
        raise PermissionDenied
    return found[0], access.require_member(user, found[0].community_id)


@prepared
def _published(decision_id: int) -> QuerySet[Decision]:
    return Decision.objects.published().filter(pk=decision_id)


def _require_open(decision: Decision, member: Membership, recording: ledger.Recording) -> None:
    """Read decision and member again under the lock, and judge by the ledger's clock whether a ballot counts.

    Raises PermissionDenied, CommunityHidden, DecisionCalledOff, DecisionClosed, DecisionNotOpen.
    """
    if recording.community.is_hidden:
        raise CommunityHidden
    _refresh(decision, member)
    if not member.is_current:
        raise PermissionDenied
    if decision.called_off_at is not None:
        raise DecisionCalledOff
    assert decision.opens_at is not None
    assert decision.closes_at is not None
    if recording.time >= decision.closes_at:
        raise DecisionClosed("Voting has closed; the result is final.")
    if recording.time < decision.opens_at:
        raise DecisionNotOpen(f"Voting opens at {decision.opens_at:%Y-%m-%d %H:%M} UTC.")


def _refresh(decision: Decision, member: Membership) -> None:
    """Read again what may have changed of both."""
    (now,) = _as_they_are(member.pk, decision.pk)
    member.left_at, member.is_anonymous, *others = now
    decision.opens_at, decision.closes_at, decision.called_off_at, decision.topics = others


@prepared
def _as_they_are(membership_id: int, decision_id: int) -> QuerySet[Membership, Any]:
    rows = Membership.objects.filter(pk=membership_id, community__decisions=decision_id)
    columns = ("opens_at", "closes_at", "called_off_at", "topics")
    return rows.values_list("left_at", "is_anonymous", *(f"community__decisions__{column}" for column in columns))


def _ballot_of(decision: Decision, member: Membership) -> Ballot | None:
    ballot = next(iter(_ballots_of(decision.pk, member.pk)), None)
    if ballot is not None:
        # Both are at hand; whoever asks the ballot for them needs no query.
        ballot.decision, ballot.membership = decision, member
    return ballot


@prepared
def _ballots_of(decision_id: int, membership_id: int) -> QuerySet[Ballot]:
    return Ballot.objects.filter(decision=decision_id, membership=membership_id)


def _own_ballot(decision: Decision, member: Membership) -> Ballot:
    """The member's ballot. Raises NoBallot."""
    ballot = _ballot_of(decision, member)
    if ballot is None:
        raise NoBallot(_NONE)
    return ballot


@prepared
def _choice_ids(decision_id: int) -> QuerySet[Choice, int]:
    return Choice.objects.filter(decision=decision_id).order_by().values_list("pk", flat=True)


@prepared
def _votes_of(ballot_id: int) -> QuerySet[Vote, tuple[int, int, int]]:
    return Vote.objects.filter(ballot=ballot_id).values_list("pk", "choice_id", "stars")


def check_stars(decision: Decision, stars: Mapping[int, int], *, abstain: bool) -> None:
    """Check stars by choice id against the decision. Raises InvalidStars, EmptyBallot."""
    choices = set(_choice_ids(decision.pk))
    for choice_id, count in stars.items():
        if choice_id not in choices:
            raise InvalidStars("A rated choice is not one of this decision.")
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MAX_STARS:
            raise InvalidStars(f"Stars are whole numbers from 0 to {MAX_STARS}.")
    if abstain and stars:
        raise InvalidStars("An abstention rates nothing: leave the stars out, or do not abstain.")
    if not abstain and not stars:
        raise EmptyBallot("Rate at least one choice, or abstain.")
