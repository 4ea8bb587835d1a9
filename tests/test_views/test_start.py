"""The start page of somebody who is signed in: what waits for them, in all their communities."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from democracy import services
from democracy.models import Community, Decision, Membership
from democracy.presenting.start import Start
from democracy.recalculation import recalculate_community
from tests import factories
from tests.test_views.browsing import as_, queries, text

pytestmark = pytest.mark.django_db

HOME = "/"


@pytest.fixture
def court() -> tuple[Community, dict[str, Membership]]:
    return factories.community("ada", "ben", name="Maple Court")


def start_of(user: User) -> Start:
    return as_(user).get(HOME).context["start"]


def titles(rows: Any) -> list[str]:
    return [getattr(one, "row", one).decision.title for one in rows]


def ask(community: Community, title: str, **fields: Any) -> Decision:
    manager = Membership.objects.select_related("user").get(community=community, is_manager=True).user
    return factories.decision(community, manager, title=title, **fields)


def test_what_waits_for_ones_ballot_comes_first_and_what_closes_first_before_all(court) -> None:
    community, members = court
    now = timezone.now()
    ask(community, "Late?", closes_at=now + timedelta(days=9))
    ask(community, "Soon?", closes_at=now + timedelta(hours=5))
    factories.vote(members["ada"], ask(community, "Voted?"), Ash=3)
    garden, (other, *_) = factories.community(name="Garden")[0], factories.community(name="Elsewhere")
    factories.join(garden, members["ada"].user)
    ask(garden, "In the garden?", closes_at=now + timedelta(days=3))
    ask(other, "Not mine?")
    start = start_of(members["ada"].user)
    assert titles(start.to_vote) == ["Soon?", "In the garden?", "Late?"]
    assert [one.closes_soon for one in start.to_vote] == [True, False, False]
    assert (titles(start.voted), [one.name for one in start.communities]) == (["Voted?"], ["Garden", "Maple Court"])
    shown = text(as_(members["ada"].user).get(HOME))
    assert shown.index("Soon?") < shown.index("Late?") < shown.index("You voted") < shown.index("Voted?")
    assert "Not mine?" not in shown


def test_the_ballot_that_one_inherits_is_said_and_how_it_moved(court) -> None:
    community, members = court
    decision = ask(community, "Which tree?")
    factories.follow(members["ada"], members["ben"])
    inherited = []
    for stars in ({"Ash": 4, "Birch": 3}, {"Ash": 4, "Birch": 5}):
        factories.vote(members["ben"], decision, **stars)
        recalculate_community(community.pk)
        (row,) = start_of(members["ada"].user).to_vote
        inherited.append((row.inherited.sentence, row.inherited.moved))
    assert inherited == [
        ("You inherit a ballot that gives “Ash” the most stars (4).", ""),
        (
            "You inherit a ballot that gives “Birch” the most stars (5).",
            "“Birch” went from 3 to 5 stars; before, “Ash” had the most.",
        ),
    ]
    shown = text(as_(members["ada"].user).get(HOME))
    assert "You inherit a ballot that gives “Birch” the most stars (5)." in shown
    assert "“Birch” went from 3 to 5 stars" in shown
    # Nobody else sees it.
    assert start_of(members["manager"].user).to_vote[0].inherited is None


@pytest.mark.parametrize("visibility", ["after_close", "batched"])
def test_nothing_is_said_of_an_inherited_ballot_while_ballots_are_hidden(court, visibility: str) -> None:
    community, members = court
    decision = ask(community, "Which tree?", results_visibility=visibility)
    factories.follow(members["ada"], members["ben"])
    before = [(one.inherited, one.row.ballots) for one in start_of(members["ada"].user).to_vote]
    factories.vote(members["ben"], decision, Ash=4)
    recalculate_community(community.pk)
    after = [(one.inherited, one.row.ballots) for one in start_of(members["ada"].user).to_vote]
    assert before == after == [(None, 0)]


def test_managers_see_applications_and_drafts_and_others_do_not(court) -> None:
    community, members = court
    manager, ada = members["manager"].user, members["ada"].user
    services.update_community(manager, community.pk, joining="request")
    for _ in range(2):
        services.apply_to_community(factories.person(), community.pk)
    factories.draft(community, manager, title="A draft?")
    start, hers = start_of(manager), start_of(ada)
    assert ([(one.name, one.number) for one in start.waiting], titles(start.drafts)) == (
        [("Maple Court", 2)],
        ["A draft?"],
    )
    assert "2 applications to decide</a> in Maple Court" in text(as_(manager).get(HOME))
    assert (hers.waiting, hers.drafts) == ((), ())
    # An application of one's own is no work for oneself.
    garden, others = factories.community(name="Garden")
    services.update_community(others["manager"].user, garden.pk, joining="request")
    services.apply_to_community(ada, garden.pk)
    assert start_of(ada).waiting == ()


def test_results_are_new_for_two_weeks_and_called_off_decisions_have_none(court) -> None:
    community, members = court
    for title, days in (("New?", 1), ("Newer?", 0), ("Old?", 15)):
        decision = ask(community, title)
        factories.vote(members["ben"], decision, Ash=5)
        factories.close(decision, timezone.now() - timedelta(days=days))
    services.call_off(members["manager"].user, ask(community, "Off?").pk, reason="No.")
    recalculate_community(community.pk)
    start = start_of(members["ada"].user)
    assert (titles(start.results), start.results[0].winner) == (["Newer?", "New?"], "Ash")


def test_pinned_decisions_stand_in_one_place_only(court) -> None:
    community, members = court
    manager = members["manager"].user
    scheduled = ask(
        community, "Later?", opens_at=timezone.now() + timedelta(days=1), closes_at=timezone.now() + timedelta(days=2)
    )
    for decision in (scheduled, ask(community, "Now?")):
        services.pin_decision(manager, decision.pk, pinned=True)
    start = start_of(members["ada"].user)
    assert (titles(start.pinned), titles(start.to_vote)) == (["Later?"], ["Now?"])


def test_whoever_is_in_no_community_or_has_voted_on_everything_is_told_what_now(court) -> None:
    community, members = court
    newcomer = text(as_(factories.person()).get(HOME))
    assert [said in newcomer for said in ("Where do you want to decide?", reverse("community-create"))] == [True, True]
    ada = members["ada"].user
    assert "Nothing is open in your communities now." in text(as_(ada).get(HOME))
    factories.vote(members["ada"], ask(community, "Which tree?"), Ash=3)
    assert "You have voted on everything that is open" in text(as_(ada).get(HOME))


def test_somebody_who_left_or_was_never_there_sees_nothing_of_a_community(court) -> None:
    community, members = court
    decision = ask(community, "Secret question?")
    factories.vote(members["ada"], decision, Ash=3)
    services.leave_community(members["ada"].user, community.pk)
    for user in (members["ada"].user, factories.person()):
        start = start_of(user)
        assert not any(getattr(start, part) for part in ("to_vote", "voted", "communities", "pinned"))


def test_visitors_get_the_introduction_and_nobody_an_address_of_the_api_but_below(court) -> None:
    visitor = as_(None).get(HOME)
    assert ("start" in visitor.context, "Decide together" in text(visitor)) == (False, True)
    for user in (None, court[1]["ada"].user):
        page = text(as_(user).get(HOME))
        above, _, below = page.partition('<footer class="site-footer">')
        assert (reverse("graphql") in above, reverse("graphql") in below) == (False, True)


def test_it_takes_as_many_queries_for_50_decisions_as_for_1(court) -> None:
    community, members = court
    manager, ada = members["manager"].user, members["ada"].user
    factories.follow(members["ada"], members["ben"])

    def more() -> None:
        for some in ("to vote", "voted", "closed"):
            decision = ask(community, some)
            factories.vote(members["ben"], decision, Ash=4)
            if some == "voted":
                factories.vote(members["ada"], decision, Ash=4)
            if some == "closed":
                factories.close(decision)
        factories.draft(community, manager)
        recalculate_community(community.pk)

    more()
    client = as_(ada)
    client.get(HOME)
    few = queries(client, HOME)
    more()
    now = timezone.now()
    many = [Decision(community=community, title=f"Many {number}") for number in range(50)]
    for one in many:
        one.published_at, one.opens_at, one.closes_at = now, now - timedelta(days=1), now + timedelta(days=9)
    Decision.objects.bulk_create(many)
    for number in range(12):
        factories.join(factories.community(name=f"Club {number}")[0], ada)
    assert queries(client, HOME) == few
    assert few <= 30


def test_the_page_is_kept_by_no_cache(court) -> None:
    assert "no-store" in as_(court[1]["ada"].user).get(HOME)["Cache-Control"]
