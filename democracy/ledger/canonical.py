"""The canonical form of everything that is hashed or signed. `docs/bundle.md` specifies it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def canonical(value: Mapping[str, Any]) -> bytes:
    """Write JSON as RFC 8785 does (keys in order, no spaces). The values have no fractions."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def written_time(moment: datetime) -> str:
    """Write a time in UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
