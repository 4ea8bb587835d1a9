"""Followings as a viewer may see them.

Anonymous members are left out of every list and count of followings, for managers too: whom somebody follows tells how
they vote. A viewer's own followings are always there.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any

import numpy as np
from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import named
from accounts.text import search_words
from democracy import access
from democracy.access import Viewer
from democracy.caches import BoundedCache
from democracy.errors import PermissionDenied
from democracy.models import Community, Decision, Following, Membership
from democracy.models.viewers import user_id
from democracy.reading import name_order

# More than this can be neither drawn nor read.
MOST_DRAWN = 7_000
_ROWS = 10_000


def counted(rows: QuerySet[Any], group: str) -> Coalesce:
    """The number of rows for each outer row, as a subquery: joins would multiply one count by another.

    `group`: the column of `rows` that refers to the outer row.
    """
    numbers = rows.order_by().values(group).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(numbers, output_field=IntegerField()), 0)


def followings_shown(viewer: Viewer) -> QuerySet[Following]:
    """The followings between current members that the viewer may know of: those of readable communities whose follower
    is not anonymous, and the viewer's own.
    """
    known = Q(follower__is_anonymous=False) & access.readable(viewer, "follower__community")
    return Following.objects.current().filter(known | Q(follower__user=user_id(viewer)))


def followings_of_community(
    viewer: Viewer, community: Community, *, search: str = "", tag: str = ""
) -> QuerySet[Following]:
    """The followings of a community that the viewer may know of, ordered by the follower's name, with the people.

    `search`: words of which each is in the name or handle of one of the two. `tag`: a topic for which they count.
    """
    followings = (
        followings_shown(viewer)
        .filter(follower__community=community)
        .select_related("follower__user", "followee__user")
    )
    for word in search_words(search):
        followings = followings.filter(named(word, person="follower__user") | named(word, person="followee__user"))
    if tag:
        # Few kinds of tag lists are in use; comparing them here works alike on every database.
        lists = [tags for tags in _tag_lists(followings) if not tags or tag in tags]
        followings = followings.filter(tags__in=lists) if lists else followings.none()
    return followings.order_by("follower__user__sort_name", "follower__user__handle", "order", "pk")


def _tag_lists(followings: QuerySet[Following]) -> list[list[str]]:
    return list(followings.order_by().values_list("tags", flat=True).distinct())


@dataclass(frozen=True)
class ListedFollowings:
    """The ids of the followings that `followings_of_community` gives without a search, in its order; `tags`: those on
    the followings that it gives without a tag.
    """

    followings: name_order.Numbers
    tags: list[str]


def followings_listed(viewer: Viewer, community: Community, *, tag: str = "") -> ListedFollowings:
    """List the followings of a community that the viewer may read. `tag`: a topic for which they count."""
    order, own = name_order.followings_in_order(community), access.membership_of(viewer, community.pk)
    shown = ~order.anonymous
    if own is not None:
        shown |= order.followers == own.pk
    borne = [order.topics[number] for number in np.unique(order.of[shown]).tolist()]
    if tag:
        counting = np.array([not tags or tag in tags for tags in order.topics], dtype=np.bool_)
        shown &= counting[order.of]
    return ListedFollowings(order.followings[shown], sorted(set[str]().union(*borne)))


def neighbours(viewer: Viewer, member: Membership) -> tuple[QuerySet[Following], QuerySet[Following]]:
    """The followings of a member in the member's order, and those by others of the member, by name; with the people."""
    shown = followings_shown(viewer).select_related("follower__user", "followee__user")
    return (
        shown.filter(follower=member).order_by("order", "pk"),
        shown.filter(followee=member).order_by("follower__user__sort_name", "follower__user__handle"),
    )


def followings_by(viewer: Viewer, followers: Sequence[int]) -> QuerySet[Following]:
    """The followings in which these members are the followers, with the people."""
    return followings_shown(viewer).filter(follower__in=followers).select_related("follower__user", "followee__user")


def followings_of(viewer: Viewer, followees: Sequence[int]) -> QuerySet[Following]:
    """The followings in which these members are followed, with the people."""
    return followings_shown(viewer).filter(followee__in=followees).select_related("follower__user", "followee__user")


