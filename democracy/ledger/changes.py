"""Changes: what a command or receiver tells the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from democracy.models import LedgerEntry

Content = dict[str, Any] | None


@dataclass(frozen=True)
class Change:
    """One change of one subject. `content` gives the whole content now, None when it is gone."""

    kind: LedgerEntry.Kind
    subject: str
    content: Callable[[], Content]
    decision_id: int | None = None
    membership_id: int | None = None
    # The caller knows that the ledger has no entry about this subject, so nobody looks for one.
    is_new: bool = False
