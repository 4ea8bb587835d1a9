"""Who may see and do what. Every function takes the viewer; pages, GraphQL, commands and exports share them, and
nothing else decides.

A community is listed for everybody. Its decisions, results and members are read by its current members, or by everybody
where it is public; drafts by its managers. Who an anonymous member is, is known to that member and, on the roll, to the
managers; how that member voted is known to that member alone.

# Note [Whether a ballot bears a name]
A ballot that somebody wrote keeps the name or pseudonym under which it was cast, whatever its caster does later: what
changes would show which one is theirs. One that somebody inherits bears the name or pseudonym that its member had when
it was staged, and a pseudonym where they have cast an anonymous one in that decision: else their name would appear in
its place. Beside it nobody is named who is anonymous now, since whom they followed is theirs to know.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import User
from democracy import eventlog
from democracy.errors import PermissionDenied
from democracy.models import Application, Community, Decision, DecisionSnapshot, Membership, StagedBallot, viewers
from democracy.models.communities import ApplicationQuerySet, MembershipQuerySet
from democracy.models.decisions import DecisionQuerySet
from democracy.models.viewers import user_id

Viewer: TypeAlias = viewers.Viewer

ANONYMOUS = eventlog.ANONYMOUS_MEMBER


# --- Seeing -----------------------------------------------------------------------------------------------------------


def communities_readable_by(viewer: Viewer) -> QuerySet[Community]:
    """Communities whose decisions, results and members the viewer may read."""
    mine = Membership.objects.of(viewer).current().filter(community=OuterRef("pk"))
    return Community.objects.filter(Q(visibility=Community.Visibility.PUBLIC) | Exists(mine))


def decisions_visible_to(viewer: Viewer) -> DecisionQuerySet:
    published = Q(published_at__isnull=False, community__in=communities_readable_by(viewer))
    return Decision.objects.filter(published | Exists(_managed(viewer)))


def _managed(viewer: Viewer) -> MembershipQuerySet:
    """The viewer's membership as a manager, beside rows of a community."""
    return Membership.objects.of(viewer).current().managers().filter(community=OuterRef("community"))


def memberships_visible_to(viewer: Viewer) -> MembershipQuerySet:
    """Current members whose identity the viewer may know: all but the anonymous; those too for themselves and for
    managers.
    """
    known = Q(is_anonymous=False, community__in=communities_readable_by(viewer))
    return Membership.objects.current().filter(known | Q(user=user_id(viewer)) | Exists(_managed(viewer)))


def applications_visible_to(viewer: Viewer) -> ApplicationQuerySet:
    return Application.objects.filter(Q(user=user_id(viewer)) | Exists(_managed(viewer)))


def membership_of(viewer: Viewer, community_id: int) -> Membership | None:
    """The viewer's own current membership."""
    return Membership.objects.of(viewer).current().filter(community=community_id).first()


def shows_ballots(decision: Decision) -> bool:
    """Whether ballots and everything derived from single ballots may be shown: always where results are live, else once
    it is over.
    """
    return (
        decision.results_visibility == Decision.Visibility.LIVE or decision.status == Decision.Status.CLOSED
    ) and decision.status != Decision.Status.DRAFT


def decisions_that_show_ballots(prefix: str = "") -> Q:
    """The same as a condition on published decisions, or on rows that refer to them by `prefix`."""
    is_live = Q(**{f"{prefix}results_visibility": Decision.Visibility.LIVE})
    return is_live | Q(**{f"{prefix}closes_at__lte": timezone.now()})


def hides_ballots(decision: Decision) -> bool:
    """Whether ballots are hidden for now, and with them all that depends on them: counters, times, who inherits."""
    return decision.status != Decision.Status.DRAFT and not shows_ballots(decision)


def shown_revision(snapshot: DecisionSnapshot) -> int | None:
    """The revision of a stored result; None for an interim one of a decision that hides its ballots: the entries up to
    it would tell whose are in it.
    """
    return snapshot.revision if _is_told_exactly(snapshot) else None


def shown_time(snapshot: DecisionSnapshot) -> datetime:
    """When a stored result was calculated; to the hour where its revision is not told."""
    return snapshot.calculated_at if _is_told_exactly(snapshot) else to_the_hour(snapshot.calculated_at)


def _is_told_exactly(snapshot: DecisionSnapshot) -> bool:
    return snapshot.is_final or snapshot.decision.results_visibility == Decision.Visibility.LIVE


def to_the_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def snapshots_visible_to(viewer: Viewer) -> QuerySet[DecisionSnapshot]:
    """Stored results; only what a decision's visibility allows is ever stored, so seeing the decision is enough."""
    return DecisionSnapshot.objects.filter(decision__in=decisions_visible_to(viewer)).select_related("decision")


def pseudonym(decision_id: int, membership_id: int, *, kind: str = StagedBallot.Kind.CAST) -> str:
    """An anonymous member's name in one decision: stable there, and without relation to the same member's name
    elsewhere. What they inherit bears another than what they cast: whoever knows them by the one does not find the
    other.
    """
    named = f"{decision_id}:{membership_id}"
    if kind == StagedBallot.Kind.INHERITED:
        named += ":inherited"
    digest = salted_hmac("democracy.pseudonym", named, algorithm="sha256").hexdigest()
    return f"{ANONYMOUS} {digest[:12]}"


def is_self(viewer: Viewer, membership: Membership) -> bool:
    return viewer.is_authenticated and membership.user_id == viewer.pk


def knows(viewer: Viewer, membership: Membership) -> bool:
    """Whether the viewer may know whom somebody follows: of an anonymous member only that member, managers neither."""
    return not membership.is_anonymous or is_self(viewer, membership)


def bears_pseudonym(membership: Membership, *, kind: str, is_anonymous: bool) -> bool:
    """Whether a ballot is shown under a pseudonym; `is_anonymous`: as the row says. See Note [Whether a ballot bears a
    name].
    """
    return is_anonymous or (kind == StagedBallot.Kind.INHERITED and membership.is_anonymous)


def named_ballots() -> Q:
    """The staged ballots that bear names."""
    return Q(is_anonymous=False) & ~Q(kind=StagedBallot.Kind.INHERITED, membership__is_anonymous=True)


def display_name(membership: Membership) -> str:
    """The name under which others see a member, in log lines too."""
    return ANONYMOUS if membership.is_anonymous else membership.user.handle


# --- Doing ------------------------------------------------------------------------------------------------------------


def require_user(viewer: Viewer) -> User:
    """The signed-in person. Raises PermissionDenied."""
    if not isinstance(viewer, User) or not viewer.is_active:
        raise PermissionDenied("Sign in first.")
    return viewer


def require_member(viewer: Viewer, community_id: int) -> Membership:
    """The viewer's current membership. Raises PermissionDenied."""
    memberships = Membership.objects.of(require_user(viewer)).current().filter(community=community_id)
    membership = memberships.select_related("user", "community").first()
    if membership is None:
        raise PermissionDenied
    return membership


def require_manager(viewer: Viewer, community_id: int) -> Membership:
    """The same, of a manager. Raises PermissionDenied."""
    membership = require_member(viewer, community_id)
    if not membership.is_manager:
        raise PermissionDenied
    return membership


def require_decision(viewer: Viewer, decision_id: int) -> Decision:
    """A decision that the viewer may see. Raises PermissionDenied, also where there is none."""
    decision = decisions_visible_to(viewer).select_related("community").filter(pk=decision_id).first()
    if decision is None:
        raise PermissionDenied
    return decision
