"""Communities and their members, as a viewer may see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from accounts.models import named
from accounts.prepared import prepared
from accounts.text import search_words
from democracy import access
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.models import (
    Application,
    Community,
    Decision,
    DecisionSnapshot,
    Following,
    Invitation,
    LedgerEntry,
    Membership,
)
from democracy.reading import name_order
from democracy.reading.followings import counted, followings_shown
from democracy.reading.invitations import own_invitation
from democracy.reading.moderation import reason_hidden
from democracy.reading.name_order import MembersInOrder

_NOT_ON_THE_OVERVIEW = (LedgerEntry.Kind.BALLOT, LedgerEntry.Kind.FOLLOWING, LedgerEntry.Kind.RECALCULATION)


@dataclass(frozen=True)
class Standing:
    """The viewer's relation to a community. `application`: the pending one; `rejected`: the last one, if a manager
    rejected it and the viewer has not applied again; `invitation`: the pending one of somebody who is no member.
    `may_read`: the decisions and members. `reason_hidden`: why nobody may; empty where no operator has hidden it.
    """

    membership: Membership | None
    application: Application | None
    rejected: Application | None
    invitation: Invitation | None
    may_read: bool
    was_removed: bool
    is_last_manager: bool
    reason_hidden: str = ""

    @property
    def is_manager(self) -> bool:
        return self.membership is not None and self.membership.is_manager


# --- Communities ------------------------------------------------------------------------------------------------------


def communities_found(viewer: Viewer, *, search: str = "", mine: bool = False) -> QuerySet[Community]:
    """The communities that the viewer may know of.

    `search`: words that are all in the name or description; `mine`: only those in which the viewer is a member.
    """
    found = access.communities_known_to(viewer)
    if mine:
        found = found.filter(_is_mine(viewer))
    for word in search_words(search):
        found = found.filter(Q(name__icontains=word) | Q(description__icontains=word))
    return found


def communities_listed(viewer: Viewer, *, search: str = "", mine: bool = False) -> QuerySet[Community]:
    """The communities that `communities_found` finds, by name, with `member_count`, `is_mine` and `has_applied`."""
    waiting = Application.objects.of(viewer).pending().filter(community=OuterRef("pk"))
    listed = communities_found(viewer, search=search, mine=mine).annotate(
        member_count=members_counted(), is_mine=_is_mine(viewer), has_applied=Exists(waiting)
    )
    return listed.order_by("name", "pk")


def members_counted() -> Coalesce:
    """The number of current members beside a community."""
    return counted(Membership.objects.current().filter(community=OuterRef("pk")), "community")


def _is_mine(viewer: Viewer) -> Exists:
    return Exists(Membership.objects.of(viewer).current().filter(community=OuterRef("pk")))


def community_listed(viewer: Viewer, community_id: int) -> Community:
    """One community, as `communities_listed` lists it. Raises PermissionDenied where there is none."""
    community = communities_listed(viewer).filter(pk=community_id).first()
    if community is None:
        raise PermissionDenied
    return community


def readable_community(viewer: Viewer, community_id: int) -> Community:
    """A community whose decisions and members the viewer may read. Raises PermissionDenied."""
    community = access.communities_readable_by(viewer).filter(pk=community_id).first()
    if community is None:
        raise PermissionDenied
    return community


def standing(viewer: Viewer, community: Community) -> Standing:
    """The relation of a viewer to a community."""
    latest = Membership.objects.of(viewer).filter(community=community).first()
    current = latest if latest is not None and latest.is_current else None
    applications = Application.objects.of(viewer).filter(community=community)
    newest = applications.order_by("-created_at", "-pk").first()
    status = newest.status if newest is not None else ""
    return Standing(
        membership=current,
        application=newest if status == Application.Status.PENDING else None,
        rejected=newest if status == Application.Status.REJECTED else None,
        invitation=own_invitation(viewer, community) if current is None else None,
        may_read=not community.is_hidden
        and (current is not None or community.visibility == Community.Visibility.PUBLIC),
        was_removed=latest is not None and latest.was_removed,
        is_last_manager=current is not None and current.is_manager and not other_managers(current).exists(),
        reason_hidden=reason_hidden(community),
    )


def other_managers(member: Membership) -> QuerySet[Membership]:
    """The managers of a member's community without that member."""
    managers = Membership.objects.current().managers().filter(community=member.community_id)
    return managers.exclude(pk=member.pk)


