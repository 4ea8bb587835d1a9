"""Writing many inputs at once, for imports and the demo: in bulk, with a ledger entry for each.

Rows written in bulk fire no signal, so everything here says what changed itself. Callers open the transaction and have
checked texts, tags, stars and references. People made here have no e-mail address and cannot sign in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TypeVar

from django.db import connection, transaction
from django.utils import timezone
from tqdm import tqdm

from democracy import eventlog
from democracy.database import bulk, statistics
from democracy.files.imported_people import accounts_for
from democracy.files.new_community import NewBallot, NewCallingOff, NewDecision, NewMember
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


def add_members(recording: Recording, members: Sequence[NewMember]) -> dict[str, int]:
    """Add new members, in this order. Returns their numbers by their ids in the file."""
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
    """Add followings, given as (follower, followee, tags, order), each pair once.

    One that exists takes the new tags and keeps its order. Returns how many were made or changed.
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
    handle, title, community = eventlog.SYSTEM, new.title, recording.community.name
    transaction.on_commit(lambda: eventlog.decision_created(handle, title, community), robust=True)
    transaction.on_commit(lambda: eventlog.decision_published(handle, title), robust=True)
    transaction.on_commit(statistics.analyse, robust=True)
    return decision


def add_calling_off(recording: Recording, decision: Decision, new: NewCallingOff) -> None:
    decision.called_off_at, decision.called_off_reason = recording.time, new.reason
    decision.save(update_fields=["called_off_at", "called_off_reason"])
    title = decision.title
    transaction.on_commit(lambda: eventlog.decision_called_off(eventlog.SYSTEM, title), robust=True)


def add_ballots(recording: Recording, decision: Decision, members: Mapping[str, int], new: Sequence[NewBallot]) -> None:
    """Add the first ballots in this decision of these members, given as numbers by their ids in the file."""
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
    """Hand on the rows some at a time, with a progress bar on a terminal."""
    waiting = iter(rows)
    with tqdm(total=total, desc=what, unit="", disable=None, leave=False) as bar:
        while batch := list(islice(waiting, _BATCH)):
            yield batch
            bar.update(len(batch))
