"""Unstored ballots: the members whose staged ballot may differ from the stored one, as far as a process knows.

# Note [Unstored until it is known]
A run takes what changed, and stores it. In between everything may end: the claim, the database, a thread; and whether a
transaction was committed may stay unknown. So what was taken counts as unstored until the run says that it is stored:
else it is taken again with what changed since, and compared with what the database has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from democracy.models import StagedBlock

# None: all members.
Members = frozenset[int] | None
_NOBODY: frozenset[int] = frozenset()


class _Taken(NamedTuple):
    revision: int
    members: Members


class Unstored:
    """The members whose staged ballot changed since this process last stored it, by decision.

    Until a decision is stored for the first time these are all.
    """

    def __init__(self) -> None:
        # Since a decision was last taken for storing.
        self._changed: dict[int, Members] = {}
        # Taken, and not known to be stored.
        self._taken: dict[int, _Taken] = {}
        # The revision at which this process last stored it.
        self._stored: dict[int, int] = {}

    def begin(self, decision_id: int) -> None:
        """Take note that a decision was calculated from scratch."""
        self._changed[decision_id] = None

    def add(self, decision_id: int, members: Iterable[int]) -> None:
        """Take note that these members' staged ballots may have changed."""
        self._changed[decision_id] = _joined(self._changed[decision_id], frozenset(members))

    def add_everywhere(self, member: int) -> None:
        """Take note that a member's staged ballot may have changed in every decision."""
        for decision_id in self._changed:
            self.add(decision_id, [member])

    def take(self, decision_id: int, revision: int, *, stored: int | None) -> Members:
        """Take the members of a decision at `revision`, for storing. `stored`: the revision of what is stored now."""
        before = self._taken.get(decision_id)
        members = _joined(self._changed[decision_id], before.members if before else _NOBODY)
        self._changed[decision_id], self._taken[decision_id] = _NOBODY, _Taken(revision, members)
        if members is not None and _is_stored_by_another(decision_id, stored, since=self._stored[decision_id]):
            return None
        return members

    def has_stored(self, decision_id: int, revision: int) -> None:
        """Take note that what was taken at `revision` is stored. A later run may have taken more meanwhile."""
        taken = self._taken.get(decision_id)
        if taken is not None and taken.revision == revision:
            del self._taken[decision_id]
            self._stored[decision_id] = revision

    def drop(self, decision_id: int) -> None:
        for kept in (self._changed, self._taken, self._stored):
            kept.pop(decision_id, None)


def _joined(some: Members, others: Members) -> Members:
    return None if some is None or others is None else some | others


def _is_stored_by_another(decision_id: int, stored: int | None, *, since: int) -> bool:
    """Whether another process stored staged ballots after this one did, at revision `since`: one that changed and
    changed back meanwhile has not changed for this process, but differs from the stored one.
    """
    return stored != since and StagedBlock.objects.filter(decision=decision_id, revision__gt=since).exists()
