"""Commands of managers on invitations: personal ones, and links that many people may use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.database import clock
from democracy.database.retrying import retried
from democracy.errors import InvalidInput, InvalidInvitation, PermissionDenied, SentLately
from democracy.models import Invitation, InvitationLink, Membership
from democracy.models.invitations import MAIL_PAUSE
from democracy.moments import checked_moment
from democracy.services import validation
from democracy.services.commands import command
from democracy.services.inviting import (
    Inviter,
    decision_to_lead_to,
    parts_of,
    put_into_outbox,
    require_quota,
    require_room,
    take_mails_back,
)

MAX_LINKS = 50
MAX_USES = 1_000_000


@command
def resend_invitation(viewer: Viewer, invitation_id: int) -> Invitation:
    """Mail a new link to somebody who has not joined; the old one ends. Managers only.

    Raises PermissionDenied, InvalidInvitation (joined, or taken back), SentLately, TooManyInvitations.
    """
    invitation, manager = _managed(viewer, invitation_id)
    with ledger.recording(invitation.community_id, actor=manager.user) as recording:
        invitation.refresh_from_db()
        if invitation.accepted_at is not None or invitation.revoked_at is not None:
            raise InvalidInvitation("This invitation is over: it was accepted or taken back.")
        if invitation.sent_at is not None and invitation.sent_at > recording.time - MAIL_PAUSE:
            raise SentLately("This invitation was sent within the last hour. Give the mail some time to arrive.")
        by = Inviter.of(manager)
        require_quota(by, [invitation])
        take_mails_back([invitation])
        invitation.issue(recording.time)
        invitation.sent_at, invitation.invited_by = recording.time, manager.user
        invitation.save()
        put_into_outbox([invitation], by)
        actor, community = by.logged, recording.community.name
        transaction.on_commit(lambda: eventlog.invited(actor, community, 1), robust=True)
    return invitation


@command
def resend_invitations(viewer: Viewer, community_id: int) -> int:
    """Mail a new link to everybody who was invited and has not joined; the old ones end. Returns how many they are.

    Those whose mail was sent within the last hour, was refused or was never asked for are left out. Managers only.
    See Note [A long list is written in parts]. Raises PermissionDenied, SentLately where nobody is left,
    TooManyInvitations.
    """
    manager = access.require_manager(viewer, community_id)
    by, now = Inviter.of(manager), clock.now()
    keys = list(_unanswered(now).filter(community=community_id).order_by("pk").values_list("pk", flat=True))
    if not keys:
        raise SentLately("Nobody waits whose mail was sent more than an hour ago.")
    require_room(by, len(keys))
    sent = 0
    try:
        for part in parts_of(keys):
            sent += _resend(community_id, part, by)
    finally:
        if sent:
            eventlog.invited(by.logged, manager.community.name, sent)
    return sent


def _unanswered(at: datetime) -> QuerySet[Invitation]:
    """The invitations whose mail was sent more than an hour before, was not refused, and did not lead anybody in."""
    return Invitation.objects.mailed(at).filter(sent_at__lte=at - MAIL_PAUSE)


@retried
def _resend(community_id: int, keys: Sequence[int], by: Inviter) -> int:
    with ledger.recording(community_id, actor=by.user) as recording:
        # Meanwhile some have joined, or another manager had the same wish.
        rows = list(_unanswered(recording.time).filter(pk__in=keys).order_by("pk"))
        require_quota(by, rows)
        take_mails_back(rows)
        for row in rows:
            row.issue(recording.time)
            row.sent_at, row.invited_by = recording.time, by.user
            row.save()
        put_into_outbox(rows, by)
    return len(rows)


@command
def revoke_invitation(viewer: Viewer, invitation_id: int) -> Invitation:
    """Take an invitation back: its link ends. Doing so again changes nothing. Managers only.

    Raises PermissionDenied, InvalidInvitation where somebody has joined by it.
    """
    invitation, manager = _managed(viewer, invitation_id)
    with ledger.recording(invitation.community_id, actor=manager.user) as recording:
        invitation.refresh_from_db()
        if invitation.accepted_at is not None:
            raise InvalidInvitation("Somebody has joined by this invitation. Remove the member instead.")
        if invitation.revoked_at is None:
            invitation.revoked_at = recording.time
            invitation.save(update_fields=["revoked_at"])
            take_mails_back([invitation])
            actor, community = access.display_name(manager), recording.community.name
            transaction.on_commit(lambda: eventlog.invitation_revoked(actor, community), robust=True)
    return invitation


def _managed(viewer: Viewer, invitation_id: int) -> tuple[Invitation, Membership]:
    invitation = access.invitations_visible_to(viewer).filter(pk=invitation_id).first()
    if invitation is None:
        raise PermissionDenied
    return invitation, access.require_manager(viewer, invitation.community_id)


@command
def create_invitation_link(
    viewer: Viewer,
    community_id: int,
    *,
    role: str = Membership.Role.VOTER,
    needs_approval: bool = False,
    ends_at: datetime | None = None,
    max_uses: int | None = None,
    decision_id: int | None = None,
) -> InvitationLink:
    """Make a link that many people may use. Managers only. Raises PermissionDenied, InvalidInput."""
    manager = access.require_manager(viewer, community_id)
    with ledger.recording(community_id, actor=manager.user) as recording:
        link = InvitationLink(
            community=recording.community,
            role=role,
            needs_approval=needs_approval,
            ends_at=checked_moment(ends_at, field="ends_at") if ends_at else None,
            max_uses=max_uses,
            decision=decision_to_lead_to(viewer, community_id, decision_id),
            created_by=manager.user,
            created_at=recording.time,
        )
        validation.check(link)
        if link.ends_at is not None and link.ends_at <= recording.time:
            raise InvalidInput("This is over already. Choose a time to come, or none.", field="ends_at")
        if max_uses is not None and not 1 <= max_uses <= MAX_USES:
            raise InvalidInput(f"A link can be used 1 to {MAX_USES:,} times.", field="max_uses")
        if InvitationLink.objects.usable(recording.time).filter(community=community_id).count() >= MAX_LINKS:
            raise InvalidInput(f"A community has at most {MAX_LINKS} links. End one that you no longer need.")
        link.save()
        actor, community = access.display_name(manager), recording.community.name
        transaction.on_commit(lambda: eventlog.invitation_link_made(actor, community), robust=True)
    return link


@command
def revoke_invitation_link(viewer: Viewer, link_id: int) -> InvitationLink:
    """End a link. Doing so again changes nothing. Managers only. Raises PermissionDenied."""
    link = access.invitation_links_visible_to(viewer).filter(pk=link_id).first()
    if link is None:
        raise PermissionDenied
    manager = access.require_manager(viewer, link.community_id)
    with ledger.recording(link.community_id, actor=manager.user) as recording:
        link.refresh_from_db()
        if link.revoked_at is None:
            link.revoked_at = recording.time
            link.save(update_fields=["revoked_at"])
            actor, community = access.display_name(manager), recording.community.name
            transaction.on_commit(lambda: eventlog.invitation_revoked(actor, community), robust=True)
    return link
