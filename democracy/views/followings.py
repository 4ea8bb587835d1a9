"""Following members: to follow, to see beforehand what it would change, and to keep one's followings in order."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.requests import HtmxRequest
from accounts.returning import meant_for, no_page, signed_in
from democracy import access, services
from democracy.errors import PermissionDenied
from democracy.explaining.what_if import preview_following
from democracy.forms.followings import FollowForm, MoveForm
from democracy.presenting.wording import FOLLOWING_UPDATED
from democracy.reading import communities
from democracy.reading import followings as reading_followings
from democracy.reading.ballots import ballots_shown, tags_by_use
from democracy.reading.invitations import tags_to_follow
from democracy.services.followings import followable
from democracy.views._errors import answered, opened_from, submitted
from democracy.views._frames import frame
from democracy.views._pages import page_of, render_page
from democracy.views.communities import WATCH

UPDATED = f"{FOLLOWING_UPDATED} {WATCH}"
_PER_PAGE = 12
_FRAGMENTS = {"dialog-body": "democracy/_follow_form.html", "follow-preview": "democracy/_follow_preview.html"}


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@answered
def follow_user(request: HtmxRequest, community_id: int, membership_id: int) -> HttpResponse:
    """Follow a member on some topics or on everything, or change on what. Saving recalculates what it affects. Raises
    Http404 where the viewer may not follow that member; any other refusal is said beside the field.
    """
    context = _follow_context(request, community_id, membership_id)
    if request.method == "POST":
        form = FollowForm(request.POST)
    else:
        form = FollowForm.of(context["following"], tags=tags_to_follow(request.user, community_id))
    if submitted(form, lambda data: services.follow(request.user, membership_id, **data)) is None:
        return render_page(request, "democracy/follow.html", context | {"form": form}, fragments=_FRAGMENTS)
    messages.success(request, UPDATED)
    return redirect(context["next"] or "followings")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@answered
def follow_preview(request: HtmxRequest, community_id: int, membership_id: int) -> HttpResponse:
    """Show what a following would change, before it is saved. Posted to by the form's second button; writes nothing.
    Raises Http404 where the viewer may not follow that member.
    """
    context = _follow_context(request, community_id, membership_id)
    form = FollowForm(request.POST if request.method == "POST" else request.GET)
    previews = submitted(form, lambda data: preview_following(request.user, membership_id, tags=data["tags"]))
    context |= {"form": form, "previews": previews}
    return render_page(request, "democracy/follow.html", context, fragments=_FRAGMENTS)


def _follow_context(request: HtmxRequest, community_id: int, membership_id: int) -> dict[str, Any]:
    context = frame(request.user, community_id, tab="members")
    followee, _ = followable(request.user, membership_id)
    if followee.community_id != community_id:
        raise PermissionDenied
    return context | {
        "member": followee,
        "following": reading_followings.own_followings(request.user).filter(followee=followee).first(),
        "next": opened_from(request),
        "suggestions": tags_by_use(ballot.tags for ballot in ballots_shown(request.user, followee)),
    }


@no_page
@require_POST
@signed_in
@answered
def unfollow_user(request: HtmxRequest, community_id: int, membership_id: int) -> HttpResponse:
    """Stop following a member, once or again. Raises Http404 for anybody whom one could not follow."""
    access.require_member(request.user, community_id)
    services.unfollow(request.user, membership_id)
    messages.success(request, UPDATED)
    return redirect(opened_from(request) or "followings")


@meant_for("to see whom you follow")
@require_safe
@signed_in
def followings(request: HtmxRequest) -> HttpResponse:
    """One's own followings and followers, in all communities or in one (`?community=`). Raises nothing."""
    memberships = list(communities.own_memberships(request.user).order_by("community__name", "community"))
    chosen = next((one for one in memberships if str(one.community_id) == request.GET.get("community")), None)
    only = chosen.community_id if chosen is not None else None
    following, followers = (
        reading_followings.own_followings(request.user, community_id=only),
        reading_followings.own_followers(request.user, community_id=only),
    )
    context = {
        "memberships": memberships,
        "chosen": chosen,
        "shown": [chosen] if chosen is not None else memberships,
        "following": page_of(request, following, per_page=_PER_PAGE, parameter="following"),
        "followers": page_of(request, followers, per_page=_PER_PAGE, parameter="followers"),
    }
    return render_page(
        request, "democracy/followings.html", context, fragments={"own-network": "democracy/_own_network.html"}
    )


@no_page
@require_POST
@signed_in
@answered
def followings_reorder(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Move one following up or down in one's list (`up` or `down`: the followee's membership), and show where it is.
    Raises Http404 for somebody whom the viewer does not follow.
    """
    form = MoveForm(request.POST)
    if not form.is_valid():
        return redirect("followings")
    followee_id, steps = form.move()
    order = reading_followings.order_after_moving(request.user, community_id, followee_id, steps=steps)
    services.reorder_followings(request.user, community_id, order)
    return redirect(_listed(request, community_id, followee_id))


def _listed(request: HtmxRequest, community_id: int, followee_id: int) -> str:
    """The address of the page of one's list on which a following is now, in the communities that were shown before."""
    query = QueryDict(urlsplit(opened_from(request)).query, mutable=True)
    only = query.get("community") == str(community_id)
    if not only:
        query.pop("community", None)
    listed = reading_followings.own_followings(request.user, community_id=community_id if only else None)
    place = list(listed.values_list("followee_id", flat=True)).index(followee_id)
    query["following"] = str(place // _PER_PAGE + 1)
    return f"{reverse('followings')}?{query.urlencode()}#following-{followee_id}"
