"""The context that all pages of a community share: the community, its tabs, and the viewer's relation to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.utils import timezone

from accounts.requests import HtmxRequest
from accounts.text import whole_number
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.live.hub import hub, overview_topic, readers_topic
from democracy.live.polls import polls
from democracy.live.shared import Made, shared
from democracy.models import Community
from democracy.reading import communities

# How old the numbers of those who voted may be on an open page that shows everything else.
_TURNOUT = timedelta(minutes=1)
# The most characters of what a page says that it shows.
_LONGEST_SEEN = 100


def frame(viewer: Viewer, community_id: int, *, tab: str) -> dict[str, Any]:
    """The context of `democracy/_community_header.html`. Raises PermissionDenied unless the viewer may read the
    community.
    """
    context = open_frame(viewer, community_id, tab=tab)
    if not context["standing"].may_read:
        raise PermissionDenied
    return context


def open_frame(viewer: Viewer, community_id: int, *, tab: str) -> dict[str, Any]:
    """The context of `democracy/_community_header.html` on pages that everybody may open. Raises PermissionDenied where
    there is no such community.
    """
    community = communities.community_listed(viewer, community_id)
    return {"community": community, "standing": communities.standing(viewer, community), "tab": tab}


def overview_seen(community: Community) -> str:
    """A text that names what the page of a community shows: its revision, its last final result, and how many openings
    and closings there have been.

    `community`: read before everything else on the page.
    """
    passed, _ = communities.moments(community.pk, timezone.now())
    return f"{community.revision}.{communities.last_final_result(community.pk)}.{passed}"


def news_of_community(community_id: int, seen: str) -> tuple[str | None, str]:
    """The event that brings a page which shows `seen` up to date (None if it is), and what it shows then."""
    now = overview_seen(Community.objects.get(pk=community_id))
    revision = whole_number(seen.partition(".")[0])
    is_shown = (
        revision is not None
        and seen.split(".")[1:3] == now.split(".")[1:3]
        and not communities.overview_changed(community_id, since=revision)
    )
    return (None, seen) if is_shown else ("community", now)


@dataclass(frozen=True)
class _Overview:
    """The page of a community as a page that polls shows it; None where there is something new."""

    shown: str | None

    def is_on(self, seen: str) -> bool:
        return seen == self.shown


def is_up_to_date(request: HtmxRequest, community_id: int) -> bool:
    """Whether the open page that asks shows everything there is, but how many have voted in the last minute."""
    seen = request.GET.get("seen", "")
    if len(seen) > _LONGEST_SEEN:
        # No page says that, and it would be kept in memory.
        return False
    key = ("overview", community_id, seen)

    def check() -> Community:
        return communities.readable_community(request.user, community_id)

    try:
        polls.found(request, community_id, check=check, key=lambda _: key)
    except PermissionDenied:
        return False
    is_for_long = shared.is_over(key)
    return shared.get(key, partial(_made, community_id, seen, is_for_long=is_for_long)).is_on(seen)


def _made(community_id: int, seen: str, *, is_for_long: bool) -> Made[_Overview]:
    mark = hub.mark(overview_topic(community_id), readers_topic(community_id))
    now = timezone.now()
    event, _ = news_of_community(community_id, seen)
    has_voted = seen.partition(".")[0] != str(dict(communities.revisions([community_id])).get(community_id))
    is_shown = event is None and not (has_voted and is_for_long)
    _, moment = communities.moments(community_id, now)
    until = now + _TURNOUT
    return Made(_Overview(seen if is_shown else None), mark, until if moment is None else min(moment, until))
