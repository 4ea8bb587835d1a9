"""The way to sign in and back for somebody whose session has ended, without losing what they typed.

- Opening a page leads to the sign-in page, then to the page.
- Posting a form leads to the sign-in page, then to the page with the form, which says that nothing was saved yet
  (`?unsaved`); session.js puts back what was typed.
- A request of htmx is answered with 401, without content, and with the event `signed-out` in `HX-Trigger`. session.js
  shows its message, and the page stays as it is.

Each page names its viewer in `X-Viewer`, so nothing made for another viewer is swapped into it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import resolve_url
from django.urls import Resolver404, resolve
from django.utils.decorators import sync_and_async_middleware
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from accounts.requests import HtmxRequest

P = ParamSpec("P")
View = Callable[Concatenate[HtmxRequest, P], HttpResponse]
AnyView = TypeVar("AnyView", bound=Callable[..., Any])

UNSAVED = "unsaved"
_SIGNED_OUT = "You are signed out. Nothing was saved; what you typed stays here."
_SOMEBODY_ELSE = "Somebody else is signed in in this browser now. Nothing was saved; what you typed stays here."


def no_page(view: AnyView) -> AnyView:
    """Mark a view that nobody should return to: a form's target, a fragment, a download."""
    view.is_page = False  # type: ignore[attr-defined]
    return view


def meant_for(purpose: str) -> Callable[[AnyView], AnyView]:
    """Mark a page with what people sign in for to get there, such as "to vote on a decision": their mail says so."""

    def mark(view: AnyView) -> AnyView:
        view.purpose = purpose  # type: ignore[attr-defined]
        return view

    return mark


def purpose_of(address: str) -> str:
    """Return what people sign in for to get to this address of the site, in words; "" where nothing is said.

    The words never name a thing of the site: whoever asks may not know of it, and could otherwise mail texts to others.
    """
    try:
        return getattr(resolve(urlsplit(address).path).func, "purpose", "") if address else ""
    except Resolver404:
        return ""


def signed_in(view: View[P]) -> View[P]:
    """Let only signed-in people use the view. Others are asked to sign in, and come back."""

    @functools.wraps(view)
    def wrapper(request: HtmxRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return view(request, *args, **kwargs) if request.user.is_authenticated else sign_in_first(request)

    return wrapper


def sign_in_first(request: HtmxRequest) -> HttpResponse:
    """Return the answer to a visitor who needs to sign in."""
    if request.htmx:
        return _signed_out(request, _SIGNED_OUT, "Sign in")
    if not request.accepts("text/html"):
        return HttpResponse(status=401)
    return redirect_to_login(_wanted(request))


@sync_and_async_middleware
def same_viewer(get_response: Callable[[HtmxRequest], Any]) -> Callable[[HtmxRequest], Any]:
    """Answer requests of an open page only while its viewer is signed in. Follows what sets `request.user`."""
    if iscoroutinefunction(get_response):

        async def in_loop(request: HtmxRequest) -> HttpResponseBase:
            made_for = _made_for(request)
            refusal = _refusal(request, made_for, await request.auser()) if made_for else None
            return refusal or await get_response(request)

        return in_loop

    def in_thread(request: HtmxRequest) -> HttpResponseBase:
        made_for = _made_for(request)
        return (_refusal(request, made_for, request.user) if made_for else None) or get_response(request)

    return in_thread


def _made_for(request: HtmxRequest) -> str:
    """Return the viewer of the page that asks; "" for a visitor's page, and for a request for a whole new page."""
    is_page = not request.htmx or request.htmx.history_restore_request
    return "" if is_page else request.headers.get("X-Viewer", "")


def _refusal(request: HtmxRequest, made_for: str, user: AbstractBaseUser | AnonymousUser) -> HttpResponse | None:
    if str(user.pk) == made_for:
        return None
    if user.is_authenticated:
        return _signed_out(request, _SOMEBODY_ELSE, "Load the page again")
    return _signed_out(request, _SIGNED_OUT, "Sign in")


def _signed_out(request: HtmxRequest, text: str, action: str) -> HttpResponse:
    address = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': _wanted(request)})}"
    event = {"signed-out": {"text": text, "action": action, "address": address}}
    return HttpResponse(status=401, headers={"HX-Trigger": json.dumps(event), "Cache-Control": "no-store"})


# --- Where to come back to --------------------------------------------------------------------------------------------


def page_before(request: HtmxRequest) -> str:
    """Return the page of this site that holds the form, or that asks by htmx; "" if the browser does not say."""
    before = request.htmx.current_url or request.headers.get("Referer")
    allowed = {request.get_host()}
    if not before or not url_has_allowed_host_and_scheme(before, allowed, require_https=request.is_secure()):
        return ""
    parts = urlsplit(before)
    return _nearest_page(parts.path, parts.query)


def _wanted(request: HtmxRequest) -> str:
    """Return the address to go to after signing in."""
    own = request.path, request.META.get("QUERY_STRING", "")
    is_asked_by_page = request.htmx or not _is_page(request.path)
    page = (page_before(request) if is_asked_by_page else "") or _nearest_page(*own)
    if request.method in {"GET", "HEAD"}:
        return page
    path, _, query = page.partition("?")
    marked = QueryDict(query, mutable=True)
    marked[UNSAVED] = ""
    return f"{path}?{marked.urlencode()}"


def _nearest_page(path: str, query: str = "") -> str:
    """Return this address, or the nearest page above it."""
    if _is_page(path):
        return f"{path}?{query}" if query else path
    above = path.rstrip("/").rpartition("/")[0]
    return _nearest_page(f"{above}/") if above else "/"


def _is_page(path: str) -> bool:
    try:
        return getattr(resolve(path).func, "is_page", True)
    except Resolver404:
        return False
