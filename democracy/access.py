"""The rules on who may see and do what. Every function takes the viewer. Pages, GraphQL, commands and exports share
them, and nothing else decides.

Everybody sees that a community exists, unless an operator has hidden it: then its members see that, and nobody reads
it. Its current members read its decisions, results and members, and so does
everybody if it is public. Its managers also read drafts. The identity of an anonymous member is known to that member
and to the managers; how that member voted, to that member alone.

# Note [Whether a ballot bears a name]
A cast ballot keeps the name or pseudonym under which it was cast, whatever its caster does later: a change would show
which one is theirs. An inherited ballot bears the name or pseudonym that its member had when it was staged. It bears a
pseudonym also if the member has cast an anonymous ballot in that decision: otherwise their name would appear in its
place. Nobody who is anonymous now is named beside an inherited ballot, since only they may know whom they followed.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from django.contrib.auth.models import AnonymousUser
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.models import User
from accounts.prepared import prepared
from democracy import eventlog
from democracy.errors import CommunityHidden, PermissionDenied, SignInFirst
from democracy.ledger import pseudonyms
from democracy.models import (
    Application,
    Community,
    Decision,
    DecisionSnapshot,
    Invitation,
    InvitationLink,
    Membership,
    PublishedResult,
    StagedBallot,
    Webhook,
    viewers,
)
from democracy.models.communities import ApplicationQuerySet, MembershipQuerySet
from democracy.models.decisions import DecisionQuerySet
from democracy.models.invitations import InvitationQuerySet
from democracy.models.viewers import user_id

Viewer: TypeAlias = viewers.Viewer

ANONYMOUS = eventlog.ANONYMOUS_MEMBER
_BEFORE_THE_END = (Decision.Status.SCHEDULED, Decision.Status.OPEN)
pseudonym = pseudonyms.pseudonym


# --- Seeing -----------------------------------------------------------------------------------------------------------


def communities_known_to(viewer: Viewer) -> QuerySet[Community]:
    """Communities that the viewer may know of: all but those that an operator has hidden from whoever is no member."""
    if not viewer.is_authenticated:
        return Community.objects.filter(is_hidden=False)
    return Community.objects.filter(Q(is_hidden=False) | Q(pk__in=_joined(viewer)))


def communities_readable_by(viewer: Viewer) -> QuerySet[Community]:
    """Communities whose decisions, results and members the viewer may read."""
    return Community.objects.filter(readable(viewer, "pk"))


# Nearly every page and query asks by these conditions. Joins and lists of the viewer's few communities take half the
# time of subqueries beside each row, most of which went into putting the statement together.


def readable(viewer: Viewer, key: str = "community") -> Q:
    """A condition on rows of communities that the viewer may read. `key`: the column that names the community."""
    prefix = "" if key == "pk" else f"{key}__"
    is_open = Q(**{f"{prefix}visibility": Community.Visibility.PUBLIC})
    if viewer.is_authenticated:
        is_open |= Q(**{f"{key}__in": _joined(viewer)})
    return is_open & Q(**{f"{prefix}is_hidden": False})


def _joined(viewer: Viewer) -> QuerySet[Membership, int]:
    """The communities that the viewer is a member of."""
    return Membership.objects.of(viewer).current().values_list("community", flat=True)


def _managed(viewer: Viewer) -> QuerySet[Membership, int]:
    """The communities that the viewer manages, but hidden ones."""
    managed = Membership.objects.of(viewer).current().managers().filter(community__is_hidden=False)
    return managed.values_list("community", flat=True)


def decisions_visible_to(viewer: Viewer) -> DecisionQuerySet:
    """Published decisions of communities that the viewer may read, and everything in those that they manage."""
    published = Q(published_at__isnull=False) & readable(viewer)
    if not viewer.is_authenticated:
        return Decision.objects.filter(published)
    return Decision.objects.filter(published | Q(community__in=_managed(viewer)))


def memberships_visible_to(viewer: Viewer) -> MembershipQuerySet:
    """Current members whose identity the viewer may know. Anonymous members are among them for themselves and for
    managers alone.
    """
    known = Q(is_anonymous=False) & readable(viewer)
    return Membership.objects.current().filter(known | Q(user=user_id(viewer)) | Q(community__in=_managed(viewer)))


def applications_visible_to(viewer: Viewer) -> ApplicationQuerySet:
    """The viewer's own applications, and those to communities that they manage."""
    own = Q(user=user_id(viewer), community__in=communities_known_to(viewer))
    return Application.objects.filter(own | Q(community__in=_managed(viewer)))


