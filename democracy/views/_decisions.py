"""The context that all pages of a decision share: its phase, the state of its calculation, and its result."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from django.http import HttpResponse
from django.utils.crypto import salted_hmac

from accounts.requests import HtmxRequest
from democracy import access, ledger
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.ledger import checkpoints
from democracy.models import Decision, DecisionSnapshot
from democracy.presenting.results import outcome_of
from democracy.presenting.wording import turnout_sentence
from democracy.reading import decisions
from democracy.reading.ballots import turnouts
from democracy.reading.decisions import CalculationState

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
        "choices": decisions.choices_of([decision.pk])[decision.pk],
        "clarifications": decisions.clarifications_of(decision),
        "membership": membership,
        "is_manager": membership is not None and membership.is_manager,
        "shows_ballots": access.shows_ballots(decision),
        "tab": tab,
    }


def result_panel(context: dict[str, Any]) -> dict[str, Any]:
    """The context of a decision's calculation status and result, beside that of `decision_frame`.

    `seen` names what is shown; a page sends it back to learn whether there is something newer.
    """
    decision = context["decision"]
    state, snapshot = _present(decision.pk)
    turnout = _turnout(decision) if snapshot is None or access.hides_ballots(decision) else ""
    # Whatever else of the panel can change.
    others = (turnout, state.error if context["is_manager"] else "", [choice.title for choice in context["choices"]])
    return {
        "state": state,
        "is_running": _is_running(decision, state),
        "has_failed": state.status == Status.FAILED,
        "snapshot": snapshot,
        "outcome": outcome_of(snapshot, context["choices"]) if snapshot is not None else None,
        "turnout": turnout,
        "seen": f"{_seen(decision, state, snapshot)}.{crc32(repr(others).encode()):x}",
    }


def _turnout(decision: Decision) -> str:
    """Say how many have voted; "" before they can."""
    if decision.status in {Decision.Status.DRAFT, Decision.Status.SCHEDULED}:
        return ""
    return turnout_sentence(turnouts([decision])[decision.pk], is_exact=not access.hides_ballots(decision))


def checkpoint_of(snapshot: DecisionSnapshot | None) -> dict[str, Any]:
    """The context of a result's checkpoint: of the ledger that it rests on, where its revision is told."""
    if snapshot is None or access.shown_revision(snapshot) is None:
        return {"checkpoint": None}
    decision = snapshot.decision
    head = ledger.hash_at(decision.community_id, snapshot.revision)
    # As of when it was calculated, so that it is the same for everybody and at any time.
    checkpoint = checkpoints.signed(decision.community_id, snapshot.revision, head, snapshot.calculated_at)
    return {"checkpoint": checkpoint, "checkpoint_content": checkpoints.content(checkpoint)}


_COUNTED = {Decision.Status.OPEN, Decision.Status.CLOSED}


def tell_what_is_new(request: HtmxRequest, response: HttpResponse, seen: str) -> HttpResponse:
    """Tell the page by events what else to ask for again (`to_ask_for`)."""
    if events := to_ask_for(request.GET.get("seen", ""), seen):
        response["HX-Trigger"] = ", ".join([*events, "own"])
    return response


def to_ask_for(before: str, now: str) -> list[str]:
    """The events that tell a page which shows `before` what else to ask for again: `phase` where the decision opened or
    closed, `calculated`. A viewer whose own ballot moved is told `own`, too.
    """
    shown, new = before.split(".")[:3], now.split(".")[:3]
    if before == "" or shown == new:
        return []
    return ["calculated"] if shown[0] == new[0] else ["phase", "calculated"]


def shows_this_result(before: str, now: str) -> bool:
    """Whether a page that shows `before` has the result that is shown now."""
    return before.split(".")[1:3] == now.split(".")[1:3]


def _present(decision_id: int) -> tuple[CalculationState, DecisionSnapshot | None]:
    # In this order: a result that is stored meanwhile is then newer than its state, and told of again.
    (state,) = decisions.calculation_states([decision_id])
    return state, next(iter(decisions.newest_snapshots([decision_id])), None)


def _seen(decision: Decision, state: CalculationState, snapshot: DecisionSnapshot | None) -> str:
    """Phase, calculated revision, result and status, as far as a page shows them, in one text.

    A result's number is sealed: those of other decisions would tell between which of them it was stored.
    """
    status = "running" if _is_running(decision, state) else "failed" if state.status == Status.FAILED else "done"
    result = salted_hmac("crowdvote.seen", str(snapshot.pk)).hexdigest()[:16] if snapshot is not None else "0"
    return f"{decision.status}.{state.calculated_revision or 0}.{result}.{status}"


def _is_running(decision: Decision, state: CalculationState) -> bool:
    return state.status in {Status.CALCULATING, Status.STALE} and decision.status in _COUNTED
