"""The page on which people change their address."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import addresses
from accounts.errors import AccountError
from accounts.ratelimit import client_of
from accounts.returning import signed_in
from accounts.views import person_of, status_of


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def address(request: HttpRequest) -> HttpResponse:
    """Ask for the new address, mail a code to it, and change the address by that code."""
    user, session, error = person_of(request), request.session, None
    email = request.POST.get("email", "")
    try:
        if "code" in request.POST:
            addresses.confirm_change(user, request.POST["code"], session=session)
            messages.success(request, f"Your address was changed. You sign in as {user.email} from now on.")
            return redirect("profile")
        if request.method == "POST":
            addresses.request_change(user, email, client=client_of(request), session=session)
            return redirect("address")
    except AccountError as refusal:
        error = refusal
    waiting, minutes = addresses.waiting_address(user, session), settings.SESAME_MAX_AGE // 60
    context = {"email": email, "waiting": waiting, "error": error, "minutes": minutes}
    return render(request, "accounts/address.html", context, status=status_of(error) if error else 200)
