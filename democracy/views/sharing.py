"""Results for everybody: published ones at addresses of their own, pictures, embeds and what describes them.

See Note [What leaves the site] in `democracy.presenting.sharing`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE
from csp.decorators import csp_replace
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils.cache import patch_cache_control
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.requests import HtmxRequest
from accounts.returning import no_page
from accounts.text import whole_number
from democracy import services
from democracy.errors import PermissionDenied
from democracy.presenting import pictures
from democracy.presenting.sharing import EMBED_HEIGHT, EMBED_WIDTH, Shared, shared_at, shared_with_everybody
from democracy.views._decisions import checkpoint_of, decision_frame
from democracy.views._errors import managers_only

PUBLISHED = "The result is published. Whoever has its address can see it."
WITHDRAWN = "The result is withdrawn. Its address leads nowhere now."
# Seconds for which others may keep a picture or an embed, and show a result that was withdrawn meanwhile.
_KEPT = 60


# --- For managers -----------------------------------------------------------------------------------------------------


@no_page
@require_POST
@managers_only
def result_publish(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Publish the result of a members-only decision at an address of its own. Raises Http404 where there is no such
    decision of the community; answers others than managers with 403.
    """
    decision_frame(request.user, community_id, decision_id)
    services.publish_result(request.user, decision_id)
    messages.success(request, PUBLISHED)
    return redirect("decision-results", community_id, decision_id)


@no_page
@require_POST
@managers_only
def result_withdraw(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """Withdraw a published result. Raises Http404 where there is no such decision of the community; answers others than
    managers with 403.
    """
    decision_frame(request.user, community_id, decision_id)
    services.withdraw_result(request.user, decision_id)
    messages.success(request, WITHDRAWN)
    return redirect("decision-results", community_id, decision_id)


# --- For everybody ----------------------------------------------------------------------------------------------------


def _by_token(token: str) -> Shared:
    """Raises Http404 where there is no published result, or none any more."""
    try:
        return shared_at(token)
    except PermissionDenied as error:
        raise Http404 from error


def _of_decision(community_id: int, decision_id: int) -> Shared:
    """Raises Http404 unless a visitor may see the decision: whoever is signed in here is not who is shown the embed."""
    try:
        shared = shared_with_everybody(decision_id)
    except PermissionDenied as error:
        raise Http404 from error
    if shared.decision.community_id != community_id:
        raise Http404
    return shared


@require_safe
def published_result(request: HtmxRequest, token: str) -> HttpResponse:
    """The result of a members-only decision, at the address that its manager passes on. Raises Http404 where there is
    none, or none any more.
    """
    shared = _by_token(token)
    context = {"shared": shared, "decision": shared.decision, "community": shared.decision.community}
    context |= {"choices": shared.choices, "outcome": shared.outcome} | checkpoint_of(shared.snapshot)
    response = render(request, "democracy/published_result.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return _unlisted(response)


def _unlisted(response: HttpResponse) -> HttpResponse:
    """Keep an answer out of search engines: its address is for those whom somebody gave it."""
    response["X-Robots-Tag"] = "noindex"
    return response


def _embedded(shared: Shared) -> HttpResponse:
    """A result as part of another site's page: without scripts, and the same for everybody."""
    response = HttpResponse(render_to_string("democracy/embed.html", {"shared": shared}))
    patch_cache_control(response, public=True, max_age=_KEPT)
    return response


def embeddable(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """Let pages of other sites show this view in a frame. It may run nothing, and send nothing anywhere."""
    allowed = csp_replace(
        {"frame-ancestors": ["*"], "script-src": [NONE], "connect-src": [NONE], "form-action": [NONE]}
    )
    return allowed(xframe_options_exempt(view))


@no_page
@embeddable
@require_safe
def published_result_embed(request: HtmxRequest, token: str) -> HttpResponse:
    """A published result for a frame. Raises Http404 where there is none, or none any more."""
    return _unlisted(_embedded(_by_token(token)))


@no_page
@embeddable
@require_safe
def decision_embed(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """A result of a public community for a frame. Raises Http404 where a visitor may not see it."""
    return _embedded(_of_decision(community_id, decision_id))


def _pictured(shared: Shared) -> HttpResponse:
    response = HttpResponse(pictures.picture_of(shared), content_type="image/png")
    patch_cache_control(response, public=True, max_age=_KEPT)
    return response


@no_page
@require_safe
def published_result_picture(request: HtmxRequest, token: str) -> HttpResponse:
    """The picture for links to a published result. Raises Http404 where there is none, or none any more."""
    return _unlisted(_pictured(_by_token(token)))


@no_page
@require_safe
def decision_picture(request: HtmxRequest, community_id: int, decision_id: int) -> HttpResponse:
    """The picture for links to a decision. Raises Http404 where a visitor may not see it."""
    return _pictured(_of_decision(community_id, decision_id))


# --- oEmbed -----------------------------------------------------------------------------------------------------------

_PAGES = {"decision", "decision-results"}


@no_page
@require_safe
def oembed(request: HtmxRequest) -> HttpResponse:
    """The description of an embed (oembed.com) for the address of a decision or of a published result (`url`). Raises
    Http404 for any other address.
    """
    if request.GET.get("format", "json") != "json":
        return HttpResponse("Only JSON is spoken here.", content_type="text/plain; charset=utf-8", status=501)
    shared = _at_address(request.GET.get("url", ""))
    width = _at_most(request.GET.get("maxwidth"), EMBED_WIDTH)
    height = _at_most(request.GET.get("maxheight"), EMBED_HEIGHT)
    described: dict[str, Any] = {
        "version": "1.0",
        "type": "rich",
        "title": shared.title,
        "author_name": shared.decision.community.name,
        "provider_name": "CrowdVote",
        "provider_url": f"{settings.SITE_URL}/",
        "cache_age": _KEPT,
        "html": shared.embed_code(width, height),
        "width": width,
        "height": height,
    }
    if _at_most(request.GET.get("maxwidth"), pictures.WIDTH) == pictures.WIDTH:
        described |= {
            "thumbnail_url": shared.picture,
            "thumbnail_width": pictures.WIDTH,
            "thumbnail_height": pictures.HEIGHT,
        }
    response = JsonResponse(described)
    # It says what everybody may see, and takes no notice of who asks.
    response["Access-Control-Allow-Origin"] = "*"
    patch_cache_control(response, public=True, max_age=_KEPT)
    return response


def _at_address(address: str) -> Shared:
    """The result whose page has this address. Raises Http404."""
    site, asked = urlsplit(settings.SITE_URL), urlsplit(address)
    if (asked.scheme, asked.netloc) != (site.scheme, site.netloc):
        raise Http404
    try:
        found = resolve(asked.path)
    except Resolver404 as error:
        raise Http404 from error
    if found.url_name == "published-result":
        return _by_token(found.kwargs["token"])
    if found.url_name not in _PAGES:
        raise Http404
    return _of_decision(**found.kwargs)


def _at_most(text: str | None, common: int) -> int:
    number = whole_number(text or "")
    return common if number is None or number < 1 else min(number, common)
