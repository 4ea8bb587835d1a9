"""Decisions, applications and results that wait for oneself, by the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from democracy import services
from democracy.models import Membership
from democracy.recalculation import recalculate_community
from tests import factories
from tests.test_graphql.api import ask, client_of, id_of

QUERY = """{ me {
  openDecisions { edges { node { title } } }
  toVote: openDecisions(voted: false) { totalCount edges { node {
    title myBallot { kind lastMove { before { choice { title } stars } } } } } }
  voted: openDecisions(voted: true) { edges { node { title } } }
  newResults { edges { node { title result { winner { title } } } } }
  pinnedDecisions { edges { node { title } } }
  drafts { edges { node { title } } }
  waitingApplications { edges { node { message applicant { name } } } }
} }"""


@pytest.fixture
def town(db: None) -> dict[str, Membership]:
    """Ada has one decision to vote on, in which she inherits from Ben, and one in which she voted."""
    community, members = factories.community("ada", "ben", name="Larch Lane")
    manager = members["manager"].user
    bench = factories.decision(community, manager, title="A bench?", closes_at=timezone.now() + timedelta(days=2))
    tree = factories.decision(community, manager, title="A tree?")
    factories.vote(members["ada"], tree, Ash=5)
    services.pin_decision(manager, tree.pk, pinned=True)
    gate = factories.decision(community, manager, title="A gate?")
    factories.vote(members["ben"], gate, Birch=5)
    factories.close(gate)
    factories.follow(members["ada"], members["ben"])
    factories.draft(community, manager, title="A draft?")
    for stars in (2, 5):
        factories.vote(members["ben"], bench, Ash=stars)
        recalculate_community(community.pk)
    services.update_community(manager, community.pk, joining="request")
    services.apply_to_community(factories.person("sue"), community.pk, message="Please")
    return members


def said(who: Membership) -> dict[str, list[str]]:
    me = ask(client_of(who.user), QUERY)["me"]
    return {name: [edge["node"].get("title", edge["node"].get("message")) for edge in me[name]["edges"]] for name in me}


def test_everybody_asks_for_what_waits_for_themselves(town) -> None:
    assert said(town["ada"]) == {
        "openDecisions": ["A bench?", "A tree?"],
        "toVote": ["A bench?"],
        "voted": ["A tree?"],
        "newResults": ["A gate?"],
        "pinnedDecisions": ["A tree?"],
        "drafts": [],
        "waitingApplications": [],
    }
    manager = said(town["manager"])
    assert (manager["drafts"], manager["waitingApplications"]) == (["A draft?"], ["Please"])
    stranger = factories.community()[1]["manager"]
    assert set(map(tuple, said(stranger).values())) == {()}


def test_an_inherited_ballot_tells_its_owner_alone_how_it_moved(town) -> None:
    (edge,) = ask(client_of(town["ada"].user), QUERY)["me"]["toVote"]["edges"]
    before = [(one["choice"]["title"], one["stars"]) for one in edge["node"]["myBallot"]["lastMove"]["before"]]
    assert (edge["node"]["myBallot"]["kind"], before) == ("INHERITED", [("Ash", "2"), ("Birch", "0"), ("Cedar", "0")])
    decision = town["ada"].community.decisions.get(title="A bench?")
    document = (
        f'{{ decision(id: "{id_of(decision)}") {{ ballots {{ edges {{ node {{ kind lastMove {{ at }} }} }} }} }} }}'
    )
    seen = {
        name: [edge["node"]["lastMove"] is None for edge in ask(client, document)["decision"]["ballots"]["edges"]]
        for name, client in (("ada", client_of(town["ada"].user)), ("ben", client_of(town["ben"].user)))
    }
    assert seen == {"ada": [False, True], "ben": [True, True]}
