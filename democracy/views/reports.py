"""Reports: a decision on paper, with everything that a board files, and the table of its ballots."""

from __future__ import annotations

from typing import Any

import segno
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from accounts.requests import HtmxRequest
from democracy import access
from democracy.errors import PermissionDenied
from democracy.models import Decision, DecisionSnapshot
from democracy.presenting import addresses
from democracy.presenting.sharing import shared_at
from democracy.reading.ballots import ballot_rows, read_rows
from democracy.reading.staged_ballots import columns_of
from democracy.views._decisions import checkpoint_of, decision_frame, result_panel
from democracy.views._errors import answered

# Some forty pages of paper. Who has more ballots opens them in a spreadsheet.
MOST_BALLOTS = 2_000


@require_safe
@answered
def decision_report(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """A decision to print or to save as PDF; with `?ballots=1`, the table of all ballots, too. Raises Http404 where the
    viewer may not see the decision, and for drafts.
    """
    context = decision_frame(request.user, community_id, decision_id)
    decision: Decision = context["decision"]
    if decision.status == Decision.Status.DRAFT:
        raise PermissionDenied
    context |= result_panel(context)
    if decision.status == Decision.Status.SCHEDULED:
        context |= {"snapshot": None, "outcome": None}
    context |= _report(context["snapshot"], addresses.of_decision("decision-results", decision))
    context["asks_ballots"] = request.GET.get("ballots") == "1"
    if context["shows_ballots"] and context["outcome"] is not None:
        columns = columns_of(decision, len(context["choices"]))
        rows = ballot_rows(decision, columns)
        context |= {"ballot_count": len(rows), "most_ballots": MOST_BALLOTS}
        if context["asks_ballots"] and len(rows) <= MOST_BALLOTS:
            context["ballots"] = list(read_rows(request.user, decision, columns, rows))
    return render(request, "democracy/report.html", context)


@require_safe
def published_result_report(request: HtmxRequest, token: str) -> HttpResponse:
    """A published result to print: question, result and turnout. Raises Http404 where there is none, or none any
    more.
    """
    try:
        shared = shared_at(token)
    except PermissionDenied as error:
        raise Http404 from error
    context = {
        "decision": shared.decision,
        "community": shared.decision.community,
        "choices": shared.choices,
        "outcome": shared.outcome,
        "is_published_alone": True,
    } | _report(shared.snapshot, shared.address)
    response = render(request, "democracy/report.html", context)
    response["X-Robots-Tag"] = "noindex"
    patch_cache_control(response, private=True, no_store=True)
    return response


def _report(snapshot: DecisionSnapshot | None, address: str) -> dict[str, Any]:
    """The part of a report's context that is not on other pages. `address`: where the result can be looked up."""
    return {
        "address": address,
        "qr_code": segno.make(address, micro=False).svg_data_uri(scale=3, border=2, light="white"),
        "made_at": timezone.now(),
        "calculated_at": access.shown_time(snapshot) if snapshot is not None else None,
    } | checkpoint_of(snapshot)
