"""Commands on communities and on who belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from accounts.prepared import prepared
from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.database import bulk, clock
from democracy.errors import (
    AlreadyDecided,
    AlreadyMember,
    AnonymityNeedsConfirmation,
    InvalidInput,
    InvitationNeeded,
    LastManager,
    NameTaken,
    PermissionDenied,
    TooManyCommunities,
)
from democracy.ledger import contents
from democracy.models import Application, Community, Following, Greeting, LedgerEntry, Membership
from democracy.reading.communities import other_managers
from democracy.services import validation
from democracy.services.admission import approve_application
from democracy.services.commands import command

_A_DAY = timedelta(days=1)


@command
def create_community(
    viewer: Viewer,
    *,
    name: str,
    description: str = "",
    visibility: str = Community.Visibility.MEMBERS,
    joining: str = Community.Joining.REQUEST,
) -> Community:
    """Found a community, with the viewer as voter and manager.

    Raises PermissionDenied, InvalidInput, NameTaken, TooManyCommunities.
    """
    user = access.require_user(viewer)
    community = Community(
        name=validation.line(name, field="name"),
        description=validation.text(description, field="description"),
        visibility=visibility,
        joining=joining,
    )
    validation.check(community)
    with transaction.atomic():
        _require_quota(user)
        _require_free_name(community)
        # In bulk, which fires no signal: a receiver's entry of its own would not say who founded it.
        Community.objects.bulk_create([community])
        with ledger.recording(community.pk, actor=user) as recording:
            recording.add(contents.community_change(community))
            Membership.objects.create(community=community, user=user, is_manager=True)
        transaction.on_commit(lambda: eventlog.community_created(user.handle, community.name), robust=True)
    return community


@command
def update_community(
    viewer: Viewer,
    community_id: int,
    *,
    name: str | None = None,
    description: str | None = None,
    visibility: str | None = None,
    joining: str | None = None,
    if_revision: int | None = None,
) -> Community:
    """Change the given settings of a community. Managers only.

    `if_revision`: see `validation.check_unchanged`. Raises PermissionDenied, InvalidInput, NameTaken, ChangedMeanwhile.
    """
    manager = access.require_manager(viewer, community_id)
    with ledger.recording(community_id, actor=manager.user) as recording:
        validation.check_unchanged(community_id, contents.COMMUNITY_SUBJECT, if_revision)
        community = recording.community
        change = contents.community_change(community)
        before = change.content()
        if name is not None:
            community.name = validation.line(name, field="name")
        if description is not None:
            community.description = validation.text(description, field="description")
        if visibility is not None:
            community.visibility = visibility
        if joining is not None:
            community.joining = joining
        validation.check(community)
        _require_free_name(community)
        for place in {"name", "description"}.intersection(
            contents.differences(before, contents.community_content(community))
        ):
            words = getattr(community, place)
            validation.check_not_hidden(words, community_id, contents.COMMUNITY_SUBJECT, place)
        community.save(update_fields=["name", "description", "visibility", "joining"])
        actor, what = access.display_name(manager), contents.differences(before, change.content())
        if what:
            transaction.on_commit(lambda: eventlog.community_changed(actor, community.name, what), robust=True)
    return community


def _require_quota(user: User) -> None:
    """Refuse a person's further communities of a day: all are listed for everybody. Raises TooManyCommunities."""
    most = settings.COMMUNITIES_PER_DAY
    # Of two that are founded at once the second waits here, and counts the first.
    User.objects.select_for_update().get(pk=user.pk)
    # The actor of a community's first entry founded it.
    theirs = Community.objects.filter(memberships__user=user, created_at__gt=clock.now() - _A_DAY)
    founded = LedgerEntry.objects.filter(community__in=theirs, revision=1, actor=user)
    if most and founded.count() >= most:
        raise TooManyCommunities(f"You have founded {most} communities within a day. Found the next one tomorrow.")


def _require_free_name(community: Community) -> None:
    if Community.objects.filter(name__iexact=community.name).exclude(pk=community.pk).exists():
        raise NameTaken(f"There is a community named “{community.name}” already.")


