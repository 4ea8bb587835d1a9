"""Polls of open pages: most find nothing new, and are answered from memory.

A page sends back what it shows (`seen`). Once somebody's poll has been answered, their next ones need neither database
nor view while they have their grant and what they poll is still what their page shows. Memory only ever answers that
there is nothing new; all else is up to the view.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple, Protocol, TypeVar

from django.http import HttpRequest

from accounts.credentials import credential_of
from accounts.middleware import bearer_token
from democracy.live.grants import AnyGrant, Grant, grants
from democracy.live.shared import shared

Found = TypeVar("Found")


class Shown(Protocol):
    def is_on(self, seen: str) -> bool:
        """Whether a page that says of itself `seen` shows this."""


# Where the server leaves, in the scope of a request that is a poll, who asks and for what.
POLL = "poll"
# Seconds after which a page that has not asked again is closed, and the most pages that are kept in memory.
_GONE = 20.0
_MOST = 20_000


class _Page(NamedTuple):
    grant: AnyGrant
    # What it polls: a thing that is `Shown`, as `shared` has it.
    key: Hashable
    asked_at: float


class Polls:
    """The open pages that poll this process, those that asked last at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[bytes, _Page] = OrderedDict()

    def has_nothing_new(self, poll: bytes, seen: str) -> bool:
        """Whether it is certain that a poll finds nothing new."""
        page = self._pages.get(poll)
        if page is None or not page.grant.is_good:
            return False
        shown: Shown | None = shared.known(page.key)
        if shown is None or not shown.is_on(seen):
            return False
        self._put(poll, page.grant, page.key)
        return True

    def found(
        self,
        request: HttpRequest,
        community_id: int,
        *,
        check: Callable[[], Found],
        key: Callable[[Found], Hashable],
    ) -> Found:
        """Return what a check of the viewer's rights says, or said a moment ago. Where a page polls, remember it, and
        by `key` what such a viewer is shown.
        """
        poll = getattr(request, "scope", {}).get(POLL)
        if poll is None:
            return check()
        page = self._pages.get(poll)
        grant: Grant[Found] | None = page.grant if page is not None and page.grant.is_good else None
        if grant is None:
            token = bearer_token(request.headers.get("Authorization", ""))
            credential = credential_of(request.user.pk, session=request.session, token=token)
            grant = grants.open(credential, community_id, check)
        self._put(poll, grant, key(grant.found))
        return grant.found

    def forget_all(self) -> None:
        """Close all pages."""
        with self._lock:
            closed = [page.grant for page in self._pages.values()]
            self._pages.clear()
        for one in closed:
            grants.close(one)

    def _put(self, poll: bytes, grant: AnyGrant, key: Hashable) -> None:
        now = time.monotonic()
        with self._lock:
            before = self._pages.pop(poll, None)
            self._pages[poll] = _Page(grant, key, now)
            closed = [before.grant] if before is not None and before.grant is not grant else []
            while self._pages:
                oldest = next(iter(self._pages.values()))
                if len(self._pages) <= _MOST and oldest.asked_at + _GONE > now:
                    break
                closed.append(self._pages.popitem(last=False)[1].grant)
        for one in closed:
            grants.close(one)


polls = Polls()
