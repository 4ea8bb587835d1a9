"""Questions of what if: what would be is what comes, nothing is written, and who may not see may not ask."""

from __future__ import annotations

from typing import Any

import pytest

from democracy import recalculation, services
from democracy.models import Community, Decision, Membership
from tests import factories
from tests.test_graphql.api import ask, client_of, codes, everything_written, id_of, post
from tests.test_graphql.documents import BALLOT, RESULT, WHAT_IF

pytestmark = pytest.mark.django_db


def calculated(community: Community) -> None:
    recalculation.recalculate_community(community.pk)


QUERY_RESULT = f"query($d: ID!) {{ decision(id: $d) {{ result {{ {RESULT} }} calculation {{ status isFinal }} }} }}"
QUERY_OWN = f"query($d: ID!) {{ decision(id: $d) {{ myBallot {{ {BALLOT} }} }} }}"


class TestWhatIf:
    @pytest.fixture
    def scene(self) -> tuple[Community, dict[str, Membership], Decision]:
        community, m = factories.community("ann", "ben", "cat", "dan")
        decision = factories.decision(community, m["manager"].user)
        factories.vote(m["ben"], decision, ["roads"], Ash=5, Birch=1)
        factories.vote(m["cat"], decision, Birch=4, Cedar=2)
        factories.follow(m["ann"], m["cat"])
        factories.follow(m["dan"], m["ann"])
        calculated(community)
        return community, m, decision

    @pytest.mark.parametrize("what", ["follow", "unfollow", "vote", "abstain", "several"])
    def test_what_would_be_is_what_comes(self, scene: Any, what: str) -> None:
        community, m, decision = scene
        ann = m["ann"].user
        birch = decision.choices.get(title="Birch")
        vote = {"stars": [{"choiceId": id_of(birch), "stars": 3}], "tags": ["roads"]}
        kinds: dict[str, list[dict[str, Any]]] = {
            "follow": [{"follow": {"memberId": id_of(m["ben"]), "tags": ["Roads"]}}],
            "unfollow": [{"unfollow": {"memberId": id_of(m["cat"])}}],
            "vote": [{"vote": vote}],
            "abstain": [{"vote": {"abstain": True}}],
            "several": [
                {"unfollow": {"memberId": id_of(m["cat"])}},
                {"follow": {"memberId": id_of(m["ben"])}},
                {"vote": vote},
                {"withdraw": True},
            ],
        }
        changes = kinds[what]
        foreseen = ask(ann, WHAT_IF, id=id_of(decision), changes=changes)["whatIf"]
        present = ask(ann, QUERY_RESULT, d=id_of(decision))["decision"]["result"]
        assert content(foreseen["before"]) == content(present)
        for change in changes:
            make(ann, decision, change, m)
        calculated(community)
        came = ask(ann, QUERY_RESULT, d=id_of(decision))["decision"]["result"]
        assert content(foreseen["after"]) == content(came)
        own = ask(ann, QUERY_OWN, d=id_of(decision))["decision"]["myBallot"]
        ballot = foreseen["myBallotAfter"]
        if own is None:
            assert ballot is None
        else:
            assert ballot == {
                "kind": own["kind"],
                "stars": [{"microstars": one["microstars"]} for one in own["stars"]],
                "tags": own["tags"],
            }
            assert [one["weightFraction"] for one in foreseen["mySourcesAfter"]] == [
                one["weightFraction"] for one in own["sources"]
            ]

    def test_nothing_is_written(self, scene: Any) -> None:
        _, m, decision = scene
        client = client_of(m["ann"].user)
        before = everything_written()
        ask(client, WHAT_IF, id=id_of(decision), changes=[{"follow": {"memberId": id_of(m["ben"])}}])
        assert everything_written() == before

    def test_who_inherits_from_one_changes_with_one(self, scene: Any) -> None:
        community, m, decision = scene
        other = factories.decision(community, m["manager"].user)
        factories.vote(m["ben"], other, Cedar=5)
        factories.decision(community, m["manager"].user)
        changes = [{"follow": {"memberId": id_of(m["ben"])}}]
        found = ask(m["ann"].user, WHAT_IF, id=id_of(decision), changes=changes)["whatIf"]
        assert found["othersChanged"] == 1
        assert {one["id"] for one in found["decisionsChanged"]} == {id_of(decision), id_of(other)}

    def test_who_may_ask(self, scene: Any) -> None:
        _, m, decision = scene
        changes = [{"withdraw": True}]
        for viewer in (None, factories.person()):
            assert codes(post(viewer, WHAT_IF, id=id_of(decision), changes=changes)) == ["PERMISSION_DENIED"]
        foreign, others = factories.community("eve")
        follow = [{"follow": {"memberId": id_of(others["eve"])}}]
        assert codes(post(m["ann"].user, WHAT_IF, id=id_of(decision), changes=follow)) == ["PERMISSION_DENIED"]
        factories.join(foreign, m["ann"].user)
        assert codes(post(m["ann"].user, WHAT_IF, id=id_of(decision), changes=follow)) == ["PERMISSION_DENIED"]
        itself = [{"follow": {"memberId": id_of(m["ann"])}}]
        assert codes(post(m["ann"].user, WHAT_IF, id=id_of(decision), changes=itself)) == ["SELF_FOLLOWING"]
        many = changes * 21
        assert codes(post(m["ann"].user, WHAT_IF, id=id_of(decision), changes=many)) == ["INVALID"]
        factories.close(decision)
        assert codes(post(m["ann"].user, WHAT_IF, id=id_of(decision), changes=changes)) == ["DECISION_CLOSED"]


def content(result: dict[str, Any]) -> dict[str, Any]:
    """A result without when it was calculated."""
    return {name: value for name, value in result.items() if name not in {"revision", "calculatedAt"}}


def make(viewer: Any, decision: Decision, change: dict[str, Any], m: dict[str, Membership]) -> None:
    """Make a change that was only thought of."""
    by_id = {id_of(member): member.pk for member in m.values()}
    choices = {id_of(choice): choice.pk for choice in decision.choices.all()}
    match change:
        case {"follow": follow}:
            services.follow(viewer, by_id[follow["memberId"]], tags=follow.get("tags", ()))
        case {"unfollow": unfollow}:
            services.unfollow(viewer, by_id[unfollow["memberId"]])
        case {"vote": vote}:
            stars = {choices[one["choiceId"]]: one["stars"] for one in vote.get("stars", ())}
            abstain = vote.get("abstain", False)
            services.cast_ballot(viewer, decision.pk, stars=stars, tags=vote.get("tags", ()), abstain=abstain)
        case _:
            services.withdraw_ballot(viewer, decision.pk)