def invitations_visible_to(viewer: Viewer) -> InvitationQuerySet:
    """The invitations, with their addresses, to communities that the viewer manages."""
    return Invitation.objects.filter(community__in=_managed(viewer))


def invitation_links_visible_to(viewer: Viewer) -> QuerySet[InvitationLink]:
    """The shared links of communities that the viewer manages."""
    return InvitationLink.objects.filter(community__in=_managed(viewer))


def webhooks_visible_to(viewer: Viewer) -> QuerySet[Webhook]:
    """The webhooks of communities that the viewer manages."""
    return Webhook.objects.filter(community__in=_managed(viewer))


def published_results_visible_to(viewer: Viewer) -> QuerySet[PublishedResult]:
    """Published results with their addresses, of decisions that the viewer may see. The result itself is shown to
    whoever has the address (`decision_published_at`).
    """
    return PublishedResult.objects.filter(decision__in=decisions_visible_to(viewer))


def membership_of(viewer: Viewer, community_id: int) -> Membership | None:
    """The viewer's own current membership."""
    return next(iter(_memberships_in(viewer.pk, community_id)), None) if viewer.is_authenticated else None


@prepared
def _memberships_in(user: int, community: int) -> QuerySet[Membership]:
    return Membership.objects.current().filter(user=user, community=community)


def shows_ballots(decision: Decision) -> bool:
    """Whether ballots, and everything derived from single ballots, may be shown: always if results are live, otherwise
    once the decision is closed and what was calculated before has given way to the final result. A decision that was
    called off shows none: there is no result that rests on them.
    """
    match decision.status:
        case Decision.Status.DRAFT | Decision.Status.CALLED_OFF:
            return False
        case _ if decision.results_visibility == Decision.Visibility.LIVE:
            return True
        case status:
            return status == Decision.Status.CLOSED and not _is_calculated_before_closing(decision)


def opens_entries_on_ballots(decision: Decision) -> bool:
    """Whether the ledger's entries on named ballots are open to all readers: unless ballots are hidden, or were until
    the decision was called off. What the ledger opened stays open.
    """
    if decision.status == Decision.Status.CALLED_OFF:
        return decision.results_visibility == Decision.Visibility.LIVE
    return not hides_ballots(decision)


def _is_calculated_before_closing(decision: Decision) -> bool:
    """Whether earlier versions of ballots may be stored as staged. After `closes_at` only the final result comes."""
    calculated, closes_at = decision.last_calculated, decision.closes_at
    return calculated is not None and closes_at is not None and calculated < closes_at


def decisions_that_show_ballots(prefix: str = "") -> Q:
    """A condition that keeps decisions which show their ballots, out of published ones.

    `prefix`: the lookup that leads from the filtered rows to their decision, such as `"decision__"`.
    """
    is_live = Q(**{f"{prefix}results_visibility": Decision.Visibility.LIVE})
    is_over = Q(**{f"{prefix}closes_at__lte": timezone.now()})
    is_shown = is_live | (is_over & ~Q(**{f"{prefix}last_calculated__lt": F(f"{prefix}closes_at")}))
    return is_shown & Q(**{f"{prefix}called_off_at": None})


def hides_ballots(decision: Decision) -> bool:
    """Whether ballots are hidden and voting goes on, or the decision was called off and they stay hidden: then so is
    whatever depends on them, as counters and times.
    """
    if decision.status == Decision.Status.CALLED_OFF:
        return True
    return decision.results_visibility != Decision.Visibility.LIVE and decision.status in _BEFORE_THE_END


def shown_revision(snapshot: DecisionSnapshot) -> int | None:
    """The revision of a stored result; None for an interim result of a decision that hides its ballots, since the
    entries up to it would tell whose ballots are counted.
    """
    return snapshot.revision if _is_told_exactly(snapshot) else None


def shown_time(snapshot: DecisionSnapshot) -> datetime:
    """The time at which a stored result was calculated, to the hour if its revision is not told."""
    return snapshot.calculated_at if _is_told_exactly(snapshot) else to_the_hour(snapshot.calculated_at)


def _is_told_exactly(snapshot: DecisionSnapshot) -> bool:
    return snapshot.is_final or snapshot.decision.results_visibility == Decision.Visibility.LIVE


