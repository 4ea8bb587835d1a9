"""Pages of ballots: to cast and withdraw one's own, to read everybody's, and the sources of each."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.requests import HtmxRequest
from accounts.returning import no_page, signed_in
from democracy import services
from democracy.errors import InvalidTag, PermissionDenied
from democracy.explaining.what_if import Cast, what_if
from democracy.forms.decisions import BallotForm, BallotSearch, fields_of
from democracy.models import Ballot, Decision
from democracy.presenting import wording
from democracy.presenting.explanations import explain_ballot, explain_own
from democracy.presenting.results import outcome
from democracy.reading import followings, receipts
from democracy.reading.ballots import ballot_rows, read_rows
from democracy.reading.staged_ballots import columns_of
from democracy.tags import normalise_tags
from democracy.views._decisions import decision_frame, result_panel
from democracy.views._errors import answered, submitted
from democracy.views._pages import PER_PAGE, download, render_page
from democracy.views._undo import Undo, keep, undo_of
from democracy.views.communities import WATCH, say_topics_to_follow
from democracy.views.decisions import DETAIL_FRAGMENTS, voting

ABSTAINED = "You abstained."
WITHDRAWN = "Your ballot is withdrawn. If you follow somebody who votes, you inherit again."
LATE = "Voting closed while you were writing."
_BUTTONS = {"abstain", "confirmed"}


@no_page
@require_POST
@signed_in
@answered
def vote_submit(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Cast or change one's ballot, or abstain. The result is recalculated in the background. Raises Http404 for
    somebody who may not vote here; any other refusal is said on the page.
    """
    context = decision_frame(request.user, community_id, decision_id, tab="vote")
    form = BallotForm(context["choices"], request.POST)
    before = _cast_before(context)
    _ask_about_followers(request, context, form, before)
    receipt = submitted(
        form,
        lambda data: services.cast_ballot(
            request.user,
            decision_id,
            stars=form.stars,
            tags=data["tags"],
            comment=data["comment"],
            abstain=data["abstain"],
        ),
    )
    if receipt is None:
        context |= result_panel(context) | voting(request.user, context, form)
        return _shown(request, context, DETAIL_FRAGMENTS)
    if not form.cleaned_data["abstain"]:
        _say(request, wording.VOTE_RECORDED, context["decision"])
        if before is None:
            say_topics_to_follow(request, community_id)
        return _voted(request, community_id, decision_id, typed=_typed_beside(request, form))
    _say(request, ABSTAINED, context["decision"])
    typed = _typed(request.POST, form)
    return _voted(request, community_id, decision_id, undo=undo_of(before, typed=typed), typed=typed)


def _say(request: HtmxRequest, what: str, decision: Decision) -> None:
    """Say what was done, and when the next result is shown."""
    then = wording.next_result_sentence(decision.results_visibility)
    is_live = decision.results_visibility == Decision.Visibility.LIVE
    messages.success(request, f"{what} {then} {WATCH}" if is_live else f"{what} {then}")


def _cast_before(context: Mapping[str, Any]) -> Ballot | None:
    """The cast ballot of the viewer before they change it."""
    own = Ballot.objects.filter(decision=context["decision"], membership=context["membership"])
    return own.prefetch_related("votes").first()


def _ask_about_followers(
    request: HtmxRequest, context: Mapping[str, Any], form: BallotForm, before: Ballot | None
) -> None:
    """Refuse once a change that would leave followers without the ballot that they inherit now, and say how many."""
    if before is None or not form.is_valid() or form.cleaned_data["abstain"] or form.cleaned_data["confirmed"]:
        return
    with suppress(InvalidTag):
        after = normalise_tags(form.cleaned_data["tags"])
        dropped = sorted(set(before.tags) - set(after))
        left_out = followings.followers_left_out(request.user, context["decision"], before=before.tags, after=after)
        if left_out:
            form.add_error(None, wording.left_out_sentence(left_out, dropped))
            form.add_error("confirmed", "Confirm it.")


