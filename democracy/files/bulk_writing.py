"""Writing many inputs at once, for imports and the demo: in bulk, with a ledger entry for each, in one transaction.

Rows written in bulk fire no signal, so everything here says what changed itself. Texts, tags, stars and references are
taken as checked by whoever read them from a file; people made here have no e-mail address and cannot sign in.

# Note [Imported history]
A file may hold decisions that closed long ago, and only changes with an earlier ledger time count for a closed
decision. The entries of a community that is made by an import therefore carry the times at which things happened
according to the file (the founding at the first opening, ballots before their closing), in order and never in the
future. Nobody has seen a ledger before the transaction that makes it commits, so no entry is slipped in behind another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from django.db import connection, transaction
from django.utils import timezone
from tqdm import tqdm

from democracy import eventlog, ledger
from democracy.database import bulk, statistics
from democracy.errors import InvalidInput, NameTaken
from democracy.files.imported_people import accounts_for
from democracy.ledger import Change, Recording, contents
from democracy.models import (
    Ballot,
    Choice,
    Clarification,
    Community,
    Decision,
    Following,
    LedgerEntry,
    Membership,
    Vote,
)
from democracy.services.decisions import draw_lots

OPEN_FOR = timedelta(days=7)
LONGEST_ID = 80
_BATCH = 5_000
_INSTANT = timedelta(microseconds=1)

Row = TypeVar("Row")


class Malformed(InvalidInput):
    """What stands at a place of a file cannot be taken. `field` is the place: a line and column, or a path in JSON."""

    code = "MALFORMED"

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message, field=place)

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


@dataclass(frozen=True, slots=True)
class NewMember:
    """`id` is the file's own. `handle`: of an account of the demo, which is used again where it exists."""

    id: str
    name: str
    role: str = Membership.Role.VOTER
    is_manager: bool = False
    is_anonymous: bool = False
    handle: str = ""
    is_demo: bool = False


@dataclass(frozen=True, slots=True)
class NewFollowing:
    follower: str
    followee: str
    tags: Sequence[str] = ()
    order: int = 1


@dataclass(frozen=True, slots=True)
class NewChoice:
    id: str
    title: str
    description: str = ""
    lot: int | None = None


@dataclass(frozen=True, slots=True)
class NewBallot:
    """`stars` by choice id. `cast_at`: None for as late as it can have been."""

    member: str
    stars: Mapping[str, int]
    tags: Sequence[str] = ()
    abstain: bool = False
    comment: str = ""
    cast_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewClarification:
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewDecision:
    """A published decision. Its lots are kept where every choice has one, else drawn."""

    id: str
    title: str
    choices: Sequence[NewChoice]
    opens_at: datetime
    closes_at: datetime
    description: str = ""
    results_visibility: str = Decision.Visibility.LIVE
    ballots: Sequence[NewBallot] = ()
    clarifications: Sequence[NewClarification] = ()


@dataclass(frozen=True, slots=True)
class NewCommunity:
    name: str
    members: Sequence[NewMember]
    description: str = ""
    visibility: str = Community.Visibility.MEMBERS
    auto_approve: bool = False
    followings: Sequence[NewFollowing] = ()
    decisions: Sequence[NewDecision] = ()


@dataclass
class Made:
    """What an import made, by the file's ids; of members, their numbers."""

    community: Community
    members: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)


def import_community(new: NewCommunity) -> Made:
    """Make a community with all that is in it, or nothing. Raises NameTaken, InvalidInput."""
    if Community.objects.filter(name__iexact=new.name).exists():
        raise NameTaken(f"There is a community named “{new.name}” already.")
    with transaction.atomic():
        now = timezone.now()
        founded = min([now, *(decision.opens_at for decision in new.decisions)])
        made = Made(found(new.name, new.description, new.visibility, auto_approve=new.auto_approve, at=founded))
        transaction.on_commit(lambda: eventlog.community_created(eventlog.SYSTEM, new.name), robust=True)
        with _recording_at(made.community, founded) as recording:
            recording.add(contents.community_change(made.community))
            made.members = pks = add_members(recording, with_a_manager(new.members))
            add_followings(recording, ((pks[f.follower], pks[f.followee], f.tags, f.order) for f in new.followings))
        for time, happen in sorted(_history(new, made, now), key=lambda event: event[0]):
            with _recording_at(made.community, time) as recording:
                happen(recording)
    return made


