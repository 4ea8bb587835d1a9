"""Making a community with all that is in it, for imports and the demo, in one transaction.

# Note [Imported history]
A file may hold decisions that closed long ago, and only changes with an earlier ledger time count for a closed
decision. The entries of a community that is made by an import therefore carry the times at which things happened
according to the file (the founding at the first opening, ballots before their closing), in order and never in the
future. Nobody has seen a ledger before the transaction that makes it commits, so no entry is slipped in behind another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from democracy import eventlog, ledger
from democracy.errors import NameTaken
from democracy.files.bulk_writing import (
    add_ballots,
    add_calling_off,
    add_community,
    add_decision,
    add_followings,
    add_members,
    with_a_manager,
)
from democracy.files.bundle_reader import read_bundle
from democracy.files.new_community import NewBallot, NewCallingOff, NewCommunity, NewDecision
from democracy.ledger import Recording, contents
from democracy.models import Community, Decision

_INSTANT = timedelta(microseconds=1)


@dataclass
class Made:
    """The rows that an import made, by the file's ids; of members, their numbers."""

    community: Community
    members: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)


def import_bundle(text: str, *, name: str | None = None) -> Made:
    """Make the community in a bundle, under another name if one is given. Raises Malformed, NameTaken."""
    return import_community(read_bundle(text, name=name))


def import_community(new: NewCommunity) -> Made:
    """Make a community with all that is in it, or nothing. Raises NameTaken, InvalidInput."""
    if Community.objects.filter(name__iexact=new.name).exists():
        raise NameTaken(f"There is a community named “{new.name}” already.")
    with transaction.atomic():
        now = timezone.now()
        founded = min([now, *(decision.opens_at for decision in new.decisions)])
        made = Made(add_community(new.name, new.description, new.visibility, joining=new.joining, at=founded))
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
    """List the events after the founding, with their times: each decision's publication before its ballots."""

    def publish(decision: NewDecision) -> Callable[[Recording], None]:
        def happen(recording: Recording) -> None:
            made.decisions[decision.id] = add_decision(recording, decision)

        return happen

    def cast(decision: NewDecision, ballots: list[NewBallot]) -> Callable[[Recording], None]:
        return lambda recording: add_ballots(recording, made.decisions[decision.id], made.members, ballots)

    def call_off(decision: NewDecision, called_off: NewCallingOff) -> Callable[[Recording], None]:
        return lambda recording: add_calling_off(recording, made.decisions[decision.id], called_off)

    for decision in new.decisions:
        yield min(now, decision.opens_at), publish(decision)
        by_time: dict[datetime, list[NewBallot]] = {}
        ends_at = decision.called_off.at if decision.called_off else decision.closes_at
        for ballot in decision.ballots:
            time = min(ballot.cast_at or now, now, ends_at - _INSTANT)
            by_time.setdefault(max(time, min(now, decision.opens_at)), []).append(ballot)
        for time, ballots in by_time.items():
            yield time, cast(decision, ballots)
        if decision.called_off is not None:
            time = max(min(now, decision.called_off.at), min(now, decision.opens_at))
            yield time, call_off(decision, decision.called_off)


@contextmanager
def _recording_at(community: Community, time: datetime) -> Iterator[Recording]:
    """Open a recording whose entries carry this time, not earlier than the last one's (Note [Imported history])."""
    with ledger.recording(community.pk) as recording:
        recording.time = time
        yield recording