# --- Members ----------------------------------------------------------------------------------------------------------


def members_of(
    viewer: Viewer, community: Community, *, search: str = "", role: str = "", follower: Membership | None = None
) -> QuerySet[Membership]:
    """The members of a community whose identity the viewer may know, by name; with their users, `follower_count`,
    `following_count` and `is_followed` (by `follower`).

    `role`: a Role, "manager", or "" for all.
    """
    followers = followings_shown(viewer).filter(followee=OuterRef("pk"))
    followings = followings_shown(viewer).filter(follower=OuterRef("pk"))
    followed = Following.objects.filter(follower=follower, followee=OuterRef("pk"))
    members = (
        access.memberships_visible_to(viewer)
        .filter(community=community)
        .select_related("user")
        .annotate(
            follower_count=counted(followers, "followee"),
            following_count=counted(followings, "follower"),
            is_followed=Exists(followed),
        )
    )
    if role == "manager":
        members = members.filter(is_manager=True)
    elif role:
        members = members.filter(role=role)
    return members.filter(*map(named, search_words(search))).order_by("user__sort_name", "user__handle")


def members_in_order(viewer: Viewer, community: Community, *, role: str = "") -> name_order.Numbers:
    """The ids of all that `members_of` gives for a role, in its order; of a community that the viewer may read."""
    order, own = name_order.members_in_order(community), access.membership_of(viewer, community.pk)
    shown = _known(order, own)
    if role == "manager":
        shown &= order.managers
    elif role:
        shown &= order.lobbyists == (role == Membership.Role.LOBBYIST)
    return order.members[shown]


def _known(order: MembersInOrder, own: Membership | None) -> name_order.Mask:
    """The members whose identity somebody with this membership may know; as `access.memberships_visible_to` decides."""
    known = ~order.anonymous
    if own is not None:
        known |= (order.members == own.pk) | own.is_manager
    return known


def member(viewer: Viewer, community_id: int, membership_id: int) -> Membership:
    """A member whose identity the viewer may know, with user and community. Raises PermissionDenied."""
    found = (
        access.memberships_visible_to(viewer)
        .select_related("user", "community")
        .filter(pk=membership_id, community=community_id)
        .first()
    )
    if found is None:
        raise PermissionDenied
    return found


def unnamed_member_count(viewer: Viewer, community: Community) -> int:
    """The number of members whose identity the viewer may not know, of a community that the viewer may read."""
    order = name_order.members_in_order(community)
    return int(np.count_nonzero(~_known(order, access.membership_of(viewer, community.pk))))


def has_anonymous_voters(community_id: int) -> bool:
    """Whether somebody in a community is anonymous, so that live results could give their vote away."""
    return Membership.objects.current().filter(community=community_id, is_anonymous=True).exists()


def pending_applications(viewer: Viewer, community: Community) -> QuerySet[Application]:
    """The pending applications to a community that the viewer may see, oldest first, with the people."""
    return (
        access.applications_visible_to(viewer)
        .pending()
        .filter(community=community)
        .select_related("user")
        .order_by("created_at", "pk")
    )


def require_application(viewer: Viewer, community_id: int, application_id: int) -> Application:
    """An application to this community that the viewer may see. Raises PermissionDenied."""
    application = access.applications_visible_to(viewer).filter(pk=application_id, community=community_id).first()
    if application is None:
        raise PermissionDenied
    return application


# --- What has changed -------------------------------------------------------------------------------------------------


def revisions(community_ids: Iterable[int]) -> list[tuple[int, int]]:
    """(community id, revision) of these communities."""
    return list(Community.objects.filter(pk__in=community_ids).values_list("pk", F("revision")))


