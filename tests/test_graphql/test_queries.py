"""Answers of the queries: pages, results with their numbers, ballots with their sources, and what would be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from democracy import recalculation
from democracy.ledger.canonical import written_time
from democracy.models import Community, Decision
from tests import factories
from tests.test_graphql.api import ask, id_of
from tests.test_graphql.documents import BALLOT, LEDGER, RESULT

pytestmark = pytest.mark.django_db


def calculated(community: Community) -> None:
    recalculation.recalculate_community(community.pk)


class TestPages:
    def test_following_the_cursors_sees_each_once_in_order(self) -> None:
        community, members = factories.community(*(f"m{n:02}" for n in range(11)))
        query = """query($c: ID!, $after: String) { community(id: $c) { members(first: 5, after: $after) {
          totalCount pageInfo { hasNextPage hasPreviousPage endCursor } edges { node { handle } } } } }"""
        seen: list[str] = []
        after, pages = None, []
        while after is not None or not pages:
            page = ask(members["manager"].user, query, c=id_of(community), after=after)["community"]["members"]
            seen += [edge["node"]["handle"] for edge in page["edges"]]
            pages.append((len(page["edges"]), page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]))
            assert page["totalCount"] == 12
            after = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None
        assert seen == sorted(member.user.handle for member in members.values())
        assert pages == [(5, False, True), (5, True, True), (2, True, False)]

    def test_nested_pages_of_many_parents_are_each_their_own(self) -> None:
        person = factories.person()
        for number in (1, 3):
            community, members = factories.community(visibility="public", name=f"With {number}")
            for title in range(number):
                factories.decision(community, members["manager"].user, title=f"{number}/{title}")
        query = """{ communities(search: "with") { edges { node { name decisions(first: 2) { totalCount
          pageInfo { hasNextPage } edges { node { title } } } } } } }"""
        found = {
            edge["node"]["name"]: (
                len(edge["node"]["decisions"]["edges"]),
                edge["node"]["decisions"]["totalCount"],
                edge["node"]["decisions"]["pageInfo"]["hasNextPage"],
            )
            for edge in ask(person, query)["communities"]["edges"]
        }
        assert found == {"With 1": (1, 1, False), "With 3": (2, 3, True)}

    def test_one_list_twice_under_two_names(self) -> None:
        community, members = factories.community("ann", visibility="public")
        for title in ("One", "Two"):
            factories.decision(community, members["manager"].user, title=title, closes_at=later(len(title)))
        query = """query($c: ID!, $after: String) { community(id: $c) {
          a: decisions(first: 1) { edges { node { title } } pageInfo { endCursor } }
          b: decisions(first: 1, after: $after) { edges { node { title } } } } }"""
        first = ask(None, query, c=id_of(community))["community"]
        found = ask(None, query, c=id_of(community), after=first["a"]["pageInfo"]["endCursor"])["community"]
        assert {found[name]["edges"][0]["node"]["title"] for name in "ab"} == {"One", "Two"}

    def test_the_ledger_is_read_forwards_and_backwards(self) -> None:
        community, members = factories.community("ann", "ben")
        query = """query($c: ID!, $after: String, $n: Boolean) {
          ledger(communityId: $c, first: 3, after: $after, newestFirst: $n) {
            pageInfo { endCursor hasNextPage } edges { node { revision } } } }"""

        def revisions(newest_first: bool) -> list[int]:
            seen: list[int] = []
            after, more = None, True
            while more:
                variables = {"c": id_of(community), "after": after, "n": newest_first}
                page = ask(members["ann"].user, query, **variables)["ledger"]
                seen += [edge["node"]["revision"] for edge in page["edges"]]
                after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
            return seen

        community.refresh_from_db()
        everything = list(range(1, community.revision + 1))
        assert (revisions(False), revisions(True)) == (everything, everything[::-1])


def later(days: int) -> Any:
    return timezone.now() + timedelta(days=days)


class TestCommunities:
    def test_searching_and_ones_own(self) -> None:
        _, members = factories.community("ann", name="Green Hill", description="Where the trees are")
        factories.community(name="Blue Lake")
        query = "query($s: String!, $m: Boolean!) { communities(search: $s, mine: $m) { edges { node { name } } } }"

        def names(**given: Any) -> list[str]:
            found = ask(members["ann"].user, query, **{"s": "", "m": False} | given)
            return [edge["node"]["name"] for edge in found["communities"]["edges"]]

        assert names() == ["Blue Lake", "Green Hill"]
        assert names(s="TREES hill") == ["Green Hill"]
        assert names(m=True) == ["Green Hill"]
        assert names(s="blue", m=True) == []

    def test_decisions_by_status(self) -> None:
        community, members = factories.community("ann")
        manager = members["manager"].user
        made = {
            "DRAFT": factories.draft(community, manager),
            "SCHEDULED": factories.decision(community, manager, opens_at=later(1)),
            "OPEN": factories.decision(community, manager),
            "CLOSED": factories.close(factories.decision(community, manager)),
        }
        query = """query($c: ID!, $s: DecisionStatus) { decisions(communityId: $c, status: $s) {
          edges { node { id status } } } }"""
        for status, decision in made.items():
            found = ask(manager, query, c=id_of(community), s=status)["decisions"]["edges"]
            assert found == [{"node": {"id": id_of(decision), "status": status}}]
        assert len(ask(manager, query, c=id_of(community))["decisions"]["edges"]) == 4


QUERY_RESULT = f"query($d: ID!) {{ decision(id: $d) {{ result {{ {RESULT} }} calculation {{ status isFinal }} }} }}"


class TestResults:
    def test_a_result_with_all_its_numbers(self) -> None:
        community, members = factories.community("ann", "ben", "cat")
        decision = factories.decision(community, members["manager"].user, "Ash", "Birch")
        factories.vote(members["ann"], decision, Ash=5)
        factories.vote(members["ben"], decision, Birch=5)
        factories.vote(members["cat"], decision)
        calculated(community)
        result = ask(members["ann"].user, QUERY_RESULT, d=id_of(decision))["decision"]["result"]
        lots = {choice.title: choice.lot for choice in decision.choices.all()}
        first = min(lots, key=lambda title: lots[title])
        second = max(lots, key=lambda title: lots[title])
        told = {name: result[name] for name in ("isFinal", "rules", "reason", "runoff", "participation")}
        assert told == {
            "isFinal": False,
            "rules": "star-2026/1",
            "reason": None,
            "runoff": {
                "votes": [{"choice": {"title": one["title"]}, "ballots": 1} for one in result["finalists"]],
                "equal": 0,
            },
            "participation": {
                "eligible": 4,
                "cast": 2,
                "inherited": 0,
                "abstained": 1,
                "none": 1,
                "lobbyists": 0,
                "counted": 2,
            },
        }
        assert (result["winner"]["title"], result["runnerUp"]["title"]) == (first, second)
        last = result["tieBreaks"][-1]
        assert (last["round"], last["kind"], last["won"]["title"]) == ("RUNOFF", "LOT", first)
        assert {one["choice"]["title"]: one["number"] for one in last["numbers"]} == lots
        assert result["scores"] == [
            {
                "choice": {"title": title},
                "score": 5_000_000,
                "stars": "5",
                "average": 2.5,
                "rank": 1,
                "fiveStarBallots": 1,
            }
            for title in ("Ash", "Birch")
        ]
        assert result["preferences"] == [
            {"choice": {"title": a}, "counts": [{"over": {"title": b}, "ballots": 1}]}
            for a, b in (("Ash", "Birch"), ("Birch", "Ash"))
        ]

    def test_a_sum_beyond_32_bits_is_a_number(self) -> None:
        community, members = factories.community("ann")
        decision = factories.decision(community, members["manager"].user)
        factories.vote(members["ann"], decision, Ash=5)
        calculated(community)
        snapshot = decision.snapshots.get()
        ash = str(decision.choices.get(title="Ash").pk)
        snapshot.result["scores"][ash] = 5_000_000_000_000
        snapshot.save()
        result = ask(members["ann"].user, QUERY_RESULT, d=id_of(decision))["decision"]["result"]
        assert (result["scores"][0]["score"], result["scores"][0]["stars"]) == (5_000_000_000_000, "5000000")

    def test_without_ballots_there_is_no_winner_and_the_reason_is_said(self) -> None:
        community, members = factories.community()
        decision = factories.decision(community, members["manager"].user)
        calculated(community)
        result = ask(members["manager"].user, QUERY_RESULT, d=id_of(decision))["decision"]["result"]
        assert (result["winner"], result["runnerUp"], result["reason"]) == (None, None, "NO_BALLOTS")

    def test_why_a_calculation_failed_is_for_the_log(self) -> None:
        community, members = factories.community()
        decision = factories.decision(community, members["manager"].user)
        decision.refresh_from_db()
        Decision.objects.filter(pk=decision.pk).update(
            failed_revision=decision.input_revision, failed_at=timezone.now(), calculation_error="KeyError: /srv/secret"
        )
        query = "query($d: ID!) { decision(id: $d) { calculation { status error isCalculating } } }"
        told = ask(members["manager"].user, query, d=id_of(decision))["decision"]["calculation"]
        assert told == {
            "status": "FAILED",
            "error": "The last calculation failed; it is tried again.",
            "isCalculating": False,
        }


QUERY_OWN = f"query($d: ID!) {{ decision(id: $d) {{ myBallot {{ {BALLOT} }} }} }}"


class TestBallots:
    def test_the_loop_of_the_rules(self) -> None:
        """A <-> B, A -> C, B -> D; C casts 5 and D casts 0: A has 10/3, of C two thirds and of D one."""
        community, m = factories.community("a", "b", "c", "d")
        decision = factories.decision(community, m["manager"].user)
        for follower, followee in ("ab", "ba", "ac", "bd"):
            factories.follow(m[follower], m[followee])
        factories.vote(m["c"], decision, Ash=5)
        factories.vote(m["d"], decision, Ash=0)
        calculated(community)
        own = ask(m["a"].user, QUERY_OWN, d=id_of(decision))["decision"]["myBallot"]
        assert (own["kind"], own["stars"][0]["microstars"], own["stars"][0]["stars"]) == (
            "INHERITED",
            3_333_333,
            "3.333333",
        )
        assert [
            (one["member"]["name"], one["weightFraction"], [step["name"] for step in one["path"]])
            for one in own["sources"]
        ] == [
            (m["c"].user.handle, "2/3", [m["a"].user.handle, m["c"].user.handle]),
            (m["d"].user.handle, "1/3", [m["a"].user.handle, m["b"].user.handle, m["d"].user.handle]),
        ]
        assert sum(one["weight"] for one in own["sources"]) == pytest.approx(1)

    def test_a_cast_ballot_is_there_before_anything_is_calculated(self) -> None:
        community, m = factories.community("ann", "ben")
        decision = factories.decision(community, m["manager"].user)
        factories.vote(m["ann"], decision, ["Roads"], Ash=4)
        own = ask(m["ann"].user, QUERY_OWN, d=id_of(decision))["decision"]["myBallot"]
        assert (own["kind"], own["tags"], [one["stars"] for one in own["stars"]]) == (
            "CAST",
            ["roads"],
            ["4", "0", "0"],
        )
        assert [(one["member"]["isMe"], one["weightFraction"]) for one in own["sources"]] == [(True, "1")]
        assert ask(m["ben"].user, QUERY_OWN, d=id_of(decision)) == {"decision": {"myBallot": None}}

    def test_an_abstention_rates_nothing(self) -> None:
        community, m = factories.community("ann")
        decision = factories.decision(community, m["manager"].user)
        factories.vote(m["ann"], decision)
        own = ask(m["ann"].user, QUERY_OWN, d=id_of(decision))["decision"]["myBallot"]
        assert (own["kind"], own["stars"], own["isCounted"], own["sources"]) == ("ABSTAINED", [], False, [])

    def test_influence_counts_the_ballots_that_one_carries(self) -> None:
        community, m = factories.community("ann", "ben", "cat", "dan")
        decision = factories.decision(community, m["manager"].user)
        factories.vote(m["ann"], decision, Ash=5)
        factories.vote(m["ben"], decision, Ash=1)
        factories.follow(m["cat"], m["ann"])
        factories.follow(m["dan"], m["ann"])
        factories.follow(m["dan"], m["ben"])
        calculated(community)
        query = "query($d: ID!) { decision(id: $d) { influence { edges { node { ballots voter { name } } } } } }"
        edges = ask(m["ann"].user, query, d=id_of(decision))["decision"]["influence"]["edges"]
        assert [(edge["node"]["voter"]["name"], edge["node"]["ballots"]) for edge in edges] == [
            (m["ann"].user.handle, 2.5),
            (m["ben"].user.handle, 1.5),
        ]


def test_the_ledger_tells_what_happened_and_is_chained() -> None:
    community, m = factories.community("ann")
    decision = factories.decision(community, m["manager"].user, title="Which tree?")
    receipt = factories.vote(m["ann"], decision, ["roads"], Ash=5)
    edges = ask(m["ann"].user, LEDGER, id=id_of(community), newestFirst=False)["ledger"]["edges"]
    entries = [edge["node"] for edge in edges]
    assert [entry["previousHash"] for entry in entries[1:]] == [entry["hash"] for entry in entries[:-1]]
    last = entries[-1]
    assert (last["kind"], last["hash"], last["decisionId"]) == ("BALLOT", receipt.entry_hash, id_of(decision))
    assert (last["before"], last["after"]) == (
        None,
        {
            "voter": last["actor"],
            "stars": {"Ash": 5},
            "tags": ["roads"],
            "abstain": False,
            "comment": "",
            "anonymous": False,
            "cast": written_time(receipt.ballot.cast_at),
        },
    )
