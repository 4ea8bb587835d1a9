"""Recording: one transaction that holds a community and, at its end, appends an entry for each thing that changed.

Commands open `recording(community_id, actor=...)`. It takes the community's row lock, reads the clock and, at its end,
writes the entries and raises the counters, so that all of it commits together or not at all. The receivers in
`democracy.signals` call `changed` for rows saved elsewhere; however often they do so for one ballot, it becomes one
entry.

# Note [Before comes from the ledger]
An entry's `before` is the `after` of the last entry with the same subject, not what some code remembers to have read.
So the ledger replays and undoes by construction, even where rows were saved outside a command.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models import Max, QuerySet
from django.dispatch import Signal

from accounts.models import User
from accounts.prepared import prepared
from democracy.database import bulk, clock, commits
from democracy.database.turns import together, turn
from democracy.ledger import checkpoints, staleness
from democracy.ledger.canonical import canonical_text, written_time
from democracy.ledger.chain import GENESIS, chain_hash, commitment, commitment_of_new
from democracy.ledger.changes import Change, Content, NewSubject
from democracy.ledger.entries import hash_at, newest_entry
from democracy.models import Checkpoint, Community, LedgerEntry

T = TypeVar("T")

_BATCH = 1_000
# Up to so many new subjects their followings are looked at one by one, for the decisions that they affect.
_FEW = 100
# Bytes.
_SALT = 16
_COLUMNS = (
    *("community_id", "revision", "time", "kind", "subject", "actor_id", "decision_id", "membership_id"),
    *("before", "after", "salt", "commitment", "hash"),
)

_RAISE = f"UPDATE {Community._meta.db_table} SET revision = %s WHERE id = %s"

# Sent after each commit that appended entries, with community_id and revision. A hint: whoever misses it sees the
# counters.
committed = Signal()


@dataclass
class Recording:
    """The changes of one transaction to one community. `time` is the ledger time of all of them."""

    community: Community
    actor: User | None
    time: datetime
    head: LedgerEntry | None
    _changes: dict[str, Change] = field(default_factory=dict)
    _is_checkpoint_due: bool = field(init=False)
    # The entries that were appended last.
    entries: list[LedgerEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._is_checkpoint_due = self.head is None or checkpoints.period(self.head.time) < checkpoints.period(
            self.time
        )

    def add(self, change: Change) -> None:
        """Say that something changed. Of several changes of one subject the last says what it is now."""
        self._changes[change.subject] = change

    def append_new(self, news: Sequence[NewSubject]) -> None:
        """Append an entry for each of these new subjects of one kind, of ballots in one decision.

        For imports: what changed before is appended first, and no row of the entries is kept.
        """
        self._append_changes()
        if len(news) <= _FEW:
            for new in news:
                kind, content = LedgerEntry.Kind(new.kind), partial(_given, new.after)
                self.add(Change(kind, new.subject, content, new.decision_id, new.membership_id, is_new=True))
            self._append_changes()
            return
        rows = self._new_rows(news)
        bulk.insert(LedgerEntry._meta.db_table, _COLUMNS, rows)
        # Of many entries the last alone is remembered.
        columns = {"time": self.time, "before": None, "after": news[-1].after}
        self._appended([LedgerEntry(**dict(zip(_COLUMNS, rows[-1], strict=True)) | columns)])
        staleness.raise_for_many(self.entries[-1])

    def _new_rows(self, news: Sequence[NewSubject]) -> list[tuple[Any, ...]]:
        community_id, actor_id = self.community.pk, self.actor.pk if self.actor else None
        written, time = written_time(self.time), connection.ops.adapt_datetimefield_value(self.time)
        revision, previous_hash = (self.head.revision, self.head.hash) if self.head else (0, GENESIS)
        rows = []
        salts = secrets.token_hex(_SALT * len(news))
        for number, new in enumerate(news):
            kind, subject, content, decision_id, membership_id = new
            revision += 1
            after, salt = canonical_text(content), salts[2 * _SALT * number : 2 * _SALT * (number + 1)]
            committed = commitment_of_new(community_id, actor_id, new, after, salt, written)
            previous_hash = chain_hash(previous_hash, revision, committed)
            about = (kind, subject, actor_id, decision_id, membership_id)
            rows.append((community_id, revision, time, *about, None, after, salt, committed, previous_hash))
        return rows

    def receipt(self, subject: str) -> LedgerEntry:
        """The newest entry about `subject`, from this recording or from before. Ask once the recording has ended."""
        for entry in self.entries:
            if entry.subject == subject:
                return entry
        newest = newest_entry(self.community.pk, subject)
        assert newest is not None
        return newest

    def write(self, *, fold: bool = False) -> None:
        """Append what changed. `fold`: into the newest entry, where that is of this transaction and subject."""
        if fold and self._fold():
            return
        self._append_changes()
        if self.entries:
            head = self.entries[-1]
            if self._is_checkpoint_due:
                checkpoints.keep(self.community.pk, head.revision, head.hash)
            transaction.on_commit(_Committed(self.community.pk, head), robust=True)

    def _append_changes(self) -> None:
        """Append an entry for each change that left something different, and raise the counters."""
        entries = list(self._new_entries())
        self._changes.clear()
        if not entries:
            return
        _append(entries)
        self._appended(entries)
        staleness.raise_counters(entries)

    def _appended(self, entries: list[LedgerEntry]) -> None:
        self.entries, self.head = entries, entries[-1]
        with connection.cursor() as cursor:
            cursor.execute(_RAISE, [self.head.revision, self.community.pk])

    def _new_entries(self) -> Iterator[LedgerEntry]:
        known = self._known_contents()
        revision, previous_hash = (self.head.revision, self.head.hash) if self.head else (0, GENESIS)
        for change in self._changes.values():
            before, after = known.get(change.subject), change.content()
            if before == after:
                continue
            revision += 1
            entry = LedgerEntry(
                community_id=self.community.pk,
                revision=revision,
                time=self.time,
                kind=change.kind,
                subject=change.subject,
                actor_id=self.actor.pk if self.actor else None,
                decision_id=change.decision_id,
                membership_id=change.membership_id,
                before=before,
                after=after,
                salt=secrets.token_hex(_SALT),
            )
            entry.commitment = commitment(entry)
            previous_hash = entry.hash = chain_hash(previous_hash, entry.revision, entry.commitment)
            yield entry

    def _known_contents(self) -> dict[str, Content]:
        subjects = [change.subject for change in self._changes.values() if not change.is_new]
        if len(subjects) == 1:
            return {subjects[0]: next(iter(_newest_content(self.community.pk, subjects[0])), None)}
        known: dict[str, Content] = {}
        for start in range(0, len(subjects), _BATCH):
            about = LedgerEntry.objects.filter(community=self.community, subject__in=subjects[start : start + _BATCH])
            newest = about.values("subject").annotate(newest=Max("revision")).values("newest")
            rows = LedgerEntry.objects.filter(community=self.community, revision__in=newest)
            known.update(rows.values_list("subject", "after"))
        return known

    def _fold(self) -> bool:
        """Write a further save into the newest entry, if its subject got that earlier in this transaction."""
        (change,) = self._changes.values()
        written = next(commits.waiting(_Committed), None)
        if written is None or written.community_id != self.community.pk or written.last.subject != change.subject:
            return False
        head = self.head
        if head is None or head.revision != written.last.revision:
            return False
        head.after = change.content()
        head.commitment = commitment(head)
        head.hash = chain_hash(hash_at(self.community.pk, head.revision - 1), head.revision, head.commitment)
        columns = {"after": head.after, "commitment": head.commitment, "hash": head.hash}
        LedgerEntry.objects.filter(pk=head.pk).update(**columns)
        # Nobody has seen a checkpoint that has not committed yet.
        if Checkpoint.objects.filter(community=self.community, revision=head.revision).delete()[0]:
            checkpoints.keep(self.community.pk, head.revision, head.hash)
        staleness.raise_counters([head])
        return True


class _Committed:
    """The callback that tells of a commit. While it waits, `_fold` knows by it that it is in the same transaction."""

    def __init__(self, community_id: int, last: LedgerEntry) -> None:
        self.community_id, self.last = community_id, last
        # Django names a callback that failed by its function's name.
        self.__qualname__ = type(self).__qualname__

    def __call__(self) -> None:
        committed.send(sender=LedgerEntry, community_id=self.community_id, revision=self.last.revision)


_recording: ContextVar[Recording | None] = ContextVar("recording", default=None)


@contextmanager
def recording(community_id: int, *, actor: User | None = None, fold: bool = False) -> Iterator[Recording]:
    """Open a transaction that holds the community, and append what changed at its end.

    Inside a recording of the same community, yield that one. `actor`: whose act it is; None for the system's. `fold`:
    see `Recording.write`. The clock is read under the lock and never runs backwards within a community.
    Raises Community.DoesNotExist.
    """
    outer = _recording.get()
    if outer is not None and outer.community.pk == community_id:
        yield outer
        return
    with turn(), transaction.atomic():
        # The weaker lock: rows that refer to the community, such as claims, can be written meanwhile.
        community = _held(community_id)
        head = _head(community_id)
        now = clock.now()
        current = Recording(community, actor, max(now, head.time) if head else now, head)
        token = _recording.set(current)
        try:
            yield current
        finally:
            _recording.reset(token)
        current.write(fold=fold)


def recorded(
    community_id: int, subject: str, write: Callable[[Recording], T], *, actor: User | None = None
) -> tuple[T, LedgerEntry]:
    """Call `write` with a recording; return what it returns, and the newest entry about `subject`.

    What many record at the same moment commits together, see `turns`: `write` may be called in another thread, and
    more than once. Raises what it raises, and Community.DoesNotExist.
    """

    def whole() -> tuple[T, LedgerEntry]:
        with recording(community_id, actor=actor) as current:
            written = write(current)
        return written, current.receipt(subject)

    return together(whole, before_commit=_tell_once)


def _tell_once() -> None:
    """Tell of each community once, however many changes commit together."""
    commits.keep_newest(_Committed, lambda one: one.community_id)


def changed(community_id: int, change: Change) -> None:
    """Record a change, in the command's recording or in one of its own. For the receivers."""
    with recording(community_id, fold=True) as current:
        current.add(change)


