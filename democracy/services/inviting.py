"""Inviting: a list of people is checked as a whole, then written and put into the outbox in parts.

# Note [A long list is written in parts]
A list has up to 20,000 people. Written in one transaction, it would hold the community, and on SQLite everybody who
writes, for as long as it takes. So each part of the list is a transaction of its own, and votes are written between
two. Whatever refuses a list does so before the first part. Where a process dies between two parts, the first people are
invited and the others are not; inviting the same list again invites the others, and mails nobody twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from django.conf import settings

from accounts.errors import DomainError
from accounts.models import User
from accounts.services import checked_address
from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.database import clock
from democracy.database.retrying import retried
from democracy.errors import FaultyLines, InvalidInput, SentLately, TooManyInvitations
from democracy.models import MAX_INVITED, Community, Decision, Invitation, Membership, Notice
from democracy.notices import outbox
from democracy.services import validation
from democracy.services.commands import command
from democracy.tags import normalise_tags

T = TypeVar("T")

# People of one transaction: it takes some ten milliseconds.
_PART = 100
_A_DAY, _AN_HOUR = timedelta(days=1), timedelta(hours=1)
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Invitee:
    """Somebody to invite. `line`: where they stand in a list that somebody gave, from 1; 0 where there is none.
    `is_entry`: the list has entries, not lines.

    `tags`: topics on which they are led to follow somebody, once they are in.
    """

    address: str
    name: str = ""
    role: str = Membership.Role.VOTER
    is_manager: bool = False
    line: int = 0
    tags: tuple[str, ...] = ()
    is_entry: bool = False

    @property
    def place(self) -> str:
        """The place in the list, before the words on a fault."""
        return f"{'Entry' if self.is_entry else 'Line'} {self.line}: " if self.line else ""


@dataclass(frozen=True)
class Invited:
    """The outcome of inviting: how many got an invitation (anew), are members already, or had been invited and got no
    mail now; and to how many a mail was sent, such as to people who only stood on the list before.
    """

    new: int = 0
    members: int = 0
    waiting: int = 0
    mailed: int = 0

    def __add__(self, other: Invited) -> Invited:
        return Invited(
            self.new + other.new,
            self.members + other.members,
            self.waiting + other.waiting,
            self.mailed + other.mailed,
        )


@dataclass(frozen=True)
class Inviter:
    """Whoever invites: the account, if any; the name in the event log; the name in the mail, "" for none."""

    user: User | None
    logged: str
    shown: str

    @classmethod
    def of(cls, manager: Membership) -> Inviter:
        return cls(manager.user, access.display_name(manager), "" if manager.is_anonymous else manager.user.name)


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
    """Invite people by their addresses: all, or none where anything is wrong. Managers only.

    Members are passed over. Whoever is invited and waits keeps the link, and takes the new name, role,
    tags and decision. Whose invitation is over and was mailed within the last hour can't be invited anew yet. See
    Note [A long list is written in parts].
    `send`: mail the links; otherwise people join by signing in with their address. `decision_id`: where the link leads.
    Raises PermissionDenied, FaultyLines, InvalidInput, TooManyInvitations.
    """
    manager = access.require_manager(viewer, community_id)
    decision = decision_to_lead_to(viewer, community_id, decision_id)
    return _invite(manager.community, people, by=Inviter.of(manager), decision=decision, send=send)


def invite_as_operator(community: str, people: Sequence[Invitee], *, send: bool = True) -> Invited:
    """Invite people to the community of this name, as `invite` does, on the command line.

    Raises InvalidInput, FaultyLines.
    """
    found = Community.objects.filter(name__iexact=community.strip()).first()
    if found is None:
        raise InvalidInput(f"There is no community named “{community}”.", field="community")
    return _invite(found, people, by=Inviter(None, eventlog.SYSTEM, ""), decision=None, send=send)


def decision_to_lead_to(viewer: Viewer, community_id: int, decision_id: int | None) -> Decision | None:
    """The published decision that an invitation leads to. Raises InvalidInput."""
    if decision_id is None:
        return None
    published = access.decisions_visible_to(viewer).filter(community=community_id).exclude(published_at=None)
    decision = published.filter(pk=decision_id).first()
    if decision is None:
        raise InvalidInput("An invitation leads to a published decision of this community.", field="decision_id")
    return decision


def _invite(
    community: Community, people: Sequence[Invitee], *, by: Inviter, decision: Decision | None, send: bool
) -> Invited:
    invitees = _checked(people)
    _require_pause(community.pk, invitees)
    if send:
        require_room(by, _number_of_mails(community.pk, invitees))
    done = Invited()
    try:
        for part in parts_of(invitees):
            done += _invite_part(community.pk, part, by=by, decision=decision, send=send)
    finally:
        if done.new:
            eventlog.invited(by.logged, community.name, done.new)
    return done


@retried
def _invite_part(
    community_id: int, invitees: Sequence[Invitee], *, by: Inviter, decision: Decision | None, send: bool
) -> Invited:
    addresses = [one.address for one in invitees]
    with ledger.recording(community_id, actor=by.user) as recording:
        members = _members_among(community_id, addresses)
        known = _known_among(community_id, addresses)
        wanted = [one for one in invitees if one.address not in members]
        made: list[Invitation] = []
        changed: list[Invitation] = []
        mailed: list[Invitation] = []
        waiting = new = 0
        for one in wanted:
            row = known.get(one.address) or Invitation(community_id=community_id, address=one.address)
            before = _columns(row)
            is_waiting = one.address in known and row.is_pending
            if not is_waiting:
                new += 1
                row.issue(recording.time)
                row.sent_at = None
            row.name, row.role, row.is_manager, row.decision = one.name, one.role, one.is_manager, decision
            row.tags, row.invited_by = list(one.tags), by.user
            if send and row.sent_at is None:
                row.sent_at = recording.time
                mailed.append(row)
            elif is_waiting:
                waiting += 1
            if one.address not in known:
                made.append(row)
            elif _columns(row) != before:
                changed.append(row)
        require_quota(by, mailed)
        Invitation.objects.bulk_create(made)
        for row in changed:
            row.save()
        put_into_outbox(mailed, by)
    return Invited(new, len(invitees) - len(wanted), waiting, len(mailed))


def _columns(row: Invitation) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def parts_of(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the rows of one transaction after the other, see Note [A long list is written in parts]."""
    for start in range(0, len(rows), _PART):
        yield rows[start : start + _PART]


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
            faults.append((one.line, InvalidInput(f"{one.place}{error.message}", code=error.code)))
    return list(seen.values()), faults


