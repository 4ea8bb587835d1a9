"""Threads that stand in line for the turn to write, on SQLite."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from democracy.database import turns


def let_go_together(threads: Sequence[threading.Thread]) -> None:
    """Start threads that write, each once the one before stands in line; then let them go, and wait for their end."""
    with turns.turn():
        for number, thread in enumerate(threads, start=1):
            thread.start()
            while len(turns._line._waiting) < number:
                time.sleep(0.001)
    for thread in threads:
        thread.join(30)
