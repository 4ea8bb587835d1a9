"""The life of a decision besides its words, for managers: deleting, calling off, copying, pinning, reminding."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods, require_POST

from accounts.requests import HtmxRequest
from accounts.returning import no_page
from democracy import services
from democracy.forms.lifecycle import CallingOffForm
from democracy.models import Decision
from democracy.reading import invitations
from democracy.views._decisions import decision_frame
from democracy.views._errors import managers_only, submitted
from democracy.views._pages import render_page


@require_http_methods(["GET", "HEAD", "POST"])
@managers_only
def decision_delete(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Ask first, then delete a draft. Raises Http404 where there is no such decision of the community; answers others
    than managers with 403.
    """
    context = decision_frame(request.user, community_id, decision_id)
    if context["decision"].published_at is not None:
        return redirect("decision", community_id, decision_id)
    if request.method != "POST":
        return render_page(request, "democracy/decision_delete.html", context)
    services.delete_draft(request.user, decision_id)
    messages.success(request, f"The draft “{context['decision'].title}” is deleted.")
    return redirect("community", community_id)


@require_http_methods(["GET", "HEAD", "POST"])
@managers_only
def decision_call_off(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Ask for the reason, then call the decision off. Raises Http404 where there is no such decision of the community;
    answers others than managers with 403.
    """
    context = decision_frame(request.user, community_id, decision_id)
    decision = context["decision"]
    if request.method != "POST" and decision.status not in {Decision.Status.SCHEDULED, Decision.Status.OPEN}:
        return redirect("decision", community_id, decision_id)
    if request.method != "POST" and decision.is_about_to_end():
        messages.error(request, "Voting is about to end: this decision can't be called off any more.")
        return redirect("decision", community_id, decision_id)
    form = CallingOffForm(request.POST if request.method == "POST" else None)
    done = submitted(form, lambda data: services.call_off(request.user, decision_id, reason=data["reason"]))
    if done is None:
        return render_page(request, "democracy/decision_call_off.html", context | {"form": form})
    messages.success(request, "The decision is called off. Everybody who opens it reads your reason.")
    return redirect("decision", community_id, decision_id)


@no_page
@require_POST
@managers_only
def decision_copy(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Draft a decision with the words of this one. Raises Http404 where there is no such decision of the community;
    answers others than managers with 403.
    """
    decision_frame(request.user, community_id, decision_id)
    copy = services.copy_decision(request.user, decision_id)
    messages.success(request, "This draft is a copy. Say when voting closes, and change what you like.")
    return redirect("decision-edit", community_id, copy.pk)


@no_page
@require_POST
@managers_only
def decision_pin(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Pin the decision (`pinned=1`), or unpin it. Raises Http404 where there is no such decision of the community;
    answers others than managers with 403.
    """
    decision_frame(request.user, community_id, decision_id)
    pinned = request.POST.get("pinned") == "1"
    services.pin_decision(request.user, decision_id, pinned=pinned)
    said = "now stands at the top" if pinned else "no longer stands at the top"
    messages.success(request, f"It {said} of the community's page.")
    return redirect("decision", community_id, decision_id)


@no_page
@require_POST
@managers_only
def decision_remind(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Have those reminded who have not voted themselves. Raises Http404 where there is no such decision of the
    community; answers others than managers with 403; any other refusal is said on the page.
    """
    decision_frame(request.user, community_id, decision_id)
    services.remind(request.user, decision_id)
    messages.success(request, "Whoever has not voted themselves is reminded. Nobody is told who they are.")
    outside = invitations.not_joined_count(request.user, community_id)
    if outside:
        messages.info(request, _not_reminded(community_id, outside))
    return redirect("decision", community_id, decision_id)


def _not_reminded(community_id: int, number: int) -> str:
    said = "1 invited person has" if number == 1 else f"{number:,} invited people have"
    return format_html(
        '{} not joined and got no reminder. <a href="{}">See the list</a>.',
        said,
        reverse("community-invitations", args=[community_id]) + "#invited-title",
    )
