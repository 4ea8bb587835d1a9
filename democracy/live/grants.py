"""Grants: that a viewer may go on seeing what they have open, without asking the whole question again and again.

Whoever lets a viewer in has their rights checked and gets a grant. It is good for RECHECK seconds. Before they are
over, `confirm_all` looks whether anything has changed that rights rest on, for all grants of this process in a few
queries: the sessions, tokens and accounts, and the ledgers of the communities. A grant that cannot be confirmed ends,
and its holder has the rights checked anew. A grant ends at once when it is told that rights may have changed.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Set
from typing import Any, Generic, TypeAlias, TypeVar

from accounts.credentials import Credential, Words, words_of
from democracy.live.hub import access_topic, hub, readers_topic
from democracy.reading import communities

# Seconds for which a check of rights counts. A session that expires tells nobody.
RECHECK = 30.0

Found = TypeVar("Found")


class Grant(Generic[Found]):
    """The rights of a viewer in a community, or without one those of an account. `found`: what the check said,
    once it has been made.
    """

    found: Found

    def __init__(self, credential: Credential, community_id: int | None) -> None:
        # Everything that rights rest on is noted before they are checked.
        self.mark = hub.mark(access_topic(credential.viewer_id or 0), readers_topic(community_id or 0))
        self.credential = credential
        self.community_id = community_id
        self.confirmed_at = time.monotonic()
        # Of the community; 0 without one.
        self.revision = dict(_revisions({community_id})).get(community_id, 0)
        self.words: Words = words_of([credential]).get(credential)

    @property
    def ends_at(self) -> float:
        """The moment, by `time.monotonic`, at which it ends unless it is confirmed."""
        return self.confirmed_at + RECHECK

    @property
    def is_good(self) -> bool:
        return self.mark.is_fresh and time.monotonic() < self.ends_at


AnyGrant: TypeAlias = Grant[Any]


class Grants:
    """The grants that are open in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[AnyGrant] = set()
        self._looked_at = 0.0

    def open(self, credential: Credential, community_id: int | None, check: Callable[[], Found]) -> Grant[Found]:
        """Check the rights of a viewer, and return the grant. Raises what `check` raises where they have none."""
        grant: Grant[Found] = Grant(credential, community_id)
        try:
            grant.found = check()
        except BaseException:
            hub.forget(grant.mark)
            raise
        with self._lock:
            self._open.add(grant)
        return grant

    def close(self, grant: AnyGrant) -> None:
        with self._lock:
            self._open.discard(grant)
        hub.forget(grant.mark)

    def confirm_all(self) -> None:
        """Confirm the grants of this process well before they end. Calls in between do nothing."""
        now = time.monotonic()
        if now < self._looked_at + RECHECK / 2:
            return
        self._looked_at = now
        with self._lock:
            held = [grant for grant in self._open if grant.is_good]
        for grant in _unchanged(held):
            grant.confirmed_at = now


def _unchanged(held: Iterable[AnyGrant]) -> list[AnyGrant]:
    """List those grants for which nothing has changed that rights rest on, and note the revision that says so."""
    words = words_of({grant.credential for grant in held})
    by_community: defaultdict[int | None, list[AnyGrant]] = defaultdict(list)
    for grant in held:
        if grant.words is not None and words.get(grant.credential) == grant.words:
            by_community[grant.community_id].append(grant)
    unchanged: list[AnyGrant] = []
    for community_id, revision in _revisions(by_community.keys()):
        theirs = by_community[community_id]
        since = min(grant.revision for grant in theirs)
        changed = communities.overview_changed_at(community_id, since=since) if community_id else 0
        for grant in theirs:
            if grant.revision >= changed:
                grant.revision = revision
                unchanged.append(grant)
    return unchanged


def _revisions(community_ids: Set[int | None]) -> list[tuple[int | None, int]]:
    """List (id, revision) of these communities; what belongs to none stays at 0."""
    apart = [(None, 0)] if None in community_ids else []
    return [*apart, *communities.revisions(one for one in community_ids if one is not None)]


grants = Grants()
