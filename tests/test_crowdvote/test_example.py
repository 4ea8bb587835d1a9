"""The example on the start page: the newest open decision of the operator's community, else a made-up one."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from crowdvote.pages.example import WORKED, live_example
from democracy import recalculation
from democracy.models import Community, Decision
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def springfield(settings) -> tuple[Community, dict]:
    """Create a community that the operator chose."""
    made = factories.community("ann", "bob", "cyd", name="Springfield", visibility=Community.Visibility.PUBLIC)
    settings.EXAMPLE_COMMUNITY = made[0].pk
    return made


def voted(of: Community, members: dict, **fields) -> Decision:
    decision = factories.decision(of, members["manager"].user, **fields)
    factories.vote(members["ann"], decision, Ash=5, Birch=1)
    factories.vote(members["bob"], decision, Ash=4, Birch=5)
    factories.follow(members["cyd"], members["ann"])
    recalculation.recalculate_community(of.pk)
    return decision


def test_it_shows_how_the_decision_stands(springfield):
    decision = voted(*springfield, title="Which tree?")
    example = live_example()
    assert (example.question, example.decision) == ("Which tree?", decision)
    assert [(row.title, row.microstars, row.is_winner, row.is_finalist) for row in example.rows] == [
        ("Ash", 4_666_667, True, True),
        ("Birch", 2_333_333, False, True),
        ("Cedar", 0, False, False),
    ]
    assert (example.winner, example.ahead, example.behind, example.equal) == ("Ash", 2, 1, 0)
    assert (example.cast, example.inherited, example.counted) == (2, 1, 3)


def test_the_start_page_shows_it_and_refreshes_it(client: Client, springfield):
    assert WORKED.question in client.get(reverse("home")).text
    voted(*springfield, title="Which <tree>?")
    page = client.get(reverse("home")).text
    assert "Which &lt;tree&gt;?" in page
    assert f'hx-get="{reverse("home-example")}" hx-trigger="live, every 5s"' in page
    assert "Which &lt;tree&gt;?" in client.get(reverse("home-example")).text


@pytest.mark.parametrize("hidden", [{"results_visibility": "after_close"}, {"results_visibility": "batched"}])
def test_results_that_are_not_live_are_not_shown(springfield, hidden):
    voted(*springfield, **hidden)
    assert live_example() is None


def test_what_only_members_may_read_is_not_shown(settings):
    community, members = factories.community("ann", "bob", "cyd")
    settings.EXAMPLE_COMMUNITY = community.pk
    voted(community, members)
    assert live_example() is None


def test_another_communitys_decision_is_no_example(springfield):
    voted(*factories.community("ann", "bob", "cyd", visibility=Community.Visibility.PUBLIC))
    assert live_example() is None


@pytest.mark.parametrize("chosen", [0, 404])
def test_nobody_becomes_the_example_by_taking_a_name(settings, springfield, chosen):
    settings.EXAMPLE_COMMUNITY = chosen
    voted(*springfield)
    assert live_example() is None


def test_neither_a_closed_one_nor_one_without_votes(springfield):
    factories.close(voted(*springfield))
    factories.decision(springfield[0], springfield[1]["manager"].user)
    recalculation.recalculate_community(springfield[0].pk)
    assert live_example() is None


def test_a_newer_one_that_nobody_voted_in_does_not_take_its_place(springfield):
    decision = voted(*springfield)
    factories.decision(springfield[0], springfield[1]["manager"].user)
    recalculation.recalculate_community(springfield[0].pk)
    assert live_example().decision == decision
