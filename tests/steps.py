"""The cost of reading, in steps of SQLite's machine, which are the same in every run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

counts_steps = pytest.mark.skipif(connection.vendor != "sqlite", reason="counts the steps of SQLite")


def steps_of(action: Callable[[], object]) -> int:
    """The number of steps that SQLite takes for it, to ten."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    connection.connection.set_progress_handler(tick, 10)
    try:
        action()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return count
