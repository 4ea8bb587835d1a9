"""Pages about notices: list, bell, preferences, and the page that ends mails without signing in."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.requests import HtmxRequest
from accounts.returning import no_page, signed_in
from democracy import services
from democracy.errors import PermissionDenied
from democracy.notices import unsubscribing
from democracy.notices.kinds import TELL_WHOM_ONE_FOLLOWS, USUAL_WAYS, Kind, Way, kinds_of
from democracy.notices.wording import words
from democracy.reading import communities
from democracy.reading.notices import chosen_ways, shown_notices, unread_count
from democracy.views._errors import answered
from democracy.views._pages import page_of


@require_safe
@signed_in
@answered
def notices(request: HtmxRequest) -> HttpResponse:
    """List the viewer's notices, newest first. Raises nothing but what Django does: everybody has a list."""
    page = page_of(request, shown_notices(request.user).order_by("-pk"))
    rows = [{"notice": notice, "words": words(notice)} for notice in page]
    return render(request, "democracy/notices.html", {"page": page, "rows": rows, "unread": unread_count(request.user)})


@no_page
@require_POST
@signed_in
@answered
def notice_open(request: HtmxRequest, notice_id: int) -> HttpResponse:
    """Mark one of the viewer's notices as read, and lead to what it is about. Raises Http404 for any other."""
    notice = shown_notices(request.user).filter(key=notice_id).first()
    if notice is None:
        raise PermissionDenied
    services.mark_notices_read(request.user, [notice.key])
    return redirect(words(notice).path)


@no_page
@require_POST
@signed_in
@answered
def notices_read(request: HtmxRequest) -> HttpResponse:
    """Mark all of the viewer's notices as read. Raises nothing: where all are read already nothing changes."""
    services.mark_notices_read(request.user)
    return redirect("notices")


@no_page
@require_safe
@signed_in
def notice_bell(request: HtmxRequest) -> HttpResponse:
    """The bell with the number of unread notices, for open pages to ask for again. Raises nothing."""
    response = render(request, "democracy/_bell.html", {"unread": unread_count(request.user)})
    patch_cache_control(response, private=True, no_store=True)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@answered
def notice_preferences(request: HtmxRequest) -> HttpResponse:
    """Show or save how the viewer wants to be told, for each of their communities. Raises Http404 where the viewer is
    no member of a community that is saved.
    """
    memberships = list(communities.own_memberships(request.user))
    if request.method == "POST":
        for member in memberships:
            one_way = request.POST.get(f"{member.community_id}-all", "")
            kinds = kinds_of(is_manager=member.is_manager) if one_way else USUAL_WAYS
            ways = {kind: one_way or request.POST.get(f"{member.community_id}-{kind}", "") for kind in kinds}
            services.set_notice_preferences(
                request.user, member.community_id, {k: way for k, way in ways.items() if way}
            )
        messages.success(request, "Saved. You will be told so of what happens from now on.")
        return redirect("notice-preferences")
    chosen = chosen_ways(request.user, [member.community_id for member in memberships])
    groups = [
        {
            "member": member,
            "all": f"{member.community_id}-all",
            "rows": [
                {
                    "name": f"{member.community_id}-{kind}",
                    "label": Kind(kind).label,
                    "way": chosen.get((member.community_id, kind), USUAL_WAYS[kind]),
                }
                for kind in kinds_of(is_manager=member.is_manager)
                # Anonymous members find these on the site alone, whatever they choose.
                if not (member.is_anonymous and kind in TELL_WHOM_ONE_FOLLOWS)
            ],
        }
        for member in memberships
    ]
    return render(request, "democracy/notice_preferences.html", {"groups": groups, "ways": Way.choices})


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
