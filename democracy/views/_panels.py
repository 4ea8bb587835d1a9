"""The panel of a decision's status and result: rendered once for all viewers of a kind, and kept while it is true.

It holds nothing of a single viewer. Managers are a kind of their own: they are shown why a calculation failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from django.template.loader import render_to_string
from django.utils import timezone

from democracy import access
from democracy.live.hub import community_topic, hub, overview_topic, readers_topic, result_topic, status_topic
from democracy.live.shared import Made, shared
from democracy.models import Decision
from democracy.views._decisions import result_panel

TEMPLATE = "democracy/_decision_panel.html"
# The longest that a panel is kept: what is changed by hand in the database is told by nobody.
_LONGEST = timedelta(seconds=30)


class PanelKey(NamedTuple):
    """A decision's panel for a kind of viewer. `place`: "results" on the results page, else ""."""

    decision_id: int
    place: str
    is_manager: bool


@dataclass(frozen=True)
class Panel:
    """A panel as HTML; `seen` names what it shows. `shows_ballots`: the decision showed them when it was made."""

    seen: str
    html: str
    shows_ballots: bool

    def is_on(self, seen: str) -> bool:
        return seen == self.seen


def panel(key: PanelKey) -> Panel:
    return shared.get(key, partial(_made, key))


async def awaited_panel(key: PanelKey) -> Panel:
    """The panel, for those who stay connected."""
    return await shared.wait_for(key, partial(_made, key))


def _made(key: PanelKey, *, shows_turnout: bool = False) -> Made[Panel]:
    community_id = Decision.objects.values_list("community", flat=True).get(pk=key.decision_id)
    topics = [
        result_topic(key.decision_id),
        status_topic(key.decision_id),
        readers_topic(community_id),
        overview_topic(community_id),
    ]
    # Every ballot is told by the community's topic alone, which most panels need not listen to.
    mark = hub.mark(*topics, *([community_topic(community_id)] if shows_turnout else []))
    now = timezone.now()
    try:
        decision = Decision.objects.select_related("community").get(pk=key.decision_id)
        context: dict[str, Any] = {
            "decision": decision,
            "community": decision.community,
            "choices": list(decision.choices.all()),
            "is_manager": key.is_manager,
            "place": key.place,
        }
        context |= result_panel(context)
        if context["turnout"] and not shows_turnout:
            hub.forget(mark)
            return _made(key, shows_turnout=True)
        lines = render_to_string(TEMPLATE, context).splitlines()
        # Most lines are empty where the template has tags.
        html = "\n".join(line for line in lines if line.strip())
        made = Panel(context["seen"], html, access.shows_ballots(decision))
    except BaseException:
        hub.forget(mark)
        raise
    moments = [moment for moment in (decision.opens_at, decision.closes_at) if moment is not None and moment > now]
    return Made(made, mark, min([*moments, now + _LONGEST]))
