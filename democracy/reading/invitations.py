"""Invitations: for managers, the roll of whom they invited; for whoever has a link, what it leads to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from accounts import ratelimit
from accounts.text import search_words
from democracy import access
from democracy.access import Viewer
from democracy.errors import InvalidInvitation, PermissionDenied
from democracy.models import Community, Invitation, InvitationLink
from democracy.models.decisions import DecisionQuerySet
from democracy.models.invitations import MAIL_PAUSE, VALID_FOR, digest_of
from democracy.models.viewers import user_id

State = Invitation.State
_FAILURES = "invitations that failed for one client"


def _in_state(state: str) -> Q:
    """A condition that keeps the invitations in this state; the states exclude each other, as `Invitation.state`."""
    fresh = Q(accepted_at=None, revoked_at=None, issued_at__gt=timezone.now() - VALID_FOR)
    match state:
        case State.JOINED:
            return ~Q(accepted_at=None)
        case State.REVOKED:
            return Q(accepted_at=None) & ~Q(revoked_at=None)
        case State.EXPIRED:
            return Q(accepted_at=None, revoked_at=None, issued_at__lte=timezone.now() - VALID_FOR)
        case State.LISTED:
            return fresh & Q(sent_at=None)
        case State.REFUSED:
            return fresh & ~Q(sent_at=None) & ~Q(refusal="")
        case _:
            return fresh & ~Q(sent_at=None) & Q(refusal="")


def invitations_to(
    viewer: Viewer, communities: Iterable[int], *, search: str = "", state: str = ""
) -> QuerySet[Invitation]:
    """The invitations that the viewer may see, by address, with whom they made members.

    `search`: words that are all in the address or name; `state`: an Invitation.State, or "" for all.
    """
    found = access.invitations_visible_to(viewer).filter(community__in=communities).with_refusals()
    if state:
        found = found.filter(_in_state(state))
    for word in search_words(search):
        found = found.filter(Q(address__icontains=word) | Q(name__icontains=word))
    return found.select_related("membership__user").order_by("address", "pk")


def require_invitation(viewer: Viewer, community_id: int, invitation_id: int) -> Invitation:
    """Find an invitation to this community that the viewer may see. Raises PermissionDenied."""
    found = access.invitations_visible_to(viewer).filter(pk=invitation_id, community=community_id).first()
    if found is None:
        raise PermissionDenied
    return found


def counts_by_state(viewer: Viewer, community: Community) -> list[tuple[State, int]]:
    """The numbers of invitations in each state that has any."""
    rows = access.invitations_visible_to(viewer).filter(community=community).with_refusals()
    counts = rows.aggregate(**{state.value: Count("pk", filter=_in_state(state)) for state in State})
    return [(state, counts[state.value]) for state in State if counts[state.value]]


def not_joined_count(viewer: Viewer, community_id: int) -> int:
    """Count who was invited to a community and has not joined; invitations that were taken back are left out."""
    found = access.invitations_visible_to(viewer).filter(community=community_id)
    return found.filter(accepted_at=None, revoked_at=None).count()


def mailed_again_from(viewer: Viewer, community: Community) -> datetime | None:
    """The time from which somebody can be mailed again by "send again to all", None where nobody waits."""
    waiting = access.invitations_visible_to(viewer).filter(community=community).mailed(timezone.now())
    first: datetime | None = waiting.aggregate(first=Min("sent_at"))["first"]
    return first and first + MAIL_PAUSE


def invitation_links_to(viewer: Viewer, communities: Iterable[int]) -> QuerySet[InvitationLink]:
    """The links that the viewer may see and nobody has ended, the newest first."""
    found = access.invitation_links_visible_to(viewer).filter(community__in=communities, revoked_at=None)
    return found.select_related("decision").order_by("-pk")


def invitation_link(viewer: Viewer, community_id: int, link_id: int) -> InvitationLink:
    """A link that the viewer may see, with community and decision. Raises PermissionDenied."""
    links = access.invitation_links_visible_to(viewer).select_related("community", "decision")
    link = links.filter(pk=link_id, community=community_id).first()
    if link is None:
        raise PermissionDenied
    return link


def decisions_to_lead_to(viewer: Viewer, community: Community) -> DecisionQuerySet:
    """The decisions that an invitation may lead to: published and not closed, those that close first before others."""
    found = access.decisions_visible_to(viewer).filter(community=community)
    return found.published().not_over(timezone.now()).order_by("closes_at", "pk")


def own_invitation(viewer: Viewer, community: Community) -> Invitation | None:
    """The pending invitation to a community that the viewer's address has."""
    address = getattr(viewer, "email", None) if user_id(viewer) else None
    if not address:
        return None
    return Invitation.objects.pending(timezone.now()).filter(community=community, address=address).first()


def tags_to_follow(viewer: Viewer, community_id: int) -> list[str]:
    """The topics that the viewer's invitation to a community named; they are led to follow somebody on these."""
    mine = Invitation.objects.filter(community=community_id, membership__user=user_id(viewer), membership__left_at=None)
    return next(iter(mine.order_by("-accepted_at").values_list("tags", flat=True)), []) if user_id(viewer) else []


def peek_invitation(token: str, *, client: str) -> Invitation:
    """The invitation behind a mailed link, also one that is over, without using it up: mail programs open links, too.
    One to a hidden community is as if it were not there.

    Raises InvalidInvitation, TooManyRequests.
    """
    rows = Invitation.objects.select_related("community", "decision", "invited_by").filter(community__is_hidden=False)
    found = rows.filter(digest=digest_of(token)).first()
    if found is None:
        raise _failure(client)
    return found


def peek_invitation_link(token: str, *, client: str) -> InvitationLink:
    """The shared link with this token, also one that has ended. Raises InvalidInvitation, TooManyRequests."""
    rows = InvitationLink.objects.select_related("community", "decision").filter(community__is_hidden=False)
    found = rows.filter(token=token).first()
    if found is None:
        raise _failure(client)
    return found


def _failure(client: str) -> InvalidInvitation:
    ratelimit.hit(_FAILURES, client, limit=settings.FAILURES_PER_CLIENT)
    return InvalidInvitation()
