"""Reading entries: the newest about a subject, those after a revision, and contents as they were then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max, QuerySet

from accounts.prepared import prepared
from democracy.ledger.chain import GENESIS
from democracy.ledger.changes import Content
from democracy.models import Community, LedgerEntry


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


def entries_after(community_id: int, revision: int, *, most: int | None = None) -> Sequence[LedgerEntry]:
    """The entries after `revision`, oldest first; `most`: not more than so many of them."""
    return list(LedgerEntry.objects.filter(community=community_id, revision__gt=revision).order_by("revision")[:most])


def subjects_after(community_id: int, revision: int) -> set[str]:
    """The subjects that changed after `revision`."""
    later = LedgerEntry.objects.filter(community=community_id, revision__gt=revision)
    return set(later.values_list("subject", flat=True))


def revision_before(community_id: int, time: datetime) -> int:
    """The revision at which the community's inputs stood at `time`: of the last entry with an earlier ledger time."""
    earlier = LedgerEntry.objects.filter(community=community_id, time__lt=time)
    return earlier.aggregate(newest=Max("revision"))["newest"] or 0


def contents_at(community_id: int, revision: int) -> dict[str, Content]:
    """The contents at `revision` of all subjects that changed after it. Other subjects are as they were."""
    return _oldest((entry.subject, entry.before) for entry in entries_after(community_id, revision))


def contents_of_kind_at(
    community_id: int, revision: int, kind: LedgerEntry.Kind, *, decision: int | None = None
) -> dict[str, Content]:
    """`contents_at`, for the subjects of one kind alone; `decision`: and of one decision."""
    later = LedgerEntry.objects.filter(
        community=community_id, revision__gt=revision, kind=kind, **{"decision": decision} if decision else {}
    )
    return _oldest(later.order_by("revision").values_list("subject", "before"))


def _oldest(befores: Iterable[tuple[str, Content]]) -> dict[str, Content]:
    contents: dict[str, Content] = {}
    for subject, before in befores:
        contents.setdefault(subject, before)
    return contents
