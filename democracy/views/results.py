"""Pages of results: the winner and the reasons, the history, influence, and the files to check them with."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from accounts.requests import HtmxRequest
from accounts.returning import meant_for, no_page
from democracy import services
from democracy.errors import PermissionDenied
from democracy.files import kept_bundles
from democracy.files.spreadsheet import ballots_as_csv
from democracy.presenting.counting import cast_only, distributions
from democracy.presenting.explanations import drawn_followings, most_influential
from democracy.presenting.history import calculations, history_chart, in_short
from democracy.presenting.margins import exact_margin, rough_margin
from democracy.presenting.results import outcome
from democracy.presenting.wording import RECALCULATION_STARTED
from democracy.reading.ballots import tags_on_ballots
from democracy.reading.past_ballots import past_ballots
from democracy.reading.staged_ballots import columns_of
from democracy.views._decisions import checkpoint_of, decision_frame, result_panel, tell_what_is_new
from democracy.views._errors import answered, managers_only
from democracy.views._pages import PER_PAGE, download, page_of, render_page, streamed
from democracy.views._telling import checking, telling

# A larger bundle is sent piece by piece.
_SENT_AT_ONCE = 1 << 20


@meant_for("to read a result")
@require_safe
@answered
def decision_results(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The result with all its numbers. Raises Http404 where the viewer may not see the decision."""
    context = decision_frame(request.user, community_id, decision_id, tab="results")
    context |= result_panel(context)
    choices = context["choices"]
    context |= checkpoint_of(context["snapshot"])
    if context["outcome"] is not None:
        context |= {
            "chart": history_chart(request.user, context["decision"], context["outcome"]),
            "margin": rough_margin(context["snapshot"].read_result(), choices),
        }
    if context["outcome"] is not None and context["shows_ballots"]:
        columns = columns_of(context["decision"], len(choices))
        context |= {
            "distributions": distributions(columns, choices, order=context["outcome"].columns),
            "direct": outcome(cast_only(columns, choices), choices, is_final=context["state"].is_final),
        }
    context |= telling(request.user, context) | checking(context)
    fragments = {name: f"democracy/_{name}.html" for name in ("results", "closeness", "telling")}
    return render_page(request, "democracy/decision_results.html", context, fragments=fragments)


