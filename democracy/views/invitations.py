"""Pages on which managers invite people, and see who has come."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.requests import HtmxRequest
from accounts.returning import no_page
from democracy import services
from democracy.forms.invitations import InvitationLinkForm, InvitationSearchForm, InviteForm
from democracy.presenting.links import address_of, qr_code
from democracy.reading import invitations
from democracy.views._errors import managers_only, submitted
from democracy.views._frames import frame
from democracy.views._pages import page_of, render_page


@require_http_methods(["GET", "HEAD", "POST"])
@managers_only
def community_invitations(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Invite people by their addresses, and see whom the community has invited. Raises Http404 where there is no such
    community; answers others than its managers with 403.
    """
    context = _context(request, community_id)
    if request.method != "POST":
        return _page(request, context)
    form = InviteForm(context["decisions"], request.POST, request.FILES)
    done = submitted(form, lambda data: services.invite(request.user, community_id, **data))
    if done is None:
        return _page(request, context | {"form": form})
    messages.success(request, _told(done))
    if form.passed_over:
        messages.info(request, f"These columns of the list were not read: {', '.join(form.passed_over)}.")
    return redirect("community-invitations", community_id)


def _told(done: services.Invited) -> str:
    parts = [f"{done.new:,} {'person is' if done.new == 1 else 'people are'} invited."]
    if done.mailed > done.new:
        parts.append(f"{done.mailed - done.new:,} had been on the list without a mail, and got one.")
    if done.waiting:
        parts.append(f"{done.waiting:,} had been invited before and got no second mail.")
    if done.members:
        parts.append(f"{done.members:,} {'is a member' if done.members == 1 else 'are members'} already.")
    return " ".join(parts)


@no_page
@require_POST
@managers_only
def invitation_link_create(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Make a link for many people. What is wrong is said beside the field. Raises Http404 where there is no such
    community; answers others than its managers with 403.
    """
    context = _context(request, community_id)
    form = InvitationLinkForm(context["decisions"], request.POST)
    made = submitted(form, lambda data: services.create_invitation_link(request.user, community_id, **data))
    if made is None:
        return _page(request, context | {"link_form": form}, status=400)
    messages.success(request, "The link is ready: copy it, or print the poster.")
    return redirect(reverse("community-invitations", args=[community_id]) + "#links")


@no_page
@require_POST
@managers_only
def invitation_link_revoke(request: HtmxRequest, community_id: int, link_id: int) -> HttpResponse:
    """End a link. Raises Http404 where there is no such link; answers others than its managers with 403."""
    invitations.invitation_link(request.user, community_id, link_id)
    services.revoke_invitation_link(request.user, link_id)
    messages.success(request, "The link has ended. Whoever came by it stays a member.")
    return redirect("community-invitations", community_id)


@no_page
@require_POST
@managers_only
def invitation_resend(request: HtmxRequest, community_id: int, invitation_id: int) -> HttpResponse:
    """Mail a new link. Raises Http404 for another community's; any other refusal is said on the page."""
    before = invitations.require_invitation(request.user, community_id, invitation_id)
    invitation = services.resend_invitation(request.user, invitation_id)
    if before.sent_at is None:
        messages.success(request, f"A link is on its way to {invitation.address}.")
    else:
        messages.success(request, f"A new link is on its way to {invitation.address}. The old one has ended.")
    return redirect("community-invitations", community_id)


@no_page
@require_POST
@managers_only
def invitations_resend(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Mail new links to all who were invited and have not joined. Raises Http404 where there is no such community;
    answers others than its managers with 403; any other refusal is said on the page.
    """
    number = services.resend_invitations(request.user, community_id)
    who = "1 person" if number == 1 else f"{number:,} people"
    messages.success(request, f"New links are on their way to {who}. The old ones have ended.")
    return redirect("community-invitations", community_id)


@require_http_methods(["GET", "HEAD", "POST"])
@managers_only
def invitation_revoke(request: HtmxRequest, community_id: int, invitation_id: int) -> HttpResponse:
    """Ask first, then take an invitation back. Raises Http404 for another community's; any other refusal is said on
    the page.
    """
    found = invitations.require_invitation(request.user, community_id, invitation_id)
    if request.method != "POST":
        context = frame(request.user, community_id, tab="manage") | {"invitation": found}
        return render_page(request, "democracy/invitation_revoke.html", context)
    invitation = services.revoke_invitation(request.user, invitation_id)
    messages.success(request, f"The invitation to {invitation.address} was taken back.")
    return redirect("community-invitations", community_id)


@require_safe
@managers_only
def invitation_poster(request: HtmxRequest, community_id: int, link_id: int) -> HttpResponse:
    """A page to print and hang up: the question, and the link as a QR code. Raises Http404 where there is no such
    link; answers others than managers with 403.
    """
    link = invitations.invitation_link(request.user, community_id, link_id)
    context = {"community": link.community, "link": link, "address": address_of(link), "code": qr_code(link)}
    return render_page(request, "democracy/invitation_poster.html", context)


def _context(request: HtmxRequest, community_id: int) -> dict[str, Any]:
    context = frame(request.user, community_id, tab="manage")
    return context | {"decisions": invitations.decisions_to_lead_to(request.user, context["community"])}


def _page(request: HtmxRequest, context: dict[str, Any], *, status: int | None = None) -> HttpResponse:
    community, search = context["community"], InvitationSearchForm(request.GET)
    found = invitations.invitations_to(
        request.user, [community.pk], search=search.value("q"), state=search.value("state")
    )
    links = invitations.invitation_links_to(request.user, [community.pk])
    context = {
        "form": InviteForm(context["decisions"]),
        "link_form": InvitationLinkForm(context["decisions"]),
        "q": search.value("q"),
        "state": search.value("state"),
        "again_from": invitations.mailed_again_from(request.user, community),
        "now": timezone.now(),
        "counts": invitations.counts_by_state(request.user, community),
        "links": [(link, address_of(link)) for link in links],
        "page": page_of(request, found),
    } | context
    fragments = {"invitations": "democracy/_invitations.html"}
    return render_page(request, "democracy/invitations.html", context, fragments=fragments, status=status)
