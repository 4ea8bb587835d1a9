"""Pages for signing in and for one's own account.

They show errors of the commands beside the field.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import codes, provider, sent_mails, services
from accounts.errors import AccountError, InvalidLink, TooManyRequests
from accounts.mail import FILE_BACKEND
from accounts.models import User
from accounts.ratelimit import client_of
from accounts.returning import UNSAVED, no_page, purpose_of, signed_in

View = Callable[..., HttpResponse]


def status_of(error: AccountError) -> int:
    return 429 if isinstance(error, TooManyRequests) else 400


def only_if(setting: str) -> Callable[[View], View]:
    """Answer as if there were no such page while the setting is off."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not getattr(settings, setting):
                raise Http404
            return view(request, *args, **kwargs)

        return wrapper

    return decorate


def next_path(request: HttpRequest) -> str:
    """Return the address that the person wanted: a path of this site, or ""."""
    path = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = path.startswith("/") and url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if is_ours else ""


def _onward(request: HttpRequest) -> HttpResponse:
    return redirect(next_path(request) or resolve_url(settings.LOGIN_REDIRECT_URL))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for an address, and mail a link to it. The answer does not depend on whether there is an account."""
    if request.method != "POST":
        if request.user.is_authenticated:
            return _onward(request)
        return ask_for_address(request)
    email = request.POST.get("email", "")
    try:
        _send_link(request, email)
    except AccountError as error:
        return ask_for_address(request, error=error, email=email)
    return redirect("sign-in-sent")


def _send_link(request: HttpRequest, email: str) -> None:
    """Mail a link and a code that lead to where the person wanted to go."""
    wanted = next_path(request)
    services.request_sign_in_link(
        email, client=client_of(request), next_path=wanted, purpose=purpose_of(wanted), session=request.session
    )


def ask_for_address(
    request: HttpRequest,
    *,
    error: AccountError | None = None,
    email: str = "",
    other_error: AccountError | None = None,
    wanted: str = "",
) -> HttpResponse:
    """Show the sign-in page.

    `error`: of the address; `other_error`: of another way to sign in; `wanted`: where to go afterwards, unless the
    request says so.
    """
    wanted = wanted or next_path(request)
    is_unsaved = UNSAVED in QueryDict(urlsplit(wanted).query)
    context = {"error": error, "email": email, "next": wanted, "is_unsaved": is_unsaved, "other_error": other_error}
    context |= {"provider": provider.name(), "passkeys": settings.PASSKEYS}
    refusal = error or other_error
    return render(request, "accounts/sign_in.html", context, status=status_of(refusal) if refusal else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_sent(request: HttpRequest) -> HttpResponse:
    """Say that a mail is on its way, and sign in by the code in it: whoever reads it elsewhere types that here."""
    waiting = codes.waiting(request.session, services.SIGN_IN_CODE)
    error = None
    if request.method == "POST":
        wanted = waiting["next"] if waiting else ""
        try:
            return after_sign_in(services.sign_in_with_code(request.POST.get("code", ""), request), wanted)
        except AccountError as refusal:
            error = refusal
    context = {
        "error": error,
        "address": waiting and waiting["address"],
        "next": waiting["next"] if waiting else "",
        "minutes": settings.SESAME_MAX_AGE // 60,
        "is_local": settings.EMAIL_BACKEND == FILE_BACKEND,
        "are_mails_shown": sent_mails.are_shown(),
    }
    return render(request, "accounts/sign_in_sent.html", context, status=status_of(error) if error else 200)


@no_page
@require_POST
def sign_in_again(request: HttpRequest) -> HttpResponse:
    """Mail a new link to the address of one that no longer works."""
    try:
        _send_link(request, services.address_of_link(request.POST.get("to", "")))
    except InvalidLink:
        return ask_for_address(request)
    except AccountError as error:
        return ask_for_address(request, error=error)
    return redirect("sign-in-sent")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Show the page behind the mailed link, or sign in by its button.

    Mail programs open links too, so only the button uses the link up.
    """
    try:
        if request.method == "POST":
            response = after_sign_in(services.sign_in(token, request), next_path(request))
        else:
            link = services.peek_sign_in(token, client=client_of(request))
            response = render(request, "accounts/sign_in_link.html", {"link": link, "next": next_path(request)})
    except AccountError as error:
        context = {"error": error, "to": request.GET.get("to", ""), "next": next_path(request)}
        response = render(request, "accounts/sign_in_link.html", context, status=status_of(error))
    # This page's address is a key. "no-referrer" would hide it too, but then browsers send "Origin: null" with the
    # form, which the CSRF check refuses.
    response["Referrer-Policy"] = "strict-origin"
    response["X-Robots-Tag"] = "noindex"
    return response


