"""The context of `democracy/_telling.html`: where a decision can be told of, and to whom."""

from __future__ import annotations

from typing import Any

from democracy import access
from democracy.access import Viewer
from democracy.models import Community
from democracy.presenting.sharing import told


def telling(viewer: Viewer, context: dict[str, Any]) -> dict[str, Any]:
    """What everybody may see of the decision (`shared`), None where that is nothing; `published`: its row where a
    manager has published the result. `context`: that of `result_panel`.
    """
    decision, published = context["decision"], None
    if context["community"].visibility != Community.Visibility.PUBLIC:
        published = access.published_results_visible_to(viewer).filter(decision=decision).first()
        if published is None:
            return {"shared": None, "published": None}
    token = published.token if published is not None else ""
    return {"shared": told(decision, context["choices"], context["snapshot"], token=token), "published": published}
