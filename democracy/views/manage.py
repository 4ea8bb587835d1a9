"""Pages for managers: applications, members with their roles, removing members, settings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.requests import HtmxRequest
from accounts.returning import no_page
from democracy import services
from democracy.forms.communities import CommunityForm, DecideApplicationForm, MemberSearchForm, MembershipForm
from democracy.models import Application, Membership
from democracy.reading import communities
from democracy.views._errors import back, managers_only, submitted
from democracy.views._frames import frame
from democracy.views._pages import page_of, render_page


@require_safe
@managers_only
def community_manage(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Pending applications, and all members with their roles, anonymous ones included. Raises Http404 where there is no
    such community; answers others than its managers with 403.
    """
    form, context = MemberSearchForm(request.GET), frame(request.user, community_id, tab="manage")
    search, role, community = form.value("q"), form.value("role"), context["community"]
    found = communities.members_of(request.user, community, search=search, role=role)
    keys = None if search else communities.members_in_order(request.user, community, role=role)
    waiting = communities.pending_applications(request.user, community)
    context |= {
        "q": search,
        "role": role,
        "member_roles": Membership.Role.choices,
        "page": page_of(request, found, keys=keys),
        "applications": page_of(request, waiting, parameter="applications"),
    }
    fragments = {"roll": "democracy/_roll.html", "applications": "democracy/_applications.html"}
    return render_page(request, "democracy/manage.html", context, fragments=fragments)


@no_page
@require_POST
@managers_only
def application_decide(request: HtmxRequest, community_id: int, application_id: int) -> HttpResponse:
    """Approve or reject an application of this community. Raises Http404 where there is no such community, or
    application to it; answers others than its managers with 403.
    """
    communities.require_application(request.user, community_id, application_id)
    form = DecideApplicationForm(request.POST)
    decided = submitted(form, lambda data: services.decide_application(request.user, application_id, **data))
    if decided is None:
        messages.error(request, _first_error(form))
    elif decided.status == Application.Status.APPROVED:
        messages.success(request, f"{decided.user.name} is a member now.")
    else:
        messages.success(request, f"The application of {decided.user.name} was rejected.")
    return redirect("community-manage", community_id)


@no_page
@require_POST
@managers_only
def member_update(request: HtmxRequest, community_id: int, membership_id: int) -> HttpResponse:
    """Change a member's role and whether they manage. Raises Http404 where there is no such community, or member of it;
    answers others than its managers with 403.
    """
    shown = communities.member(request.user, community_id, membership_id)
    form = MembershipForm(request.POST)
    saved = submitted(form, lambda data: services.update_membership(request.user, membership_id, **data))
    if saved is None:
        messages.error(request, _first_error(form))
    else:
        manager = " and manager" if saved.is_manager else ""
        messages.success(request, f"{shown.user.name} is a {saved.get_role_display().lower()}{manager} now.")
    if saved is not None and saved.user_id == request.user.pk and not saved.is_manager:
        return redirect("community", community_id)
    return redirect(back(request))


@require_http_methods(["GET", "HEAD", "POST"])
@managers_only
def member_remove(request: HtmxRequest, community_id: int, membership_id: int) -> HttpResponse:
    """Ask first, then remove. Raises Http404 where there is no such community, or member of it; answers others than its
    managers with 403.
    """
    shown = communities.member(request.user, community_id, membership_id)
    if request.method != "POST":
        context = frame(request.user, community_id, tab="manage") | {"member": shown}
        return render_page(request, "democracy/member_remove.html", context)
    services.remove_member(request.user, membership_id)
    messages.success(request, f"{shown.user.name} was removed. Only a manager can let them come back.")
    return redirect("community-manage", community_id)


@require_http_methods(["GET", "HEAD", "POST"])
@managers_only
def community_settings(request: HtmxRequest, community_id: int) -> HttpResponse:
    """Name, description, who may read and how people join. Raises Http404 where there is no such community; answers
    others than its managers with 403.
    """
    context = frame(request.user, community_id, tab="settings")
    form = CommunityForm(request.POST) if request.method == "POST" else CommunityForm.of(context["community"])
    saved = submitted(form, lambda data: services.update_community(request.user, community_id, **data))
    if saved is None:
        return render_page(request, "democracy/community_settings.html", context | {"form": form})
    messages.success(request, "The settings were saved.")
    return redirect("community-settings", community_id)


def _first_error(form: DecideApplicationForm | MembershipForm) -> str:
    return str(next(iter(form.errors.values()))[0])
