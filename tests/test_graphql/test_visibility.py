"""Decisions that hide their ballots tell nothing of any but the viewer's own, until they are closed."""

from __future__ import annotations

import copy
import json

import pytest

from accounts.api import node_id
from democracy import recalculation, services
from democracy.models import Community, Decision, LedgerEntry, Membership
from tests import factories
from tests.test_graphql.api import ask, codes, id_of, post
from tests.test_graphql.documents import COMMUNITY, DECISION, LEDGER, WHAT_IF
from tests.test_verify.bundles import verifier

pytestmark = pytest.mark.django_db

HIDDEN = [Decision.Visibility.BATCHED, Decision.Visibility.AFTER_CLOSE]


Scene = tuple[Community, dict[str, Membership], Decision]


def made(visibility: str) -> Scene:
    community, members = factories.community("ann", "ben", "cat", visibility=Community.Visibility.PUBLIC)
    decision = factories.decision(community, members["manager"].user, results_visibility=visibility)
    factories.follow(members["ann"], members["ben"])
    services.cast_ballot(
        members["ben"].user,
        decision.pk,
        stars={choice.pk: 4 for choice in decision.choices.all()[:1]},
        tags=["secret topic"],
        comment="secret words",
    )
    recalculation.recalculate_community(community.pk)
    return community, members, decision


@pytest.fixture(scope="module")
def written(module_rows: None) -> dict[str, Scene]:
    return {visibility: made(visibility) for visibility in Decision.Visibility}


@pytest.fixture
def scenes(written: dict[str, Scene], db: None) -> dict[str, Scene]:
    return copy.deepcopy(written)


@pytest.mark.parametrize("who", [None, "cat", "manager"])
@pytest.mark.parametrize("visibility", HIDDEN)
def test_before_closing_nothing_is_told(scenes: dict[str, Scene], visibility: str, who: str | None) -> None:
    community, members, decision = scenes[visibility]
    viewer = members[who].user if who else None
    shown = ask(viewer, DECISION, id=id_of(decision))["decision"]
    told = ("tags", "result", "myBallot", "ballots", "influence", "delegationGraph", "showsBallots")
    assert {name: shown[name] for name in told} == dict.fromkeys(told) | {"showsBallots": False}
    assert shown["history"] == {"totalCount": 0, "edges": []}
    ledger = ask(viewer, LEDGER, id=id_of(community), newestFirst=True)["ledger"]["edges"]
    (entry,) = [edge["node"] for edge in ledger if edge["node"]["kind"] == "BALLOT"]
    assert (entry["actor"], entry["before"], entry["after"]) == ("Somebody", None, None)
    text = json.dumps([shown, ledger, ask(viewer, COMMUNITY, id=id_of(community))["decisions"]])
    assert "secret" not in text


@pytest.mark.parametrize("visibility", HIDDEN)
def test_nobody_can_try_out_what_would_be(scenes: dict[str, Scene], visibility: str) -> None:
    _, members, decision = scenes[visibility]
    withdraw = [{"withdraw": True}]
    assert codes(post(members["cat"].user, WHAT_IF, id=id_of(decision), changes=withdraw)) == ["BALLOTS_HIDDEN"]


def test_a_following_tried_out_elsewhere_does_not_ask_hidden_decisions(scenes: dict[str, Scene]) -> None:
    community, members, _ = scenes[Decision.Visibility.AFTER_CLOSE]
    live = factories.decision(community, members["manager"].user)
    factories.vote(members["ben"], live, Ash=5)
    changes = [{"follow": {"memberId": id_of(members["ben"])}}]
    answer = ask(members["cat"].user, WHAT_IF, id=id_of(live), changes=changes)["whatIf"]
    assert [one["id"] for one in answer["decisionsChanged"]] == [id_of(live)]


@pytest.mark.parametrize("visibility", HIDDEN)
def test_of_ones_own_ballot_one_sees_what_one_wrote(scenes: dict[str, Scene], visibility: str) -> None:
    community, members, decision = scenes[visibility]
    assert ask(members["ann"].user, DECISION, id=id_of(decision))["decision"]["myBallot"] is None
    own = ask(members["ben"].user, DECISION, id=id_of(decision))["decision"]["myBallot"]
    assert (own["kind"], own["comment"], own["sources"]) == ("CAST", "secret words", None)
    factories.close(decision)
    recalculation.recalculate_community(community.pk)
    own = ask(members["ann"].user, DECISION, id=id_of(decision))["decision"]["myBallot"]
    assert (own["kind"], [one["microstars"] for one in own["stars"]]) == ("INHERITED", [4_000_000, 0, 0])
    (source,) = own["sources"]
    assert (source["member"]["name"], source["weightFraction"]) == (members["ben"].user.handle, "1")


