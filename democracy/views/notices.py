"""Pages about notices, and the page that ends mails of a kind without signing in."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.requests import HtmxRequest
from democracy.notices import unsubscribing


# Mail programs post here by themselves (RFC 8058), and have no token; the link is the secret.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HtmxRequest, token: str) -> HttpResponse:
    """Ask whether mails like the one with this link shall end, or end them by the button. Raises nothing: a link that
    is cut off is answered with 404 and words.
    """
    try:
        wish = unsubscribing.read(token)
    except unsubscribing.NoSuchLink:
        return render(request, "democracy/unsubscribe.html", {"is_unknown": True}, status=404)
    if request.method == "POST":
        unsubscribing.unsubscribe(wish)
    context = {
        "about": unsubscribing.described(wish),
        "is_done": request.method == "POST",
        "has_account": wish.person_id is not None,
    }
    response = render(request, "democracy/unsubscribe.html", context)
    # This page's address is a key; see accounts.views.sign_in_link.
    response["Referrer-Policy"] = "strict-origin"
    response["X-Robots-Tag"] = "noindex"
    return response