def after_sign_in(user: User, wanted: str) -> HttpResponse:
    if not services.is_unintroduced(user):
        return redirect(wanted or resolve_url(settings.LOGIN_REDIRECT_URL))
    return redirect(resolve_url("welcome") + (f"?{urlencode({'next': wanted})}" if wanted else ""))


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """Ask a new person for their name and handle. They can skip it, and change both in their profile."""
    person = person_of(request)
    context: dict[str, object] = {"next": next_path(request)}
    if request.method != "POST":
        context |= {"name": services.suggested_name(person), "handle": person.handle}
        return render(request, "accounts/welcome.html", context)
    name, handle = request.POST.get("name", ""), request.POST.get("handle", "")
    try:
        services.update_profile(person, name=name, handle=handle)
    except AccountError as error:
        context |= {"name": name, "handle": handle, "error": error, "check": services.check_handle(person, handle)}
        return render(request, "accounts/welcome.html", context, status=status_of(error))
    messages.success(request, f"Welcome, {person.name}!")
    return _onward(request)


@no_page
@never_cache
@signed_in
@require_GET
def handle_status(request: HttpRequest) -> HttpResponse:
    """Tell whether the handle being typed is free, in a fragment beside its field."""
    check = services.check_handle(person_of(request), request.GET.get("handle", ""))
    return render(request, "accounts/_handle_status.html", {"check": check})


@no_page
@require_POST
def demo_sign_in(request: HttpRequest) -> HttpResponse:
    try:
        services.sign_in_demo(request.POST.get("handle", ""), request)
    except AccountError as error:
        raise Http404 from error
    return _onward(request)


@no_page
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect(resolve_url(settings.LOGOUT_REDIRECT_URL or "/"))


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """Show or save the signed-in person's name and handle, and list their API tokens."""
    if request.method != "POST":
        return show_profile(request)
    name, handle = request.POST.get("name", ""), request.POST.get("handle", "")
    try:
        services.update_profile(person_of(request), name=name, handle=handle)
    except AccountError as error:
        check = services.check_handle(person_of(request), handle)
        return show_profile(request, error=error, name=name, handle=handle, check=check)
    messages.success(request, "Your profile was saved.")
    return redirect("profile")


@no_page
@never_cache
@signed_in
@require_POST
def create_token(request: HttpRequest) -> HttpResponse:
    """Create an API token and show it, in the page itself: it is shown this once and kept nowhere."""
    try:
        _, raw = services.create_api_token(person_of(request), request.POST.get("token_name", ""))
    except AccountError as error:
        return show_profile(request, token_error=error, token_name=request.POST.get("token_name", ""))
    return show_profile(request, raw_token=raw)


@no_page
@signed_in
@require_POST
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    try:
        services.revoke_api_token(person_of(request), token_id)
    except AccountError as error:
        raise Http404 from error
    messages.success(request, "The API token was revoked.")
    return redirect("profile")


def person_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind signed_in
    return request.user


def show_profile(request: HttpRequest, **context: object) -> HttpResponse:
    person = person_of(request)
    tokens = person.api_tokens.filter(revoked_at=None).order_by("-created_at", "-pk")
    error = next((one for one in context.values() if isinstance(one, AccountError)), None)
    passkeys = person.passkeys.order_by("-pk") if settings.PASSKEYS and not person.is_demo else None
    context = {"tokens": tokens, "passkeys": passkeys, "name": person.name, "handle": person.handle} | context
    return render(request, "accounts/profile.html", context, status=status_of(error) if error else 200)


def admin_login(request: HttpRequest, extra_context: object = None) -> HttpResponse:
    """Lead visitors from the administration to the sign-in page. Answers 403 to people who are no administrators."""
    if request.user.is_authenticated:
        if request.user.is_active and request.user.is_staff:
            return redirect("admin:index")
        return render(request, "403.html", status=403)
    wanted = next_path(request) or resolve_url("admin:index")
    return redirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': wanted})}")
