"""Who follows whom, as a viewer may see it.

Anonymous members are left out of every list and count of followings, for managers too: whom somebody follows tells how
they vote. What a viewer knows of their own is always there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import named
from democracy import access
from democracy.access import Viewer
from democracy.errors import PermissionDenied, SelfFollowing
from democracy.models import Community, Decision, Following, Membership

# More than this can be neither drawn nor read.
MOST_DRAWN = 7_000
_ROWS = 10_000


def _user_id(viewer: Viewer) -> int | None:
    return viewer.pk if viewer.is_authenticated else None


def counted(rows: QuerySet[Any], group: str) -> Coalesce:
    """How many rows there are for each outer row, as a subquery: joins would multiply one count by another."""
    numbers = rows.order_by().values(group).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(numbers, output_field=IntegerField()), 0)


def followings_shown(viewer: Viewer) -> QuerySet[Following]:
    """The followings between current members that the viewer may know of: those of readable communities whose follower
    is not anonymous, and the viewer's own.
    """
    known = Q(follower__is_anonymous=False, follower__community__in=access.communities_readable_by(viewer))
    return Following.objects.filter(
        known | Q(follower__user=_user_id(viewer)), follower__left_at=None, followee__left_at=None
    )


def followings_of_community(
    viewer: Viewer, community: Community, *, search: str = "", tag: str = ""
) -> QuerySet[Following]:
    """Who follows whom, by name, with the people; those where one of the two is found and that count for `tag`."""
    followings = (
        followings_shown(viewer)
        .filter(follower__community=community)
        .select_related("follower__user", "followee__user")
    )
    for word in search.split():
        followings = followings.filter(named(word, person="follower__user") | named(word, person="followee__user"))
    if tag:
        # Few kinds of tag lists are in use; comparing them here works alike on every database.
        lists = [tags for tags in _tag_lists(followings) if not tags or tag in tags]
        followings = followings.filter(tags__in=lists) if lists else followings.none()
    return followings.order_by("follower__user__sort_name", "follower__user__handle", "order", "pk")


def _tag_lists(followings: QuerySet[Following]) -> list[list[str]]:
    return list(followings.order_by().values_list("tags", flat=True).distinct())


def following_tags(viewer: Viewer, community: Community) -> list[str]:
    """The tags that followings of a community bear, in order."""
    shown = followings_shown(viewer).filter(follower__community=community)
    return sorted({tag for tags in _tag_lists(shown) for tag in tags})


def neighbours(viewer: Viewer, member: Membership) -> tuple[QuerySet[Following], QuerySet[Following]]:
    """Whom a member follows, in the member's order, and who follows the member, by name; with the people."""
    shown = followings_shown(viewer).select_related("follower__user", "followee__user")
    return (
        shown.filter(follower=member).order_by("order", "pk"),
        shown.filter(followee=member).order_by("follower__user__sort_name", "follower__user__handle"),
    )


def followings_by(viewer: Viewer, followers: Sequence[int]) -> QuerySet[Following]:
    """Whom these members follow, with the people."""
    return followings_shown(viewer).filter(follower__in=followers).select_related("follower__user", "followee__user")


def followings_of(viewer: Viewer, followees: Sequence[int]) -> QuerySet[Following]:
    """Who follows these members, with the people."""
    return followings_shown(viewer).filter(followee__in=followees).select_related("follower__user", "followee__user")


