"""The context that all pages of a community share: the community, its tabs, and the viewer's relation to it."""

from __future__ import annotations

from typing import Any

from accounts.text import whole_number
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.models import Community
from democracy.reading import communities


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
    """A text that names what the page of a community shows: its revision and its last final result.

    `community`: read before everything else on the page.
    """
    return f"{community.revision}.{communities.last_final_result(community.pk)}"


def news_of_community(community_id: int, seen: str) -> tuple[str | None, str]:
    """The event that brings a page which shows `seen` up to date (None if it is), and what it shows then."""
    now = overview_seen(Community.objects.get(pk=community_id))
    before, _, final = seen.partition(".")
    revision = whole_number(before)
    is_shown = (
        revision is not None
        and final == now.partition(".")[2]
        and not communities.overview_changed(community_id, since=revision)
    )
    return None if is_shown else "community", now
