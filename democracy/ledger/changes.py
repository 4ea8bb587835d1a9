"""Changes: what a command or receiver tells the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class NewSubject(NamedTuple):
    """A subject that the ledger has never heard of, and its content. `kind` is the value of a `LedgerEntry.Kind`."""

    kind: str
    subject: str
    after: dict[str, Any]
    decision_id: int | None
    membership_id: int | None
