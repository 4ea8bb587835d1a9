"""The start page of somebody who is signed in."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.cache import never_cache

from accounts.requests import HtmxRequest
from democracy.presenting.start import start_of
from democracy.views._pages import render_page


@never_cache
def start(request: HtmxRequest, **more: Any) -> HttpResponse:
    """Show what waits for the viewer in all their communities. `more` is the context of the site's own parts of the
    page. Raises nothing.
    """
    return render_page(request, "democracy/start.html", {"start": start_of(request.user), **more})
