"""The effects of closing one's account: what goes, what stays, and what stands in the way.

# Note [A hidden ballot is not withdrawn]
Closing an account is an entry that everybody sees. Entries of withdrawn ballots beside it would tell in how many
decisions that hide their ballots the person had voted. So there the ballot stays, as it does when somebody leaves a
community: it counts for nothing, and is never shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from accounts.models import User
from democracy.models import Application, Ballot, Community, Decision, Membership
from democracy.models.decisions import BallotQuerySet


@dataclass(frozen=True)
class Closing:
    """The consequences of closing an account.

    `going`: open decisions whose ballot, cast by name, counts no more; `kept`: closed decisions that keep such a
    ballot; `anonymous`: ballots under pseudonyms, which stay; `leaving`: communities; `managing`: communities that have
    other members and no other manager, so that the account can't be closed yet.
    """

    going: list[Decision]
    kept: int
    anonymous: int
    leaving: list[Community]
    managing: list[Community]


def closing_of(user: User, now: datetime) -> Closing:
    """The consequences of closing this account now."""
    mine = Ballot.objects.of(user)
    memberships = Membership.objects.of(user).current()
    return Closing(
        going=list(Decision.objects.filter(ballots__in=_open_ballots(user, now)).order_by("closes_at", "pk")),
        kept=mine.filter(is_anonymous=False, decision__in=Decision.objects.closed(now)).count(),
        anonymous=mine.filter(is_anonymous=True).count(),
        leaving=list(Community.objects.filter(memberships__in=memberships).order_by("name")),
        managing=list(Community.objects.filter(memberships__in=alone_managing(user)).order_by("name")),
    )


def going_ballots(user: User, now: datetime) -> BallotQuerySet:
    """The person's ballots that closing their account withdraws: cast by name, where voting is open and live.

    See Note [A hidden ballot is not withdrawn].
    """
    return _open_ballots(user, now).filter(decision__results_visibility=Decision.Visibility.LIVE)


def _open_ballots(user: User, now: datetime) -> BallotQuerySet:
    return Ballot.objects.of(user).filter(is_anonymous=False, decision__in=Decision.objects.open(now))


def alone_managing(user: User, community_id: int | None = None) -> list[Membership]:
    """The person's memberships as the only manager, where there are other members; of all communities or of one.

    Whoever is the last member may go: nobody is left there who could be made a manager, or miss one.
    """
    others = Membership.objects.current().filter(community=OuterRef("community")).exclude(user=user)
    mine = Membership.objects.of(user).current().managers().select_related("community")
    if community_id is not None:
        mine = mine.filter(community=community_id)
    return list(mine.filter(Exists(others), ~Exists(others.managers())))


def communities_of(user: User) -> list[int]:
    """The communities in which closing the account may change something, in the order of their numbers."""
    belonging = Membership.objects.filter(user=user).values_list("community", flat=True)
    applied = Application.objects.filter(user=user).pending().values_list("community", flat=True)
    return sorted({*belonging, *applied})
