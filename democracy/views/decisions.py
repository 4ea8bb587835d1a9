"""A decision: reading it, and for managers drafting, previewing, publishing and prolonging it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.requests import HtmxRequest
from accounts.returning import meant_for, no_page
from democracy import services
from democracy.access import Viewer
from democracy.forms.decisions import (
    BallotForm,
    ClarificationForm,
    DecisionForm,
    PublishedDecisionForm,
    ScheduledDecisionForm,
    with_choices_changed,
)
from democracy.models import MIN_CHOICES, Decision
from democracy.presenting.audiences import audiences
from democracy.presenting.explanations import explain_own
from democracy.presenting.wording import LIVE_AND_ANONYMOUS
from democracy.reading.communities import has_anonymous_voters
from democracy.reading.own_ballots import own_ballot, suggested_tags
from democracy.views._decisions import decision_frame, result_panel
from democracy.views._errors import answered, managers_only, submitted
from democracy.views._frames import frame
from democracy.views._pages import render_page
from democracy.views._telling import telling
from democracy.views._undo import undone
from democracy.views.communities import welcome_new_member

DETAIL_FRAGMENTS = {
    "decision-phase": "democracy/_decision_phase.html",
    "own-ballot": "democracy/_own_ballot.html",
    "voting": "democracy/_voting.html",
    "recalculate": "democracy/_recalculate.html",
}


def voting(viewer: Viewer, context: Mapping[str, Any], form: BallotForm | None = None) -> dict[str, Any]:
    """The context of `democracy/_voting.html`: the viewer's own ballot, and the form to change it.

    `form` as it was typed; what was refused of it is said even where nobody can vote any more.
    """
    decision, choices, membership = context["decision"], context["choices"], context["membership"]
    own = own_ballot(membership, decision, choices) if membership is not None else None
    can_vote = membership is not None and decision.status == Decision.Status.OPEN
    return {
        "own": own,
        "can_vote": can_vote,
        "form": (form or BallotForm.of(choices, own.ballot if own else None, topics=decision.topics))
        if can_vote
        else None,
        "refused": form,
        "suggestions": suggested_tags(viewer, decision) if can_vote else [],
        "audience": audiences(viewer, [decision]).get(decision.pk) if can_vote else None,
    }


@meant_for("to read a question and vote on it")
@require_safe
@answered
def decision(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """A decision: its question, the result in short, and one's own ballot. Raises Http404 where the viewer may not see
    the decision.
    """
    context = decision_frame(request.user, community_id, decision_id, tab="vote")
    if context["decision"].status == Decision.Status.DRAFT:
        return redirect("decision-preview", community_id, decision_id)
    if request.htmx.target == "own-ballot" and not request.htmx.history_restore_request:
        return _own_ballot(request, context)
    welcome_new_member(request, context["community"])
    undo, typed = (None, None) if request.htmx else undone(request, decision_id)
    form = BallotForm(context["choices"], initial=typed) if typed else None
    context |= result_panel(context) | voting(request.user, context, form) | {"undo": undo}
    context |= telling(request.user, context)
    context["place"] = "results" if request.GET.get("place") == "results" else ""
    return render_page(request, "democracy/decision_detail.html", context, fragments=DETAIL_FRAGMENTS)


def _own_ballot(request: HtmxRequest, context: Mapping[str, Any]) -> HttpResponse:
    """The viewer's own ballot alone, with its sources: hundreds of pages may ask for theirs at once."""
    decision, membership = context["decision"], context["membership"]
    own = own_ballot(membership, decision, context["choices"]) if membership is not None else None
    # The page itself asks for the sources once it is shown: it takes a calculation.
    explanation = explain_own(request.user, decision) if own is not None and own.kind == "inherited" else None
    context = {**context, "own": own, "explanation": explanation}
    return render_page(request, "democracy/decision_detail.html", context, fragments=DETAIL_FRAGMENTS)


