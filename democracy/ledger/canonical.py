"""The canonical form of everything that is hashed or signed. `docs/bundle.md` specifies it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

# Made once: to make one takes as long as to write an entry.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical_text(value: Any) -> str:
    """Write JSON as RFC 8785 does (keys in order, no spaces). The values have no fractions."""
    # Most entries have nothing before them, and the encoder takes as long for that as for ten keys.
    return "null" if value is None else _encode(value)


def canonical(value: Mapping[str, Any]) -> bytes:
    """The bytes of `canonical_text`, which are hashed or signed."""
    return in_bytes(canonical_text(value))


def in_bytes(text: str) -> bytes:
    """A canonical text in UTF-8. What people typed may have half characters, which stay what they are."""
    return text.encode("utf-8", "surrogatepass")


# An import writes the same time a million times.
@lru_cache(maxsize=64)
def written_time(moment: datetime) -> str:
    """Write a time in UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
