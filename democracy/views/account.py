"""One's own data as a file, and closing one's account."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.errors import DomainError
from accounts.requests import HtmxRequest
from accounts.returning import no_page, signed_in
from democracy import access, services
from democracy.reading import own_data as own
from democracy.reading.closing_account import closing_of
from democracy.views._errors import answered
from democracy.views._pages import download


@no_page
@require_safe
@signed_in
@answered
def own_data(request: HtmxRequest) -> HttpResponse:
    """Everything that the site keeps of the viewer, as a file. Raises nothing."""
    user = access.require_user(request.user)
    return download(JsonResponse(own.own_data(user), json_dumps_params={"indent": 2}), f"crowdvote-{user.handle}.json")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@answered
def close_account(request: HtmxRequest) -> HttpResponse:
    """Show what closing the account does; do it once confirmed. Raises nothing: refusals stand on the page."""
    user, error = access.require_user(request.user), None
    if request.method == "POST":
        try:
            services.close_account(user, confirmed="confirmed" in request.POST)
        except DomainError as refusal:
            error = refusal
        else:
            # Not logout(): that would log the name of somebody who has none any more.
            request.session.flush()
            messages.success(request, "Your account is closed.")
            return redirect("home")
    context = {"closing": closing_of(user, timezone.now()), "error": error}
    return render(request, "democracy/account_close.html", context, status=409 if error else 200)