@require_http_methods(["GET", "HEAD", "POST"])
@managers_only
def decision_create(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Draft a decision. `do` adds, removes and moves choices on the form without saving anything. Raises Http404 where
    there is no such community; answers others than its managers with 403.
    """
    form = DecisionForm(request.POST) if request.method == "POST" else DecisionForm.blank()
    if "do" in request.POST:
        return _edited(request, community_id, _with_choices_changed(request, form))
    made = submitted(form, lambda data: services.create_decision(request.user, community_id, **data))
    if made is None:
        return _edited(request, community_id, form)
    messages.success(request, "Your draft is saved. Only managers see it until you publish it.")
    return redirect("decision-preview", community_id, made.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@managers_only
def decision_edit(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Change a draft; of a published decision its closing to a later time, and before it opens its texts. Raises
    Http404 where there is no such decision of the community; answers others than managers with 403.
    """
    context = decision_frame(request.user, community_id, decision_id)
    if request.method != "POST" and context["decision"].is_over:
        is_closed = context["decision"].status == Decision.Status.CLOSED
        why = "Voting has closed" if is_closed else "It was called off"
        messages.info(request, f"{why}; nothing of this decision can change any more.")
        return redirect("decision", community_id, decision_id)
    kind = _form_of(context["decision"])
    form = kind.of(context["decision"], request.POST if request.method == "POST" else None)
    if "do" in request.POST and isinstance(form, DecisionForm):
        return _edited(request, community_id, _with_choices_changed(request, form), context)
    saved = submitted(form, lambda data: services.update_decision(request.user, decision_id, **data))
    if saved is None:
        return _edited(request, community_id, form, context)
    messages.success(request, "Your changes are saved.")
    return redirect("decision-preview" if kind is DecisionForm else "decision", community_id, decision_id)


def _with_choices_changed(request: HtmxRequest, form: DecisionForm) -> DecisionForm:
    return with_choices_changed(form, request.POST["do"], pasted=request.POST.get("pasted", ""))


def _form_of(decision: Decision) -> type[DecisionForm | ScheduledDecisionForm | PublishedDecisionForm]:
    match decision.status:
        case Decision.Status.DRAFT:
            return DecisionForm
        case Decision.Status.SCHEDULED:
            return ScheduledDecisionForm
        case _:
            return PublishedDecisionForm


@no_page
@require_POST
@managers_only
def decision_clarify(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Add a clarification to the question. Raises Http404 where there is no such decision of the community; answers
    others than managers with 403.
    """
    context = decision_frame(request.user, community_id, decision_id)
    clarifying = ClarificationForm(request.POST)
    done = submitted(clarifying, lambda data: services.add_clarification(request.user, decision_id, text=data["text"]))
    if done is None:
        form = _form_of(context["decision"]).of(context["decision"])
        return _edited(request, community_id, form, context, clarifying)
    messages.success(request, "Your clarification stands beside the question.")
    return redirect("decision", community_id, decision_id)


def _edited(
    request: HtmxRequest,
    community_id: int,
    form: DecisionForm | ScheduledDecisionForm | PublishedDecisionForm,
    context: Mapping[str, Any] | None = None,
    clarifying: ClarificationForm | None = None,
) -> HttpResponse:
    context = {
        **(context or frame(request.user, community_id, tab="")),
        "form": form,
        "clarifying": clarifying or ClarificationForm(),
        "anonymous_voters": LIVE_AND_ANONYMOUS if has_anonymous_voters(community_id) else "",
    }
    fragments = {"choices": "democracy/_choices_field.html"}
    status = 400 if clarifying is not None else None
    return render_page(request, "democracy/decision_form.html", context, fragments=fragments, status=status)


@require_safe
@managers_only
def decision_preview(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """A draft as voters will see it, and what is still missing. Raises Http404 where there is no such decision of the
    community; answers others than managers with 403.
    """
    context = decision_frame(request.user, community_id, decision_id)
    if context["decision"].published_at is not None:
        return redirect("decision", community_id, decision_id)
    context |= {"missing": _missing(context), "ratings": BallotForm(context["choices"]).ratings()}
    return render_page(request, "democracy/decision_preview.html", context)


def _missing(context: Mapping[str, Any]) -> list[str]:
    few = MIN_CHOICES - len(context["choices"])
    missing = [f"It needs at least {MIN_CHOICES} choices."] if few > 0 else []
    closes_at = context["decision"].closes_at
    if closes_at is None:
        missing.append("Say when voting closes.")
    elif closes_at <= timezone.now():
        missing.append("Voting would be over already: choose a later closing.")
    return missing


@no_page
@require_POST
@managers_only
def decision_publish(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Publish a draft; what is still missing is a message. Raises Http404 where there is no such decision of the
    community; answers others than managers with 403.
    """
    decision_frame(request.user, community_id, decision_id)
    published = services.publish_decision(request.user, decision_id)
    opened = published.status == Decision.Status.OPEN
    messages.success(request, "It is published; voting is open." if opened else "It is published; voting opens later.")
    return redirect("decision", community_id, decision_id)
