"""Reminders of whoever has no ballot of their own: at the hours that a decision says, and when a manager asks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from democracy import services
from democracy.errors import DecisionCalledOff, DecisionClosed, DecisionNotOpen, InvalidInput, SentLately
from democracy.models import Community, Decision, ExtraReminder, Membership, Notice
from democracy.notices import delivery, outbox, sending
from democracy.notices.kinds import Kind
from democracy.notices.wording import words, words_of_mail
from democracy.recalculation import recalculate_community
from tests import factories, rules

pytestmark = pytest.mark.django_db

Town = tuple[Community, dict[str, Membership]]


@pytest.fixture
def town() -> Town:
    return factories.community("ada", "ben", name="Larch e. V.")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> rules.Clock:
    found = rules.Clock(monkeypatch)
    found.set(timezone.now())
    return found


def reminded() -> list[str]:
    """Turn what is new into notices; return who is reminded, sorted, since the last call."""
    sending.notice_changes()
    found = Notice.objects.filter(kind=Kind.CLOSES_SOON, read_at=None).select_related("person")
    names = sorted(notice.person.handle.partition("_")[0] for notice in found)
    found.update(read_at=timezone.now())
    return names


@pytest.mark.parametrize(("hours", "early", "late"), [(72, 71, 73), (1, 0.9, 1.1)])
def test_people_are_reminded_at_the_hours_that_the_decision_says(town, clock, hours, early, late) -> None:
    community, members = town
    decision = factories.decision(
        community, members["manager"].user, closes_at=clock.now + timedelta(days=10), reminder_hours=hours
    )
    factories.vote(members["ada"], decision, Ash=5)
    closes_at = clock.now + timedelta(days=10)
    clock.set(closes_at - timedelta(hours=late))
    assert reminded() == []
    clock.set(closes_at - timedelta(hours=early))
    assert reminded() == ["ben", "manager"]
    assert reminded() == []


def test_who_was_reminded_of_a_closing_that_moves_is_told_the_new_time_once(town, clock, settings, mailoutbox) -> None:
    community, members = town
    closes_at = clock.now + timedelta(days=10)
    decision = factories.decision(community, members["manager"].user, closes_at=closes_at)
    clock.set(closes_at - timedelta(hours=23))
    assert reminded() == ["ada", "ben", "manager"]
    factories.vote(members["ada"], decision, Ash=5)
    services.update_decision(members["manager"].user, decision.pk, reminder_hours=25)
    assert reminded() == [], "the closing has not moved"
    later = closes_at + timedelta(days=2)
    settings.MAILS_PER_MINUTE = 0
    parcels, _ = outbox.lease_mails(10)
    services.update_decision(members["manager"].user, decision.pk, closes_at=later)
    delivery.deliver(parcels)
    said = f"You can vote until {later:%A, %-d %B %Y, %H:%M} UTC."
    asked = [str(mail.body) for mail in mailoutbox if mail.subject.startswith("Closes soon")]
    assert [said in body for body in asked] == [True] * 3, "what waited in the outbox has the new time"
    assert reminded() == [], "it does not close soon any more"
    clock.set(later - timedelta(hours=24))
    assert reminded() == ["ben", "manager"]
    assert reminded() == []


def test_with_no_hours_nobody_is_reminded_and_a_copy_keeps_them(town, clock) -> None:
    community, members = town
    manager = members["manager"].user
    decision = factories.decision(community, manager, closes_at=clock.now + timedelta(days=4))
    services.update_decision(manager, decision.pk, reminder_hours=0)
    clock.set(clock.now + timedelta(days=4) - timedelta(seconds=1))
    assert reminded() == []
    assert services.copy_decision(manager, decision.pk).reminder_hours == 0
    with pytest.raises(InvalidInput) as caught:
        services.update_decision(manager, decision.pk, reminder_hours=721)
    assert caught.value.field == "reminder_hours"
    factories.close(decision, clock.now)
    with pytest.raises(DecisionClosed):
        services.update_decision(manager, decision.pk, reminder_hours=5)


@pytest.mark.parametrize("visibility", Decision.Visibility.values)
def test_a_manager_has_those_reminded_who_have_not_voted_once_a_day(town, clock, visibility) -> None:
    community, members = town
    manager = members["manager"].user
    decision = factories.decision(community, manager, results_visibility=visibility)
    factories.vote(members["ada"], decision, Ash=5)
    factories.vote(members["manager"], decision)
    services.remind(manager, decision.pk)
    assert reminded() == ["ben"]
    assert words(Notice.objects.get(kind=Kind.CLOSES_SOON)).title == f"Reminder: {decision.title}"
    clock.advance(hours=23)
    with pytest.raises(SentLately):
        services.remind(manager, decision.pk)
    assert reminded() == []
    clock.advance(hours=2)
    services.remind(manager, decision.pk)
    assert reminded() == ["ben"], "again, the day after"


def test_a_reader_that_dies_among_reminders_tells_nobody_twice(town, clock, monkeypatch) -> None:
    community, members = town
    decision = factories.decision(community, members["manager"].user)
    services.remind(members["manager"].user, decision.pk)
    monkeypatch.setattr(outbox, "_ROWS", 1)
    add, tries = outbox._add, 0

    def dies(drafts: list[outbox.Draft]) -> None:
        nonlocal tries
        tries += any(draft.kind == Kind.CLOSES_SOON for draft in drafts)
        if tries == 2:
            raise KeyboardInterrupt
        add(drafts)

    monkeypatch.setattr(outbox, "_add", dies)
    with pytest.raises(KeyboardInterrupt):
        sending.notice_changes()
    assert Notice.objects.filter(kind=Kind.CLOSES_SOON).count() == 1, "of three"
    assert reminded() == ["ada", "ben", "manager"]
    assert ExtraReminder.objects.get().is_told


@pytest.mark.parametrize(
    ("phase", "error"),
    [
        ("draft", InvalidInput),
        ("scheduled", DecisionNotOpen),
        ("closed", DecisionClosed),
        ("called off", DecisionCalledOff),
    ],
)
def test_nobody_is_reminded_of_what_nobody_can_vote_in(town, clock, phase, error) -> None:
    community, members = town
    manager = members["manager"].user
    decision = factories.draft(community, manager, opens_at=clock.now + timedelta(hours=1))
    if phase != "draft":
        services.publish_decision(manager, decision.pk)
    if phase == "closed":
        factories.close(decision, clock.now)
    if phase == "called off":
        services.call_off(manager, decision.pk, reason="Mended.")
    with rules.refused(error):
        services.remind(manager, decision.pk)
    assert not ExtraReminder.objects.exists()


def test_who_inherits_is_told_what_moved_and_through_whom_and_mails_have_no_stars(town) -> None:
    community, members = town
    factories.follow(members["ada"], members["ben"], "parks")
    factories.follow(members["ada"], members["manager"], "roads")
    decision = factories.decision(community, members["manager"].user)
    for ash in (4, 1):
        factories.vote(members["ben"], decision, ["parks"], Ash=ash, Birch=2)
        factories.vote(members["manager"], decision, ["money"], Birch=ash)
        recalculate_community(community.pk)
    notice = Notice.objects.get(kind=Kind.INHERITED_MOVED)
    assert words(notice).text.startswith(f"Through {members['ben'].user.name}, your 4 for “Ash” is now a 1. ")
    mailed = words_of_mail(notice).text
    assert mailed.startswith(f"Through {members['ben'].user.name}, what you inherit for “Ash” has changed. ")
    services.close_account(members["ben"].user, confirmed=True)
    notice.refresh_from_db()
    assert members["ben"].user.name not in words(notice).text


def test_of_a_choice_that_is_hidden_since_a_notice_says_what_stands_in_its_place(town) -> None:
    community, members = town
    factories.follow(members["ada"], members["ben"])
    decision = factories.decision(community, members["manager"].user)
    for ash in (4, 1):
        factories.vote(members["ben"], decision, Ash=ash, Birch=2)
        recalculate_community(community.pk)
    root = User.objects.create_superuser("root@example.org", name="Root", handle="root")
    services.hide_decision_text(
        root, decision.pk, place=f"choice:{decision.choices.get(title='Ash').pk}:title", reason="It insults."
    )
    notice = Notice.objects.get(kind=Kind.INHERITED_MOVED)
    for said in (words(notice).text, words_of_mail(notice).text):
        assert "for “Hidden by the site's operator: It insults.”" in said
        assert "Ash" not in said


def test_through_several_people_nobody_is_named(town) -> None:
    community, members = town
    for followee in ("ben", "manager"):
        factories.follow(members["ada"], members[followee])
    decision = factories.decision(community, members["manager"].user)
    for ash in (4, 1):
        for followee in ("ben", "manager"):
            factories.vote(members[followee], decision, Ash=ash)
        recalculate_community(community.pk)
    text = words(Notice.objects.get(kind=Kind.INHERITED_MOVED)).text
    assert text.startswith("Through people you follow, your 4 for “Ash” is now a 1. ")


def test_nobody_is_named_for_an_anonymous_ballot_that_changed_in_the_same_moment(town) -> None:
    """Ben voted under a pseudonym and gave that up: his ballot keeps it, and nobody inherits it."""
    community, members = town
    ada, ben, manager = (members[name] for name in ("ada", "ben", "manager"))
    decision = factories.decision(community, manager.user)
    services.set_anonymity(ben.user, community.pk, anonymous=True)
    factories.vote(ben, decision, Ash=5)
    services.set_anonymity(ben.user, community.pk, anonymous=False)
    for followee in (ben, manager):
        factories.follow(ada, followee)
    for stars in (4, 1):
        factories.vote(ben, decision, Ash=stars)
        factories.vote(manager, decision, Birch=stars)
        recalculate_community(community.pk)
    notice = Notice.objects.get(kind=Kind.INHERITED_MOVED)
    assert words(notice).text.startswith(f"Through {manager.user.name}, your 4 for “Birch” is now a 1. ")
