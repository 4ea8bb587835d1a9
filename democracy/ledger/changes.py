"""Changes: what a command or receiver tells the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from democracy.models import LedgerEntry

Content = dict[str, Any] | None


@dataclass(frozen=True)
class Change:
    """Something that changed. `content` gives its whole content now, or None when it is gone."""

    kind: LedgerEntry.Kind
    subject: str
    content: Callable[[], Content]
    decision_id: int | None = None
    membership_id: int | None = None
    # The caller knows that the ledger has never heard of this subject (bulk imports): no need to look.
    is_new: bool = False
