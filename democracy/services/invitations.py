"""Commands of managers on invitations: personal ones, and links that many people may use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts.errors import DomainError
from accounts.models import User
from accounts.services import checked_address
from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.database import clock
from democracy.database.retrying import retried
from democracy.errors import (
    FaultyLines,
    InvalidInput,
    InvalidInvitation,
    PermissionDenied,
    SentLately,
    TooManyInvitations,
)
from democracy.models import MAX_INVITED, Community, Decision, Invitation, InvitationLink, Membership, Notice
from democracy.moments import checked_moment
from democracy.notices import outbox
from democracy.services import validation
from democracy.services.commands import command
from democracy.tags import normalise_tags

MAX_LINKS = 50
MAX_USES = 1_000_000
_A_DAY, _AN_HOUR = timedelta(days=1), timedelta(hours=1)
_BATCH = 1_000
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Invitee:
    """Somebody to invite. `line`: where they stand in a list that somebody gave, from 1; 0 where there is none.

    `tags`: topics on which they are led to follow somebody, once they are in.
    """

    address: str
    name: str = ""
    role: str = Membership.Role.VOTER
    is_manager: bool = False
    line: int = 0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Invited:
    """The outcome of inviting: how many people got an invitation (anew), are members already, or had been invited and
    got no mail now; and to how many a mail was sent, such as to people who only stood on the list before.
    """

    new: int
    members: int
    waiting: int
    mailed: int


# Note [Invitations are not in the ledger]
# An entry of the ledger is there for ever, and somebody who was invited has not agreed to anything. So the ledger tells
# of them once they join: their membership's entry names them as its actor.


@command
def invite(
    viewer: Viewer,
    community_id: int,
    people: Sequence[Invitee],
    *,
    decision_id: int | None = None,
    send: bool = True,
) -> Invited:
    """Invite people by their addresses, all or none. Managers only.

    Members are passed over. Whoever is invited and waits keeps the link, and takes the new name, role,
    tags and decision. Whose invitation is over and was mailed within the last hour can't be invited anew yet.
    `send`: mail the links; otherwise people join by signing in with their address. `decision_id`: where the link leads.
    Raises PermissionDenied, FaultyLines, InvalidInput, TooManyInvitations.
    """
    manager = access.require_manager(viewer, community_id)
    decision = _decision(viewer, community_id, decision_id)
    return _invite(community_id, people, by=_inviter(manager), decision=decision, send=send)


def invite_as_operator(community: str, people: Sequence[Invitee], *, send: bool = True) -> Invited:
    """Invite people to the community of this name, as `invite` does, on the command line.

    Raises InvalidInput, FaultyLines.
    """
    found = Community.objects.filter(name__iexact=community.strip()).first()
    if found is None:
        raise InvalidInput(f"There is no community named “{community}”.", field="community")
    return _invite(found.pk, people, by=_Inviter(None, eventlog.SYSTEM, ""), decision=None, send=send)


@dataclass(frozen=True)
class _Inviter:
    """Whoever invites: the account, if any; the name in the event log; the name in the mail, "" for none."""

    user: User | None
    logged: str
    shown: str


def _inviter(manager: Membership) -> _Inviter:
    return _Inviter(manager.user, access.display_name(manager), "" if manager.is_anonymous else manager.user.name)


@retried
def _invite(
    community_id: int, people: Sequence[Invitee], *, by: _Inviter, decision: Decision | None, send: bool
) -> Invited:
    invitees = _checked(people)
    with ledger.recording(community_id, actor=by.user) as recording:
        members = _addresses_of_members(community_id)
        known = {row.address: row for row in Invitation.objects.filter(community=community_id)}
        wanted = [one for one in invitees if one.address not in members]
        at = recording.time
        _require_pause(wanted, known, at)
        made: list[Invitation] = []
        renewed: list[Invitation] = []
        waiting: list[Invitation] = []
        mailed: list[Invitation] = []
        for one in wanted:
            row = known.get(one.address) or Invitation(community_id=community_id, address=one.address)
            (made if row.pk is None else waiting if row.is_pending else renewed).append(row)
            if row.pk is None or not row.is_pending:
                row.issue(at)
                row.sent_at = None
            row.name, row.role, row.is_manager, row.decision = one.name, one.role, one.is_manager, decision
            row.tags, row.invited_by = list(one.tags), by.user
            if send and row.sent_at is None:
                mailed.append(row)
        if by.user is not None:
            _require_quota(by.user, len(mailed))
        for row in mailed:
            row.sent_at = at
        Invitation.objects.bulk_create(made, batch_size=_BATCH)
        Invitation.objects.bulk_update([*renewed, *waiting], _COLUMNS, batch_size=_BATCH)
        _mail(mailed, by)
        _log_invited(by, recording, len(made) + len(renewed))
    new, still_waiting = len(made) + len(renewed), len(waiting) - sum(row.sent_at == at for row in waiting)
    return Invited(new, members=len(invitees) - len(wanted), waiting=still_waiting, mailed=len(mailed))


_COLUMNS = (
    *("name", "role", "is_manager", "tags", "decision", "invited_by", "key", "digest"),
    *("issued_at", "sent_at", "accepted_at", "revoked_at", "membership"),
)


def _checked(people: Sequence[Invitee]) -> list[Invitee]:
    """Clean a list of people. Raises FaultyLines with everything that is wrong, InvalidInput for none and too many."""
    if not people:
        raise InvalidInput("Name at least one e-mail address.", field="people")
    if len(people) > MAX_INVITED:
        raise InvalidInput(f"Invite at most {MAX_INVITED:,} people at once.", field="people")
    clean, faults = checked_people(people)
    if faults:
        raise FaultyLines([error for _, error in faults], field="people")
    return clean


def checked_people(people: Iterable[Invitee]) -> tuple[list[Invitee], list[tuple[int, DomainError]]]:
    """Clean a list of people: return those that are right, and each fault with its line."""
    faults: list[tuple[int, DomainError]] = []
    seen: dict[str, Invitee] = {}
    for one in people:
        try:
            clean = _checked_invitee(one)
            if clean.address in seen:
                raise InvalidInput(f"{clean.address} is there twice{_as_on(seen[clean.address])}.")
            seen[clean.address] = clean
        except DomainError as error:
            place = f"Line {one.line}: " if one.line else ""
            faults.append((one.line, InvalidInput(f"{place}{error.message}", code=error.code)))
    return list(seen.values()), faults


def _require_pause(people: Iterable[Invitee], known: Mapping[str, Invitation], now: datetime) -> None:
    """Refuse to make new links for people who were mailed one lately, which is over: taking it back and inviting again
    would mail as often as somebody likes. Raises FaultyLines.
    """
    over = [row for one in people if (row := known.get(one.address)) is not None and not row.is_pending]
    lately = {row.subject for row in over if row.sent_at is not None and row.sent_at > now - _AN_HOUR}
    if not lately:
        return
    # Of one that was taken back in time no mail has left. Whatever a sender has held may have.
    left = Notice.objects.filter(kind=Notice.Kind.INVITED, community__in={row.community_id for row in over})
    mailed = lately.intersection(left.filter(attempts__gt=0).values_list("subject", flat=True))
    faults: list[DomainError] = []
    for one in people:
        row = known.get(one.address)
        if row is not None and row.subject in mailed:
            place = f"Line {one.line}: " if one.line else ""
            text = f"{place}{one.address} was sent an invitation within the last hour. Invite them again later."
            faults.append(InvalidInput(text, code=SentLately.code))
    if faults:
        raise FaultyLines(faults, field="people")


def _as_on(first: Invitee) -> str:
    return f", first on line {first.line}" if first.line else ""


def _checked_invitee(one: Invitee) -> Invitee:
    try:
        address = checked_address(one.address)
    except DomainError as error:
        raise InvalidInput(f"“{one.address[:80]}” is not an e-mail address.", code=error.code) from error
    name = validation.line(one.name, field="name") if one.name.strip() else ""
    if len(name) > _LONGEST_NAME:
        raise InvalidInput(f"The name “{name[:20]}…” has more than {_LONGEST_NAME} characters.")
    if one.role not in Membership.Role.values:
        raise InvalidInput(f"“{one.role[:20]}” is no role: a role is voter or lobbyist.")
    return Invitee(address, name, one.role, one.is_manager, one.line, tuple(normalise_tags(one.tags)))


def _addresses_of_members(community_id: int) -> set[str]:
    current = Membership.objects.current().filter(community=community_id)
    return {address for address in current.values_list("user__email", flat=True) if address}


def _decision(viewer: Viewer, community_id: int, decision_id: int | None) -> Decision | None:
    """The published decision that an invitation leads to. Raises InvalidInput."""
    if decision_id is None:
        return None
    published = access.decisions_visible_to(viewer).filter(community=community_id).exclude(published_at=None)
    decision = published.filter(pk=decision_id).first()
    if decision is None:
        raise InvalidInput("An invitation leads to a published decision of this community.", field="decision_id")
    return decision


def _require_quota(user: User, number: int) -> None:
    """Limit the mails that one person has sent to strangers. Raises TooManyInvitations."""
    most = settings.INVITATIONS_PER_DAY
    if not most or not number:
        return
    # Of two lists at once, in two communities, the second waits here and counts the first.
    User.objects.select_for_update().get(pk=user.pk)
    sent = Invitation.objects.filter(invited_by=user, sent_at__gt=clock.now() - _A_DAY).count()
    if sent + number > most:
        raise TooManyInvitations(
            f"You may send {most:,} invitations within a day, and {sent:,} have gone out. Invite the others tomorrow."
        )


def _mail(invitations: Iterable[Invitation], by: _Inviter) -> None:
    """Put the mails into the outbox, in the transaction of the command."""
    outbox.add_many(
        outbox.Draft(
            Notice.Kind.INVITED,
            invitation.subject,
            address=invitation.address,
            community_id=invitation.community_id,
            decision_id=invitation.decision_id,
            data={"key": invitation.key, "by": by.shown, "inviter": by.user.pk if by.user is not None else None},
        )
        for invitation in invitations
    )


def _log_invited(by: _Inviter, recording: ledger.Recording, number: int) -> None:
    if number:
        actor, community = by.logged, recording.community.name
        transaction.on_commit(lambda: eventlog.invited(actor, community, number), robust=True)


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
        if invitation.sent_at is not None and invitation.sent_at > recording.time - _AN_HOUR:
            raise SentLately("This invitation was sent within the last hour. Give the mail some time to arrive.")
        _require_quota(manager.user, 1)
        outbox.take_back(Notice.Kind.INVITED, [invitation.subject])
        invitation.issue(recording.time)
        invitation.sent_at, invitation.invited_by = recording.time, manager.user
        invitation.save()
        by = _inviter(manager)
        _mail([invitation], by)
        _log_invited(by, recording, 1)
    return invitation


@command
def resend_invitations(viewer: Viewer, community_id: int) -> int:
    """Mail a new link to everybody who was invited and has not joined; the old ones end. Returns how many they are.

    Those whose mail was sent within the last hour, was refused or was never asked for are left out. Managers only.
    Raises PermissionDenied, SentLately where nobody is left, TooManyInvitations.
    """
    manager = access.require_manager(viewer, community_id)
    with ledger.recording(community_id, actor=manager.user) as recording:
        pending = Invitation.objects.pending(recording.time).filter(community=community_id).with_refusals()
        rows = list(pending.filter(Q(refusal=""), sent_at__lte=recording.time - _AN_HOUR).order_by("pk"))
        if not rows:
            raise SentLately("Nobody waits whose mail was sent more than an hour ago.")
        _require_quota(manager.user, len(rows))
        outbox.take_back(Notice.Kind.INVITED, [row.subject for row in rows])
        for row in rows:
            row.issue(recording.time)
            row.sent_at, row.invited_by = recording.time, manager.user
        Invitation.objects.bulk_update(rows, _COLUMNS, batch_size=_BATCH)
        by = _inviter(manager)
        _mail(rows, by)
        _log_invited(by, recording, len(rows))
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
            outbox.take_back(Notice.Kind.INVITED, [invitation.subject])
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
            decision=_decision(viewer, community_id, decision_id),
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
