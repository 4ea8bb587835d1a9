"""Records of what people did and were told. Times are seconds since the run began, by one clock."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# What stands in a register, as the ledger has it; None: nothing.
Content = dict[str, Any] | None


class Kind(StrEnum):
    CAST = "cast"
    TAG = "tag"
    WITHDRAW = "withdraw"
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"
    JOIN = "join"
    LEAVE = "leave"
    ROLE = "role"
    NAME = "name"


_OF_MEMBERSHIPS = {Kind.JOIN, Kind.LEAVE, Kind.ROLE, Kind.NAME}


class Outcome(StrEnum):
    # The server said that it is done.
    ACKNOWLEDGED = "acknowledged"
    # The server said why it did nothing.
    REFUSED = "refused"
    # No server was reached: nothing happened.
    UNREACHED = "unreached"
    # No answer, or one that leaves open whether it happened, or will yet.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Operation:
    """Something one person asked for. `register` is what it changes, by its subject in the ledger: one person's ballot,
    following or membership.

    `value`: what CAST and FOLLOW put there; of TAG the new tags, of ROLE and NAME the new role, and whether the member
    is anonymous now; None for the others.
    """

    register: str
    kind: Kind
    invoked: float
    completed: float
    outcome: Outcome
    value: Content = None
    receipt: str | None = None
    code: str = ""
    server: str = ""
    detail: str = ""

    @property
    def ends(self) -> float:
        """When it had happened if it happened at all."""
        return math.inf if self.outcome is Outcome.UNKNOWN else self.completed

    def applied(self, content: Content) -> Content:
        """Apply it to what stands there. Raises Refusal where there is nothing to do it to."""
        if self.kind in {Kind.CAST, Kind.FOLLOW}:
            return self.value
        if self.kind in _OF_MEMBERSHIPS:
            return self._of_membership(content)
        # What was withdrawn or ended before may be so again: the answer is that of the first time.
        if content is None and (self.kind is Kind.TAG or self.outcome is Outcome.REFUSED):
            raise Refusal("NO_BALLOT")
        if self.kind is Kind.TAG:
            assert content is not None
            assert self.value is not None
            return content | self.value
        return None

    def _of_membership(self, content: Content) -> Content:
        is_there = content is not None and content["active"]
        if self.kind is Kind.JOIN:
            if is_there:
                raise Refusal("ALREADY_MEMBER")
            # Whoever comes back starts anew as a voter, anonymous if they were.
            return {"anonymous": False} | (content or {}) | {"active": True, "role": "voter"}
        if content is None or not is_there:
            raise Refusal("PERMISSION_DENIED")
        changed: dict[str, Any] = content | (self.value or {"active": False})
        if changed["anonymous"] and changed["role"] != "voter":
            raise Refusal("INVALID")
        return changed

    def __str__(self) -> str:
        told = f"{self.outcome} {self.code}".strip()
        return f"[{self.invoked:.3f}, {self.completed:.3f}] {self.kind} {self.value} -> {told}"


class Refusal(Exception):
    """An operation that the server must refuse, with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
