"""Keeping the staged ballots of past results: which results keep theirs, and the blocks that go on for them.

# Note [Ballots of past results]
Some results keep the ballots that they rest on: of a decision with live results the first, then one whenever
CROWDVOTE_HISTORY_BALLOTS seconds have passed since the last that does; and the final one, after which nothing changes.
A block that a run replaces is copied to the past if it stood when such a result was stored. So the blocks of a result
are those that stand and have not changed since, and the past ones that stood then: all of them, or the result does not
say that it keeps them. Interim ballots of a decision that hides its ballots are never kept.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from accounts.prepared import prepared
from democracy.models import Decision, DecisionSnapshot, PastBlock, StagedBlock

_COLUMNS = ("decision_id", "first", "revision", "size", "members", "marks", "tag_sets", "tags", "microstars")


def keeps_ballots(decision: Decision, last: DecisionSnapshot | None, now: datetime, *, final: bool) -> bool:
    """Whether a result that is stored now keeps its ballots. `last`: the newest that does."""
    if final:
        return True
    if not settings.HISTORY_BALLOTS or decision.results_visibility != Decision.Visibility.LIVE:
        return False
    return last is None or now - last.calculated_at >= timedelta(seconds=settings.HISTORY_BALLOTS)


def last_kept(decision: Decision) -> DecisionSnapshot | None:
    """The newest result that keeps its ballots."""
    return next(iter(_last_kept(decision.pk)), None)


@prepared
def _last_kept(decision_id: int) -> QuerySet[DecisionSnapshot]:
    kept = DecisionSnapshot.objects.filter(decision=decision_id, keeps_ballots=True)
    return kept.defer("result").order_by("-revision")[:1]


def keep(decision: Decision, last: DecisionSnapshot | None, firsts: Collection[int], revision: int) -> None:
    """Copy the blocks that are about to be replaced, at `revision`, and that the last result needs which keeps its
    ballots.
    """
    if last is None or not firsts:
        return
    quote = connection.ops.quote_name
    columns = ", ".join(map(quote, _COLUMNS))
    places = ", ".join(["%s"] * len(firsts))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(PastBlock._meta.db_table)} ({columns}, {quote('until')}) "
            f"SELECT {columns}, %s FROM {quote(StagedBlock._meta.db_table)} "
            f"WHERE decision_id = %s AND revision <= %s AND first IN ({places})",
            [revision, decision.pk, last.revision, *firsts],
        )


def forget_past_blocks(decision_ids: Collection[int]) -> int:
    """Delete the past blocks of these decisions that no result needs any more. Returns their number."""
    kept = DecisionSnapshot.objects.filter(decision=OuterRef("decision"), keeps_ballots=True)
    needed = kept.filter(revision__gte=OuterRef("revision"), revision__lt=OuterRef("until"))
    return PastBlock.objects.filter(~Exists(needed), decision__in=decision_ids).delete()[0]
