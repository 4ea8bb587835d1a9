"""Commands of whoever comes in by an invitation."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F

from accounts.models import User
from accounts.services import account_of_addressee
from democracy import access, ledger
from democracy.access import Viewer
from democracy.database.retrying import retried
from democracy.errors import InvalidInvitation, PermissionDenied
from democracy.models import Application, Community, Decision, Invitation, InvitationLink, Membership
from democracy.models.invitations import digest_of
from democracy.services.admission import admit
from democracy.services.commands import command


@dataclass(frozen=True)
class Joined:
    """The outcome of using an invitation: who it was, and a membership, or an application that a manager decides on.
    `decision`: where the invitation leads, if the person may see it.
    """

    user: User
    community: Community
    membership: Membership | None = None
    application: Application | None = None
    decision: Decision | None = None


@retried
def accept_invitation(viewer: Viewer, token: str) -> Joined:
    """Join by the link of a mail, and use it up.

    A visitor joins as the addressee, whose account is made where there is none: whoever has the link reads that
    address's mail. The caller signs them in. Raises InvalidInvitation, InvalidLink (the account is closed).
    """
    invitation = Invitation.objects.filter(digest=digest_of(token), community__is_hidden=False).first()
    if invitation is None:
        raise InvalidInvitation
    with ledger.recording(invitation.community_id) as recording:
        # Read again under the lock: another request may have used or renewed it.
        found = Invitation.objects.pending(recording.time).filter(digest=digest_of(token)).first()
        if found is None:
            raise InvalidInvitation
        if isinstance(viewer, User):
            user = access.require_user(viewer)
        else:
            user = account_of_addressee(found.address, name=found.name)
        recording.actor = user
        return _accept(found, recording, user)


@command
def accept_own_invitation(viewer: Viewer, community_id: int) -> Joined:
    """Join by a pending invitation to one's own address, without its link: signing in has proven the address.

    Raises PermissionDenied where there is none, InvalidInvitation.
    """
    user = access.require_user(viewer)
    if not user.email or not access.communities_known_to(user).filter(pk=community_id).exists():
        raise PermissionDenied
    with ledger.recording(community_id, actor=user) as recording:
        pending = Invitation.objects.pending(recording.time)
        found = pending.filter(community=community_id, address=user.email).first()
        if found is None:
            raise PermissionDenied
        return _accept(found, recording, user)


def _accept(invitation: Invitation, recording: ledger.Recording, user: User) -> Joined:
    membership = Membership.objects.filter(community=recording.community, user=user).first()
    if membership is not None and membership.was_removed and _is_older(invitation, membership):
        raise InvalidInvitation("A manager removed you after this invitation was sent. Ask for a new one.")
    if membership is None or not membership.is_current:
        _close_application(recording, user, decided_by=invitation.invited_by)
        membership = admit(recording, user, role=invitation.role, is_manager=invitation.is_manager)
    invitation.accepted_at, invitation.membership = recording.time, membership
    invitation.save(update_fields=["accepted_at", "membership"])
    return Joined(user, recording.community, membership, decision=_next_decision(recording, invitation.decision))


def _is_older(invitation: Invitation, removed: Membership) -> bool:
    return removed.left_at is not None and invitation.issued_at <= removed.left_at


def _close_application(recording: ledger.Recording, user: User, *, decided_by: User | None) -> None:
    """Approve an application that waits: the invitation answers it."""
    application = Application.objects.of(user).pending().filter(community=recording.community).first()
    if application is not None:
        application.status = Application.Status.APPROVED
        application.decided_at, application.decided_by = recording.time, decided_by
        application.save(update_fields=["status", "decided_at", "decided_by"])


def _next_decision(recording: ledger.Recording, named: Decision | None) -> Decision | None:
    """The decision that the invitation names or, where it names none, the only open one."""
    if named is not None:
        return named
    opened = Decision.objects.published().open(recording.time).filter(community=recording.community)[:2]
    return opened[0] if len(opened) == 1 else None


@command
def use_invitation_link(viewer: Viewer, token: str) -> Joined:
    """Join by a shared link, or apply where it or the person needs approval. A member uses nothing up.

    Raises InvalidInvitation.
    """
    user = access.require_user(viewer)
    link = InvitationLink.objects.filter(token=token, community__is_hidden=False).first()
    if link is None:
        raise InvalidInvitation
    with ledger.recording(link.community_id, actor=user) as recording:
        former = Membership.objects.filter(community=link.community_id, user=user).first()
        decision = _next_decision(recording, link.decision)
        if former is not None and former.is_current:
            return Joined(user, recording.community, former, decision=decision)
        applied = Application.objects.of(user).pending().filter(community=link.community_id).first()
        needs_approval = link.needs_approval or bool(former and former.was_removed)
        if needs_approval and applied is not None:
            return Joined(user, recording.community, application=applied)
        usable = InvitationLink.objects.usable(recording.time).filter(pk=link.pk)
        if not usable.update(uses=F("uses") + 1):
            raise InvalidInvitation
        if needs_approval:
            applied = Application.objects.create(
                community=recording.community, user=user, link=link, created_at=recording.time
            )
            return Joined(user, recording.community, application=applied)
        _close_application(recording, user, decided_by=link.created_by)
        return Joined(user, recording.community, admit(recording, user, role=link.role), decision=decision)
