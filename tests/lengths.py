"""Numbers of tries of what tests draw by chance: small in each run, larger in the long form (`make lengths`)."""

from __future__ import annotations

import os

IS_LONG = bool(os.environ.get("EVERY_LENGTH"))


def times(number: int, *, long: int) -> int:
    """Return how often to try: `number` times in each run, `long` times in the long form."""
    return long if IS_LONG else number
