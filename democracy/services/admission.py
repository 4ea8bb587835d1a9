"""Admission: what makes a member of somebody, whichever way they came."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from democracy import access, eventlog, ledger
from democracy.models import Application, Greeting, Invitation, Membership


def approve_application(application: Application, recording: ledger.Recording, *, decided_by: User | None) -> None:
    """Approve a pending application. `decided_by`: the manager who did; None where everybody is let in."""
    application.status = Application.Status.APPROVED
    application.decided_at, application.decided_by = recording.time, decided_by
    application.save(update_fields=["status", "decided_at", "decided_by"])
    role = application.link.role if application.link is not None else Membership.Role.VOTER
    membership = admit(recording, application.user, role=role)
    if decided_by is not None:
        Greeting.objects.get_or_create(membership=membership)


def admit(
    recording: ledger.Recording, user: User, *, role: str = Membership.Role.VOTER, is_manager: bool = False
) -> Membership:
    """Make somebody who is no member one. A pending application of theirs must be decided by then, or decided next.

    Somebody who comes back starts anew, anonymous if they were, and then as a voter. Their followings and ballots count
    again.
    """
    membership = Membership.objects.filter(community=recording.community, user=user).first()
    if membership is None:
        membership = Membership(community=recording.community, user=user)
    membership.left_at, membership.was_removed = None, False
    membership.role = Membership.Role.VOTER if membership.is_anonymous else role
    membership.is_manager = is_manager
    membership.joined_at = recording.time
    membership.save()
    # Whichever way they came: the roll says that whom it has invited is in, and the link of the mail ends.
    invited = Invitation.objects.pending(recording.time).filter(community=recording.community, address=user.email or "")
    invited.update(accepted_at=recording.time, membership=membership)
    name, community, title = access.display_name(membership), recording.community.name, membership.get_role_display()
    transaction.on_commit(lambda: eventlog.joined(name, community, title), robust=True)
    return membership
