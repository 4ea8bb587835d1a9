"""Pages of ballots: the same rows in the same order, whether one decision is asked for or several; and the state of a
calculation.
"""

from __future__ import annotations

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from democracy import access, services
from democracy.models import CalculationClaim, Decision, DecisionSnapshot
from democracy.reading.ballots import Name, ballots_of, name_of
from democracy.reading.decisions import calculation_states, causes
from democracy.recalculation import recalculate_community
from democracy.recalculation.claims import Claim
from tests import factories

pytestmark = pytest.mark.django_db

# The number of ballots before a page, and how many it has at most: two of the five are under pseudonyms.
PAGES = [(0, 2), (2, 2), (3, 97), (0, 100), (4, 1), (5, 100)]


@pytest.fixture
def scene() -> tuple[list[Decision], list[str]]:
    """Two decisions with ballots of everybody, and the names in the first's list."""
    community, members = factories.community("eve", "dan", "ada", "cleo", "ben", "flo")
    manager = members["manager"].user
    decisions = [factories.decision(community, manager) for _ in range(2)]
    for name in ("dan", "flo"):
        services.set_anonymity(members[name].user, community.pk, anonymous=True, confirmed=True)
    for decision in decisions:
        for name in ("eve", "dan", "ada", "ben", "flo"):
            factories.vote(members[name], decision, Ash=3)
    factories.follow(members["cleo"], members["ada"])
    recalculate_community(community.pk)
    # Whose ballot has gone is not listed.
    services.withdraw_ballot(members["eve"].user, decisions[0].pk)
    recalculate_community(community.pk)
    known = sorted(members[name].user.handle for name in ("ada", "ben", "cleo"))
    hidden = sorted(access.pseudonym(decisions[0].pk, members[name].pk) for name in ("dan", "flo"))
    return [Decision.objects.get(pk=one.pk) for one in decisions], known + hidden


def names(decisions: list[Decision], behind: Name | None, most: int) -> dict[int, list[Name]]:
    pages = ballots_of(decisions, behind=behind, most=most)
    return {pk: [name_of(one) for one in page] for pk, page in pages.items()}


@pytest.mark.parametrize(("start", "most"), PAGES)
def test_known_members_come_by_handle_and_the_anonymous_after_them_by_pseudonym(
    scene: tuple[list[Decision], list[str]], start: int, most: int
) -> None:
    decisions, listed = scene
    first, second = decisions
    ordered = [(place >= len(listed) - 2, name) for place, name in enumerate(listed)]
    behind = ordered[start - 1] if start else None
    assert names([first], behind, most) == {first.pk: ordered[start : start + most]}
    assert names(decisions, behind, most) == names([first], behind, most) | names([second], behind, most)


def test_a_page_costs_six_queries_of_one_decision_and_of_two(
    scene: tuple[list[Decision], list[str]], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    decisions, _ = scene
    for asked in (decisions[:1], decisions):
        with django_assert_num_queries(6):
            names(asked, None, 4)


def test_a_decision_is_being_calculated_while_a_run_holds_its_own_community() -> None:
    (community, members), (other, _) = factories.community("ada"), factories.community()
    decision = factories.decision(community, members["manager"].user)

    def status() -> str:
        (state,) = calculation_states([decision.pk])
        return state.status

    assert Claim.take(other.pk) is not None
    assert status() == "stale"
    assert Claim.take(community.pk) is not None
    assert status() == "calculating"
    CalculationClaim.objects.filter(community=community).update(expires_at=timezone.now())
    assert status() == "stale"


def test_a_cause_counts_what_came_since_the_last_result_whose_revision_is_told() -> None:
    community, members = factories.community("ann", "ben", "cleo", "dan", "eve")
    manager = members.pop("manager")
    batched, live = [
        factories.decision(community, manager.user, results_visibility=how)
        for how in (Decision.Visibility.BATCHED, Decision.Visibility.LIVE)
    ]
    for one in (batched, live):
        for member in members.values():
            factories.vote(member, one, Ash=3)
    recalculate_community(community.pk)
    for one in (batched, live):
        for stars in (4, 5):
            factories.vote(members["ann"], one, Ash=stars)
        factories.close(one)
    recalculate_community(community.pk)
    found: dict[tuple[int, bool], int] = {}
    for snapshot in DecisionSnapshot.objects.order_by("pk"):
        cause = causes([snapshot.pk])[snapshot.pk]
        found[snapshot.decision_id, snapshot.is_final] = cause.ballots
        assert ("ballot" in cause.kinds) == (cause.ballots > 0)
    # Else two counts would tell which five ballots the interim result of the first has counted.
    assert found == {(batched.pk, False): 5, (batched.pk, True): 7, (live.pk, False): 5, (live.pk, True): 2}
    together = causes(DecisionSnapshot.objects.values_list("pk", flat=True))
    assert [together[pk].ballots for pk in sorted(together)] == list(found.values())