@pytest.mark.parametrize("visibility", HIDDEN)
def test_once_closed_everything_is_shown(scenes: dict[str, Scene], visibility: str) -> None:
    community, members, decision = scenes[visibility]
    factories.close(decision)
    recalculation.recalculate_community(community.pk)
    shown = ask(None, DECISION, id=id_of(decision))["decision"]
    assert shown["tags"] == ["secret topic"]
    assert shown["result"]["isFinal"] is True
    handles = sorted(members[name].user.handle for name in ("ann", "ben"))
    assert [edge["node"]["voter"]["name"] for edge in shown["ballots"]["edges"]] == handles
    assert [edge["node"]["ballots"] for edge in shown["influence"]["edges"]] == [2]
    assert shown["delegationGraph"]["edges"] == [{"follower": 0, "followee": 1, "tags": []}]


def test_live_decisions_show_everything_at_once(scenes: dict[str, Scene]) -> None:
    *_, decision = scenes[Decision.Visibility.LIVE]
    shown = ask(None, DECISION, id=id_of(decision))["decision"]
    assert shown["tags"] == ["secret topic"]
    assert shown["ballots"]["totalCount"] == 2


@pytest.mark.parametrize("visibility", HIDDEN)
def test_the_ledger_of_a_decision_counts_no_ballot_that_is_hidden(scenes: dict[str, Scene], visibility: str) -> None:
    community, members, decision = scenes[visibility]
    query = """query($c: ID!, $d: ID!) { all: ledger(communityId: $c, decisionId: $d) { totalCount }
      ballots: ledger(communityId: $c, decisionId: $d, kind: BALLOT) { totalCount edges { node { revision } } } }"""

    def counted(who: str | None) -> tuple[int, int]:
        viewer = members[who].user if who else None
        answer = ask(viewer, query, c=id_of(community), d=id_of(decision))
        assert len(answer["ballots"]["edges"]) == answer["ballots"]["totalCount"]
        return answer["all"]["totalCount"], answer["ballots"]["totalCount"]

    others = LedgerEntry.objects.filter(decision=decision).exclude(kind=LedgerEntry.Kind.BALLOT).count()
    for who in (None, "cat", "manager"):
        assert counted(who) == (others, 0), who
    assert counted("ben") == (others + 1, 1)
    factories.close(decision)
    assert ask(None, query, c=id_of(community), d=id_of(decision))["ballots"]["totalCount"] == 1


def test_a_checkpoint_is_for_whoever_may_read_the_community() -> None:
    query = "query($c: ID!) { checkpoint(communityId: $c) { revision hash key signature file } }"
    community, members = factories.community("ann", visibility=Community.Visibility.MEMBERS)
    newest = LedgerEntry.objects.filter(community=community).latest("revision")
    found = ask(members["ann"].user, query, c=id_of(community))["checkpoint"]
    assert (found["revision"], found["hash"]) == (newest.revision, newest.hash)
    assert verifier.check_checkpoint(verifier._checkpoint(found["file"], "checkpoint"), found["key"]) == []
    for viewer in (None, factories.person()):
        private, nowhere = (post(viewer, query, c=pk) for pk in (id_of(community), node_id("Community", 999_999)))
        assert private == nowhere
        assert codes(private) == ["PERMISSION_DENIED"]


def test_drafts_are_for_managers() -> None:
    community, members = factories.community("ann", visibility=Community.Visibility.PUBLIC)
    draft = factories.draft(community, members["manager"].user, title="Not yet")
    for viewer in (None, members["ann"].user):
        assert ask(viewer, DECISION, id=id_of(draft)) == {"decision": None}
        assert "Not yet" not in json.dumps(ask(viewer, LEDGER, id=id_of(community), newestFirst=False))
        assert "Not yet" not in json.dumps(ask(viewer, COMMUNITY, id=id_of(community)))
    manager = members["manager"].user
    shown = ask(manager, DECISION, id=id_of(draft))["decision"]
    assert (shown["title"], shown["status"]) == ("Not yet", "DRAFT")
    assert "Not yet" in json.dumps(ask(manager, LEDGER, id=id_of(community), newestFirst=False))


def test_what_only_members_may_read_is_null_or_empty_for_others() -> None:
    community, members = factories.community("ann", visibility=Community.Visibility.MEMBERS)
    decision = factories.decision(community, members["manager"].user, title="Ours")
    for viewer in (None, factories.person()):
        assert ask(viewer, DECISION, id=id_of(decision)) == {"decision": None}
        seen = ask(viewer, COMMUNITY, id=id_of(community))
        empty = {"totalCount": 0, "edges": []}
        listed = seen["community"]
        assert (seen["decisions"], listed["decisions"], listed["members"]) == (empty, empty, empty)
        assert codes(post(viewer, LEDGER, id=id_of(community), newestFirst=True)) == ["PERMISSION_DENIED"]
    assert ask(members["ann"].user, DECISION, id=id_of(decision))["decision"]["title"] == "Ours"