def _require_pause(community_id: int, invitees: Sequence[Invitee]) -> None:
    """Refuse to make new links for people who were mailed one lately, which is over: taking it back and inviting again
    would mail as often as somebody likes. Raises FaultyLines.
    """
    mailed: set[str] = set()
    for part in parts_of([one.address for one in invitees]):
        addresses = set(part) - _members_among(community_id, part)
        known = [row for row in _known_among(community_id, part).values() if row.address in addresses]
        mailed |= _mailed_lately([row for row in known if not row.is_pending])
    faults: list[DomainError] = []
    for one in invitees:
        if one.address in mailed:
            text = f"{one.place}{one.address} was sent an invitation within the last hour. Invite them again later."
            faults.append(InvalidInput(text, code=SentLately.code))
    if faults:
        raise FaultyLines(faults, field="people")


def _mailed_lately(invitations: Collection[Invitation]) -> set[str]:
    """The addresses of these invitations whose mails left within the last hour, or may have."""
    since = clock.now() - _AN_HOUR
    lately = {row.subject: row.address for row in invitations if row.sent_at is not None and row.sent_at > since}
    # Of one that was taken back in time no mail has left. Whatever a sender has held may have.
    held = Notice.objects.filter(kind=Notice.Kind.INVITED, subject__in=lately, attempts__gt=0)
    return {lately[subject] for subject in held.values_list("subject", flat=True)}


def _as_on(first: Invitee) -> str:
    if not first.line:
        return ""
    return f", first in entry {first.line}" if first.is_entry else f", first on line {first.line}"


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
    return replace(one, address=address, name=name, tags=tuple(normalise_tags(one.tags)))


def _members_among(community_id: int, addresses: Sequence[str]) -> set[str]:
    current = Membership.objects.current().filter(community=community_id, user__email__in=addresses)
    return {address for address in current.values_list("user__email", flat=True) if address}


def _known_among(community_id: int, addresses: Sequence[str]) -> dict[str, Invitation]:
    rows = Invitation.objects.filter(community=community_id, address__in=addresses)
    return {row.address: row for row in rows}


def _number_of_mails(community_id: int, invitees: Sequence[Invitee]) -> int:
    """The number of mails that inviting these people sends."""
    number = 0
    for part in parts_of([one.address for one in invitees]):
        passed_over = _members_among(community_id, part)
        passed_over |= {
            row.address for row in _known_among(community_id, part).values() if row.is_pending and row.sent_at
        }
        number += len(part) - len(passed_over)
    return number


def require_quota(by: Inviter, mailed: Collection[Invitation]) -> None:
    """Limit the mails that one person has sent to strangers, in a transaction. Raises TooManyInvitations."""
    if by.user is not None and settings.INVITATIONS_PER_DAY and mailed:
        # Of two lists at once, in two communities, the second waits here and counts the first.
        User.objects.select_for_update().get(pk=by.user.pk)
        require_room(by, len(mailed))


def require_room(by: Inviter, number: int) -> None:
    """Refuse a list of more mails than one person may still have sent today. Raises TooManyInvitations."""
    most = settings.INVITATIONS_PER_DAY
    if by.user is None or not most or not number:
        return
    sent = Invitation.objects.filter(invited_by=by.user, sent_at__gt=clock.now() - _A_DAY).count()
    if sent + number > most:
        raise TooManyInvitations(
            f"You may send {most:,} invitations within a day, and {sent:,} have gone out. Invite the others tomorrow."
        )


def put_into_outbox(invitations: Iterable[Invitation], by: Inviter) -> None:
    """Have invitations mailed, in the caller's transaction."""
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


def take_mails_back(invitations: Iterable[Invitation]) -> None:
    """Keep mails of invitations that have not left from leaving, in the caller's transaction."""
    outbox.take_back(Notice.Kind.INVITED, {invitation.subject: invitation.address for invitation in invitations})
