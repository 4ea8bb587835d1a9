"""Members and followings of a community in the order of people's names, kept by a process.

# Note [Orders kept for pages]
To sort 100,000 names for a page of 25 costs more than everything else about it, and they seldom change. So a process
keeps the numbers of the rows in their order, the same for everybody, and of each row what decides who may see it. An
order is used as long as the ledger says that no member has come, gone or changed, for followings no following either,
and as nobody's name has changed since. A page shows of it what its viewer may see, and reads those rows anew, as their
viewer may see them now. So an order that is out of date may put somebody in the wrong place, and tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from accounts.models import NameChanges
from democracy.caches import BoundedCache
from democracy.models import Community, Following, LedgerEntry, Membership
from democracy.models.packed import TAGS_TEXT, tag_set

Kind = LedgerEntry.Kind
OF_THE_GRAPH = (Kind.MEMBERSHIP, Kind.FOLLOWING)
Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_ROWS = 10_000
# As many orders, and as many bytes in all of them together.
_MOST, _MOST_BYTES = 64, 32 << 20


@dataclass(frozen=True)
class MembersInOrder:
    """The current members by name, then by handle, as of `revision`, and of each what a list looks at."""

    revision: int
    names: int
    members: Numbers
    anonymous: Mask
    managers: Mask
    lobbyists: Mask

    @property
    def size(self) -> int:
        """In bytes."""
        return self.members.nbytes + 3 * self.anonymous.nbytes


@dataclass(frozen=True)
class FollowingsInOrder:
    """The followings between current members by the follower's name and handle, then in the follower's order.

    `topics[of[i]]` are the tags of following i, `anonymous[i]`: its follower is anonymous.
    """

    revision: int
    names: int
    followings: Numbers
    followers: Numbers
    anonymous: Mask
    of: npt.NDArray[np.int32]
    topics: tuple[frozenset[str], ...]

    @property
    def size(self) -> int:
        """In bytes, but for the topics."""
        return self.followings.nbytes + self.followers.nbytes + self.anonymous.nbytes + self.of.nbytes


Order = TypeVar("Order", MembersInOrder, FollowingsInOrder)
_Kept = BoundedCache[tuple[int, datetime], Order]

_members: BoundedCache[tuple[int, datetime], MembersInOrder] = BoundedCache(
    _MOST, weigh=lambda order: order.size, most_weight=_MOST_BYTES
)
_followings: BoundedCache[tuple[int, datetime], FollowingsInOrder] = BoundedCache(
    _MOST, weigh=lambda order: order.size, most_weight=_MOST_BYTES
)


def forget_orders() -> None:
    """Read the orders from the database again."""
    _members.clear()
    _followings.clear()


def members_in_order(community: Community) -> MembersInOrder:
    """The members at the revision of `community`, or later."""
    return _up_to_date(_members, community, _read_members, (Kind.MEMBERSHIP,))


def followings_in_order(community: Community) -> FollowingsInOrder:
    """The followings at the revision of `community`, or later."""
    return _up_to_date(_followings, community, _read_followings, OF_THE_GRAPH)


def _up_to_date(
    kept: _Kept[Order], community: Community, read: Callable[[Community, int], Order], kinds: Collection[str]
) -> Order:
    """The kept order if no entry of these kinds has come since, otherwise one that is read now."""
    key = (community.pk, community.created_at)
    # Read before the rows: if a name changes meanwhile, the order is read again next time.
    names = NameChanges.number()
    order = kept.get(key)
    if order is None or order.names != names or has_changed(community, order.revision, kinds):
        order = read(community, names)
    elif order.revision < community.revision:
        order = replace(order, revision=community.revision)
    kept.put(key, order)
    return order


def has_changed(community: Community, since: int, kinds: Collection[str]) -> bool:
    """Whether the ledger has entries of these kinds after a revision, up to that of `community`."""
    later = LedgerEntry.objects.filter(community=community, revision__gt=since, revision__lte=community.revision)
    return later.filter(kind__in=kinds).exists()


def _read_members(community: Community, names: int) -> MembersInOrder:
    current = Membership.objects.current().filter(community=community)
    columns = ("pk", "is_anonymous", "is_manager", "role")
    rows = list(current.order_by("user__sort_name", "user__handle").values_list(*columns).iterator(_ROWS))
    return MembersInOrder(
        community.revision,
        names,
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.bool_),
        np.array([row[2] for row in rows], dtype=np.bool_),
        np.array([row[3] == Membership.Role.LOBBYIST for row in rows], dtype=np.bool_),
    )


def _read_followings(community: Community, names: int) -> FollowingsInOrder:
    order = members_in_order(community)
    place = dict(zip(order.members.tolist(), range(len(order.members)), strict=True))
    topics: dict[frozenset[str], int] = {}
    table: list[tuple[Any, ...]] = []
    # In no order and without joins, which take longer than sorting here.
    rows = Following.objects.filter(follower__community=community).order_by().annotate(tags_text=TAGS_TEXT)
    columns = ("pk", "follower_id", "followee_id", "order", "tags_text")
    for pk, follower, followee, nth, text in rows.values_list(*columns).iterator(_ROWS):
        if follower in place and followee in place:
            table.append((place[follower], nth, pk, topics.setdefault(tag_set(text), len(topics))))
    by_row = np.array(table, dtype=np.int64).reshape(-1, 4).T
    followers, _, followings, of = by_row[:, np.lexsort(by_row[2::-1])]
    return FollowingsInOrder(
        community.revision,
        names,
        followings.copy(),
        order.members[followers],
        order.anonymous[followers],
        of.astype(np.int32),
        tuple(topics),
    )
