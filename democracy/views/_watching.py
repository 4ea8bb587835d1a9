"""Members who have a decision's page open in this process, and whose own ballot moved: found out for all at once."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async

from accounts.text import whole_number
from democracy.live.hub import hub, result_topic, status_topic
from democracy.live.shared import Made, shared
from democracy.reading.own_ballots import are_remembered, moved_ballots, remember_ballots
from democracy.views._own_news import own_ballots_as_html

logger = logging.getLogger(__name__)

# So many own ballots are rendered at once: the first of many members do not wait for the last.
_AT_ONCE = 100
# Seconds for which they are kept for those who have not fetched theirs: all that watch do so at once.
_KEPT = 10.0


@dataclass(frozen=True, eq=False)
class _Moved:
    """Those who were asked about, and the places of those whose own ballot moved."""

    asked: frozenset[int]
    places: dict[int, int]


class Watching:
    """The members who watch each decision, in one event loop."""

    def __init__(self) -> None:
        self._members: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self._remembered: defaultdict[int, set[int]] = defaultdict(set)
        # Those to be remembered next, and the reading that is under way.
        self._unread: defaultdict[int, set[int]] = defaultdict(set)
        self._reading: dict[int, asyncio.Future[None]] = {}
        # Of those who moved, their ballots as HTML, by membership: so many at a time and in order of their places.
        self._portions: WeakKeyDictionary[_Moved, list[asyncio.Future[dict[int, str]]]] = WeakKeyDictionary()
        # The event loop itself keeps no task alive.
        self._rendering: set[asyncio.Future[None]] = set()

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
        """Remember the ballot of a member whose page shows what there is, once. Those who come while others are read
        are read next, all together.
        """
        if member in self._remembered[decision_id]:
            return
        self._remembered[decision_id].add(member)
        self._unread[decision_id].add(member)
        reading = self._reading.get(decision_id)
        if reading is None:
            reading = self._reading[decision_id] = asyncio.ensure_future(self._remember_all(decision_id))
        await asyncio.shield(reading)

    async def _remember_all(self, decision_id: int) -> None:
        try:
            while members := self._unread.pop(decision_id, None):
                await sync_to_async(remember_ballots)(decision_id, members)
        finally:
            del self._reading[decision_id]

    async def own_news(self, decision_id: int, member: int, *, since: str) -> str | None:
        """The member's own ballot as HTML, where it may be another than on a page that shows `since`; "" where the page
        has to ask for it, None where it did not move.
        """
        revision = whole_number(since.split(".")[1]) if since.count(".") else None
        if not revision or not are_remembered(decision_id, revision):
            # The page has no result yet, or one of which nobody here knows what moved since.
            return ""

        def moved() -> Made[_Moved]:
            # A calculation may move ballots and leave the result as it was.
            mark = hub.mark(result_topic(decision_id), status_topic(decision_id))
            asked = frozenset(self._members[decision_id])
            found = sorted(moved_ballots(decision_id, asked, since=revision))
            return Made(_Moved(asked, {one: place for place, one in enumerate(found)}), mark)

        found = await shared.wait_for(("moved", decision_id, revision), moved)
        if member not in found.asked:
            return ""
        if member not in found.places:
            return None
        portions = self._begun(decision_id, found)
        number = found.places[member] // _AT_ONCE
        if number >= len(portions):
            return ""
        ballots = await asyncio.shield(portions[number])
        return ballots.get(member, "")

    def _begun(self, decision_id: int, found: _Moved) -> list[asyncio.Future[dict[int, str]]]:
        """The portions of those whose ballot moved; the first who asks has them rendered, and kept for a while. Whoever
        comes later finds none.
        """
        portions = self._portions.get(found)
        if portions is None:
            loop, members = asyncio.get_running_loop(), list(found.places)
            parts = [members[first : first + _AT_ONCE] for first in range(0, len(members), _AT_ONCE)]
            portions = self._portions[found] = [loop.create_future() for _ in parts]
            rendering = asyncio.ensure_future(self._render(decision_id, parts, list(portions)))
            loop.call_later(_KEPT, portions.clear)
            self._rendering.add(rendering)
            rendering.add_done_callback(self._rendering.discard)
        return portions

    async def _render(
        self, decision_id: int, parts: Sequence[Sequence[int]], portions: Sequence[asyncio.Future[dict[int, str]]]
    ) -> None:
        """Render one portion after the other: votes go first."""
        for members, ballots in zip(parts, portions, strict=True):
            try:
                ballots.set_result(await sync_to_async(own_ballots_as_html)(decision_id, members))
            except Exception:
                logger.exception("own ballots of decision %s are left to be asked for", decision_id)
                ballots.set_result({})


watching = Watching()
