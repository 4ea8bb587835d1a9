"""Leases: a sender holds rows of an outbox for a while, and writes what came of them unless others have them by then.

Shared by mails and webhooks. See Note [None lost, hardly one doubled].
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import close_old_connections
from django.db.models import F

from accounts.outages import DATABASE_AWAY
from democracy.database.turns import turn
from democracy.models.outgoing import Outgoing

# A row that a receiver puts off is tried again after so long, doubled with each attempt up to the most.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
# Seconds for which a database that is away is asked again to keep what came of a row.
_TRIES = 30


def take(model: type[Outgoing], keys: Collection[int], now: datetime) -> datetime:
    """Hold these rows, which the caller has locked. Returns until when."""
    until = now + timedelta(seconds=settings.MAIL_LEASE)
    model._default_manager.filter(pk__in=keys).update(leased_until=until, attempts=F("attempts") + 1)
    return until


def end(model: type[Outgoing], keys: Collection[int], until: datetime, **changes: Any) -> bool:
    """Write what came of these rows; False where the lease ran out and another sender has them."""
    with turn():
        held = model._default_manager.filter(pk__in=keys, leased_until=until)
        return bool(held.update(leased_until=None, **changes))


def pause_after(attempts: int) -> timedelta:
    """The time that a row waits which was put off so many times."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(attempts, 10)))


def persistently(write: Callable[[], object]) -> None:
    """Write that something has left. A database that is away for a moment must not have it sent again."""
    for _ in range(_TRIES):
        try:
            write()
        except DATABASE_AWAY:
            close_old_connections()
            time.sleep(1)
        else:
            return
    write()
