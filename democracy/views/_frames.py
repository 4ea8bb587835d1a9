"""What every page inside a community shows: the community, its tabs, and where the viewer stands."""

from __future__ import annotations

from typing import Any

from democracy import directory
from democracy.access import Viewer
from democracy.errors import PermissionDenied


def frame(viewer: Viewer, community_id: int, *, tab: str) -> dict[str, Any]:
    """The context of `democracy/_community_header.html`. Raises PermissionDenied unless the viewer may read the
    community.
    """
    context = open_frame(viewer, community_id, tab=tab)
    if not context["standing"].may_read:
        raise PermissionDenied
    return context


def open_frame(viewer: Viewer, community_id: int, *, tab: str) -> dict[str, Any]:
    """The same, for pages that everybody may open. Raises PermissionDenied where there is no such community."""
    community = directory.community_listed(viewer, community_id)
    return {"community": community, "standing": directory.standing(viewer, community), "tab": tab}
