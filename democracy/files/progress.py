"""Progress of long imports: a line now and then, for terminals and logs alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_EVERY = 5.0


@dataclass
class Progress:
    """Tells how many of `total` rows are written, at most every five seconds. `tell` takes the line."""

    tell: Callable[[str], None] = lambda line: None
    total: int = 0
    _written: int = 0
    _told_at: float = field(default_factory=time.monotonic)

    def expect(self, rows: int) -> None:
        self.total += rows

    def wrote(self, rows: int) -> None:
        self._written += rows
        if time.monotonic() >= self._told_at + _EVERY:
            self._told_at = time.monotonic()
            self.tell(f"{self._written:,} of {self.total:,} rows")

    def skip(self, rows: int) -> None:
        """Count rows that were written before."""
        self._written += rows
