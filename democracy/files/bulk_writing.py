"""Writing many inputs at once, for imports and the demo: in bulk, with a ledger entry for each.

Rows written in bulk fire no signal, so everything here says what changed itself. Callers open the transaction and have
checked texts, tags, stars and references. People made here have no e-mail address and cannot sign in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, transaction
from django.utils import timezone

from democracy import eventlog
from democracy.database import bulk, statistics
from democracy.files.imported_people import Accounts
from democracy.files.new_community import NewBallot, NewCallingOff, NewDecision, NewMember
from democracy.files.progress import Progress
from democracy.ledger import Change, Recording, contents
from democracy.ledger.rows import BallotRow, FollowingRow, MembershipRow
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

_BATCH = 5_000

Row = TypeVar("Row")


def add_community(
    name: str,
    description: str = "",
    visibility: str = Community.Visibility.MEMBERS,
    *,
    joining: str = Community.Joining.REQUEST,
    at: datetime | None = None,
) -> Community:
    """Add a community without members, unknown to the ledger yet."""
    community = Community(
        name=name,
        description=description,
        visibility=visibility,
        joining=joining,
        created_at=at or timezone.now(),
    )
    # In bulk, which fires no signal: the receiver would write an entry of its own.
    Community.objects.bulk_create([community])
    return community


def with_a_manager(members: Sequence[NewMember]) -> Sequence[NewMember]:
    """Make the first member whom everybody knows a manager, where the file names none: somebody has to be one."""
    if any(member.is_manager for member in members):
        return members
    known = next((member for member in members if not member.is_anonymous), None) or next(iter(members), None)
    return [replace(member, is_manager=True) if member is known else member for member in members]


def add_members(
    recording: Recording,
    members: Sequence[NewMember],
    accounts: Accounts | None = None,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Add new members, in this order. Returns their numbers by their ids in the file.

    `accounts`: the maker of the accounts, where there are earlier or later members of the same file.
    """
    numbers: dict[str, int] = {}
    community_id, time = recording.community.pk, recording.time
    at = _stored(time)
    made = (accounts or Accounts()).made_for(members, time)
    for batch in _batches(zip(members, made, strict=True), progress):
        pks = bulk.new_keys(Membership._meta.db_table, len(batch))
        rows = [
            MembershipRow(
                pk, community_id, user, str(member.role), member.is_manager, member.is_anonymous, time, member.id
            )
            for pk, (member, user) in zip(pks, batch, strict=True)
        ]
        bulk.insert(
            Membership._meta.db_table,
            (
                *("id", "community_id", "user_id", "role", "is_manager", "is_anonymous", "joined_at", "file_id"),
                *("left_at", "was_removed"),
            ),
            ((*row[:6], at, *row[7:]) for row in rows),
        )
        numbers.update((row.file_id, row.pk) for row in rows)
        recording.append_new([contents.new_membership(row) for row in rows])
    transaction.on_commit(statistics.analyse, robust=True)
    return numbers


def add_followings(
    recording: Recording, new: Iterable[tuple[int, int, Sequence[str], int]], progress: Progress | None = None
) -> None:
    """Add followings that are not there yet, given as (follower, followee, tags, order), each pair once."""
    time = recording.time
    at = _stored(time)
    for batch in _batches(new, progress):
        rows = [FollowingRow(*one, time) for one in batch]
        bulk.insert(
            Following._meta.db_table,
            ("follower_id", "followee_id", "tags", "order", "created_at"),
            ((follower, followee, _tags(tags), order, at) for follower, followee, tags, order in batch),
        )
        recording.append_new([contents.new_following(row) for row in rows])
    transaction.on_commit(statistics.analyse, robust=True)


def retag_followings(recording: Recording, tags: Mapping[tuple[int, int], Sequence[str]]) -> int:
    """Give followings that are there these tags, by follower and followee. Returns how many had others."""
    changed = 0
    for batch in _batches(tags):
        stored = Following.objects.filter(follower__in={follower for follower, _ in batch})
        present = {(row.follower_id, row.followee_id): row for row in stored}
        retagged = []
        for pair in batch:
            row = present[pair]
            if row.tags != list(tags[pair]):
                row.tags = list(tags[pair])
                retagged.append(row)
        Following.objects.bulk_update(retagged, ["tags"], batch_size=_BATCH)
        for row in retagged:
            recording.add(_retagged_change(row))
        changed += len(retagged)
    return changed


