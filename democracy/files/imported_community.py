"""Making a community with all that is in it, for imports and the demo.

# Note [Imported history]
A file may hold decisions that closed long ago, and only changes with an earlier ledger time count for a closed
decision. The entries of a community that is made by an import therefore carry the times at which things happened
according to the file (the founding at the first opening, ballots before their closing), in order and never in the
future. Nobody sees the ledger before the import has ended, so no entry is slipped in behind another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.utils import timezone

from democracy import eventlog, ledger
from democracy.database import bulk
from democracy.errors import NameTaken
from democracy.files.bulk_writing import (
    add_ballots,
    add_calling_off,
    add_community,
    add_decision,
    add_followings,
    add_members,
    tell_of_decisions,
    with_a_manager,
)
from democracy.files.imported_people import Accounts
from democracy.files.new_community import (
    NewBallot,
    NewCallingOff,
    NewCommunity,
    NewDecision,
    NewFollowing,
    NewMember,
)
from democracy.files.progress import Progress
from democracy.ledger import Recording, contents
from democracy.models import Community, Decision, Membership

_INSTANT = timedelta(microseconds=1)
# So many members, followings or ballots are written in one step.
STEP = 50_000

Row = TypeVar("Row")


@dataclass
class Made:
    """The rows that an import made, by the file's ids; of members, their numbers."""

    community: Community
    members: dict[str, int] = field(default_factory=dict)
    decisions: dict[str, Decision] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """Rows of a community that come into being at `time`; of `rows` only the many are counted."""

    time: datetime
    rows: int
    write: Callable[[Recording], None]


def import_community(new: NewCommunity, *, progress: Progress | None = None) -> Made:
    """Make a community with all that is in it in one transaction. Raises NameTaken, InvalidInput."""
    refuse_taken(new.name)
    with bulk.large_cache(), transaction.atomic():
        writing = Writing.begin(new, timezone.now(), progress)
        for step in writing.steps():
            writing.do(step)
        writing.tell()
    return writing.made


def refuse_taken(name: str) -> None:
    if Community.objects.filter(name__iexact=name).exists():
        raise NameTaken(f"There is a community named “{name}” already.")


class Writing:
    """The writing of a new community, step by step; always the same steps from the same file and moment."""

    def __init__(self, new: NewCommunity, now: datetime, made: Made, progress: Progress | None) -> None:
        self.made, self._new, self._now = made, new, now
        self._progress, self._accounts = progress or Progress(), Accounts()
        self._members = with_a_manager(new.members)

    @classmethod
    def begin(cls, new: NewCommunity, now: datetime, progress: Progress | None) -> Writing:
        """Found the community."""
        community = add_community(
            new.name, new.description, new.visibility, joining=new.joining, at=_founding(new, now)
        )
        return cls(new, now, Made(community), progress)

    @classmethod
    def resume(cls, new: NewCommunity, now: datetime, community: Community, progress: Progress | None) -> Writing:
        """Go on with what is there of the community."""
        rows = Membership.objects.filter(community=community)
        members = dict(rows.values_list("file_id", "pk"))
        decisions = {row.file_id: row for row in Decision.objects.filter(community=community).order_by("pk")}
        writing = cls(new, now, Made(community, members, decisions), progress)
        handles = dict(rows.values_list("file_id", "user__handle"))
        there = (member for member in writing._members if member.id in handles)
        writing._accounts.remember((member, handles[member.id]) for member in there)
        return writing

    def do(self, step: Step) -> None:
        """Write the rows of a step; their entries carry its time (Note [Imported history])."""
        with ledger.recording(self.made.community.pk) as recording:
            recording.time = step.time
            step.write(recording)

    def tell(self) -> None:
        """Have the event log told, after the commit, that the community is there."""
        name = self.made.community.name
        transaction.on_commit(lambda: eventlog.community_created(eventlog.SYSTEM, name), robust=True)
        tell_of_decisions(self.made.decisions.values(), name)

    def steps(self) -> Iterator[Step]:
        """List the steps in the order of their times: founding, members, followings, then what happened."""
        founded, made = _founding(self._new, self._now), self.made
        yield Step(founded, 0, lambda recording: recording.add(contents.community_change(made.community)))
        for members in _parts(self._members):
            yield Step(founded, len(members), self._adding_members(members))
        for followings in _parts(self._new.followings):
            yield Step(founded, len(followings), self._adding_followings(followings))
        yield from sorted(self._history(), key=lambda step: step.time)

    def _adding_members(self, members: Sequence[NewMember]) -> Callable[[Recording], None]:
        def write(recording: Recording) -> None:
            self.made.members |= add_members(recording, members, self._accounts, self._progress)

        return write

    def _adding_followings(self, followings: Sequence[NewFollowing]) -> Callable[[Recording], None]:
        def write(recording: Recording) -> None:
            pks = self.made.members
            rows = ((pks[one.follower], pks[one.followee], one.tags, one.order) for one in followings)
            add_followings(recording, rows, self._progress)

        return write

    def _history(self) -> Iterator[Step]:
        """List the events after the founding: each decision's publication before its ballots."""
        now = self._now
        for decision in self._new.decisions:
            yield Step(min(now, decision.opens_at), 0, self._publishing(decision))
            by_time: dict[datetime, list[NewBallot]] = {}
            ends_at = decision.called_off.at if decision.called_off else decision.closes_at
            for ballot in decision.ballots:
                time = min(ballot.cast_at or now, now, ends_at - _INSTANT)
                by_time.setdefault(max(time, min(now, decision.opens_at)), []).append(ballot)
            for time, cast in by_time.items():
                for ballots in _parts(cast):
                    yield Step(time, len(ballots), self._casting(decision, ballots))
            if decision.called_off is not None:
                time = max(min(now, decision.called_off.at), min(now, decision.opens_at))
                yield Step(time, 0, self._calling_off(decision, decision.called_off))

    def _publishing(self, decision: NewDecision) -> Callable[[Recording], None]:
        def write(recording: Recording) -> None:
            self.made.decisions[decision.id] = add_decision(recording, decision)

        return write

    def _casting(self, decision: NewDecision, ballots: Sequence[NewBallot]) -> Callable[[Recording], None]:
        def write(recording: Recording) -> None:
            made = self.made
            add_ballots(recording, made.decisions[decision.id], made.members, ballots, self._progress)

        return write

    def _calling_off(self, decision: NewDecision, called_off: NewCallingOff) -> Callable[[Recording], None]:
        return lambda recording: add_calling_off(recording, self.made.decisions[decision.id], called_off)


def _founding(new: NewCommunity, now: datetime) -> datetime:
    return min([now, *(decision.opens_at for decision in new.decisions)])


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), STEP):
        yield rows[start : start + STEP]
