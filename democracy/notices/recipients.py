"""The people a notice is for, by the keys of their accounts. The outbox leaves out those who can't sign in."""

from __future__ import annotations

from django.db.models import Count, Exists, OuterRef

from democracy.models import Ballot, Decision, Following, Membership, Moderation
from democracy.models.communities import MembershipQuerySet


def members(community_id: int) -> list[int]:
    """The current members."""
    return list(_current(community_id).values_list("user", flat=True))


def managers(community_id: int) -> list[int]:
    """The managers."""
    return list(_current(community_id).filter(is_manager=True).values_list("user", flat=True))


def members_without_ballot(decision: Decision) -> list[int]:
    """The current members who have cast no ballot, and no abstention, themselves."""
    own = Ballot.objects.filter(decision=decision, membership=OuterRef("pk"))
    return list(_current(decision.community_id).filter(~Exists(own)).values_list("user", flat=True))


def followed_without_ballot(decision: Decision) -> dict[int, int]:
    """Those of them whom others follow, each with the number of followers that they may know of."""
    own = Ballot.objects.filter(decision=decision, membership=OuterRef("followee"))
    counts = (
        Following.objects.current()
        .filter(followee__community=decision.community_id, follower__is_anonymous=False)
        .filter(~Exists(own))
        .values("followee__user")
        .annotate(followers=Count("pk"))
        .order_by("followee__user")
    )
    return dict(counts.values_list("followee__user", "followers"))


def followers(membership_id: int) -> list[int]:
    """The current members who follow a member."""
    rows = Following.objects.filter(followee=membership_id, follower__left_at=None)
    return list(rows.values_list("follower__user", flat=True))


def caster(moderation: Moderation) -> list[int]:
    """Whoever cast the ballot whose comment was hidden."""
    membership_id = int(moderation.subject.split(":")[2])
    return list(Membership.objects.filter(pk=membership_id).values_list("user", flat=True))


def _current(community_id: int) -> MembershipQuerySet:
    return Membership.objects.current().filter(community=community_id)
