"""The pages on which a demo shows the mails that it does not send."""

from __future__ import annotations

import re
from collections.abc import Callable

from csp.constants import NONE, SELF
from csp.decorators import csp_replace, csp_update
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from accounts import sent_mails
from accounts.returning import no_page
from accounts.sent_mails import SentMail

_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)


@never_cache
@require_safe
def mails(request: HttpRequest) -> HttpResponse:
    """List the newest mails. Raises Http404 where this site does not show its mails."""
    if not sent_mails.are_shown():
        raise Http404
    context = {"mails": sent_mails.newest_mails(request.user), "most": sent_mails.SHOWN}
    return _unlisted(render(request, "accounts/mails.html", context))


def framing(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Let a view show another page of this site in a frame."""
    return csp_update({"frame-src": [SELF]})(view)


def framed(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Let pages of this site alone show this view in a frame. It runs, loads and sends nothing."""
    names = ("default-src", "script-src", "connect-src", "font-src", "base-uri", "form-action")
    nothing = {name: [NONE] for name in names}
    shown = {"style-src": ["'unsafe-inline'"], "img-src": ["data:"], "frame-ancestors": [SELF]}
    opens_links = {"sandbox": ["allow-top-navigation-by-user-activation"]}
    return csp_replace(nothing | shown | opens_links)(xframe_options_sameorigin(view))


@never_cache
@framing
@require_safe
def mail(request: HttpRequest, name: str) -> HttpResponse:
    """Show a mail with its text, its HTML and its headers.

    Raises Http404 where there is none, or mails are not shown.
    """
    return _unlisted(render(request, "accounts/mail.html", {"mail": _mail(request, name)}))


@no_page
@never_cache
@framed
@require_safe
def mail_html(request: HttpRequest, name: str) -> HttpResponse:
    """Answer a mail's HTML for the frame on its page: it runs and loads nothing, and its links open the whole page.

    Raises Http404 where there is none, or mails are not shown.
    """
    html = _mail(request, name).html
    target = '<base target="_top">'
    head = _HEAD.search(html)
    return _unlisted(HttpResponse(html[: head.end()] + target + html[head.end() :] if head else target + html))


def _mail(request: HttpRequest, name: str) -> SentMail:
    found = sent_mails.find_mail(request.user, name)
    if found is None:
        raise Http404
    return found


def _unlisted(response: HttpResponse) -> HttpResponse:
    # These addresses lead to keys.
    response["Referrer-Policy"] = "strict-origin"
    response["X-Robots-Tag"] = "noindex"
    return response