def _history(new: NewCommunity, made: Made, now: datetime) -> Iterator[tuple[datetime, Callable[[Recording], None]]]:
    """What happened when after the founding: each decision's publication before its ballots."""

    def publish(decision: NewDecision) -> Callable[[Recording], None]:
        def happen(recording: Recording) -> None:
            made.decisions[decision.id] = add_decision(recording, decision)

        return happen

    def cast(decision: NewDecision, ballots: list[NewBallot]) -> Callable[[Recording], None]:
        return lambda recording: add_ballots(recording, made.decisions[decision.id], made.members, ballots)

    for decision in new.decisions:
        yield min(now, decision.opens_at), publish(decision)
        by_time: dict[datetime, list[NewBallot]] = {}
        for ballot in decision.ballots:
            time = min(ballot.cast_at or now, now, decision.closes_at - _INSTANT)
            by_time.setdefault(max(time, min(now, decision.opens_at)), []).append(ballot)
        for time, ballots in by_time.items():
            yield time, cast(decision, ballots)


@contextmanager
def _recording_at(community: Community, time: datetime) -> Iterator[Recording]:
    """A recording whose entries carry this time, not earlier than the last one's (Note [Imported history])."""
    with ledger.recording(community.pk) as recording:
        recording.time = time
        yield recording


def found(
    name: str,
    description: str = "",
    visibility: str = Community.Visibility.MEMBERS,
    *,
    auto_approve: bool = False,
    at: datetime | None = None,
) -> Community:
    """A community without members, unknown to the ledger yet."""
    community = Community(
        name=name,
        description=description,
        visibility=visibility,
        auto_approve=auto_approve,
        created_at=at or timezone.now(),
    )
    # In bulk, which fires no signal: the receiver would write an entry of its own.
    Community.objects.bulk_create([community])
    return community


def with_a_manager(members: Sequence[NewMember]) -> Sequence[NewMember]:
    """Somebody has to be able to run a community: where a file names no manager, the first member everybody knows."""
    if any(member.is_manager for member in members):
        return members
    known = next((member for member in members if not member.is_anonymous), None) or next(iter(members), None)
    return [replace(member, is_manager=True) if member is known else member for member in members]


def add_members(recording: Recording, members: Sequence[NewMember]) -> dict[str, int]:
    """New members, in this order. Returns their numbers by their ids in the file."""
    numbers: dict[str, int] = {}
    accounts = accounts_for(members, recording.time)
    for batch in _batches(zip(members, accounts, strict=True), "members", total=len(members)):
        rows = [
            Membership(
                community=recording.community,
                user=user,
                role=member.role,
                is_manager=member.is_manager,
                is_anonymous=member.is_anonymous,
                joined_at=recording.time,
                file_id=member.id,
            )
            for member, user in batch
        ]
        Membership.objects.bulk_create(rows)
        numbers.update((row.file_id, row.pk) for row in rows)
        recording.add_many(contents.membership_change(row, is_new=True) for row in rows)
    transaction.on_commit(statistics.analyse, robust=True)
    return numbers


def add_followings(recording: Recording, rows: Iterable[tuple[int, int, Sequence[str], int]]) -> int:
    """Followings as (follower, followee, tags, order), each pair once. One that exists takes the new tags and keeps its
    order.

    Returns how many were made or changed.
    """
    changed = 0
    for batch in _batches(rows, "followings"):
        stored = Following.objects.filter(follower__in={follower for follower, *_ in batch})
        present = {(row.follower_id, row.followee_id): row for row in stored}
        new = [
            Following(
                follower_id=follower, followee_id=followee, tags=list(tags), order=order, created_at=recording.time
            )
            for follower, followee, tags, order in batch
            if (follower, followee) not in present
        ]
        retagged = []
        for follower, followee, tags, _ in batch:
            row = present.get((follower, followee))
            if row is not None and row.tags != list(tags):
                row.tags = list(tags)
                retagged.append(row)
        at = connection.ops.adapt_datetimefield_value(recording.time)
        bulk.insert(
            Following._meta.db_table,
            ("follower_id", "followee_id", "tags", "order", "created_at"),
            [(row.follower_id, row.followee_id, json.dumps(row.tags), row.order, at) for row in new],
        )
        Following.objects.bulk_update(retagged, ["tags"])
        recording.add_many(contents.following_change(row, is_new=True) for row in new)
        recording.add_many(map(_retagged_change, retagged))
        changed += len(new) + len(retagged)
    transaction.on_commit(statistics.analyse, robust=True)
    return changed


