"""Pruning of the history: of days past a settable time, only the last interim result of each day stays.

The newest interim result is the last of its day, so it stays. Final results and the ledger are never
pruned. The ballots that a result keeps go with it.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import TruncDay
from django.utils import timezone

from democracy.models import DecisionSnapshot
from democracy.recalculation import keeping

# Results deleted at a time: nobody waits long for the database.
_BATCH = 1_000
_EVERY = 3_600.0

_lock = threading.Lock()
_next = 0.0


def prune_history(*, days: int, now: datetime, most: int | None = None) -> int:
    """Thin out the history before the last `days` whole days (UTC). Returns the number of interim results deleted.

    `most`: stop once so many are deleted; the last batch may go beyond it.
    """
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = TruncDay("calculated_at", tzinfo=UTC)
    interim = DecisionSnapshot.objects.filter(is_final=False, calculated_at__lt=today - timedelta(days=days))
    later = interim.annotate(day=day).filter(
        decision=OuterRef("decision"), revision__gt=OuterRef("revision"), day=OuterRef("day")
    )
    superseded = interim.annotate(day=day).filter(Exists(later)).order_by("pk").values_list("pk", flat=True)
    deleted = 0
    while (most is None or deleted < most) and (some := list(superseded[:_BATCH])):
        pruned = DecisionSnapshot.objects.filter(pk__in=some)
        decisions = set(pruned.filter(keeps_ballots=True).values_list("decision_id", flat=True))
        with transaction.atomic():
            deleted += pruned.delete()[0]
            keeping.forget_past_blocks(decisions)
    return deleted


def prune_history_if_due() -> int:
    """Prune by CROWDVOTE_HISTORY_DAYS, once an hour in this process, a batch at a time. The sweep calls this."""
    global _next  # noqa: PLW0603
    with _lock:
        if not settings.HISTORY_DAYS or time.monotonic() < _next:
            return 0
        deleted = prune_history(days=settings.HISTORY_DAYS, now=timezone.now(), most=_BATCH)
        if deleted < _BATCH:
            _next = time.monotonic() + _EVERY
        return deleted