def _append(entries: Sequence[LedgerEntry]) -> None:
    """Insert entries of one time. They do not learn their primary keys."""
    time = connection.ops.adapt_datetimefield_value(entries[0].time)
    rows = (
        (
            entry.community_id,
            entry.revision,
            time,
            str(entry.kind),
            entry.subject,
            entry.actor_id,
            entry.decision_id,
            entry.membership_id,
            None if entry.before is None else json.dumps(entry.before),
            None if entry.after is None else json.dumps(entry.after),
            entry.salt,
            entry.commitment,
            entry.hash,
        )
        for entry in entries
    )
    bulk.insert(LedgerEntry._meta.db_table, _COLUMNS, rows)


def _given(content: Content) -> Content:
    return content


def _held(community_id: int) -> Community:
    """The community, its row locked until the end of the transaction. Raises Community.DoesNotExist."""
    found = _locked(community_id)
    if not found:
        raise Community.DoesNotExist
    return found[0]


@prepared
def _locked(community_id: int) -> QuerySet[Community]:
    return Community.objects.select_for_update(no_key=True).filter(pk=community_id)


def _head(community_id: int) -> LedgerEntry | None:
    """The community's last entry; what it says is loaded where it is needed."""
    return next(iter(_last(community_id)), None)


@prepared
def _last(community_id: int) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.defer("before", "after").filter(community=community_id).order_by("-revision")[:1]


@prepared
def _newest_content(community_id: int, subject: str) -> QuerySet[LedgerEntry, Content]:
    about = LedgerEntry.objects.filter(community=community_id, subject=subject)
    return about.order_by("-revision").values_list("after", flat=True)[:1]