def picture(viewer: Viewer, community: Community, *, most: int = MOST_DRAWN) -> dict[str, Any]:
    """The members that the viewer may know and the followings between them, by position, for drawing; of more than
    `most` members, those whom most follow, and the viewer.

    `members`: [membership id, handle, name, mark] with mark "manager", "lobbyist" or ""; `topics`: lists of tags;
    `followings`: [follower, followee, topic]; `me`: the viewer's own position or None.
    """
    members = access.memberships_visible_to(viewer).filter(
        Q(is_anonymous=False) | Q(user=_user_id(viewer)), community=community
    )
    followings = followings_shown(viewer).filter(follower__community=community)
    if members.count() > most:
        numbers = followings.order_by().values("followee").annotate(number=Count("pk"))
        followed = numbers.order_by("-number", "followee__user__handle").values_list("followee", flat=True)
        chosen = list(followed[:most])
        members = members.filter(Q(pk__in=chosen) | Q(user=_user_id(viewer)))
        followings = followings.filter(followee__in=chosen)
    columns = ("pk", "user__handle", "user__name", "is_manager", "role", "user")
    rows = list(members.order_by("user__handle").values_list(*columns))
    place = {row[0]: index for index, row in enumerate(rows)}
    topics: dict[tuple[str, ...], int] = {(): 0}
    in_order = followings.order_by("follower", "order", "pk").values_list("follower", "followee", "tags")
    drawn = [
        [place[follower], place[followee], topics.setdefault(tuple(tags), len(topics))]
        for follower, followee, tags in in_order.iterator(_ROWS)
        if follower in place and followee in place
    ]
    own = _user_id(viewer)
    return {
        "members": [
            [pk, handle, name, "manager" if manager else "lobbyist" if role == Membership.Role.LOBBYIST else ""]
            for pk, handle, name, manager, role, _ in rows
        ],
        "topics": list(topics),
        "followings": drawn,
        "me": next((index for index, row in enumerate(rows) if row[5] == own), None) if own is not None else None,
    }


# --- One's own --------------------------------------------------------------------------------------------------------


def own_followings(viewer: Viewer, *, community_id: int | None = None) -> QuerySet[Following]:
    """Whom the viewer follows, by name of the community and in the viewer's order, in all communities or in one, with
    the people, and with `is_first` and `is_last` of the viewer's list there. Somebody who left is still there: they
    count again when they come back.
    """
    same = Following.objects.filter(follower=OuterRef("follower"))
    earlier = Q(order__lt=OuterRef("order")) | Q(order=OuterRef("order"), pk__lt=OuterRef("pk"))
    later = Q(order__gt=OuterRef("order")) | Q(order=OuterRef("order"), pk__gt=OuterRef("pk"))
    followings = (
        Following.objects.filter(follower__user=_user_id(viewer), follower__left_at=None)
        .select_related("followee__user", "follower__community")
        .annotate(is_first=~Exists(same.filter(earlier)), is_last=~Exists(same.filter(later)))
        .order_by("follower__community__name", "follower__community", "order", "pk")
    )
    return followings if community_id is None else followings.filter(follower__community=community_id)


def own_followers(viewer: Viewer, *, community_id: int | None = None) -> QuerySet[Following]:
    """Who follows the viewer, by name of the community and the newest first, in all communities or in one, with the
    people.
    """
    followings = (
        followings_shown(viewer)
        .filter(followee__user=_user_id(viewer))
        .select_related("follower__user", "followee__community")
        .order_by("followee__community__name", "followee__community", "-created_at", "-pk")
    )
    return followings if community_id is None else followings.filter(followee__community=community_id)


def followers_left_out(viewer: Viewer, decision: Decision, *, before: Iterable[str], after: Iterable[str]) -> int:
    """How many of those whom the viewer knows to follow them would inherit from their ballot with the tags `before`,
    and not with the tags `after`. Where ballots are shown, without those who voted themselves.
    """
    followings = own_followers(viewer, community_id=decision.community_id).order_by()
    if access.shows_ballots(decision):
        followings = followings.exclude(follower__ballots__decision=decision)
    topics = [set(tags) for tags in followings.values_list("tags", flat=True)]
    return sum(1 for tags in topics if tags & set(before) and not tags & set(after))


def order_after_moving(viewer: Viewer, community_id: int, followee_id: int, *, steps: int) -> list[int]:
    """One's followees in a community, in order, after moving one of them `steps` down (negative: up).

    Raises PermissionDenied for somebody whom the viewer does not follow there.
    """
    order = list(own_followings(viewer, community_id=community_id).values_list("followee_id", flat=True))
    if followee_id not in order:
        raise PermissionDenied
    place = order.index(followee_id)
    order.insert(max(place + steps, 0), order.pop(place))
    return order


def followable(viewer: Viewer, community_id: int, membership_id: int) -> Membership:
    """A member of the viewer's community whom the viewer could follow, with user. Raises PermissionDenied,
    SelfFollowing.
    """
    own = access.require_member(viewer, community_id)
    if own.pk == membership_id:
        raise SelfFollowing("You cannot follow yourself.")
    members = Membership.objects.filter(community=community_id, left_at=None, is_anonymous=False)
    found = members.select_related("user").filter(pk=membership_id).first()
    if found is None:
        raise PermissionDenied
    return found
