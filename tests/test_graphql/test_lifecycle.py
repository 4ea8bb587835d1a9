"""The life of decisions in the API: what was called off, topics, words as HTML, and searching."""

from __future__ import annotations

from datetime import timedelta

import pytest

from democracy import services
from democracy.models import Community
from tests import factories
from tests.rules import Clock
from tests.test_graphql.api import ask, client_of, id_of, post

pytestmark = pytest.mark.django_db


def test_a_decision_says_that_it_was_called_off_and_why() -> None:
    community, members = factories.community("ann")
    manager = members["manager"].user
    one = factories.decision(community, manager, description="*Which?*", topics=["roads"])
    services.call_off(manager, one.pk, reason="Mended.")
    asked = "status topics calledOff { reason } result { revision } showsBallots calculation { status } descriptionHtml"
    found = ask(client_of(members["ann"].user), f'{{ decision(id: "{id_of(one)}") {{ {asked} }} }}')
    assert found["decision"] == {
        "status": "CALLED_OFF",
        "topics": ["roads"],
        "calledOff": {"reason": "Mended."},
        "result": None,
        "showsBallots": False,
        "calculation": {"status": "CURRENT"},
        "descriptionHtml": "<p><em>Which?</em></p>\n",
    }
    listed = f'{{ decisions(communityId: "{id_of(community)}", status: CALLED_OFF) {{ totalCount }} }}'
    assert ask(client_of(manager), listed) == {"decisions": {"totalCount": 1}}
    mutation = (
        f'mutation {{ callOffDecision(input: {{decisionId: "{id_of(one)}", reason: ""}}) {{ errors {{ code }} }} }}'
    )
    assert post(client_of(manager), mutation)["data"]["callOffDecision"]["errors"] == []
    vote = f'mutation {{ withdrawVote(decisionId: "{id_of(one)}") {{ errors {{ code }} }} }}'
    answer = post(client_of(members["ann"].user), vote)["data"]["withdrawVote"]["errors"]
    assert answer == [{"code": "DECISION_CALLED_OFF"}]


def test_in_the_last_minute_of_hidden_ballots_nothing_is_called_off(monkeypatch: pytest.MonkeyPatch) -> None:
    community, members = factories.community("ann")
    one = factories.decision(community, members["manager"].user, results_visibility="after_close")
    call_off = (
        f'mutation {{ callOffDecision(input: {{decisionId: "{id_of(one)}", reason: "x"}}) {{ errors {{ code }} }} }}'
    )
    clock, client = Clock(monkeypatch), client_of(members["manager"].user)
    for seconds, errors in ((1, [{"code": "DECISION_CLOSED"}]), (60, [{"code": "DECISION_CLOSED"}]), (61, [])):
        clock.set(one.closes_at - timedelta(seconds=seconds))
        assert post(client, call_off)["data"]["callOffDecision"]["errors"] == errors


def test_texts_are_there_as_html_and_the_reminder_can_be_set_and_asked_for() -> None:
    community, members = factories.community("ann", description="*Ours*")
    manager = client_of(members["manager"].user)
    choices = [services.ChoiceInput("Ash", "**old**"), services.ChoiceInput("Birch")]
    draft = services.create_decision(members["manager"].user, community.pk, title="Which?", choices=choices)
    asked = "reminderHours community { descriptionHtml } choices { descriptionHtml }"
    found = ask(manager, f'{{ decision(id: "{id_of(draft)}") {{ {asked} }} }}')["decision"]
    assert found == {
        "reminderHours": 24,
        "community": {"descriptionHtml": "<p><em>Ours</em></p>\n"},
        "choices": [{"descriptionHtml": "<p><strong>old</strong></p>\n"}, {"descriptionHtml": ""}],
    }
    update = """mutation($input: UpdateDecisionInput!) { done: updateDecision(input: $input) {
      decision { reminderHours } errors { field code } } }"""
    for hours, errors in ((12, []), (721, [{"field": "reminderHours", "code": "INVALID"}])):
        done = post(manager, update, input={"decisionId": id_of(draft), "reminderHours": hours})["data"]["done"]
        assert done["errors"] == errors
    open_one = factories.decision(community, members["manager"].user)
    remind = f'mutation {{ remindMembers(decisionId: "{id_of(open_one)}") {{ errors {{ code }} }} }}'
    answers = [post(manager, remind)["data"]["remindMembers"]["errors"] for _ in range(2)]
    assert answers == [[], [{"code": "SENT_LATELY"}]]


def test_decisions_are_found_everywhere_or_in_one_community() -> None:
    closed, members = factories.community("ann")
    public, others = factories.community(visibility=Community.Visibility.PUBLIC)
    factories.decision(closed, members["manager"].user, title="Our roof")
    factories.decision(public, others["manager"].user, "Roof", "Cellar")
    for viewer, number in ((None, 1), (members["ann"].user, 2)):
        found = ask(client_of(viewer), '{ decisions(search: "ROOF") { totalCount edges { node { title } } } }')
        assert (found["decisions"]["totalCount"], len(found["decisions"]["edges"])) == (number, number)
    inside = f'{{ community(id: "{id_of(public)}") {{ decisions(search: "roof our") {{ totalCount }} }} }}'
    assert ask(client_of(None), inside)["community"]["decisions"]["totalCount"] == 0
