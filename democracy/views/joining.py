"""Pages for whoever comes in by an invitation. Opening one uses nothing up: mail programs open links, too."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.errors import DomainError, TooManyRequests
from accounts.models import User
from accounts.ratelimit import client_of
from accounts.requests import HtmxRequest
from accounts.returning import no_page, signed_in
from accounts.services import begin_session, is_unintroduced, shown_name, suggested_handle
from democracy import access, services
from democracy.models import Invitation, InvitationLink
from democracy.reading import invitations
from democracy.views._errors import answered, wanted
from democracy.views.communities import say_topics_to_follow, say_welcome


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HtmxRequest, token: str) -> HttpResponse:
    """Show the community and the question, or join and sign in by the button. Raises nothing: a link that no longer
    works says so.
    """
    try:
        if request.method != "POST":
            return _kept_secret(
                _invitation_page(request, invitations.peek_invitation(token, client=client_of(request)))
            )
        joined = services.accept_invitation(request.user, token)
    except DomainError as error:
        return _kept_secret(_refused(request, error))
    if not request.user.is_authenticated:
        begin_session(joined.user, request)
    return _kept_secret(_arrive(request, joined))


def _invitation_page(request: HtmxRequest, found: Invitation) -> HttpResponse:
    if access.membership_of(request.user, found.community_id) is not None:
        return redirect(_address_of(found))
    context: dict[str, object] = {"invitation": found, "community": found.community, "question": found.decision}
    if not found.is_pending:
        return render(request, "democracy/invitation_over.html", context | {"next": _address_of(found)}, status=410)
    joins = request.user if request.user.is_authenticated else User.objects.filter(email=found.address).first()
    name = shown_name(found.name)
    context |= {"joins": joins, "name": name, "handle": suggested_handle(name)}
    return render(request, "democracy/invitation.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation_link(request: HtmxRequest, token: str) -> HttpResponse:
    """Show the community and the question behind a shared link, and join by the button, signed in. Raises nothing: a
    link that no longer works says so.
    """
    try:
        found = invitations.peek_invitation_link(token, client=client_of(request))
        if request.method == "POST" and request.user.is_authenticated:
            return _arrive(request, services.use_invitation_link(request.user, token))
    except DomainError as error:
        return _refused(request, error)
    if access.membership_of(request.user, found.community_id) is not None:
        return redirect(_address_of(found))
    context: dict[str, object] = {"link": found, "community": found.community, "question": found.decision}
    if not found.is_usable:
        context |= {"next": resolve_url("community", found.community_id)}
        return render(request, "democracy/invitation_over.html", context, status=410)
    return render(request, "democracy/invitation_link.html", context)


@no_page
@require_POST
@signed_in
@answered
def own_invitation(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Join by an invitation to one's own address. Raises Http404 where there is none."""
    return _arrive(request, services.accept_own_invitation(request.user, community_id))


def _arrive(request: HtmxRequest, joined: services.Joined) -> HttpResponse:
    """Go where the invitation leads, or to the community, whose page says that a manager will decide."""
    if joined.membership is None:
        messages.success(request, f"Your application was sent. A manager of {joined.community.name} will look at it.")
        return redirect("community", joined.community.pk)
    say_welcome(request, joined.community.name)
    # Who comes to a question votes first, and is led on then.
    if joined.decision is None:
        say_topics_to_follow(request, joined.community.pk)
    if is_unintroduced(joined.user):
        messages.info(request, f"You are shown as {joined.user.name}. You can change that in your profile.")
    if address := wanted(request):
        return redirect(address)
    if joined.decision is not None:
        return redirect("decision", joined.community.pk, joined.decision.pk)
    return redirect("community", joined.community.pk)


def _address_of(found: Invitation | InvitationLink) -> str:
    if found.decision is not None:
        return resolve_url("decision", found.community_id, found.decision.pk)
    return resolve_url("community", found.community_id)


def _refused(request: HtmxRequest, error: DomainError) -> HttpResponse:
    status = 429 if isinstance(error, TooManyRequests) else 410
    return render(request, "democracy/invitation_over.html", {"error": error}, status=status)


def _kept_secret(response: HttpResponse) -> HttpResponse:
    # This page's address is a key, as that of a sign-in link is.
    response["Referrer-Policy"] = "strict-origin"
    response["X-Robots-Tag"] = "noindex"
    return response
