"""Histories that are made up, for the tests of the checker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.faults.checker import check
from tests.faults.history import Content, Kind, Operation, Outcome
from tests.faults.state import Entry, FinalState

ADA = "ballot:1:7"
FOLLOWING = "following:7:8"


def ballot(stars: int, *, tags: Iterable[str] = ()) -> dict[str, Any]:
    return {"stars": {"11": stars}, "tags": list(tags), "abstain": False, "comment": ""}


def edge(*tags: str) -> dict[str, Any]:
    return {"follower": 7, "followee": 8, "tags": list(tags), "order": 1}


def entry(revision: int, after: Content, *, of: str = ADA, time: float = 0.0, pseudonym: str = "") -> Entry:
    return Entry(of, revision, after, f"hash-{revision}", time, pseudonym)


def said(
    invoked: float,
    completed: float,
    kind: Kind,
    value: Content = None,
    *,
    of: str = ADA,
    receipt: int | None = None,
    outcome: Outcome = Outcome.ACKNOWLEDGED,
    code: str = "",
) -> Operation:
    return Operation(
        of, kind, invoked, completed, outcome, value, f"hash-{receipt}" if receipt is not None else None, code
    )


def cast(invoked: float, completed: float, stars: int, receipt: int) -> Operation:
    return said(invoked, completed, Kind.CAST, ballot(stars), receipt=receipt)


def unknown(invoked: float, kind: Kind, value: Content = None, *, of: str = ADA) -> Operation:
    return said(invoked, invoked + 1, kind, value, of=of, outcome=Outcome.UNKNOWN)


def refused(invoked: float, completed: float, kind: Kind, code: str, *, of: str = ADA) -> Operation:
    return said(invoked, completed, kind, of=of, outcome=Outcome.REFUSED, code=code)


def member(*, active: bool = True, role: str = "voter", anonymous: bool = False) -> dict[str, Any]:
    return {"active": active, "role": role, "anonymous": anonymous}


def joined(key: str, **more: Any) -> Entry:
    """The entry of before the run by which somebody is a member."""
    return Entry(f"membership:{key}", 0, member(**more), f"hash-{key}", -1.0)


# Ada and whom she follows.
BEFORE = {one.subject: one for one in (joined("7"), joined("8"))}


def state(entries: Iterable[Entry], **more: Any) -> FinalState:
    """Where the tables have what the ledger ends on, unless it is said what of ballots and followings they have."""
    entries, before = list(entries), BEFORE | more.pop("before", {})
    newest = {one.subject: one.after for one in (*before.values(), *entries)}
    memberships = {subject: after for subject, after in newest.items() if subject.startswith("membership")}
    others = {one.subject: one.after for one in entries if not one.subject.startswith("membership")}
    return FinalState(entries, memberships | more.pop("contents", others), before, **more)


def found(operations: Iterable[Operation], entries: Iterable[Entry], **more: Any) -> list[str]:
    """The kinds of what the checker finds."""
    return [violation.kind for violation in check(operations, [], state(entries, **more))]
