"""Reading entries: the newest about a subject, those after a revision, and contents as they were then."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Max, Q, QuerySet

from accounts.prepared import prepared
from democracy.ledger.chain import GENESIS
from democracy.ledger.changes import Content
from democracy.models import Community, LedgerEntry

_ROWS = 10_000


def hash_at(community_id: int, revision: int) -> str:
    """The hash of the entry numbered `revision`; GENESIS for 0."""
    return (
        LedgerEntry.objects.values_list("hash", flat=True).filter(community=community_id, revision=revision).first()
        or GENESIS
    )


def newest_entry(community_id: int, subject: str) -> LedgerEntry | None:
    """The newest entry about a subject, or None."""
    return next(iter(_newest(community_id, subject)), None)


@prepared
def _newest(community_id: int, subject: str) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(community=community_id, subject=subject).order_by("-revision")[:1]


def ballots_withdrawn(decision_ids: Iterable[int]) -> list[tuple[int, int, Any]]:
    """The ballots that were taken back in these decisions: decision, membership and last content."""
    communities = Community.objects.filter(decisions__in=list(decision_ids))
    taken_back = LedgerEntry.objects.filter(
        community__in=communities, kind=LedgerEntry.Kind.BALLOT, decision__in=list(decision_ids), after__isnull=True
    )
    return list(taken_back.values_list("decision", "membership", "before"))


def entries_after(community_id: int, revision: int) -> Sequence[LedgerEntry]:
    """The entries after `revision`, oldest first."""
    return list(LedgerEntry.objects.filter(community=community_id, revision__gt=revision).order_by("revision"))


class NewContent(NamedTuple):
    """An entry, without what only its commitment needs."""

    revision: int
    kind: str
    subject: str
    decision_id: int | None
    membership_id: int | None
    after: Content


def contents_after(community_id: int, revision: int) -> list[NewContent]:
    """The new contents of the entries after `revision`, oldest first."""
    later = LedgerEntry.objects.filter(community=community_id, revision__gt=revision).order_by("revision")
    return [NewContent(*row) for row in later.values_list(*NewContent._fields).iterator(_ROWS)]


def subjects_after(community_id: int, revision: int) -> set[str]:
    """The subjects that changed after `revision`."""
    later = LedgerEntry.objects.filter(community=community_id, revision__gt=revision)
    return set(later.values_list("subject", flat=True))


def revision_before(community_id: int, time: datetime) -> int:
    """The revision at which the community's inputs stood at `time`: of the last entry with an earlier ledger time."""
    earlier = LedgerEntry.objects.filter(community=community_id, time__lt=time)
    return earlier.aggregate(newest=Max("revision"))["newest"] or 0


def contents_at(community_id: int, revision: int, *, subjects: Collection[str] | None = None) -> dict[str, Content]:
    """The contents at `revision` of those subjects that changed after it; of all or of these. The others are as they
    were.
    """
    later = LedgerEntry.objects.filter(community=community_id, revision__gt=revision)
    return dict(_oldest(later if subjects is None else later.filter(subject__in=subjects)))


def ballots_at(community_id: int, revision: int, decision_id: int) -> dict[str, Content]:
    """`contents_at`, for the ballots of one decision alone."""
    ballots = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.BALLOT, decision=decision_id)
    return dict(_oldest(ballots.filter(community=community_id, revision__gt=revision)))


def followings_at(community_id: int, revision: int, followers: Collection[int] | None = None) -> dict[str, Content]:
    """`contents_at`, for followings alone; of all members or of these."""
    followings = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.FOLLOWING)
    if followers is not None:
        followings = followings.filter(membership__in=followers)
    return dict(_oldest(followings.filter(community=community_id, revision__gt=revision)))


def calculated_contents_at(
    community_id: int, revision: int, decisions: Collection[int]
) -> Iterator[tuple[str, Content]]:
    """`contents_at`, one after the other, for what a calculation of these decisions reads alone: memberships,
    followings, and the decisions' ballots.
    """
    graph = Q(kind__in=(LedgerEntry.Kind.MEMBERSHIP, LedgerEntry.Kind.FOLLOWING))
    ballots = Q(kind=LedgerEntry.Kind.BALLOT, decision__in=decisions)
    return _oldest(LedgerEntry.objects.filter(graph | ballots, community=community_id, revision__gt=revision))


def _oldest(entries: QuerySet[LedgerEntry]) -> Iterator[tuple[str, Content]]:
    """Each subject of these entries with what it was before the oldest of them."""
    seen: set[str] = set()
    for subject, before in entries.order_by("revision").values_list("subject", "before").iterator(_ROWS):
        if subject not in seen:
            seen.add(subject)
            yield subject, before
