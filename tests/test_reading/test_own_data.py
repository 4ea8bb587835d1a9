"""One's own data: whole, and nobody else's."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.services import create_api_token
from democracy import services
from democracy.models import Application, Community, Decision, Notice
from democracy.reading.own_data import own_data
from democracy.reading.receipts import own_receipt
from democracy.services import Invitee
from tests import factories
from tests.test_graphql.api import ask, post
from tests.test_views.browsing import as_

pytestmark = pytest.mark.django_db


def test_it_has_everything_of_a_person_and_nothing_that_others_wrote():
    community, members = factories.community("ann", "bob")
    ann, manager = members["ann"], members["manager"].user
    hidden = factories.decision(community, manager, results_visibility=Decision.Visibility.AFTER_CLOSE)
    live = factories.decision(community, manager, title="Which tree?")
    factories.follow(ann, members["bob"], "roads")
    factories.vote(ann, live, ["trees"], Ash=5, Birch=0)
    services.set_anonymity(ann.user, community.pk, anonymous=True)
    factories.vote(ann, hidden)
    factories.vote(members["bob"], live, ["secret of bob"], Ash=1)
    left, others = factories.community("carl")
    services.remove_member(others["manager"].user, factories.join(left, ann.user).pk)
    services.update_community(others["manager"].user, left.pk, joining=Community.Joining.REQUEST)
    services.apply_to_community(ann.user, left.pk, message="Let me back in")
    data = own_data(ann.user)
    first, second = data.pop("communities")
    assert (data["account"]["email"], data["account"]["handle"]) == (ann.user.email, ann.user.handle)
    receipts = [ballot.pop("receipt") for ballot in first["ballots"]]
    assert [{key: value for key, value in one.items() if key != "cast"} for one in first["ballots"]] == [
        {
            "decision": "Which tree?",
            "stars": {"Ash": 5, "Birch": 0},
            "tags": ["trees"],
            "comment": "",
            "abstained": False,
            "anonymous": False,
        },
        {"decision": hidden.title, "stars": {}, "tags": [], "comment": "", "abstained": True, "anonymous": True},
    ]
    for receipt, decision in zip(receipts, (live, hidden), strict=True):
        alone = own_receipt(ann.user, decision).file
        assert {**receipt, "checkpoint": None} == {**alone, "checkpoint": None}
    assert first["membership"]["anonymous"] is True
    assert [(one["followee"], one["tags"]) for one in first["followings"]] == [(members["bob"].user.handle, ["roads"])]
    assert (first["name"], second["name"]) == (community.name, left.name)
    assert (second["membership"]["removed"], second["ballots"]) == (True, [])
    assert [(one["message"], one["status"]) for one in second["applications"]] == [
        ("", Application.Status.APPROVED),
        ("Let me back in", Application.Status.PENDING),
    ]
    assert "secret of bob" not in json.dumps(data)


def test_it_has_invitations_notices_and_how_one_is_told() -> None:
    community, members = factories.community()
    manager = members["manager"].user
    ann = factories.person("ann")
    invited = [Invitee(address, tags=["roads"]) for address in ("ann@example.org", "bob@example.org")]
    services.invite(manager, community.pk, invited, send=False)
    (before,) = own_data(ann)["communities"]
    assert (before["name"], before["membership"]) == (community.name, None)
    assert (before["invitation"]["tags"], before["invitation"]["accepted"]) == (["roads"], None)
    factories.join(community, ann)
    decision = factories.decision(community, manager, title="Which tree?")
    Notice.objects.create(person=ann, kind="opened", subject="x", community=community, decision=decision)
    Notice.objects.create(person=manager, kind="result", subject="x", community=community, decision=decision)
    services.set_notice_preferences(ann, community.pk, {Notice.Kind.OPENED: "site"})
    data = own_data(ann)
    assert data["communities"][0]["told"] == {"A decision opens": "On this site only"}
    assert [(one["what"], one["decision"], one["read"]) for one in data["notices"]] == [
        ("A decision opens", "Which tree?", None)
    ]
    assert "bob@example.org" not in json.dumps(data)


@pytest.mark.parametrize("visibility", ["members", "public"])
def test_whoever_was_removed_does_not_learn_from_it_how_much_has_changed_since(visibility: str) -> None:
    community, members = factories.community("ann", visibility=visibility)
    manager = members["manager"].user
    factories.vote(members["ann"], factories.decision(community, manager), Ash=5)
    services.remove_member(manager, members["ann"].pk)
    services.update_community(manager, community.pk, description="Another")
    community.refresh_from_db()
    ((told,),) = ([one["receipt"] for one in its["ballots"]] for its in own_data(members["ann"].user)["communities"])
    witnessed = told["checkpoint"]
    assert (witnessed["revision"], witnessed["hash"] == told["hash"]) == (
        (community.revision, False) if visibility == "public" else (told["revision"], True)
    )


def test_of_a_token_it_says_what_it_is_for_and_not_the_token():
    ann = factories.person("ann")
    made, raw = create_api_token(ann, "a program")
    data = own_data(ann)
    assert [one["name"] for one in data["api_tokens"]] == ["a program"]
    assert raw not in json.dumps(data)
    assert made.digest not in json.dumps(data)


def test_of_a_passkey_it_says_what_it_is_called_and_not_the_key():
    ann = factories.person("ann")
    made, _ = factories.passkey(ann), factories.passkey(factories.person("bob"), name="bobs")
    data = own_data(ann)
    assert [(one["name"], one["last_used"]) for one in data["passkeys"]] == [("a phone", None)]
    assert made.digest not in json.dumps(data)


def test_it_costs_the_same_queries_for_one_ballot_and_for_many():
    community, members = factories.community("ann", visibility=Community.Visibility.PUBLIC)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            own_data(members["ann"].user)
        return len(captured)

    counts = []
    for number in (1, 3):
        for _ in range(number):
            factories.vote(members["ann"], factories.decision(community, members["manager"].user), Ash=5)
        counts.append(queries())
    assert counts[0] == counts[1]


def test_the_page_and_the_api_give_it_to_its_owner_alone():
    ann, bob = factories.person("ann"), factories.person("bob")
    browser = as_(ann)
    answer = browser.get("/profile/data/")
    ann.refresh_from_db()
    assert answer.json() == ask(browser, "{ myData }")["myData"] == own_data(ann)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="crowdvote-ann.json"'
    assert "no-store" in answer.headers["Cache-Control"]
    assert as_(bob).get("/profile/data/").json()["account"]["handle"] == "bob"
    assert as_(None).get("/profile/data/").status_code == 302
    assert post(None, "{ myData }")["errors"][0]["extensions"]["code"] == "SIGN_IN"
    assert 'href="/profile/data/"' in as_(ann).get("/profile/").text
