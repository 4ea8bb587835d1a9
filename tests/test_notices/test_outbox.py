"""The outbox: nobody is told twice, no row is held by two senders, and mails leave at the rate."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from democracy.models import Community, Membership, Notice, NoticePreference
from democracy.notices import outbox
from democracy.notices.kinds import Kind, Way
from tests import factories, rules

pytestmark = pytest.mark.django_db


@pytest.fixture
def town() -> tuple[Community, User]:
    community, members = factories.community("ada")
    return community, members["ada"].user


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> rules.Clock:
    found = rules.Clock(monkeypatch)
    found.set(timezone.now().replace(hour=9))
    return found


def add(town: tuple[Community, User], subject: str = "one", *, kind: str = Kind.OPENED, **fields: object) -> None:
    community, person = town
    outbox.add(kind, subject, **({"community_id": community.pk, "person_id": person.pk} | fields))


def leased(most: int = 100) -> list[list[str]]:
    return [[notice.subject for notice in parcel.notices] for parcel in outbox.lease_mails(most)[0]]


def test_a_person_is_told_once_of_a_kind_and_subject_and_an_address_too(town) -> None:
    for _ in range(2):
        add(town)
        add(town, kind=Kind.CLARIFIED)
        outbox.add(Kind.INVITED, "one", address="new@example.org", community_id=town[0].pk)
    assert sorted(Notice.objects.values_list("kind", flat=True)) == ["clarified", "invited", "opened"]


def test_nothing_is_added_where_the_transaction_fails(town) -> None:
    with transaction.atomic():
        add(town)
        transaction.set_rollback(True)
    assert not Notice.objects.exists()


def test_whoever_cannot_sign_in_gets_none(town) -> None:
    community, _ = town
    imported = User.objects.create_user(None, name="Imported", handle="imported")
    closed = factories.person(is_active=False)
    for one in (imported, closed):
        add((community, one))
    assert not Notice.objects.exists()


def test_each_is_told_as_they_prefer(town, clock) -> None:
    community, person = town
    NoticePreference.objects.create(person=person, community=community, kind=Kind.RESULT, way=Way.SITE)
    NoticePreference.objects.create(person=person, community=community, kind=Kind.CLARIFIED, way=Way.DAILY)
    for kind in (Kind.OPENED, Kind.RESULT, Kind.CLARIFIED, Kind.NEW_FOLLOWER):
        add(town, kind, kind=kind)
    (at_once,), _ = outbox.lease_mails(100)
    outbox.sent(at_once)
    assert [notice.subject for notice in at_once.notices] == ["opened"]
    clock.set(clock.now + timedelta(days=1))
    assert leased() == [["clarified", "new_follower"]], "a day's digest is one mail"
    assert Notice.objects.get(kind=Kind.RESULT).due_at is None


def test_anonymous_members_find_on_the_site_alone_what_tells_whom_they_follow(town) -> None:
    _, person = town
    Membership.objects.filter(user=person).update(is_anonymous=True)
    for kind in (Kind.INHERITED_MOVED, Kind.FOLLOWEE_GONE, Kind.OPENED):
        add(town, kind=kind)
    assert set(Notice.objects.filter(due_at=None).values_list("kind", flat=True)) == {
        "inherited_moved",
        "followee_gone",
    }


def test_what_one_sender_holds_another_does_not_get_until_the_lease_is_over(town, clock, settings) -> None:
    settings.MAILS_PER_MINUTE = 0
    add(town)
    assert (leased(), leased()) == ([["one"]], [])
    clock.set(clock.now + timedelta(seconds=settings.MAIL_LEASE))
    assert leased() == [["one"]]


def test_a_sender_whose_lease_ran_out_marks_nothing(town, clock, settings) -> None:
    settings.MAILS_PER_MINUTE = 0
    add(town)
    (late,), _ = outbox.lease_mails(1)
    clock.set(clock.now + timedelta(seconds=settings.MAIL_LEASE + 1))
    (held,), _ = outbox.lease_mails(1)
    outbox.refused(late, "too late")
    assert Notice.objects.get().refused == ""
    outbox.sent(held)
    assert Notice.objects.get().sent_at == clock.now


def test_what_is_put_off_is_tried_again_later_and_later_and_in_the_end_refused(town, clock, settings) -> None:
    settings.MAILS_PER_MINUTE = 0
    add(town)
    pauses = []
    while not Notice.objects.get().refused:
        (parcel,), _ = outbox.lease_mails(1)
        outbox.put_off(parcel, "451 try again")
        if due := Notice.objects.get().due_at:
            pauses.append((due - clock.now).total_seconds() / 60)
            clock.set(due)
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (Notice.objects.get().refused, leased()) == ("451 try again", [])
    assert sum(pauses) / 60 / 24 == pytest.approx(5, abs=0.1)


def test_what_has_waited_for_days_is_put_off_like_anything_else_when_it_is_first_tried(town, clock, settings) -> None:
    settings.MAILS_PER_MINUTE = 0
    add(town)
    clock.set(clock.now + timedelta(days=9))
    (parcel,), _ = outbox.lease_mails(1)
    outbox.put_off(parcel, "451 Greylisted")
    assert leased() == []
    clock.set(clock.now + timedelta(minutes=1))
    assert leased() == [["one"]]


def test_what_is_taken_back_while_it_is_tried_is_not_tried_again(town, settings) -> None:
    settings.MAILS_PER_MINUTE = 0
    for subject in ("one", "other"):
        outbox.add(Kind.INVITED, subject, address="new@example.org", community_id=town[0].pk)
    parcels, _ = outbox.lease_mails(2)
    outbox.take_back(Kind.INVITED, {"one": "new@example.org"})
    assert [[notice.subject for notice in outbox.held(parcel)] for parcel in parcels] == [[], ["other"]]
    for parcel in parcels:
        outbox.put_off(parcel, "451 try again")
    assert list(Notice.objects.exclude(due_at=None).values_list("subject", flat=True)) == ["other"]


def test_mails_leave_at_the_rate_from_all_senders_together(town, clock, settings) -> None:
    settings.MAILS_PER_MINUTE = 600
    started = clock.now
    outbox.add_many(
        outbox.Draft(Kind.INVITED, "one", address=f"a{number}@example.org", community_id=town[0].pk)
        for number in range(200)
    )
    left = 0
    while left < 200:
        parcels, wait = outbox.lease_mails(50)
        left += len(parcels)
        for parcel in parcels:
            outbox.sent(parcel)
        assert left <= 10 + 10 * (clock.now - started).total_seconds()
        clock.set(clock.now + timedelta(seconds=wait))
    assert (clock.now - started).total_seconds() == pytest.approx(19, abs=1)
