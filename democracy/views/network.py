"""A community's followings: as a picture that is laid out in the browser, and as a list."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from accounts.requests import HtmxRequest
from accounts.returning import no_page
from democracy.forms.communities import NetworkSearchForm
from democracy.reading import communities, followings
from democracy.views._errors import answered
from democracy.views._frames import frame
from democracy.views._pages import page_of, render_page


@require_safe
@answered
def community_network(request: HtmxRequest, community_id: int) -> HttpResponse:
    """The followings as a list beside the picture. Raises Http404 where the viewer may not read the community."""
    form, context = NetworkSearchForm(request.GET), frame(request.user, community_id, tab="network")
    search, tag, community = form.value("q"), form.value("tag"), context["community"]
    found = followings.followings_of_community(request.user, community, search=search, tag=tag)
    listed = followings.followings_listed(request.user, community, tag=tag)
    context |= {
        "q": search,
        "tag": tag,
        "tags": listed.tags,
        "page": page_of(request, found, keys=None if search else listed.followings),
        "most_drawn": followings.MOST_DRAWN,
    }
    fragments = {"following-list": "democracy/_network_list.html"}
    return render_page(request, "democracy/network.html", context, fragments=fragments)


@no_page
@require_safe
@gzip_page
@answered
def community_network_data(request: HtmxRequest, community_id: int) -> HttpResponse:
    """The members that the viewer may know and the followings between them, for the picture. Raises Http404 where the
    viewer may not read the community.
    """
    community = communities.readable_community(request.user, community_id)
    response = JsonResponse(followings.followings_to_draw(request.user, community))
    patch_cache_control(response, private=True, no_store=True)
    return response
