"""What every page of a decision shows, and its fragments refresh: where the decision stands and what its result is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from democracy import access, selectors
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.models import Decision
from democracy.services.presenting import outcome_of

Status = Decision.CalculationStatus


def decision_frame(viewer: Viewer, community_id: int, decision_id: int, *, tab: str = "") -> dict[str, Any]:
    """The context of `democracy/_decision_header.html`. Raises PermissionDenied unless the viewer may see it."""
    decision = access.require_decision(viewer, decision_id)
    if decision.community_id != community_id:
        raise PermissionDenied
    membership = access.membership_of(viewer, community_id)
    return {
        "community": decision.community,
        "decision": decision,
        "choices": list(decision.choices.all()),
        "membership": membership,
        "is_manager": membership is not None and membership.is_manager,
        "shows_ballots": access.shows_ballots(decision),
        "tab": tab,
    }


def result_panel(context: dict[str, Any]) -> dict[str, Any]:
    """The context of a decision's calculation status and result, beside that of `decision_frame`.

    `seen` names the result that is shown; a page sends it back to learn whether there is something newer.
    """
    decision = context["decision"]
    (state,) = selectors.calculation_states([decision.pk])
    snapshot = next(iter(selectors.newest_snapshots([decision.pk])), None)
    return {
        "state": state,
        "is_running": state.status in {Status.CALCULATING, Status.STALE} and decision.status in _COUNTED,
        "has_failed": state.status == Status.FAILED,
        "snapshot": snapshot,
        "outcome": outcome_of(snapshot, context["choices"]) if snapshot is not None else None,
        "seen": f"{decision.status}.{state.calculated_revision}.{snapshot.pk if snapshot is not None else 0}",
    }


_COUNTED = {Decision.Status.OPEN, Decision.Status.CLOSED}


def tell_what_is_new(request: HttpRequest, response: HttpResponse, seen: str) -> HttpResponse:
    """Say by events what else on the page is to be asked for anew: `phase` (it opened or closed) and `calculated`."""
    before, now = request.GET.get("seen", ""), seen
    if before and before != now:
        is_other_phase = before.partition(".")[0] != now.partition(".")[0]
        response["HX-Trigger"] = "phase, calculated" if is_other_phase else "calculated"
    return response
