"""The clock for ledger times, opening and closing, and leases.

# Note [One clock]
Web processes and workers may run on several machines, whose clocks differ. If votes were judged by one clock and the
closing by another, a vote could be accepted as of before `closes_at` after the final result was calculated without it.
So wherever it matters, the clock is the database's: there is only one. Pages may show times by the process's clock.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils import timezone


def now() -> datetime:
    """The time now, by the clock of the database server if there is one. Not the time when the transaction began."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (time,) = cursor.fetchone()
    assert isinstance(time, datetime)
    return time
