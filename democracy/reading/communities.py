"""Communities and their members, as a viewer may see them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import named
from accounts.text import search_words
from democracy import access
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.models import Application, Ballot, Choice, Community, Decision, Following, Membership
from democracy.models.decisions import DecisionQuerySet
from democracy.reading.decisions import newest_snapshots
from democracy.reading.followings import counted, followings_shown

# A member's tags are taken from their newest ballots; topics of long ago suggest little.
_BALLOTS_FOR_TAGS = 100


@dataclass(frozen=True)
class Standing:
    """Where the viewer stands towards a community. `application`: their pending one; `rejected`: the last one, where a
    manager said no and they have not applied again. `may_read`: decisions, members.
    """

    membership: Membership | None
    application: Application | None
    rejected: Application | None
    may_read: bool
    was_removed: bool
    is_last_manager: bool

    @property
    def is_manager(self) -> bool:
        return self.membership is not None and self.membership.is_manager


# --- Communities ------------------------------------------------------------------------------------------------------


def communities_listed(viewer: Viewer, *, search: str = "", mine: bool = False) -> QuerySet[Community]:
    """All communities by name, with `member_count`, `is_mine` and `has_applied`; those found in name or description."""
    members = Membership.objects.current().filter(community=OuterRef("pk"))
    own = members.of(viewer)
    waiting = Application.objects.of(viewer).pending().filter(community=OuterRef("pk"))
    listed = Community.objects.annotate(
        member_count=counted(members, "community"), is_mine=Exists(own), has_applied=Exists(waiting)
    )
    if mine:
        listed = listed.filter(is_mine=True)
    for word in search_words(search):
        listed = listed.filter(Q(name__icontains=word) | Q(description__icontains=word))
    return listed.order_by("name", "pk")


def community_listed(viewer: Viewer, community_id: int) -> Community:
    """One community. Raises PermissionDenied where there is none."""
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
    latest = Membership.objects.of(viewer).filter(community=community).first()
    current = latest if latest is not None and latest.is_current else None
    applications = Application.objects.of(viewer).filter(community=community)
    newest = applications.order_by("-created_at", "-pk").first()
    status = newest.status if newest is not None else ""
    return Standing(
        membership=current,
        application=newest if status == Application.Status.PENDING else None,
        rejected=newest if status == Application.Status.REJECTED else None,
        may_read=current is not None or community.visibility == Community.Visibility.PUBLIC,
        was_removed=latest is not None and latest.was_removed,
        is_last_manager=current is not None and current.is_manager and not _other_managers(current).exists(),
    )


def _other_managers(member: Membership) -> QuerySet[Membership]:
    managers = Membership.objects.current().managers().filter(community=member.community_id)
    return managers.exclude(pk=member.pk)


@dataclass(frozen=True)
class DecisionRow:
    """A decision in a list. `winner`: of the final result, "" where there is none."""

    decision: Decision
    has_ballot: bool
    winner: str


def decisions_of(viewer: Viewer, community: Community) -> DecisionQuerySet:
    """The decisions of a community that the viewer may see, with `has_ballot`: the viewer's own."""
    own = Ballot.objects.of(viewer).filter(decision=OuterRef("pk"))
    return access.decisions_visible_to(viewer).filter(community=community).annotate(has_ballot=Exists(own))


def living_decisions(viewer: Viewer, community: Community) -> dict[str, list[DecisionRow]]:
    """By status: open decisions, those that close next first; scheduled ones, those that open next first; drafts, the
    newest first.
    """
    decisions = decisions_of(viewer, community).not_closed(timezone.now())
    rows: dict[str, list[DecisionRow]] = {status: [] for status in Decision.Status}
    for one in decisions.order_by("closes_at", "-pk"):
        rows[one.status].append(DecisionRow(one, one.has_ballot, ""))  # type: ignore[attr-defined]
    rows[Decision.Status.SCHEDULED].sort(key=lambda row: (row.decision.opens_at, row.decision.pk))
    return rows


def closed_decisions(viewer: Viewer, community: Community) -> QuerySet[Decision]:
    """Those closed last first."""
    closed = decisions_of(viewer, community).closed(timezone.now())
    return closed.order_by("-closes_at", "-pk")


def with_winners(decisions: Iterable[Decision]) -> list[DecisionRow]:
    """These closed decisions with what won them, where the final result is there."""
    rows = list(decisions)
    finals = [one for one in newest_snapshots(row.pk for row in rows) if one.is_final]
    won = {one.decision_id: one.read_result().winner for one in finals}
    choices = Choice.objects.filter(pk__in=[winner for winner in won.values() if winner is not None])
    titles = dict(choices.values_list("pk", "title"))
    return [DecisionRow(one, one.has_ballot, titles.get(won.get(one.pk) or 0, "")) for one in rows]  # type: ignore[attr-defined]


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
    """How many members there are whose identity the viewer may not know."""
    current = Membership.objects.current().filter(community=community)
    # A difference of counts: to look up each member among so many others takes PostgreSQL their product.
    return current.count() - access.memberships_visible_to(viewer).filter(community=community).count()


def pending_applications(viewer: Viewer, community: Community) -> QuerySet[Application]:
    """Oldest first, with the people."""
    return (
        access.applications_visible_to(viewer)
        .pending()
        .filter(community=community)
        .select_related("user")
        .order_by("created_at", "pk")
    )


def require_application(viewer: Viewer, community_id: int, application_id: int) -> Application:
    """An application to this community. Raises PermissionDenied."""
    application = access.applications_visible_to(viewer).filter(pk=application_id, community=community_id).first()
    if application is None:
        raise PermissionDenied
    return application


def ballots_shown(viewer: Viewer, of: Membership) -> list[Ballot]:
    """The newest ballots that a member cast by name in decisions whose ballots the viewer may see, newest first, with
    decision; all of one's own; none of an anonymous member.
    """
    ballots = (
        Ballot.objects.filter(membership=of, decision__in=access.decisions_visible_to(viewer))
        .select_related("decision")
        .order_by("-cast_at", "-pk")
    )
    if not access.is_self(viewer, of):
        if of.is_anonymous:
            return []
        # Before the cut: how many are hidden must not show in which are left.
        ballots = ballots.filter(access.decisions_that_show_ballots("decision__"), is_anonymous=False)
    return list(ballots[:_BALLOTS_FOR_TAGS])


def tags_of(ballots: Iterable[Ballot]) -> list[str]:
    """The tags on these ballots, the most used first."""
    uses: dict[str, int] = {}
    for ballot in ballots:
        for tag in ballot.tags:
            uses[tag] = uses.get(tag, 0) + 1
    return sorted(uses, key=lambda tag: (-uses[tag], tag))
