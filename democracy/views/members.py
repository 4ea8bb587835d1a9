"""Members of a community, as far as the viewer may know them, and one's own anonymity."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from accounts.requests import HtmxRequest
from accounts.returning import signed_in
from accounts.text import ended
from democracy import access, services
from democracy.errors import AnonymityNeedsConfirmation
from democracy.forms.communities import AnonymityForm, MemberSearchForm
from democracy.reading import communities, followings
from democracy.reading.ballots import ballots_shown, tags_by_use
from democracy.views._errors import answered
from democracy.views._frames import frame, open_frame
from democracy.views._pages import page_of, render_page

_MOST_SHOWN = 12


@require_safe
@answered
def community_members(request: HtmxRequest, community_id: int) -> HttpResponse:
    """The members whose identity the viewer may know, found by name or handle and role. Raises Http404 where the viewer
    may not read the community.
    """
    form, context = MemberSearchForm(request.GET), frame(request.user, community_id, tab="members")
    community, own = context["community"], context["standing"].membership
    search, role = form.value("q"), form.value("role")
    found = communities.members_of(request.user, community, search=search, role=role, follower=own)
    keys = None if search else communities.members_in_order(request.user, community, role=role)
    context |= {
        "q": search,
        "role": role,
        "roles": form.fields["role"].choices,  # type: ignore[attr-defined]
        "page": page_of(request, found, keys=keys),
        "unnamed": communities.unnamed_member_count(request.user, community),
    }
    fragments = {"member-list": "democracy/_member_list.html"}
    return render_page(request, "democracy/members.html", context, fragments=fragments)


@require_safe
@answered
def member(request: HtmxRequest, community_id: int, membership_id: int) -> HttpResponse:
    """A member's profile: role, ballots that may be seen, whom they follow and who follows them. Raises Http404 where
    the viewer may not know that member.
    """
    context = frame(request.user, community_id, tab="members")
    shown = communities.member(request.user, community_id, membership_id)
    following, followers = followings.neighbours(request.user, shown)
    ballots = ballots_shown(request.user, shown)
    context |= {
        "member": shown,
        "is_self": access.is_self(request.user, shown),
        "following": page_of(request, following, per_page=_MOST_SHOWN, parameter="following"),
        "followers": page_of(request, followers, per_page=_MOST_SHOWN, parameter="followers"),
        "own_following": followings.own_followings(request.user).filter(followee=shown).first(),
        "ballots": ballots[:_MOST_SHOWN],
        "tags": tags_by_use(ballot.tags for ballot in ballots),
    }
    fragments = {
        "member-followers": "democracy/_member_followers.html",
        "member-following": "democracy/_member_following.html",
    }
    return render_page(request, "democracy/member.html", context, fragments=fragments)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@answered
def anonymity(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Become anonymous in one community, or give it up. What that ends is counted and confirmed first. Raises Http404
    for whoever is no member.
    """
    context = open_frame(request.user, community_id, tab="") | {
        "member": access.require_member(request.user, community_id)
    }
    if request.method != "POST":
        return render_page(request, "democracy/anonymity.html", context)
    form = AnonymityForm(request.POST)
    if not form.is_valid():
        return render_page(request, "democracy/anonymity.html", context | {"form": form})
    try:
        saved = services.set_anonymity(request.user, community_id, **form.cleaned_data)
    except AnonymityNeedsConfirmation as warning:
        return render_page(request, "democracy/anonymity.html", context | {"warning": warning.message})
    now = "You are anonymous in" if saved.is_anonymous else "You are no longer anonymous in"
    messages.success(request, ended(f"{now} {context['community'].name}"))
    return redirect("community", community_id)