@command
def apply_to_community(viewer: Viewer, community_id: int, *, message: str = "") -> Application:
    """Ask to join; where the community lets everybody in, join at once.

    Somebody whom a manager removed waits for a manager. A second application replaces the message of a pending one.
    Raises PermissionDenied, AlreadyMember, InvitationNeeded, InvalidInput.
    """
    user = access.require_user(viewer)
    if not access.communities_known_to(user).filter(pk=community_id).exists():
        raise PermissionDenied
    with ledger.recording(community_id, actor=user) as recording:
        former = Membership.objects.filter(community=community_id, user=user).first()
        if former is not None and former.is_current:
            raise AlreadyMember("You are a member already.")
        if recording.community.joining == Community.Joining.INVITED:
            raise InvitationNeeded("People join this community by invitation only. Ask a manager to invite you.")
        pending = Application.objects.of(user).pending().filter(community=community_id).first()
        application = pending or Application(community_id=community_id, user=user, created_at=recording.time)
        application.message = validation.text(message, field="message")
        validation.check(application)
        application.save()
        if recording.community.joining == Community.Joining.OPEN and not (former and former.was_removed):
            approve_application(application, recording, decided_by=None)
    return application


@command
def withdraw_application(viewer: Viewer, application_id: int) -> Application:
    """Take one's own pending application back. Raises PermissionDenied, AlreadyDecided."""
    user = access.require_user(viewer)
    application = Application.objects.filter(pk=application_id, user=user).first()
    if application is None:
        raise PermissionDenied
    with ledger.recording(application.community_id, actor=user) as recording:
        application.refresh_from_db()
        _require_pending(application)
        application.status = Application.Status.WITHDRAWN
        application.decided_at = recording.time
        application.save(update_fields=["status", "decided_at"])
    return application


@command
def decide_application(viewer: Viewer, application_id: int, *, approve: bool) -> Application:
    """Approve or reject a pending application. Managers only. Raises PermissionDenied, AlreadyDecided."""
    application = access.applications_visible_to(viewer).select_related("user").filter(pk=application_id).first()
    if application is None:
        raise PermissionDenied
    manager = access.require_manager(viewer, application.community_id)
    with ledger.recording(application.community_id, actor=manager.user) as recording:
        application.refresh_from_db()
        _require_pending(application)
        if approve:
            approve_application(application, recording, decided_by=manager.user)
        else:
            application.status = Application.Status.REJECTED
            application.decided_at, application.decided_by = recording.time, manager.user
            application.save(update_fields=["status", "decided_at", "decided_by"])
    return application


def _require_pending(application: Application) -> None:
    if application.status != Application.Status.PENDING:
        raise AlreadyDecided(f"This application has been {application.get_status_display().lower()} already.")


@command
def take_greeting(viewer: Viewer, community_id: int) -> bool:
    """Tell, once, that a manager let the viewer in and they are to be welcomed now. Raises PermissionDenied."""
    # Read first: there is hardly ever one, and pages don't wait for writers.
    waiting = _greetings(access.require_user(viewer).pk, community_id)
    return bool(waiting) and Greeting.objects.filter(pk__in=[one.pk for one in waiting]).delete()[0] > 0


@prepared
def _greetings(user: int, community: int) -> QuerySet[Greeting]:
    return Greeting.objects.filter(membership__user=user, membership__community=community, membership__left_at=None)


@command
def leave_community(viewer: Viewer, community_id: int) -> Membership:
    """Leave a community. Ballots cast by name and followings no longer count; anonymous ballots stay.

    Raises PermissionDenied, LastManager.
    """
    member = access.require_own_membership(viewer, community_id)
    with ledger.recording(community_id, actor=member.user) as recording:
        _end(member, recording, removed=False)
    return member


@command
def remove_member(viewer: Viewer, membership_id: int) -> Membership:
    """Remove a member, as if they left; only a manager can let them come back. Managers only.

    Raises PermissionDenied, LastManager.
    """
    member, manager = _managed(viewer, membership_id)
    with ledger.recording(member.community_id, actor=manager.user) as recording:
        _end(member, recording, removed=True)
    return member


def _end(member: Membership, recording: ledger.Recording, *, removed: bool) -> None:
    member.refresh_from_db()
    if not member.is_current:
        raise PermissionDenied
    _require_other_manager(member)
    name, community = access.display_name(member), recording.community.name
    member.left_at, member.was_removed, member.is_manager = recording.time, removed, False
    member.save(update_fields=["left_at", "was_removed", "is_manager"])
    transaction.on_commit(lambda: eventlog.left(name, community, removed=removed), robust=True)