@no_page
@require_POST
@signed_in
@answered
def vote_what_if(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Show what the result would be with the ballot as it is typed in. Nothing is saved. Raises Http404 for somebody
    who may not vote here; any other refusal is said in its place.
    """
    context = decision_frame(request.user, community_id, decision_id, tab="vote")
    form = BallotForm(context["choices"], request.POST)
    found = submitted(form, lambda data: what_if(request.user, decision_id, [_as_typed(form)]))
    context |= result_panel(context) | voting(request.user, context, form) | {"asked_what_if": True}
    if found is not None:
        context |= {
            "what_if": found,
            "before": outcome(found.before, context["choices"], is_final=False),
            "after": outcome(found.after, context["choices"], is_final=False),
        }
    return _shown(request, context, {"what-if": "democracy/_what_if.html"})


@no_page
@require_POST
@signed_in
@answered
def vote_typed(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """One's own ballot and its form again, with what is typed in there. A page asks for it when voting opens or closes;
    where it closed on somebody who was writing, it says so. Nothing is saved. Raises Http404 where the viewer may not
    see the decision.
    """
    context = decision_frame(request.user, community_id, decision_id, tab="vote")
    before = _cast_before(context)
    cast = {} if before is None else {name: text for name, text in fields_of(before).items() if name != "abstain"}
    form = BallotForm(context["choices"], request.POST, initial=cast)
    is_written = form.has_changed()
    typed = BallotForm(context["choices"], initial=_typed(request.POST, form))
    shown = voting(request.user, context, typed if is_written else None)
    if is_written and not shown["can_vote"]:
        form.add_error(None, LATE)
        shown["refused"] = form
    return render_page(
        request,
        "democracy/decision_detail.html",
        context | result_panel(context) | shown,
        fragments=DETAIL_FRAGMENTS,
        status=200,
    )


def _typed(fields: QueryDict, form: BallotForm) -> dict[str, str]:
    """The contents of the fields, without the buttons."""
    return {name: str(value) for name, value in fields.items() if name in form.fields and name not in _BUTTONS}


def _typed_beside(request: HtmxRequest, form: BallotForm) -> dict[str, str]:
    """The contents of the ballot's form while another form, to withdraw or to undo, was sent."""
    return _typed(QueryDict(str(request.POST.get("typed", ""))), form)


def _shown(request: HtmxRequest, context: Mapping[str, Any], fragments: Mapping[str, str]) -> HttpResponse:
    # Once voting is closed, the form is not what is wrong.
    status = 409 if context["refused"].errors and not context["can_vote"] else None
    return render_page(request, "democracy/decision_detail.html", context, fragments=fragments, status=status)


def _as_typed(form: BallotForm) -> Cast:
    data = form.cleaned_data
    return Cast(tuple(form.stars.items()), tuple(data["tags"]), data["abstain"])


@no_page
@require_POST
@signed_in
@answered
def vote_withdraw(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Withdraw one's ballot. Raises Http404 for somebody who may not vote here; any other refusal is a message."""
    context = decision_frame(request.user, community_id, decision_id)
    before, typed = _cast_before(context), _typed_beside(request, BallotForm(context["choices"]))
    services.withdraw_ballot(request.user, decision_id)
    _say(request, WITHDRAWN, context["decision"])
    undo = undo_of(before) if before is not None else None
    return _voted(request, community_id, decision_id, undo=undo, typed=typed)


def _voted(
    request: HtmxRequest,
    community_id: int,
    decision_id: int,
    *,
    undo: Undo | None = None,
    typed: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Show the page again; to htmx only one's own ballot and the messages, with the event at which the panel refreshes.

    `typed` stands in the form again, not saved.
    """
    if request.htmx.target != "voting":
        if undo is not None or typed:
            keep(request, decision_id, undo, typed)
        return redirect("decision", community_id, decision_id)
    context = decision_frame(request.user, community_id, decision_id, tab="vote")
    form = BallotForm(context["choices"], initial=typed) if typed else None
    context |= voting(request.user, context, form) | {"with_messages": True, "undo": undo}
    response = render(request, "democracy/_voting.html", context)
    response["HX-Trigger"] = "voted"
    return response


@no_page
@require_safe
@signed_in
@answered
def own_receipt(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The receipt of one's own ballot as a file, for as long as it is cast. Raises Http404 where there is none."""
    decision = decision_frame(request.user, community_id, decision_id)["decision"]
    receipt = receipts.own_receipt(request.user, decision)
    return download(JsonResponse(receipt.file), f"receipt-{decision_id}.json")


@require_safe
@answered
def own_sources(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The sources of one's own ballot, in words and as a tree. Raises Http404 where the viewer may not see the
    decision.
    """
    context = decision_frame(request.user, community_id, decision_id)
    context |= {"explanation": explain_own(request.user, context["decision"]), "is_own": True}
    fragments = {"own-sources": "democracy/_own_sources.html"}
    return render_page(request, "democracy/ballot.html", context, fragments=fragments)


@require_safe
@answered
def ballots(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """All ballots, cast and inherited, where the decision shows them. Raises Http404 where the viewer may not see the
    decision.
    """
    context = decision_frame(request.user, community_id, decision_id, tab="ballots")
    if context["shows_ballots"]:
        decision, search = context["decision"], BallotSearch(request.GET)
        columns = columns_of(decision, len(context["choices"]))
        wanted = {name: search.value(name) for name in ("kind", "tag", "sort")}
        found = ballot_rows(decision, columns, search=search.value("q"), **wanted)
        page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
        context |= wanted | {
            "q": search.value("q"),
            "page": page,
            "rows": list(read_rows(request.user, decision, columns, list(page))),
            "kinds": BallotSearch.KINDS,
            "all_tags": sorted({tag for tags in columns.tag_sets for tag in tags}),
        }
    fragments = {"ballots": "democracy/_ballots.html"}
    return render_page(request, "democracy/decision_ballots.html", context, fragments=fragments)


@require_safe
@answered
def ballot(request: HtmxRequest, community_id: int, decision_id: int, key: str) -> HttpResponse:
    """One ballot and its sources. `key`: that of the list of ballots. Raises Http404 where the viewer may not see the
    decision, or there is no such ballot.
    """
    context = decision_frame(request.user, community_id, decision_id)
    if not context["shows_ballots"]:
        raise PermissionDenied
    context |= {"explanation": explain_ballot(request.user, context["decision"], key)}
    fragments = {"dialog-body": "democracy/_ballot_dialog.html"}
    return render_page(request, "democracy/ballot.html", context, fragments=fragments)