# --- The picture ------------------------------------------------------------------------------------------------------
#
# Note [Followings kept for drawing]
# Reading the followings of a large community costs more than everything else about its picture, and they seldom change.
# So a process keeps the followings that every reader of the community may know: as numbers alone, without names and
# without any viewer's own. The members to draw, and their names, are read for each viewer anew. That leaves out the
# followings of somebody who may no longer be known, however old the kept ones are.


@dataclass(frozen=True)
class _Drawn:
    """The followings between the members of a community that are drawn. `chosen`: these members; None for all.

    Row i is a following of `followees[i]` by `followers[i]` (memberships, never anonymous ones) on `topics[of[i]]`.
    """

    revision: int
    chosen: frozenset[int] | None
    followers: array[int]
    followees: array[int]
    of: array[int]
    topics: tuple[tuple[str, ...], ...]


# As many pictures, and as many followings in all of them together (24 bytes each).
_kept: BoundedCache[tuple[int, datetime, int], _Drawn] = BoundedCache(
    32, weigh=lambda drawn: len(drawn.of), most_weight=2_000_000
)


def followings_to_draw(viewer: Viewer, community: Community, *, most: int = MOST_DRAWN) -> dict[str, Any]:
    """The members that the viewer may know and the followings between them, by position, for drawing; of more than
    `most` members, those whom most follow, and the viewer.

    `members`: [membership id, handle, name, mark] with mark "manager", "lobbyist" or ""; `topics`: lists of tags;
    `followings`: [follower, followee, topic]; `me`: the viewer's own position or None.
    """
    drawn, own = _drawn(community, most), access.membership_of(viewer, community.pk)
    rows = _people(viewer, community, drawn, own)
    place = {row[0]: index for index, row in enumerate(rows)}
    topics = {tags: index for index, tags in enumerate(drawn.topics)}
    followings = [
        [place[follower], place[followee], topic]
        for follower, followee, topic in zip(drawn.followers, drawn.followees, drawn.of, strict=True)
        if follower in place and followee in place
    ]
    if own is not None and (own.is_anonymous or (drawn.chosen is not None and own.pk not in drawn.chosen)):
        mine = followings_shown(viewer).filter(follower=own).order_by("order", "pk").values_list("followee", "tags")
        followings += [
            [place[own.pk], place[followee], topics.setdefault(tuple(tags), len(topics))]
            for followee, tags in mine
            if followee in place
        ]
    lobbyist = Membership.Role.LOBBYIST
    return {
        "members": [
            [pk, handle, name, "manager" if manager else "lobbyist" if role == lobbyist else ""]
            for pk, handle, name, manager, role in rows
        ],
        "topics": list(topics),
        "followings": followings,
        "me": None if own is None else place[own.pk],
    }


def forget_pictures() -> None:
    """Read the followings to draw, and the lists in order of names, from the database again."""
    _kept.clear()
    name_order.forget_orders()


def _people(viewer: Viewer, community: Community, drawn: _Drawn, own: Membership | None) -> list[tuple[Any, ...]]:
    """The members drawn for a viewer, by handle."""
    columns = ("pk", "user__handle", "user__name", "is_manager", "role")
    known = access.memberships_visible_to(viewer).filter(community=community)
    shown = known.filter(Q(is_anonymous=False) | Q(user=user_id(viewer)))
    if drawn.chosen is None:
        return list(shown.order_by("user__handle").values_list(*columns))
    # Two questions rather than one with an OR, and the numbers in it: SQLite may try each number at each member.
    rows = [row for row in shown.values_list(*columns).iterator(_ROWS) if row[0] in drawn.chosen]
    if own is not None and own.pk not in drawn.chosen:
        rows += shown.filter(pk=own.pk).values_list(*columns)
    return sorted(rows, key=itemgetter(1))


def _drawn(community: Community, most: int) -> _Drawn:
    """The followings to draw: the kept ones as long as no member and no following has changed, otherwise read again.

    They are marked with the revision of `community`, which was read earlier. They may be newer, which does no harm.
    """
    key = (community.pk, community.created_at, most)
    drawn = _kept.get(key)
    if drawn is None or name_order.has_changed(community, drawn.revision, name_order.OF_THE_GRAPH):
        drawn = _read(community, most)
    elif drawn.revision < community.revision:
        drawn = replace(drawn, revision=community.revision)
    _kept.put(key, drawn)
    return drawn


