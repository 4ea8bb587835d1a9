"""The canonical form of everything that is hashed or signed. `docs/bundle.md` specifies it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

# Made once: making it takes as long as writing a short value.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Mapping[str, Any]) -> bytes:
    """Write JSON as RFC 8785 does (keys in order, no spaces). The values have no fractions."""
    return canonical_text(value).encode("utf-8", "surrogatepass")


def canonical_text(value: Mapping[str, Any] | None) -> str:
    """Write the same as text."""
    return _ENCODER.encode(value)


# An import writes the same time a million times.
@lru_cache(maxsize=64)
def written_time(moment: datetime) -> str:
    """Write a time in UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
