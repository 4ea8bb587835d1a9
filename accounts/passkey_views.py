"""Signing in with a passkey, and keeping one's passkeys."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import passkeys
from accounts.errors import AccountError, NotYourPasskey
from accounts.ratelimit import client_of
from accounts.returning import no_page, signed_in
from accounts.views import after_sign_in, ask_for_address, next_path, only_if, person_of, show_profile, status_of


@no_page
@never_cache
@only_if("PASSKEYS")
@require_POST
def sign_in_options(request: HttpRequest) -> HttpResponse:
    try:
        return JsonResponse(passkeys.sign_in_options(request.session, client=client_of(request)))
    except AccountError as error:
        return JsonResponse({"error": error.message}, status=status_of(error))


@no_page
@never_cache
@only_if("PASSKEYS")
@require_POST
def passkey_sign_in(request: HttpRequest) -> HttpResponse:
    try:
        user = passkeys.sign_in(request.POST.get("credential", ""), request)
    except AccountError as error:
        return ask_for_address(request, other_error=error)
    return after_sign_in(user, next_path(request))


@no_page
@never_cache
@only_if("PASSKEYS")
@signed_in
@require_POST
def adding_options(request: HttpRequest) -> HttpResponse:
    try:
        return JsonResponse(passkeys.adding_options(person_of(request), request.session))
    except AccountError as error:
        return JsonResponse({"error": error.message}, status=status_of(error))


@no_page
@never_cache
@only_if("PASSKEYS")
@signed_in
@require_POST
def add_passkey(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("passkey_name", "")
    try:
        made = passkeys.add(person_of(request), name, request.POST.get("credential", ""), session=request.session)
    except AccountError as error:
        return show_profile(request, passkey_error=error, passkey_name=name)
    messages.success(request, f"The passkey {made.name} was added. From now on it signs you in.")
    return redirect("profile")


@no_page
@only_if("PASSKEYS")
@signed_in
@require_POST
def rename_passkey(request: HttpRequest, passkey_id: int) -> HttpResponse:
    try:
        passkeys.rename(person_of(request), passkey_id, request.POST.get("new_name", ""))
    except NotYourPasskey as error:
        raise Http404 from error
    except AccountError as error:
        return show_profile(request, rename_error=error, renamed=passkey_id)
    messages.success(request, "The passkey has its new name.")
    return redirect("profile")


@no_page
@only_if("PASSKEYS")
@signed_in
@require_POST
def remove_passkey(request: HttpRequest, passkey_id: int) -> HttpResponse:
    try:
        passkeys.remove(person_of(request), passkey_id)
    except AccountError as error:
        raise Http404 from error
    messages.success(request, "The passkey was removed: it no longer signs you in.")
    return redirect("profile")