def overview_changed(community_id: int, *, since: int) -> bool:
    """Whether something on a community's page has changed after this revision."""
    entries = LedgerEntry.objects.filter(community=community_id, revision__gt=since)
    return entries.exclude(kind__in=_NOT_ON_THE_OVERVIEW).exists()


def overview_changed_at(community_id: int, *, since: int) -> int:
    """The revision of the last change after `since` to something on a community's page, or to what rights there rest
    on; 0 where there was none.
    """
    entries = LedgerEntry.objects.filter(community=community_id, revision__gt=since)
    shown = entries.exclude(kind__in=_NOT_ON_THE_OVERVIEW)
    return shown.aggregate(last=Max("revision"))["last"] or 0


def moments(community_id: int, at: datetime) -> tuple[int, datetime | None]:
    """The number of openings and closings of decisions there have been in a community, and when the next one is."""
    found = Decision.objects.standing().filter(community=community_id)
    numbers = found.aggregate(
        opened=Count("pk", filter=Q(opens_at__lte=at)),
        closed=Count("pk", filter=Q(closes_at__lte=at)),
        opens=Min("opens_at", filter=Q(opens_at__gt=at)),
        closes=Min("closes_at", filter=Q(closes_at__gt=at)),
    )
    coming = [moment for moment in (numbers["opens"], numbers["closes"]) if moment is not None]
    return numbers["opened"] + numbers["closed"], min(coming, default=None)


def last_final_result(community_id: int) -> int:
    """The key of the newest final result of a community, 0 where there is none."""
    final = DecisionSnapshot.objects.filter(decision__community=community_id, is_final=True)
    return final.aggregate(last=Max("pk"))["last"] or 0


# --- Lists of many communities at once --------------------------------------------------------------------------------
# Each takes the viewer and the ids of the communities, so that a list of lists costs as many queries as one list.


def member_counts(communities: Iterable[int]) -> dict[int, int]:
    """The number of current members of each of these communities, anonymous ones included."""
    return dict(_member_counts(list(communities)))


@prepared
def _member_counts(communities: list[int]) -> QuerySet[Membership, tuple[int, int]]:
    current = Membership.objects.current().filter(community__pk__in=communities).order_by().values("community")
    return current.annotate(number=Count("pk")).values_list("community", "number")


def members_of_communities(
    viewer: Viewer, communities: Sequence[int], *, search: str = "", role: str | None = None
) -> QuerySet[Membership]:
    """The members whose identity the viewer may know, with users; those found by name or handle."""
    members = access.memberships_visible_to(viewer).filter(community__in=communities).select_related("user")
    if role:
        members = members.filter(role=role)
    return members.filter(*map(named, search_words(search)))


def pending_applications_to(viewer: Viewer, communities: Sequence[int]) -> QuerySet[Application]:
    """The pending applications that the viewer may see, with users: all for managers, else one's own."""
    pending = access.applications_visible_to(viewer).pending()
    return pending.filter(community__in=communities).select_related("user")


def own_memberships(viewer: Viewer, communities: Sequence[int] | None = None) -> QuerySet[Membership]:
    """The viewer's current memberships, with community and user; of all communities or of these."""
    mine = Membership.objects.of(viewer).current().select_related("community", "user")
    return mine if communities is None else mine.filter(community__in=communities)


def memberships_in(viewer: Viewer, communities: Sequence[int]) -> list[Membership]:
    """The viewer's current memberships in these communities, with community and user."""
    return _memberships_in(viewer.pk, list(dict.fromkeys(communities))) if viewer.is_authenticated else []


@prepared
def _memberships_in(user: int, communities: list[int]) -> QuerySet[Membership]:
    rows = Membership.objects.current().filter(user=user, community__pk__in=communities)
    return rows.select_related("community", "user")


def own_applications(viewer: Viewer, communities: Sequence[int] | None = None) -> QuerySet[Application]:
    """The viewer's applications, with community and user; of all communities, or the pending ones to these."""
    mine = Application.objects.of(viewer).filter(community__in=access.communities_known_to(viewer))
    mine = mine.select_related("community", "user")
    return mine if communities is None else mine.pending().filter(community__in=communities)
