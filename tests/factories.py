"""People, communities and decisions for tests, made by the commands that everybody uses.

Only voters who are there from the start are written in bulk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from accounts.models import Passkey, User
from democracy import ledger, services
from democracy.ledger import contents
from democracy.models import Choice, Community, Decision, Following, Membership

numbers = count(1)


def person(handle: str | None = None, **fields: Any) -> User:
    """Create a person who can sign in; `handle` defaults to a new one."""
    handle = handle or f"person_{next(numbers)}"
    fields.setdefault("name", handle.replace("_", " ").title())
    return User.objects.create_user(f"{handle}@example.org", handle=handle, **fields)


def passkey(of: User, *, name: str = "a phone") -> Passkey:
    """A passkey that no device has: it is listed, and signs nobody in."""
    number = next(numbers)
    return Passkey.objects.create(user=of, name=name, digest=f"{number:064x}", credential=b"none", user_handle=b"none")


def community(*handles: str, name: str | None = None, **fields: Any) -> tuple[Community, dict[str, Membership]]:
    """Create a community of "manager" and these voters. Returns it with memberships by handle, their users loaded."""
    number = next(numbers)
    manager = person(f"manager_{number}")
    made = services.create_community(manager, name=name or f"Community {number}", joining="open", **fields)
    joined = voters(made, [f"{handle}_{number}" for handle in handles])
    return made, {"manager": member_of(made, manager), **dict(zip(handles, joined, strict=True))}


def voters(of: Community, handles: Sequence[str]) -> list[Membership]:
    """Add members with these handles in one recording, without applications: in a fraction of the time."""
    people = User.objects.bulk_create(
        User(email=f"{handle}@example.org", handle=handle, name=handle.replace("_", " ").title(), password="!")
        for handle in handles
    )
    with ledger.recording(of.pk) as recording:
        rows = [Membership(community=of, user=user, joined_at=recording.time) for user in people]
        Membership.objects.bulk_create(rows)
        recording.append_new([contents.new_membership(row) for row in rows])
    return rows


def join(to: Community, user: User) -> Membership:
    """Apply to a community that approves automatically."""
    services.apply_to_community(user, to.pk)
    return member_of(to, user)


def member_of(of: Community, user: User) -> Membership:
    return Membership.objects.select_related("user", "community").get(community=of, user=user)


def draft(of: Community, by: User, *titles: str, title: str | None = None, **fields: Any) -> Decision:
    choices = [services.ChoiceInput(choice) for choice in titles or ("Ash", "Birch", "Cedar")]
    fields.setdefault("closes_at", timezone.now() + timedelta(days=7))
    return services.create_decision(by, of.pk, title=title or f"Decision {next(numbers)}", choices=choices, **fields)


def decision(of: Community, by: User, *titles: str, **fields: Any) -> Decision:
    """Publish a decision, open for a week, between Ash, Birch and Cedar or the given titles."""
    return services.publish_decision(by, draft(of, by, *titles, **fields).pk)


def choices(of: Decision) -> dict[str, Choice]:
    return {choice.title: choice for choice in of.choices.all()}


def vote(by: Membership, on: Decision, tags: Iterable[str] | None = None, **stars: int) -> services.RecordedBallot:
    """Cast `Ash=5, Birch=0`; without stars, abstain."""
    ids = {title: choice.pk for title, choice in choices(on).items()}
    rated: Mapping[int, int] = {ids[title]: number for title, number in stars.items()}
    return services.cast_ballot(by.user, on.pk, stars=rated, tags=tags, abstain=not stars)


def follow(follower: Membership, followee: Membership, *tags: str) -> Following:
    return services.follow(follower.user, followee.pk, tags=tags)


def close(one: Decision, at: datetime | None = None) -> Decision:
    """Move a decision's whole life into the past, as if it had been opened and closed before now.

    Ledger entries keep their times. `at` (default: now) is when it closed.
    """
    at = at or timezone.now()
    Decision.objects.filter(pk=one.pk).update(opens_at=at - timedelta(days=1), closes_at=at)
    one.refresh_from_db()
    return one
