"""Signing in by the provider of OpenID Connect."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts import provider
from accounts.errors import AccountError
from accounts.returning import no_page
from accounts.views import after_sign_in, ask_for_address, next_path, only_if


@no_page
@never_cache
@only_if("OIDC_ISSUER")
@require_POST
def provider_sign_in(request: HttpRequest) -> HttpResponse:
    """Lead to the provider.

    By a page that goes on by itself: the content security policy lets forms lead to this site alone, redirects
    included, and stays as it is.
    """
    try:
        url = provider.begin(request, next_path=next_path(request))
    except AccountError as error:
        return ask_for_address(request, other_error=error)
    response = render(request, "accounts/provider.html", {"url": url, "name": provider.name()})
    response["Refresh"] = f"0;url={url}"
    return response


@no_page
@never_cache
@only_if("OIDC_ISSUER")
@require_GET
def provider_answer(request: HttpRequest) -> HttpResponse:
    """Take the provider's answer, which the browser brings."""
    wanted = provider.wanted(request)
    try:
        user = provider.finish(request)
    except AccountError as error:
        return ask_for_address(request, other_error=error, wanted=wanted)
    return after_sign_in(user, wanted)