def to_the_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def snapshots_visible_to(viewer: Viewer) -> QuerySet[DecisionSnapshot]:
    """Stored results of decisions that the viewer may see. No more than a decision may show is ever stored.

    One that was called off has no result.
    """
    visible = decisions_visible_to(viewer).filter(called_off_at=None)
    return DecisionSnapshot.objects.filter(decision__in=visible).select_related("decision")


def is_self(viewer: Viewer, membership: Membership) -> bool:
    return viewer.is_authenticated and membership.user_id == viewer.pk


def knows(viewer: Viewer, membership: Membership) -> bool:
    """Whether the viewer may know whom somebody follows; of an anonymous member not even managers may."""
    return not membership.is_anonymous or is_self(viewer, membership)


def bears_pseudonym(membership: Membership, *, kind: str, is_anonymous: bool) -> bool:
    """Whether a ballot is shown under a pseudonym. `is_anonymous`: as it is stored.

    See Note [Whether a ballot bears a name].
    """
    return is_anonymous or (kind == StagedBallot.Kind.INHERITED and membership.is_anonymous)


def display_name(membership: Membership) -> str:
    """The name under which others see a member, on pages and in log lines."""
    return ANONYMOUS if membership.is_anonymous else membership.user.handle


# --- Doing ------------------------------------------------------------------------------------------------------------


def require_user(viewer: Viewer) -> User:
    """The account of the viewer. Raises SignInFirst for a guest and for a closed account."""
    if not isinstance(viewer, User) or not viewer.is_active:
        raise SignInFirst
    return viewer


def require_own_membership(viewer: Viewer, community_id: int) -> Membership:
    """The viewer's current membership, with user and community, also in a hidden community. Raises PermissionDenied
    where there is none.
    """
    found = _own_memberships(require_user(viewer).pk, community_id)
    if not found:
        raise PermissionDenied
    return found[0]


@prepared
def _own_memberships(user: int, community: int) -> QuerySet[Membership]:
    return Membership.objects.current().filter(user=user, community=community).select_related("user", "community")


def require_member(viewer: Viewer, community_id: int) -> Membership:
    """The viewer's current membership, with user and community. Raises PermissionDenied where there is none, and
    CommunityHidden.
    """
    membership = require_own_membership(viewer, community_id)
    if membership.community.is_hidden:
        raise CommunityHidden
    return membership


def require_manager(viewer: Viewer, community_id: int) -> Membership:
    """The viewer's current membership as a manager. Raises PermissionDenied where there is none, CommunityHidden."""
    membership = require_member(viewer, community_id)
    if not membership.is_manager:
        raise PermissionDenied
    return membership


def moderates(viewer: Viewer) -> bool:
    """Whether the viewer may hide texts and communities: an operator with the right to add moderations."""
    return viewer.is_active and viewer.is_staff and viewer.has_perm("democracy.add_moderation")


def require_operator(viewer: Viewer) -> User:
    """The account of an operator who may hide texts and communities. Raises PermissionDenied."""
    user = require_user(viewer)
    if not moderates(user):
        raise PermissionDenied
    return user


def require_decision(viewer: Viewer, decision_id: int) -> Decision:
    """A decision that the viewer may see. Raises PermissionDenied, also where there is none."""
    user = user_id(viewer)
    found = _visible_to_visitors(decision_id) if user is None else _visible_to_user(user, decision_id)
    if not found:
        raise PermissionDenied
    return found[0]


@prepared
def _visible_to_user(user: int, decision: int) -> QuerySet[Decision]:
    return decisions_visible_to(User(pk=user)).select_related("community").filter(pk=decision)


@prepared
def _visible_to_visitors(decision: int) -> QuerySet[Decision]:
    return decisions_visible_to(AnonymousUser()).select_related("community").filter(pk=decision)


def decisions_of_community(viewer: Viewer, community_id: int) -> list[Decision]:
    """The decisions of a community that the viewer may see."""
    if viewer.is_authenticated:
        return _of_community_for_user(viewer.pk, community_id)
    return list(decisions_visible_to(viewer).filter(community=community_id))


@prepared
def _of_community_for_user(user: int, community: int) -> QuerySet[Decision]:
    return decisions_visible_to(User(pk=user)).filter(community=community)


def decision_published_at(token: str) -> Decision:
    """The decision whose result a manager has published at this address, for anybody: its question, result and turnout
    are shown, and nothing else. Raises PermissionDenied where there is none, or none any more.
    """
    published = Decision.objects.select_related("community").filter(community__is_hidden=False)
    decision = published.filter(published_result__token=token).first()
    if decision is None:
        raise PermissionDenied
    return decision