@require_safe
@answered
def decision_history(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Every calculation whose result was published. Raises Http404 where the viewer may not see the decision."""
    context = decision_frame(request.user, community_id, decision_id, tab="history")
    context |= result_panel(context)
    page = page_of(request, calculations(request.user, context["decision"]))
    context |= {"page": page, "rows": in_short(list(page), context["choices"])}
    if context["outcome"] is not None:
        context["chart"] = history_chart(request.user, context["decision"], context["outcome"])
    fragments = {"history": "democracy/_history.html"}
    return render_page(request, "democracy/decision_history.html", context, fragments=fragments)


@require_safe
@answered
def decision_past(request: HtmxRequest, community_id: int, decision_id: int, revision: int) -> HttpResponse:
    """The ballots as of a past result. Raises Http404 where the viewer may not see the decision, or that result does
    not keep them.
    """
    context = decision_frame(request.user, community_id, decision_id, tab="history")
    past = past_ballots(request.user, context["decision"], revision)
    if past is None:
        raise PermissionDenied
    [context["past"]] = in_short([past.snapshot], context["choices"])
    page = Paginator(range(len(past)), PER_PAGE).get_page(request.GET.get("page"))
    places = list(page) or [0]
    context |= {"page": page, "rows": past[places[0] : places[-1] + 1]}
    fragments = {"past": "democracy/_past.html"}
    return render_page(request, "democracy/decision_past.html", context, fragments=fragments)


@require_safe
@answered
def decision_network(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The active followings of a decision, as a picture. Raises Http404 where the viewer may not see the decision."""
    context = decision_frame(request.user, community_id, decision_id, tab="network")
    tags = tags_on_ballots([context["decision"]])
    context |= result_panel(context) | {"all_tags": tags.get(decision_id, [])}
    return render_page(request, "democracy/decision_network.html", context)


@no_page
@require_safe
@gzip_page
@answered
def decision_network_data(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The ballots and the active followings, for the picture. Raises Http404 where the viewer may not see the decision,
    or not its ballots.
    """
    context = decision_frame(request.user, community_id, decision_id)
    if not context["shows_ballots"]:
        raise PermissionDenied
    response = JsonResponse(drawn_followings(request.user, context["decision"]))
    patch_cache_control(response, private=True, no_store=True)
    return response


@require_safe
@answered
def decision_influence(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The ballots with the most influence. The results page asks for them once it is shown: it takes a calculation.
    Raises Http404 where the viewer may not see the decision, or not its ballots.
    """
    context = decision_frame(request.user, community_id, decision_id, tab="network")
    if not context["shows_ballots"]:
        raise PermissionDenied
    context |= result_panel(context)
    counted = context["outcome"].counted if context["outcome"] is not None else 0
    context |= {"influential": most_influential(request.user, context["decision"], counted=counted)}
    fragments = {"influence": "democracy/_influence.html"}
    return render_page(request, "democracy/decision_influence.html", context, fragments=fragments)


@require_safe
@answered
def decision_margin(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The margin of the result. The results page asks for it once it is shown: it can take a second. Raises Http404
    where the viewer may not see the decision.
    """
    context = decision_frame(request.user, community_id, decision_id, tab="results")
    if not context["shows_ballots"]:
        raise PermissionDenied
    choices = context["choices"]
    context |= {"margin": exact_margin(columns_of(context["decision"], len(choices)), choices)}
    fragments = {"margin": "democracy/_margin.html"}
    return render_page(request, "democracy/decision_margin.html", context, fragments=fragments)


# --- For managers -----------------------------------------------------------------------------------------------------


@no_page
@require_POST
@managers_only
def recalculate_results(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Have the decision calculated from scratch in the background. The final result of a closed one never changes.
    Raises Http404 where there is no such decision of the community; answers others than managers with 403.
    """
    context = decision_frame(request.user, community_id, decision_id)
    services.request_recalculation(request.user, decision_id)
    messages.success(request, RECALCULATION_STARTED)
    if not request.htmx:
        place = "decision-results" if request.POST.get("place") == "results" else "decision"
        return redirect(place, community_id, decision_id)
    context |= result_panel(context) | {"place": request.POST.get("place", ""), "with_messages": True}
    return tell_what_is_new(request, render(request, "democracy/_decision_panel.html", context), context["seen"])


# --- To take away -----------------------------------------------------------------------------------------------------


@no_page
@require_safe
@answered
def decision_export(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The bundle: everything that the result rests on, for the verifier. Raises Http404 where the viewer may not see
    the decision.
    """
    bundle = kept_bundles.bundle_of(decision_frame(request.user, community_id, decision_id)["decision"])
    if bundle.size <= _SENT_AT_ONCE:
        response = HttpResponse(bundle.pieces(), content_type="application/json")
    else:
        response = streamed(request, bundle.pieces(), "application/json")
        response["Content-Length"] = str(bundle.size)
    return download(response, f"decision-{decision_id}.json")


@no_page
@require_safe
@answered
def decision_csv(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """All ballots as a table for spreadsheets. Raises Http404 where the viewer may not see the decision, or not its
    ballots.
    """
    context = decision_frame(request.user, community_id, decision_id)
    if not context["shows_ballots"]:
        raise PermissionDenied
    decision, choices = context["decision"], context["choices"]
    columns = columns_of(decision, len(choices))
    text = ballots_as_csv(request.user, decision, choices, columns)
    return download(HttpResponse(text, content_type="text/csv; charset=utf-8"), f"decision-{decision.pk}-ballots.csv")
