"""Closing an account: the command that ends all that a person does in communities, and the account."""

from __future__ import annotations

import logging
from functools import partial

from django.db import transaction
from django.db.models import Q

from accounts import addresses, closing, mail
from accounts.errors import MailNotSent
from accounts.models import User
from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.database import bulk, clock
from democracy.database.turns import turn
from democracy.errors import ClosingNeedsConfirmation, LastManager
from democracy.ledger import contents
from democracy.models import Application, Invitation, Membership, Notice, NoticePreference, Vote
from democracy.reading.closing_account import alone_managing, closing_of, communities_of, going_ballots
from democracy.services.commands import command

logger = logging.getLogger(__name__)
_BATCH = 1_000


@command
def close_account(viewer: Viewer, *, confirmed: bool = False) -> None:
    """Close one's account for good.

    Ballots cast by name in open decisions count no more, and are withdrawn unless they are hidden. Those in closed
    decisions stay under a made-up name, and anonymous ballots stay in the urn. Memberships and pending applications
    end, and with the account its sessions, API tokens and links. Raises PermissionDenied, DemoAccount, LastManager,
    ClosingNeedsConfirmation.
    """
    user = access.require_user(viewer)
    addresses.require_own(user)
    if not confirmed:
        _require_managers(user)
        number = len(closing_of(user, clock.now()).going)
        ballots = "1 ballot" if number == 1 else f"{number} ballots"
        raise ClosingNeedsConfirmation(
            f"This can't be undone. {ballots} with your name in open decisions would count no more. Confirm to go on."
        )
    with turn(), transaction.atomic():
        # Two closings lock their communities in one order, so neither waits for the other.
        for community_id in communities_of(user):
            with ledger.recording(community_id, actor=user) as recording:
                _require_managers(user, community_id)
                _end_everything(user, recording)
        address = user.email
        _forget(user, address)
        closing.close(user)
        transaction.on_commit(eventlog.account_closed, robust=True)
        if address:
            transaction.on_commit(partial(_tell, address), robust=True)


def _require_managers(user: User, community_id: int | None = None) -> None:
    """Refuse to leave members behind without a manager. Raises LastManager."""
    names = [f"“{one.community.name}”" for one in alone_managing(user, community_id)]
    if names:
        raise LastManager(f"You are the last manager of {', '.join(names)}: make somebody else a manager first.")


def _end_everything(user: User, recording: ledger.Recording) -> None:
    """End what the person does in the recording's community."""
    community = recording.community
    for ballot in going_ballots(user, recording.time).filter(decision__community=community):
        bulk.delete(Vote._meta.db_table, [ballot.pk], column="ballot_id")
        ballot.delete()
        recording.add(contents.ballot_withdrawn(ballot))
    for application in Application.objects.filter(community=community, user=user).pending():
        application.status, application.decided_at = Application.Status.WITHDRAWN, recording.time
        application.save(update_fields=["status", "decided_at"])
    for member in Membership.objects.of(user).current().filter(community=community):
        member.left_at, member.is_manager = recording.time, False
        member.save(update_fields=["left_at", "is_manager"])


def _forget(user: User, address: str | None) -> None:
    """Take name and address out of invitations, notices and wishes for no mails, also of notices that others have."""
    invitations = Q(membership__user=user)
    notices = Q(person=user)
    if address:
        invitations |= Q(address=address)
        notices |= Q(address=address)
        NoticePreference.objects.filter(address=address).delete()
    Invitation.objects.filter(invitations).delete()
    Notice.objects.filter(notices).delete()
    for member in Membership.objects.of(user):
        invited = Notice.objects.filter(kind=Notice.Kind.INVITED, community=member.community_id)
        by_them = list(invited.filter(data__inviter=user.pk))
        for notice in by_them:
            notice.data["by"] = ""
        Notice.objects.bulk_update(by_them, ["data"], batch_size=_BATCH)
        told = Notice.objects.filter(kind=Notice.Kind.FOLLOWEE_GONE, subject__startswith=f"{member.pk}:")
        told.update(data={"name": closing.NAME})
        moved = Notice.objects.filter(kind=Notice.Kind.INHERITED_MOVED, community=member.community_id)
        for notice in moved.filter(data__through=member.pk):
            notice.data["name"] = closing.NAME
            notice.save(update_fields=["data"])


def _tell(address: str) -> None:
    try:
        mail.send(address, "Your account is closed", "accounts/mail/account_closed.txt", {})
    except MailNotSent as error:
        logger.warning("somebody was not told that their account is closed: %s", error)