def _retagged_change(row: Following) -> Change:
    subject = contents.following_subject(row.follower_id, row.followee_id)
    return Change(
        LedgerEntry.Kind.FOLLOWING, subject, lambda: contents.following_content(row), membership_id=row.follower_id
    )


def add_decision(recording: Recording, new: NewDecision) -> Decision:
    """A published decision without ballots."""
    decision = Decision(
        community=recording.community,
        title=new.title,
        description=new.description,
        results_visibility=new.results_visibility,
        created_at=recording.time,
        published_at=recording.time,
        opens_at=new.opens_at,
        closes_at=new.closes_at,
        file_id=new.id,
    )
    Decision.objects.bulk_create([decision])
    choices = [
        Choice(
            decision=decision,
            title=choice.title,
            description=choice.description,
            position=position,
            lot=choice.lot,
            file_id=choice.id,
        )
        for position, choice in enumerate(new.choices)
    ]
    Choice.objects.bulk_create(choices)
    if any(choice.lot is None for choice in choices):
        draw_lots(decision, choices)
        Choice.objects.bulk_update(choices, ["lot"])
        Decision.objects.filter(pk=decision.pk).update(lot_seed=decision.lot_seed)
    Clarification.objects.bulk_create(
        Clarification(decision=decision, text=one.text, at=one.at) for one in new.clarifications
    )
    recording.add(contents.decision_change(decision))
    handle, title, community = eventlog.SYSTEM, new.title, recording.community.name
    transaction.on_commit(lambda: eventlog.decision_created(handle, title, community), robust=True)
    transaction.on_commit(lambda: eventlog.decision_published(handle, title), robust=True)
    transaction.on_commit(statistics.analyse, robust=True)
    return decision


def add_ballots(recording: Recording, decision: Decision, members: Mapping[str, int], new: Sequence[NewBallot]) -> None:
    """First ballots of these members, given as numbers by their ids in the file, in this decision."""
    choices = {choice.file_id: choice.pk for choice in decision.choices.all()}
    anonymous = Membership.objects.filter(community=decision.community_id, is_anonymous=True)
    anonymous_members = set(anonymous.values_list("pk", flat=True))
    for batch in _batches(new, "ballots", total=len(new)):
        ballots = [
            Ballot(
                decision=decision,
                membership_id=members[one.member],
                tags=list(one.tags),
                comment=one.comment,
                abstain=one.abstain,
                is_anonymous=members[one.member] in anonymous_members,
                cast_at=recording.time,
            )
            for one in batch
        ]
        Ballot.objects.bulk_create(ballots)
        stars = [{choices[choice]: count for choice, count in one.stars.items()} for one in batch]
        pairs = list(zip(ballots, stars, strict=True))
        votes = ((ballot.pk, choice, count) for ballot, rated in pairs for choice, count in rated.items())
        bulk.insert(Vote._meta.db_table, ("ballot_id", "choice_id", "stars"), votes)
        recording.add_many(contents.ballot_written(ballot, rated, is_new=True) for ballot, rated in pairs)


def _batches(rows: Iterable[Row], what: str, *, total: int | None = None) -> Iterator[list[Row]]:
    """The rows some at a time, with a progress bar on a terminal."""
    waiting = iter(rows)
    with tqdm(total=total, desc=what, unit="", disable=None, leave=False) as bar:
        while batch := list(islice(waiting, _BATCH)):
            yield batch
            bar.update(len(batch))