def _retagged_change(row: Following) -> Change:
    subject = contents.following_subject(row.follower_id, row.followee_id)
    return Change(
        LedgerEntry.Kind.FOLLOWING, subject, lambda: contents.following_content(row), membership_id=row.follower_id
    )


def add_decision(recording: Recording, new: NewDecision) -> Decision:
    """Add a published decision without ballots."""
    decision = Decision(
        community=recording.community,
        title=new.title,
        description=new.description,
        results_visibility=new.results_visibility,
        created_at=recording.time,
        published_at=recording.time,
        opens_at=new.opens_at,
        closes_at=new.closes_at,
        topics=list(new.topics),
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
    transaction.on_commit(statistics.analyse, robust=True)
    return decision


def tell_of_decisions(decisions: Iterable[Decision], community: str) -> None:
    """Have the event log told, after the commit, of decisions that were added."""
    for decision in decisions:
        transaction.on_commit(
            partial(eventlog.decision_created, eventlog.SYSTEM, decision.title, community), robust=True
        )
        transaction.on_commit(partial(eventlog.decision_published, eventlog.SYSTEM, decision.title), robust=True)
        if decision.called_off_at is not None:
            transaction.on_commit(partial(eventlog.decision_called_off, eventlog.SYSTEM, decision.title), robust=True)


def add_calling_off(recording: Recording, decision: Decision, new: NewCallingOff) -> None:
    decision.called_off_at, decision.called_off_reason = recording.time, new.reason
    decision.save(update_fields=["called_off_at", "called_off_reason"])


def add_ballots(
    recording: Recording,
    decision: Decision,
    members: Mapping[str, int],
    new: Sequence[NewBallot],
    progress: Progress | None = None,
) -> None:
    """Add the first ballots in this decision of these members, given as numbers by their ids in the file."""
    choices = {choice.file_id: choice.pk for choice in decision.choices.all()}
    anonymous = Membership.objects.filter(community=decision.community_id, is_anonymous=True)
    pseudonymous = set(anonymous.values_list("pk", flat=True))
    time, at = recording.time, _stored(recording.time)
    for batch in _batches(new, progress):
        pks = bulk.new_keys(Ballot._meta.db_table, len(batch))
        ballots = [
            BallotRow(
                *(pk, decision.pk, members[one.member], one.tags, one.comment, one.abstain),
                members[one.member] in pseudonymous,
                time,
            )
            for pk, one in zip(pks, batch, strict=True)
        ]
        bulk.insert(
            Ballot._meta.db_table,
            ("id", "decision_id", "membership_id", "tags", "comment", "abstain", "is_anonymous", "cast_at"),
            ((*row[:3], _tags(row.tags), *row[4:7], at) for row in ballots),
        )
        stars = [{choices[choice]: count for choice, count in one.stars.items()} for one in batch]
        votes = ((pk, choice, count) for pk, rated in zip(pks, stars, strict=True) for choice, count in rated.items())
        bulk.insert(Vote._meta.db_table, ("ballot_id", "choice_id", "stars"), votes)
        pairs = zip(ballots, stars, strict=True)
        recording.append_new([contents.new_ballot(row, rated) for row, rated in pairs])


def _tags(tags: Sequence[str]) -> str:
    return json.dumps(list(tags)) if tags else "[]"


def _stored(time: datetime) -> Any:
    """The time as the driver takes it."""
    return connection.ops.adapt_datetimefield_value(time)


def _batches(rows: Iterable[Row], progress: Progress | None = None) -> Iterator[list[Row]]:
    """Hand on the rows some at a time, and say so when they are written."""
    waiting = iter(rows)
    while batch := list(islice(waiting, _BATCH)):
        yield batch
        if progress is not None:
            progress.wrote(len(batch))
