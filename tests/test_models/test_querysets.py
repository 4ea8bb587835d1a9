"""The questions that rows are asked by name, each against what a row says of itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from democracy import services
from democracy.models import Application, Ballot, Community, Decision, Following, Membership
from tests import factories, rules

pytestmark = pytest.mark.django_db

Status = Decision.Status


def test_the_phases_are_those_that_each_decision_tells_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    community, _ = rules.new_community()
    clock = rules.Clock(monkeypatch)
    clock.set(timezone.now())
    now, hour = clock.now, timedelta(hours=1)
    times = [(now + opens * hour, now + closes * hour) for opens in range(-2, 3) for closes in range(opens + 1, 3)]
    for opens_at, closes_at in times:
        for published_at in (None, now - 3 * hour):
            Decision.objects.create(
                community=community, title="?", opens_at=opens_at, closes_at=closes_at, published_at=published_at
            )
    Decision.objects.create(community=community, title="Without times")
    for at in (now - hour, now + hour):
        Decision.objects.create(
            community=community,
            title="Called off",
            opens_at=at - hour,
            closes_at=at,
            published_at=now - 3 * hour,
            called_off_at=now - 2 * hour,
        )
    everything = list(Decision.objects.all())
    rows = Decision.objects
    asked = {
        (Status.DRAFT,): rows.drafts(),
        (Status.SCHEDULED,): rows.scheduled(now),
        (Status.OPEN,): rows.open(now),
        (Status.CLOSED,): rows.closed(now),
        (Status.SCHEDULED, Status.OPEN): rows.live(now),
        (Status.DRAFT, Status.SCHEDULED, Status.OPEN): rows.not_over(now),
        (Status.CALLED_OFF,): rows.called_off(),
        (Status.CLOSED, Status.CALLED_OFF): rows.over(now),
        (Status.SCHEDULED, Status.OPEN, Status.CLOSED): rows.standing(),
        (Status.SCHEDULED, Status.OPEN, Status.CLOSED, Status.CALLED_OFF): rows.published(),
    }
    assert {one.status for one in everything} == set(Status)
    for statuses, answer in asked.items():
        assert set(answer) == {one for one in everything if one.status in statuses}, statuses


def test_rows_of_the_viewer_are_theirs_alone_and_a_guest_has_none() -> None:
    community, members = rules.new_community("ada", "ben")
    ada, ben = members["ada"], members["ben"]
    decision = factories.decision(community, members["manager"].user)
    factories.vote(ada, decision, Ash=5)
    factories.vote(ben, decision, Ash=1)
    factories.follow(ada, ben)
    other = Community.objects.create(name="Elsewhere")
    services.apply_to_community(ada.user, other.pk)
    services.apply_to_community(ben.user, other.pk)

    def counted(viewer: object) -> dict[str, list[int]]:
        return {
            "memberships": [row.pk for row in Membership.objects.of(viewer)],
            "ballots": [row.membership_id for row in Ballot.objects.of(viewer)],
            "followings": [row.follower_id for row in Following.objects.by(viewer)],
            "applications": [row.user_id for row in Application.objects.of(viewer).pending()],
        }

    assert counted(ada.user) == {
        "memberships": [ada.pk],
        "ballots": [ada.pk],
        "followings": [ada.pk],
        "applications": [ada.user_id],
    }
    assert set(map(tuple, counted(AnonymousUser()).values())) == {()}


def test_whoever_left_has_no_current_row_on_either_side() -> None:
    community, members = rules.new_community("ada", "ben", "cleo")
    ada, ben, cleo = (members[name] for name in ("ada", "ben", "cleo"))
    factories.follow(ada, ben)
    factories.follow(ben, cleo)
    kept = factories.follow(ada, cleo)
    services.leave_community(ben.user, community.pk)
    current = Membership.objects.current().filter(community=community)
    assert set(current) == {members["manager"], ada, cleo}
    assert set(current.managers()) == {members["manager"]}
    assert list(Following.objects.current()) == [kept]
    assert not Following.objects.by(ben.user).exists()
