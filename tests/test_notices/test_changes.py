"""People are told of changes in the ledger, and of what time brings: each once, whatever is killed and repeated."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest
from django.utils import timezone

from democracy import services
from democracy.models import Community, Decision, Membership, Notice, NoticeCursor, NoticeMark
from democracy.notices import outbox, reader, recipients, sending
from democracy.notices.kinds import Kind
from democracy.notices.wording import words, words_of_mail
from democracy.reading.notices import shown_notices
from democracy.recalculation import recalculate_community
from tests import factories, rules

pytestmark = pytest.mark.django_db

Town = tuple[Community, dict[str, Membership]]


@pytest.fixture
def town() -> Town:
    found = factories.community("ada", "ben", "cleo", name="Larch Lane")
    told()
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> rules.Clock:
    found = rules.Clock(monkeypatch)
    found.set(timezone.now())
    return found


def told() -> dict[str, list[str]]:
    """Return who is told of what, by kind, since the last call."""
    before = set(Notice.objects.values_list("pk", flat=True))
    for _ in range(2):
        sending.notice_changes()
    found = defaultdict(list)
    for notice in Notice.objects.exclude(pk__in=before).select_related("person").order_by("person__handle"):
        assert notice.person is not None
        found[notice.kind].append(notice.person.handle.partition("_")[0])
    return dict(found)


def test_everybody_is_told_that_a_decision_opens_that_it_is_clarified_and_what_came_out(town, clock) -> None:
    community, members = town
    manager, everybody = members["manager"].user, ["ada", "ben", "cleo", "manager"]
    decision = factories.draft(community, manager, opens_at=clock.now + timedelta(hours=1))
    assert told() == {}, "a draft is nobody's business"
    services.publish_decision(manager, decision.pk)
    assert told() == {}, "it has not opened"
    clock.set(clock.now + timedelta(hours=2))
    assert told() == {"opened": everybody}
    services.add_clarification(manager, decision.pk, text="Only trees.")
    assert told() == {"clarified": ["ada", "ben", "cleo"]}, "nobody is told of what they did"
    factories.vote(members["ada"], decision, Ash=5)
    assert told() == {}, "nobody is told of a ballot"
    factories.close(decision, clock.now)
    assert told() == {}, "there is no result yet"
    recalculate_community(community.pk)
    assert told() == {"result": everybody}


def test_what_was_added_and_what_won_is_told_as_the_site_shows_it(town, clock) -> None:
    community, members = town
    manager = members["manager"].user
    decision = factories.decision(community, manager, title="Which tree?")
    factories.vote(members["ada"], decision, Ash=5)
    services.add_clarification(manager, decision.pk, text="Only trees.")
    services.add_clarification(manager, decision.pk, text="No fences.\nNone at all.")
    told()
    added = [words_of_mail(one).text for one in notices_of(members["ben"], Kind.CLARIFIED)]
    until = f"You can change your ballot until {decision.closes_at:%A, %-d %B %Y, %H:%M} UTC."
    assert added == [
        f"In Larch Lane, this was added to “Which tree?”:\n\n{text}\n\n{until}"
        for text in ("Only trees.", "No fences.\nNone at all.")
    ]
    decision.clarifications.filter(text="Only trees.").update(text="Hidden by the site's operator: insults")
    (first, _) = notices_of(members["ben"], Kind.CLARIFIED)
    assert ("Hidden by the site" in words(first).text, "Only trees" in words(first).text) == (True, False)
    empty = factories.decision(community, manager, title="Which pond?")
    clock.set(clock.now + timedelta(hours=1))
    for one in (decision, empty):
        factories.close(one, clock.now)
    recalculate_community(community.pk)
    told()
    assert {words(one).text for one in notices_of(members["ben"], Kind.RESULT)} == {
        "Larch Lane has voted on “Which tree?”. “Ash” has won. This is the final result.",
        "Larch Lane has voted on “Which pond?”. No choice has won. This is the final result.",
    }


def notices_of(member: Membership, kind: str) -> list[Notice]:
    return list(shown_notices(member.user).filter(kind=kind).order_by("pk"))


def test_an_entry_that_cannot_be_read_holds_up_its_own_community_alone(town, monkeypatch, caplog) -> None:
    community, members = town
    other, of_others = factories.community("dora", name="Elm Lane")
    decisions = [factories.decision(one, of["manager"].user) for one, of in ((community, members), (other, of_others))]
    told()
    for decision, of in zip(decisions, (members, of_others), strict=True):
        services.add_clarification(of["manager"].user, decision.pk, text="Only trees.")
    recipients_of = recipients.members

    def breaks(community_id: int) -> list[int]:
        if community_id == community.pk:
            raise KeyError("clarifications")
        return recipients_of(community_id)

    with monkeypatch.context() as patch:
        patch.setattr(recipients, "members", breaks)
        assert told() == {"clarified": ["dora"]}
    assert "notices of community" in caplog.text
    assert told() == {"clarified": ["ada", "ben", "cleo"]}


def test_who_has_not_voted_is_told_a_day_before_and_whom_others_follow_at_half_time(town, clock) -> None:
    community, members = town
    manager = members["manager"].user
    services.set_anonymity(members["cleo"].user, community.pk, anonymous=True)
    for follower in ("ada", "cleo"):
        factories.follow(members[follower], members["ben"])
    decision = factories.decision(community, manager, closes_at=clock.now + timedelta(days=4))
    factories.vote(members["ada"], decision, Ash=5)
    told()
    clock.set(clock.now + timedelta(days=2, minutes=1))
    assert told() == {"followed": ["ben"]}
    notice = Notice.objects.get(kind=Kind.FOLLOWED)
    assert words(notice).title.startswith("1 person follows you"), "nobody learns of anonymous followers"
    clock.set(clock.now + timedelta(days=1))
    assert told() == {"closes_soon": ["ben", "cleo", "manager"]}


OF_EVERYBODY = {"new_follower", "opened"}
OF_WHAT_IS_SHOWN = {"inherited_moved", "followed", "calculation_failed"}


@pytest.mark.parametrize(
    ("visibility", "expected"),
    [
        (Decision.Visibility.LIVE, OF_EVERYBODY | OF_WHAT_IS_SHOWN),
        (Decision.Visibility.BATCHED, OF_EVERYBODY),
        (Decision.Visibility.AFTER_CLOSE, OF_EVERYBODY),
    ],
)
def test_while_ballots_are_hidden_nothing_is_told_of_what_is_inherited(town, clock, visibility, expected) -> None:
    community, members = town
    for followee in ("ben", "cleo"):
        factories.follow(members["ada"], members[followee])
    decision = factories.decision(
        community, members["manager"].user, results_visibility=visibility, closes_at=clock.now + timedelta(days=4)
    )
    for ash in (5, 0):
        factories.vote(members["ben"], decision, Ash=ash, Birch=2)
        recalculate_community(community.pk)
    sending.notice_changes()
    clock.set(clock.now + timedelta(days=2, minutes=1))
    Decision.objects.filter(pk=decision.pk).update(failed_revision=10**6, failed_at=clock.now, calculation_error="x")
    sending.notice_changes()
    assert set(Notice.objects.values_list("kind", flat=True)) == expected


def test_an_inherited_ballot_that_moves_by_a_star_or_to_another_choice_is_told_once_a_day(town) -> None:
    community, members = town
    factories.follow(members["ada"], members["ben"])
    decision = factories.decision(community, members["manager"].user)
    found = []
    for stars in ({"Ash": 3}, {"Ash": 3, "Birch": 1}, {"Ash": 1, "Birch": 2}, {"Ash": 5}):
        factories.vote(members["ben"], decision, **stars)
        recalculate_community(community.pk)
        found.append(Notice.objects.filter(kind=Kind.INHERITED_MOVED).count())
    assert found == [0, 1, 1, 1]
    notice = Notice.objects.get(kind=Kind.INHERITED_MOVED)
    # The ballot as it was before the first move of the day, so that its reader sees how it moved.
    assert (notice.person, notice.data["before"]) == (members["ada"].user, [3_000_000, 0, 0])


def test_followers_are_told_of_a_followee_who_leaves_or_becomes_anonymous_in_the_same_words(town) -> None:
    community, members = town
    factories.follow(members["ada"], members["ben"])
    factories.follow(members["ada"], members["cleo"])
    services.set_anonymity(members["manager"].user, community.pk, anonymous=True)
    factories.follow(members["manager"], members["ben"])
    assert told() == {"new_follower": ["ben", "cleo"]}, "an anonymous follower is not told of"
    services.set_anonymity(members["ben"].user, community.pk, anonymous=True, confirmed=True)
    services.leave_community(members["cleo"].user, community.pk)
    assert told() == {"followee_gone": ["ada", "ada", "manager"]}
    own = Notice.objects.filter(kind=Kind.FOLLOWEE_GONE, person=members["ada"].user).order_by("pk")
    anonymous, left = (words(one).text.partition(" ")[2] for one in own)
    assert anonymous.partition(" ")[2] == left.partition(" ")[2]
    services.unfollow(members["ada"].user, members["cleo"].pk)
    assert told() == {}


def test_nobody_fills_mailboxes_by_coming_and_going(town, clock) -> None:
    community, members = town
    clock.set(clock.now.replace(hour=12))
    factories.follow(members["ada"], members["ben"])
    dan = factories.person("dan")
    services.update_community(members["manager"].user, community.pk, joining=Community.Joining.OPEN)
    told()
    for day in range(2):
        clock.set(clock.now + timedelta(days=day))
        found = []
        for _ in range(3):
            services.leave_community(members["ben"].user, community.pk)
            services.update_community(members["manager"].user, community.pk, joining=Community.Joining.REQUEST)
            application = services.apply_to_community(dan, community.pk)
            found.append(told())
            services.withdraw_application(dan, application.pk)
            services.update_community(members["manager"].user, community.pk, joining=Community.Joining.OPEN)
            services.apply_to_community(members["ben"].user, community.pk)
        assert found == [{"followee_gone": ["ada"], "application_waiting": ["manager"]}, {}, {}]


def test_whoever_was_removed_hears_no_more_of_those_whom_they_followed(town) -> None:
    community, members = town
    for follower in ("ada", "ben"):
        factories.follow(members[follower], members["cleo"])
    services.remove_member(members["manager"].user, members["ben"].pk)
    told()
    services.set_anonymity(members["cleo"].user, community.pk, anonymous=True, confirmed=True)
    assert told() == {"followee_gone": ["ada"]}


def test_managers_hear_of_applications_that_wait_and_applicants_of_what_was_decided(town) -> None:
    community, members = town
    services.update_community(members["manager"].user, community.pk, joining=Community.Joining.REQUEST)
    dan, eve = factories.person("dan"), factories.person("eve")
    waits = services.apply_to_community(dan, community.pk)
    assert told() == {"application_waiting": ["manager"]}
    services.decide_application(members["manager"].user, waits.pk, approve=True)
    services.decide_application(
        members["manager"].user, services.apply_to_community(eve, community.pk).pk, approve=False
    )
    assert told() == {"application_decided": ["dan", "eve"]}, "the second was decided before anybody looked"


def test_managers_hear_of_a_calculation_that_fails(town, clock) -> None:
    community, members = town
    decision = factories.decision(community, members["manager"].user)
    told()
    Decision.objects.filter(pk=decision.pk).update(failed_revision=10**6, failed_at=clock.now, calculation_error="x")
    assert told() == {"calculation_failed": ["manager"]}


def test_a_reader_that_dies_before_it_commits_tells_everything_later_and_nothing_twice(town, monkeypatch) -> None:
    community, members = town
    decision = factories.decision(community, members["manager"].user)
    told()
    services.add_clarification(members["manager"].user, decision.pk, text="Only trees.")
    monkeypatch.setattr(outbox, "_ROWS", 1)
    tries = 0

    def dies(drafts: object) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            raise KeyboardInterrupt
        add(drafts)

    add = outbox._add
    monkeypatch.setattr(outbox, "_add", dies)
    with pytest.raises(KeyboardInterrupt):
        reader.read_ledgers()
    assert Notice.objects.filter(kind=Kind.CLARIFIED).count() == 2, "of three"
    reader.read_ledgers()
    assert Notice.objects.filter(kind=Kind.CLARIFIED).count() == 3


def test_of_two_readers_at_once_one_moves_the_cursor(town, monkeypatch) -> None:
    community, members = town
    decision = factories.decision(community, members["manager"].user)
    services.add_clarification(members["manager"].user, decision.pk, text="Only trees.")
    find = reader._drafts

    def overtaken(entries: object) -> object:
        NoticeCursor.objects.filter(community=community).update(revision=community.revision + 10**6)
        return find(entries)

    monkeypatch.setattr(reader, "_drafts", overtaken)
    reader.read_some(community.pk)
    assert NoticeCursor.objects.get(community=community).revision >= 10**6
    assert not Notice.objects.filter(kind=Kind.CLARIFIED).exists()
    assert not NoticeMark.objects.exists()
