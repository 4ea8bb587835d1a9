"""Members who have a decision's page open in this process, and whose own ballot moved: found out for all at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from asgiref.sync import sync_to_async

from accounts.text import whole_number
from democracy.live.hub import hub, result_topic
from democracy.live.shared import Made, shared
from democracy.reading.own_ballots import moved_ballots, remember_ballots


@dataclass(frozen=True)
class _Moved:
    asked: frozenset[int]
    moved: frozenset[int]


class Watching:
    """The members who watch each decision, in one event loop."""

    def __init__(self) -> None:
        self._members: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self._remembered: defaultdict[int, set[int]] = defaultdict(set)

    @contextmanager
    def of(self, decision_id: int, member: int | None) -> Iterator[None]:
        """Count a member, if the viewer is one, while their page is open."""
        if member is None:
            yield
            return
        self._members[decision_id][member] += 1
        try:
            yield
        finally:
            self._members[decision_id] -= Counter([member])
            if not self._members[decision_id]:
                del self._members[decision_id]
                self._remembered.pop(decision_id, None)

    async def remember(self, decision_id: int, member: int) -> None:
        """Remember the ballot of a member whose page shows what there is, once."""
        if member not in self._remembered[decision_id]:
            self._remembered[decision_id].add(member)
            await sync_to_async(remember_ballots)(decision_id, {member})

    async def has_moved(self, decision_id: int, member: int, *, since: str) -> bool:
        """Whether a member's own ballot may be another than on a page that shows `since`."""
        revision = whole_number(since.split(".")[1]) if since.count(".") else None
        if not revision:
            # The page has no result yet, or the decision hides what its result rests on: then all are told alike.
            return True

        def made() -> Made[_Moved]:
            mark = hub.mark(result_topic(decision_id))
            asked = frozenset(self._members[decision_id])
            return Made(_Moved(asked, moved_ballots(decision_id, asked, since=revision)), mark)

        found = await shared.wait_for(("moved", decision_id, revision), made)
        return member not in found.asked or member in found.moved


watching = Watching()