def _read(community: Community, most: int) -> _Drawn:
    members = dict(
        Membership.objects.current()
        .filter(community=community, is_anonymous=False)
        .values_list("pk", "user__handle")
        .iterator(_ROWS)
    )
    # Out of everybody's followings in the order of an index, rather than member by member: then it costs the same
    # whatever the database knows of its tables.
    rows = (
        Following.objects.filter(follower__community=community, follower__is_anonymous=False)
        .order_by("follower", "order", "pk")
        .values_list("follower", "followee", "tags")
    )
    pairs = [row for row in rows.iterator(_ROWS) if row[0] in members and row[1] in members]
    chosen: frozenset[int] | None = None
    if len(members) > most:
        number = Counter(followee for _, followee, _ in pairs)
        by_followers = sorted(number, key=lambda member: (-number[member], members[member]))
        chosen = frozenset(by_followers[:most])
        pairs = [row for row in pairs if row[0] in chosen and row[1] in chosen]
    topics: dict[tuple[str, ...], int] = {(): 0}
    of = [topics.setdefault(tuple(tags), len(topics)) for _, _, tags in pairs]
    return _Drawn(
        community.revision,
        chosen,
        array("q", (row[0] for row in pairs)),
        array("q", (row[1] for row in pairs)),
        array("l", of),
        tuple(topics),
    )


# --- One's own --------------------------------------------------------------------------------------------------------


def own_followings(viewer: Viewer, *, community_id: int | None = None) -> QuerySet[Following]:
    """The viewer's followings, by name of the community and in the viewer's order, with the people, and with `is_first`
    and `is_last` of the viewer's list there. Members who left are among them: they count again when they come back.

    `community_id`: one community; None for all.
    """
    same = Following.objects.filter(follower=OuterRef("follower"))
    earlier = Q(order__lt=OuterRef("order")) | Q(order=OuterRef("order"), pk__lt=OuterRef("pk"))
    later = Q(order__gt=OuterRef("order")) | Q(order=OuterRef("order"), pk__gt=OuterRef("pk"))
    followings = (
        Following.objects.by(viewer)
        .select_related("followee__user", "follower__community")
        .annotate(is_first=~Exists(same.filter(earlier)), is_last=~Exists(same.filter(later)))
        .order_by("follower__community__name", "follower__community", "order", "pk")
    )
    return followings if community_id is None else followings.filter(follower__community=community_id)


def own_followers(viewer: Viewer, *, community_id: int | None = None) -> QuerySet[Following]:
    """The followings of the viewer by others, by name of the community and the newest first, with the people.

    `community_id`: one community; None for all.
    """
    followings = (
        followings_shown(viewer)
        .filter(followee__user=user_id(viewer))
        .select_related("follower__user", "followee__community")
        .order_by("followee__community__name", "followee__community", "-created_at", "-pk")
    )
    return followings if community_id is None else followings.filter(followee__community=community_id)


def followers_left_out(viewer: Viewer, decision: Decision, *, before: Iterable[str], after: Iterable[str]) -> int:
    """The number of known followers of the viewer who inherit from a ballot with the tags `before` and would not from
    one with the tags `after`. If ballots are shown, followers who voted themselves are not counted.
    """
    followings = own_followers(viewer, community_id=decision.community_id).order_by()
    if access.shows_ballots(decision):
        followings = followings.exclude(follower__ballots__decision=decision)
    topics = [set(tags) for tags in followings.values_list("tags", flat=True)]
    return sum(1 for tags in topics if tags & set(before) and not tags & set(after))


def order_after_moving(viewer: Viewer, community_id: int, followee_id: int, *, steps: int) -> list[int]:
    """The viewer's followees in a community, in order, after moving one of them `steps` down (negative: up).

    Raises PermissionDenied for somebody whom the viewer does not follow there.
    """
    order = list(own_followings(viewer, community_id=community_id).values_list("followee_id", flat=True))
    if followee_id not in order:
        raise PermissionDenied
    place = order.index(followee_id)
    order.insert(max(place + steps, 0), order.pop(place))
    return order
