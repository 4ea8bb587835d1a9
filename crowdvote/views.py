from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from crowdvote.api_examples import api_examples
from crowdvote.example import WORKED, live_example


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What CrowdVote is, with an example, and how to get in; in a demo, whom to enter as."""
    demo_people = User.objects.filter(is_demo=True, is_active=True).order_by("name", "handle")
    return render(
        request,
        "home.html",
        {
            "example": live_example() or WORKED,
            "demo_people": demo_people if settings.DEMO_SIGN_IN else demo_people.none(),
        },
    )


@never_cache
@require_safe
def home_example(request: HttpRequest) -> HttpResponse:
    """The example alone, for the start page that refreshes it."""
    return render(request, "_example.html", {"example": live_example() or WORKED})


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """How CrowdVote works: for newcomers, managers, sceptics and programmers."""
    context = {"site_url": settings.SITE_URL, "examples": api_examples(settings.SITE_URL), "worked": WORKED}
    return render(request, "docs.html", context)
