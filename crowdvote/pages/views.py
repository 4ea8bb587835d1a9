from __future__ import annotations

import logging
import sys
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import sent_mails
from accounts.api_failures import failure, is_api
from accounts.models import User
from accounts.outages import DATABASE_AWAY, RETRY_AFTER, SORRY
from accounts.requests import HtmxRequest
from accounts.returning import no_page
from crowdvote.pages.api_examples import api_examples
from crowdvote.pages.example import WORKED, live_example
from crowdvote.pages.privacy import contact_address, promise
from democracy.ledger import signing
from democracy.views.start import start

logger = logging.getLogger(__name__)
_VERIFIER = settings.BASE_DIR / "verify" / "crowdvote_verify.py"


@require_safe
def home(request: HtmxRequest) -> HttpResponse:
    """Show the start page: to visitors an introduction, an example, and the way in; to everybody else what waits for
    them. In a demo, both show its people.
    """
    demo_people = User.objects.filter(is_demo=True, is_active=True).order_by("name", "handle")
    people = demo_people if settings.DEMO_SIGN_IN else demo_people.none()
    shown: dict[str, Any] = {"are_mails_shown": sent_mails.are_shown()}
    if request.user.is_authenticated:
        return start(request, demo_people=people.exclude(pk=request.user.pk), **shown)
    return render(request, "home.html", {"example": live_example() or WORKED, "demo_people": people, **shown})


@no_page
@never_cache
@require_safe
def home_example(request: HttpRequest) -> HttpResponse:
    """Refresh the example on the start page."""
    return render(request, "_example.html", {"example": live_example() or WORKED})


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Explain CrowdVote to newcomers, managers, sceptics and programmers."""
    context = {
        "site_url": settings.SITE_URL,
        "examples": api_examples(settings.SITE_URL),
        "worked": WORKED,
        "public_key": signing.public_key(),
    }
    return render(request, "docs.html", context)


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """Say who runs the site, what it keeps, and what is promised."""
    context = {
        "operator": settings.OPERATOR_NAME,
        "contact": settings.OPERATOR_CONTACT,
        "contact_address": contact_address(),
        "promise": promise(),
    }
    return render(request, "privacy.html", context)


@no_page
@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """Return what browsers need to put the site among a person's apps."""
    icons = (("icon-192", 192, "any"), ("icon-512", 512, "any"), ("maskable-512", 512, "maskable"))
    content = {
        "name": "CrowdVote",
        "short_name": "CrowdVote",
        "description": "Decide together, and see how.",
        "id": reverse("home"),
        "start_url": reverse("home"),
        "scope": reverse("home"),
        "display": "minimal-ui",
        "background_color": "#f6f7f9",
        "theme_color": "#3d4fb5",
        "icons": [
            {"src": static(f"icons/{name}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
            for name, size, purpose in icons
        ],
    }
    return JsonResponse(content, content_type="application/manifest+json")


@no_page
@require_safe
def verifier(request: HttpRequest) -> HttpResponse:
    """Return the source of the program that checks this site's results."""
    response = HttpResponse(_VERIFIER.read_bytes(), content_type="text/x-python; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_VERIFIER.name}"'
    return response


@no_page
@require_safe
def signing_key(request: HttpRequest) -> HttpResponse:
    """Return the public key with which this site signs checkpoints, for people who want to keep it."""
    return HttpResponse(f"{signing.public_key()}\n", content_type="text/plain; charset=utf-8")


def failed(request: HttpRequest) -> HttpResponse:
    """Report a failure: 503 and a time to ask again if only the database is away, else 500.

    The answer is a page that needs nothing which may have failed or, for the API, a GraphQL error.
    """
    error = sys.exc_info()[1]
    is_away = isinstance(error, DATABASE_AWAY)
    status = 503 if is_away else 500
    response: HttpResponse
    if is_api(request.path) and "text/html" not in request.headers.get("Accept", ""):
        response = failure(status, SORRY if is_away else "Internal error")
    else:
        response = HttpResponse(render_to_string(f"{status}.html"), status=status)
    if is_away:
        response["Retry-After"] = str(RETRY_AFTER)
        # One line: while the database is away, Django would log a traceback for every request.
        logger.error("the database is away: %s", error)
        response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Refuse a form without a valid token: by a page or, for the API, by a GraphQL error."""
    if is_api(request.path):
        return failure(
            403,
            "A request with a session cookie needs the header X-CSRFToken, with the value of the cookie csrftoken. "
            "Programs use an API token instead.",
        )
    return render(request, "403_csrf.html", status=403)