def _require_other_manager(member: Membership) -> None:
    if member.is_manager and not other_managers(member).exists():
        raise LastManager("You are the last manager: make somebody else a manager first.")


def _managed(viewer: Viewer, membership_id: int) -> tuple[Membership, Membership]:
    """Find a current member, and the viewer as a manager of the same community. Raises PermissionDenied."""
    member = Membership.objects.current().select_related("user").filter(pk=membership_id).first()
    if member is None:
        raise PermissionDenied
    return member, access.require_manager(viewer, member.community_id)


@command
def update_membership(
    viewer: Viewer,
    membership_id: int,
    *,
    role: str | None = None,
    is_manager: bool | None = None,
    if_revision: int | None = None,
) -> Membership:
    """Change somebody's role or manager's right. Managers only.

    `if_revision`: see `validation.check_unchanged`. Raises PermissionDenied, InvalidInput, LastManager,
    ChangedMeanwhile.
    """
    member, manager = _managed(viewer, membership_id)
    with ledger.recording(member.community_id, actor=manager.user) as recording:
        member.refresh_from_db()
        if not member.is_current:
            raise PermissionDenied
        validation.check_unchanged(member.community_id, contents.membership_subject(member.pk), if_revision)
        if role is not None:
            if role == Membership.Role.LOBBYIST and member.is_anonymous:
                raise InvalidInput("Only voters can be anonymous; this member has to give that up first.", field="role")
            member.role = role
        if is_manager is not None:
            if not is_manager:
                _require_other_manager(member)
            member.is_manager = is_manager
        validation.check(member)
        member.save(update_fields=["role", "is_manager"])
        name, community, title = access.display_name(member), recording.community.name, member.get_role_display()
        is_now_manager = member.is_manager
        transaction.on_commit(
            lambda: eventlog.role_changed(name, community, title, is_manager=is_now_manager), robust=True
        )
    return member


@command
def set_anonymity(viewer: Viewer, community_id: int, *, anonymous: bool, confirmed: bool = False) -> Membership:
    """Become anonymous, or give it up. Ballots already cast keep the name or pseudonym that they bear.

    Becoming anonymous ends the followings that point at the member. Where the member knows of any, `confirmed` is
    needed. Raises PermissionDenied, AnonymityNeedsConfirmation (counting them); InvalidInput for lobbyists.
    """
    member = access.require_member(viewer, community_id)
    with ledger.recording(community_id, actor=member.user) as recording:
        member.refresh_from_db()
        if anonymous and member.role != Membership.Role.VOTER:
            raise InvalidInput("Only voters can be anonymous.", field="is_anonymous")
        if anonymous:
            followers = Following.objects.select_related("follower__user").filter(followee=member)
            # The member does not learn of anonymous followers, nor how many there are.
            count = followers.filter(follower__left_at=None, follower__is_anonymous=False).count()
            if count and not confirmed:
                people = "1 member follows" if count == 1 else f"{count} members follow"
                raise AnonymityNeedsConfirmation(
                    f"{people} you and would stop doing so, because a follower sees your ballot; so would anybody who "
                    "follows you anonymously. Ballots that you have cast by name keep your name. Confirm to go on."
                )
            _end_followings(recording, list(followers))
        if member.is_anonymous != anonymous:
            member.is_anonymous = anonymous
            member.save(update_fields=["is_anonymous"])
            name, community = access.display_name(member), recording.community.name
            transaction.on_commit(lambda: eventlog.anonymity_changed(name, community, anonymous=anonymous), robust=True)
    return member


def _end_followings(recording: ledger.Recording, followings: Sequence[Following]) -> None:
    """End followings whose followee becomes anonymous, in bulk, and log each."""
    bulk.delete(Following._meta.db_table, [following.pk for following in followings])
    for following in followings:
        recording.add(contents.following_ended(following))
    names = [access.display_name(following.follower) for following in followings]

    def log() -> None:
        for name in names:
            eventlog.following_ended(name, "the member followed became anonymous")

    transaction.on_commit(log, robust=True)
