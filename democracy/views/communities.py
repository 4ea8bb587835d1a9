"""Pages of communities: the list, the page of one, joining and leaving."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from accounts.requests import HtmxRequest
from accounts.returning import meant_for, no_page, signed_in
from accounts.text import ended
from democracy import access, services
from democracy.forms.communities import ApplicationForm, CommunityForm, SearchForm
from democracy.models import Application, Community, Decision
from democracy.presenting.wording import welcome_sentence
from democracy.reading import communities as reading_communities
from democracy.reading import decisions as reading_decisions
from democracy.reading.followings import own_followings
from democracy.reading.invitations import tags_to_follow
from democracy.views._errors import answered, submitted, wanted
from democracy.views._frames import is_up_to_date, open_frame, overview_seen
from democracy.views._pages import page_of, render_page

_CLOSED_SHOWN = 10
_PAGE_FRAGMENTS = {
    "community-now": "democracy/_community_now.html",
    "closed-decisions": "democracy/_closed_decisions.html",
}
WATCH = (
    "Watch for the spinning indicator beside a result while it is recalculated; this can take 30-60 seconds for large "
    "communities."
)


@require_safe
def communities(request: HtmxRequest) -> HttpResponse:
    """All communities, or one's own (`?mine=1`), found by name or description. Raises nothing."""
    form, is_mine = SearchForm(request.GET), request.GET.get("mine") == "1" and request.user.is_authenticated
    found = reading_communities.communities_listed(request.user, search=form.value("q"), mine=is_mine)
    context = {"q": form.value("q"), "is_mine": is_mine, "page": page_of(request, found)}
    fragments = {"community-list": "democracy/_community_list.html"}
    return render_page(request, "democracy/communities.html", context, fragments=fragments)


@meant_for("to look at a community")
@require_safe
@answered
def community(request: HtmxRequest, community_id: int) -> HttpResponse:
    """One community: its decisions and, in short, its members. A viewer who may not read these sees how to join. Raises
    Http404 where there is none.
    """
    if request.htmx.target == "community-now" and is_up_to_date(request, community_id):
        return HttpResponse(status=204)
    context = open_frame(request.user, community_id, tab="overview")
    context |= {"form": ApplicationForm(), "next": wanted(request)}
    may_read = context["standing"].may_read
    if request.htmx.target == ("community-closed" if may_read else "community-now"):
        # The open page is no longer the right one: the viewer was let in, or removed.
        return HttpResponseClientRefresh()
    if context["standing"].reason_hidden:
        return render_page(request, "democracy/community_hidden.html", context)
    if not may_read:
        fragments = {"community-closed": "democracy/_community_closed.html"}
        return render_page(request, "democracy/community_closed.html", context, fragments=fragments)
    welcome_new_member(request, context["community"])
    if address := wanted(request):
        # Whoever was let in goes on to where they were going.
        return redirect(address)
    context["seen"] = overview_seen(context["community"])
    decisions = reading_decisions.living_decisions(request.user, context["community"])
    closed = page_of(
        request, reading_decisions.decisions_over(request.user, context["community"]), per_page=_CLOSED_SHOWN
    )
    context |= {
        "open": decisions[Decision.Status.OPEN],
        "scheduled": decisions[Decision.Status.SCHEDULED],
        "drafts": decisions[Decision.Status.DRAFT],
        "page": closed,
        "closed": reading_decisions.decision_rows(closed),
        "pinned": (pinned := reading_decisions.pinned_decisions(request.user, context["community"])),
        "nothing_open": "No other decision is open at the moment." if pinned else "No decision is open at the moment.",
        "is_new": not (pinned or closed.paginator.count or decisions[Decision.Status.OPEN])
        and not decisions[Decision.Status.SCHEDULED],
        "managers": reading_communities.members_of(request.user, context["community"], role="manager"),
        "waiting": reading_communities.pending_applications(request.user, context["community"]).count(),
    }
    return render_page(request, "democracy/community.html", context, fragments=_PAGE_FRAGMENTS)


def welcome_new_member(request: HtmxRequest, community: Community) -> None:
    """Welcome somebody whom a manager has let in, on the first page of the community that they open."""
    is_opened = request.method == "GET" and not request.htmx
    if is_opened and request.user.is_authenticated and services.take_greeting(request.user, community.pk):
        say_welcome(request, community.name)


def say_welcome(request: HtmxRequest, name: str) -> None:
    messages.success(request, f"{welcome_sentence(name)} {WATCH}")


def say_topics_to_follow(request: HtmxRequest, community_id: int) -> None:
    """Lead whoever was invited with topics in mind, and follows nobody there yet, to the members."""
    tags = tags_to_follow(request.user, community_id)
    if tags and not own_followings(request.user, community_id=community_id).exists():
        said = 'You may want to follow somebody on {}: <a href="{}">choose whom among the members</a>.'
        members = reverse("community-members", args=[community_id])
        messages.info(request, format_html(said, ", ".join(tags), members))


@meant_for("to found a community")
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
@answered
def community_create(request: HtmxRequest) -> HttpResponse:
    """Found a community. What is wrong is said beside the field. Raises nothing."""
    form = CommunityForm(request.POST if request.method == "POST" else None)
    made = submitted(form, lambda data: services.create_community(request.user, **data))
    if made is None:
        return render_page(request, "democracy/community_create.html", {"form": form})
    messages.success(request, f"{made.name} is founded, and you are its manager.")
    return redirect("community", made.pk)


@meant_for("to join a community")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@answered
def apply_to_community(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Apply to join. Where the community lets everybody in, that recalculates its decisions: the message says so.
    Raises Http404 where there is none; any other refusal is said on the page.
    """
    context = open_frame(request.user, community_id, tab="") | {"next": wanted(request)}
    form = ApplicationForm(request.POST if request.method == "POST" else None)
    application = submitted(form, lambda data: services.apply_to_community(request.user, community_id, **data))
    if application is None:
        return render_page(request, "democracy/community_closed.html", context | {"form": form})
    name = context["community"].name
    if application.status == Application.Status.APPROVED:
        say_welcome(request, name)
    else:
        messages.success(request, f"Your application was sent. A manager of {name} will look at it.")
    onward = f"?{urlencode({'next': wanted(request)})}" if wanted(request) else ""
    return redirect(reverse("community", args=[community_id]) + onward)


@no_page
@require_POST
@signed_in
@answered
def application_withdraw(request: HtmxRequest, application_id: int) -> HttpResponse:
    """Take one's own application back. Raises Http404 for others'; one that has been decided is a message."""
    application = services.withdraw_application(request.user, application_id)
    messages.success(request, "Your application was withdrawn.")
    return redirect("community", application.community_id)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@answered
def community_leave(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Ask first, then leave. The last manager can't. Raises Http404 for somebody who is no member."""
    member = access.require_own_membership(request.user, community_id)
    if request.method != "POST":
        return render_page(request, "democracy/community_leave.html", open_frame(request.user, community_id, tab=""))
    services.leave_community(request.user, community_id)
    messages.success(
        request,
        f"{ended(f'You left {member.community.name}')} Ballots with your name and your followings count for nothing "
        "there now; those that you cast under a pseudonym stay in their decisions.",
    )
    return redirect("communities")
