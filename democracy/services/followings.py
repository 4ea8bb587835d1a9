"""Commands on followings: whom a member trusts, and on which tags. No log says whom an anonymous member follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Count, Max

from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.errors import InvalidInput, PermissionDenied, SelfFollowing, TooManyFollowings
from democracy.ledger import contents
from democracy.models import MAX_FOLLOWINGS, Following, Membership
from democracy.services.commands import command
from democracy.tags import normalise_tags

_BATCH = 200


@command
def follow(viewer: Viewer, followee_id: int, *, tags: Iterable[str] = (), order: int | None = None) -> Following:
    """Follow a member of one's community, or change the tags and order of a following.

    `tags`: none means everything. `order`: the place in one's own list; None keeps it, or comes last.
    Raises PermissionDenied (also for members whose identity the viewer may not know), SelfFollowing, TooManyFollowings,
    InvalidTag; InvalidInput for an order out of bounds.
    """
    followee, follower = followable(viewer, followee_id)
    wanted = normalise_tags(tags)
    if order is not None and not 0 <= order <= MAX_FOLLOWINGS:
        raise InvalidInput(f"The order is a number from 0 to {MAX_FOLLOWINGS}.", field="order")
    with ledger.recording(follower.community_id, actor=follower.user) as recording:
        for member in (followee, follower):
            member.refresh_from_db(fields=["left_at", "is_anonymous"])
        if not follower.is_current or not _is_followable(followee):
            raise PermissionDenied
        mine = Following.objects.filter(follower=follower)
        following = mine.filter(followee=followee).first()
        if following is None:
            so_far = mine.aggregate(number=Count("pk"), last=Max("order"))
            if so_far["number"] >= MAX_FOLLOWINGS:
                raise TooManyFollowings(f"You follow {MAX_FOLLOWINGS} members already; that is the most.")
            following = Following(follower=follower, followee=followee, order=(so_far["last"] or 0) + 1)
        following.tags = wanted
        if order is not None:
            following.order = order
        following.save()
        recording.add(contents.following_written(following))
        name, whom = follower.user.handle, followee.user.handle
        if not follower.is_anonymous:
            transaction.on_commit(lambda: eventlog.now_following(name, whom, wanted), robust=True)
    return following


@command
def unfollow(viewer: Viewer, followee_id: int) -> Membership:
    """Stop following a member, and return the follower. Nothing is done about whom one does not follow, but could.

    Raises PermissionDenied for everybody else.
    """
    following = (
        Following.objects.select_related("follower__user", "followee__user")
        .by(access.require_user(viewer))
        .filter(followee=followee_id)
        .first()
    )
    if following is None:
        # Sent again. Anybody else is refused as by `follow`: it tells nobody that somebody is anonymous.
        try:
            return followable(viewer, followee_id)[1]
        except SelfFollowing as error:
            raise PermissionDenied from error
    with ledger.recording(following.follower.community_id, actor=following.follower.user) as recording:
        if not Following.objects.filter(pk=following.pk).exists():
            return following.follower
        is_named = not following.follower.is_anonymous
        name, whom = following.follower.user.handle, access.display_name(following.followee)
        following.delete()
        recording.add(contents.following_ended(following))
        if is_named:
            transaction.on_commit(lambda: eventlog.stopped_following(name, whom), robust=True)
    return following.follower


@command
def reorder_followings(viewer: Viewer, community_id: int, followee_ids: Sequence[int]) -> None:
    """Put one's followings in a community in this order, for display. Those not named come after, as they were.

    Raises PermissionDenied for somebody whom the viewer does not follow.
    """
    follower = access.require_member(viewer, community_id)
    with ledger.recording(community_id, actor=follower.user) as recording:
        mine = {row.followee_id: row for row in Following.objects.filter(follower=follower).order_by("order", "pk")}
        if not mine.keys() >= set(followee_ids):
            raise PermissionDenied
        moved = []
        for place, followee_id in enumerate(dict.fromkeys((*followee_ids, *mine)), start=1):
            following = mine[followee_id]
            if following.order != place:
                following.order = place
                moved.append(following)
        Following.objects.bulk_update(moved, ["order"], batch_size=_BATCH)
        for following in moved:
            recording.add(contents.following_written(following))


def followable(viewer: Viewer, followee_id: int) -> tuple[Membership, Membership]:
    """A member whom the viewer may follow, and the viewer's own membership in the same community.

    Raises SelfFollowing, and PermissionDenied for everybody else: any other refusal would tell an anonymous member from
    somebody who does not exist.
    """
    access.require_user(viewer)
    followee = Membership.objects.select_related("user").filter(pk=followee_id).first()
    if followee is None:
        raise PermissionDenied
    follower = access.require_member(viewer, followee.community_id)
    if follower.pk == followee.pk:
        raise SelfFollowing("You cannot follow yourself.")
    if not _is_followable(followee):
        raise PermissionDenied
    return followee, follower


def _is_followable(member: Membership) -> bool:
    return member.is_current and not member.is_anonymous
