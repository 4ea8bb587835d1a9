"""Own ballots of members who have a decision's page open, as that page shows them: rendered for many at once.

Each of them is for its own member alone.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.template.loader import render_to_string

from democracy import access
from democracy.models import Decision
from democracy.presenting.explanations import explain_to_each
from democracy.reading.decisions import choices_of
from democracy.reading.own_ballots import ballots_of_those_who_cast_none

TEMPLATE = "democracy/_own_ballot.html"


def own_ballots_as_html(decision_id: int, members: Collection[int]) -> dict[int, str]:
    """The fragment of their own ballot for those of these members who have cast none, by membership; nothing where
    ballots are hidden. A cast one comes with a form that belongs to a session: its member asks for it.
    """
    decision = Decision.objects.select_related("community").get(pk=decision_id)
    if not access.shows_ballots(decision):
        return {}
    choices = choices_of([decision.pk])[decision.pk]
    found = ballots_of_those_who_cast_none(decision, members, choices)
    explanations = explain_to_each(decision, [member.pk for member, own in found if own.kind == "inherited"])
    frame = {"decision": decision, "community": decision.community, "shows_ballots": True}
    return {
        member.pk: _rendered({**frame, "membership": member, "own": own, "explanation": explanations.get(member.pk)})
        for member, own in found
    }


def _rendered(context: dict[str, Any]) -> str:
    # Most lines are empty where the template has tags.
    return "\n".join(line for line in render_to_string(TEMPLATE, context).splitlines() if line.strip())
