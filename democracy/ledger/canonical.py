"""The one way in which what is hashed or signed is written. `docs/bundle.md` specifies it for strangers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON as RFC 8785 writes it (keys in order, no spaces), of values without fractions."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def written_time(moment: datetime) -> str:
    """UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
