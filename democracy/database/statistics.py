"""SQLite's statistics of its tables.

Without them SQLite takes each value of an index for rare, and may choose a query plan that takes a thousand times as
long. PostgreSQL keeps its statistics by itself.
"""

from __future__ import annotations

import threading
import time

from django.db import connection

# Rows looked at of each index: enough to tell few from many, and done in milliseconds however large the tables are.
_ROWS_LOOKED_AT = 1_000
_EVERY = 600.0

_lock = threading.Lock()
_next = 0.0


def analyse() -> None:
    """Have SQLite renew its statistics: now and then, and after many rows were written at once.

    `PRAGMA optimize` would do from SQLite 3.46 on; before, it skips tables that this connection has not read.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA analysis_limit={_ROWS_LOOKED_AT}")
        cursor.execute("ANALYZE")


def analyse_if_due() -> None:
    """Call `analyse` every ten minutes in this process. For the sweep."""
    global _next  # noqa: PLW0603
    with _lock:
        if time.monotonic() >= _next:
            analyse()
            _next = time.monotonic() + _EVERY
