"""From a change to its published result, through nothing but real threads."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import OperationalError
from django.utils import timezone

from democracy import recalculation, services
from democracy.errors import DecisionClosed
from democracy.ledger import staleness
from democracy.live.hub import hub, result_topic, status_topic
from democracy.models import Community, Decision, DecisionSnapshot, LedgerEntry, Membership
from democracy.models.results import DecisionResult
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import calculation_of, forget_everything
from tests import factories
from tests.recalculation import until, until_current
from tests.staged import stored, stored_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("live_recalculation")]


@pytest.fixture
def scene():
    community, members = factories.community("ada", "ben", "cleo", "dan")
    return community, members, factories.decision(community, members["manager"].user)


def winner(decision: Decision) -> str | None:
    snapshot = DecisionSnapshot.objects.filter(decision=decision).order_by("-is_final", "-revision").first()
    titles = {str(choice.pk): title for title, choice in factories.choices(decision).items()}
    return None if snapshot is None else titles.get(snapshot.result["winner"])


def stars(decision: Decision, member: Membership) -> tuple[float, ...] | None:
    ballot = stored_of(decision, member)
    return None if ballot is None else tuple(microstars / 1_000_000 for microstars in ballot.microstars)


class TestAutomaticCalculation:
    def test_a_vote_leads_to_its_result_without_anybody_asking(self, scene):
        _, members, decision = scene
        factories.vote(members["ada"], decision, Ash=1, Birch=5)
        until_current(decision)
        assert winner(decision) == "Birch"

    def test_a_chain_inherits_and_follows_every_change(self, scene):
        _, members, decision = scene
        factories.follow(members["ben"], members["ada"])
        factories.follow(members["cleo"], members["ben"])
        factories.follow(members["dan"], members["cleo"])
        factories.vote(members["ada"], decision, Ash=4)
        until_current(decision)
        assert {stars(decision, members[name]) for name in ("ada", "ben", "cleo", "dan")} == {(4.0, 0.0, 0.0)}
        factories.vote(members["cleo"], decision, Birch=2)
        until_current(decision)
        assert stars(decision, members["ben"]) == (4.0, 0.0, 0.0)
        assert stars(decision, members["dan"]) == (0.0, 2.0, 0.0)
        services.withdraw_ballot(members["ada"].user, decision.pk)
        until_current(decision)
        assert stars(decision, members["ben"]) is None
        assert stars(decision, members["dan"]) == (0.0, 2.0, 0.0)

    def test_tags_decide_who_inherits_and_are_handed_on(self, scene):
        _, members, decision = scene
        factories.follow(members["ben"], members["ada"], "Roads")
        factories.follow(members["cleo"], members["ben"])
        factories.follow(members["dan"], members["cleo"], "budget")
        factories.vote(members["ada"], decision, ["budget", "roads"], Ash=3)
        until_current(decision)
        tags = {member: sorted(ballot.tags) for member, ballot in stored(decision).items()}
        assert tags == {
            members["ada"].pk: ["budget", "roads"],
            members["ben"].pk: ["roads"],
            members["cleo"].pk: ["roads"],
        }
        services.tag_ballot(members["ada"].user, decision.pk, tags=["gardens"])
        until_current(decision)
        assert stars(decision, members["ben"]) is None

    def test_a_loop_settles_on_the_exact_mean(self, scene):
        _, members, decision = scene
        factories.follow(members["ada"], members["ben"])
        factories.follow(members["ben"], members["ada"])
        factories.follow(members["ada"], members["cleo"])
        factories.follow(members["ben"], members["dan"])
        factories.vote(members["cleo"], decision, Ash=5)
        factories.vote(members["dan"], decision, Ash=0)
        until_current(decision)
        assert stars(decision, members["ada"]) == (3.333333, 0.0, 0.0)
        assert stars(decision, members["ben"]) == (1.666667, 0.0, 0.0)

    def test_members_come_and_go(self, scene):
        community, members, decision = scene
        factories.follow(members["ben"], members["ada"])
        factories.vote(members["ada"], decision, Ash=5)
        until_current(decision)
        services.leave_community(members["ada"].user, community.pk)
        until_current(decision)
        assert (stars(decision, members["ada"]), stars(decision, members["ben"])) == (None, None)
        services.apply_to_community(members["ada"].user, community.pk)
        until_current(decision)
        assert stars(decision, members["ben"]) == (5.0, 0.0, 0.0)
        services.update_membership(members["manager"].user, members["ada"].pk, role="lobbyist")
        until_current(decision)
        participation = (
            DecisionSnapshot.objects.filter(decision=decision).order_by("-revision")[0].result["participation"]
        )
        assert participation == {
            "eligible": 4, "cast": 0, "inherited": 1, "abstained": 0, "none": 3, "lobbyists": 1, "counted": 1,
        }  # fmt: skip

    def test_simultaneous_changes_in_two_communities_stay_apart(self, scene):
        _, members, decision = scene
        _, others = factories.community("eve", "fay")
        theirs = factories.decision(others["manager"].community, others["manager"].user)
        with_threads(
            lambda: factories.vote(members["ada"], decision, Ash=5),
            lambda: factories.vote(others["eve"], theirs, Birch=5),
            lambda: factories.vote(members["ben"], decision, Ash=4),
            lambda: factories.vote(others["fay"], theirs, Birch=4),
        )
        until_current(decision, theirs)
        assert (winner(decision), winner(theirs)) == ("Ash", "Birch")
        assert len(stored(decision)) == 2


def with_threads(*actions: Any) -> None:
    """Run the actions at the same time; raise the first error of any of them."""
    errors: list[BaseException] = []

    def run(action: Any) -> None:
        from django.db import connection

        try:
            action()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class TestManyAtOnce:
    def test_two_hundred_voters_lose_no_vote_and_see_no_error(self):
        community, members = factories.community()
        decision = factories.decision(community, members["manager"].user, "Ash", "Birch", "Cedar", "Date")
        voters = [factories.join(community, factories.person()) for _ in range(200)]
        for follower, followee in zip(voters[150:], voters, strict=False):
            factories.follow(follower, followee)
        given = {
            voter.pk: {"Ash": index % 6, "Birch": (index * 7) % 6, "Cedar": (index // 3) % 6}
            for index, voter in enumerate(voters)
        }
        twenty_at_a_time = [
            lambda part=voters[start::20]: [factories.vote(voter, decision, **given[voter.pk]) for voter in part]
            for start in range(20)
        ]
        with_threads(*twenty_at_a_time)
        until_current(decision)

        ids = {title: choice.pk for title, choice in factories.choices(decision).items()}
        stored = {
            ballot.membership_id: {vote.choice_id: vote.stars for vote in ballot.votes.all()}
            for ballot in decision.ballots.prefetch_related("votes")
        }
        assert stored == {pk: {ids[title]: count for title, count in cast.items()} for pk, cast in given.items()}
        result = DecisionSnapshot.objects.filter(decision=decision).order_by("-revision")[0].result
        assert result["participation"]["cast"] == 200
        forget_everything()
        with calculation_of(decision) as afresh:
            assert DecisionResult.of(afresh.calculation.result, afresh.choices).to_json() == result
        revisions = (
            LedgerEntry.objects.filter(community=community).order_by("revision").values_list("revision", flat=True)
        )
        assert list(revisions) == list(range(1, len(revisions) + 1))


class TestStatus:
    def test_the_status_goes_from_stale_over_calculating_to_current(self, scene, monkeypatch):
        _, members, decision = scene
        until_current(decision)
        before = decision.last_calculated
        entered, leave = threading.Event(), threading.Event()
        process = Tally.process

        def slowly(self, staged):
            entered.set()
            leave.wait(20)
            return process(self, staged)

        monkeypatch.setattr(Tally, "process", slowly)
        factories.vote(members["ada"], decision, Ash=5)
        decision.refresh_from_db()
        assert decision.is_stale
        assert entered.wait(20)
        assert decision.is_calculating
        leave.set()
        until_current(decision)
        assert decision.last_calculated > before
        assert not decision.is_calculating

    def test_watchers_are_told_of_the_status_and_the_result(self, scene):
        _, members, decision = scene
        until_current(decision)

        async def watch() -> tuple[set[str], DecisionSnapshot]:
            seen: set[str] = set()
            topics = (status_topic(decision.pk), result_topic(decision.pk))
            async with hub.subscribe(*topics) as inbox:
                await asyncio.to_thread(with_threads, lambda: factories.vote(members["ada"], decision, Cedar=5))
                while True:
                    news = await asyncio.wait_for(inbox.next(), 20)
                    if state := news.get(topics[0]):
                        seen.add(state.status)
                    if (snapshot := news.get(topics[1])) and snapshot.result["winner"]:
                        return seen, snapshot

        seen, snapshot = asyncio.run(watch())
        assert "stale" in seen
        assert snapshot.result["winner"] == str(factories.choices(decision)["Cedar"].pk)

    def test_an_unchanged_result_is_not_published_again_but_is_current(self, scene):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5)
        until_current(decision)
        snapshots = DecisionSnapshot.objects.filter(decision=decision).count()
        services.request_recalculation(members["manager"].user, decision.pk)
        decision.refresh_from_db()
        assert decision.is_stale
        until_current(decision)
        assert DecisionSnapshot.objects.filter(decision=decision).count() == snapshots
        assert decision.calculated_revision == Community.objects.get(pk=community.pk).revision


class TestFinality:
    def closing_soon(self, scene) -> Decision:
        community, members, _ = scene
        return factories.decision(
            community, members["manager"].user, closes_at=timezone.now() + timedelta(milliseconds=1_500)
        )

    def test_a_decision_becomes_final_by_itself_and_stays_so(self, scene):
        _, members, _ = scene
        decision = self.closing_soon(scene)
        factories.follow(members["ben"], members["ada"])
        factories.vote(members["ada"], decision, Birch=5)
        assert not decision.is_final_calculation
        until(lambda: decision.is_final_calculation, "the final result")
        assert winner(decision) == "Birch"
        final = DecisionSnapshot.objects.get(decision=decision, is_final=True)
        services.unfollow(members["ben"].user, members["ada"].pk)
        services.leave_community(members["ada"].user, members["ada"].community_id)
        with pytest.raises(DecisionClosed):
            factories.vote(members["cleo"], decision, Ash=5)
        open_one = scene[2]
        until_current(open_one)
        recalculation.recalculate_community(decision.community_id)
        assert DecisionSnapshot.objects.get(decision=decision, is_final=True).result == final.result
        assert DecisionSnapshot.objects.filter(decision=decision).order_by("-pk")[0] == final
        assert stars(decision, members["ben"]) == (0.0, 5.0, 0.0)

    def test_the_final_result_counts_the_inputs_as_of_closing_even_if_calculated_later(self, scene, live_recalculation):
        community, members, _ = scene
        decision = self.closing_soon(scene)
        live_recalculation.stop()
        factories.follow(members["ben"], members["ada"])
        factories.follow(members["dan"], members["cleo"])
        factories.vote(members["ada"], decision, Birch=5)
        until(lambda: decision.status == Decision.Status.CLOSED, "closing")
        services.unfollow(members["ben"].user, members["ada"].pk)
        factories.follow(members["cleo"], members["ada"])
        services.leave_community(members["ada"].user, community.pk)
        factories.join(community, factories.person())
        recalculation.recalculate_community(community.pk)
        result = DecisionSnapshot.objects.get(decision=decision, is_final=True).result
        assert result["participation"] == {
            "eligible": 5, "cast": 1, "inherited": 1, "abstained": 0, "none": 3, "lobbyists": 0, "counted": 2,
        }  # fmt: skip
        assert stars(decision, members["ben"]) == (0.0, 5.0, 0.0)
        assert stars(decision, members["cleo"]) is None


class TestFailure:
    def test_a_failing_calculation_fails_no_vote_and_is_made_up_for(self, scene, monkeypatch):
        _, members, decision = scene
        until_current(decision)
        monkeypatch.setattr(Tally, "process", Mock(side_effect=ArithmeticError("cannot count")))
        factories.vote(members["ada"], decision, Ash=5)

        def failed() -> bool:
            decision.refresh_from_db()
            return decision.calculation_status == Decision.CalculationStatus.FAILED

        until(failed, "the failure to be marked")
        monkeypatch.undo()
        factories.vote(members["ben"], decision, Ash=4)
        until_current(decision)
        assert winner(decision) == "Ash"

    def test_a_lost_wake_up_only_delays_the_result_until_the_sweep(self, scene, monkeypatch):
        _, members, decision = scene
        until_current(decision)
        monkeypatch.setattr(recalculation, "wake", lambda community_id: None)
        factories.vote(members["ada"], decision, Ash=5)
        until_current(decision)
        assert winner(decision) == "Ash"

    def test_a_sweep_that_fails_is_logged_and_the_next_one_makes_up_for_it(self, scene, monkeypatch, caplog):
        _, members, decision = scene
        until_current(decision)
        monkeypatch.setattr(recalculation, "wake", lambda community_id: None)
        failing = Mock(side_effect=OperationalError("the database is gone"))
        with monkeypatch.context() as broken:
            broken.setattr(staleness, "stale_decisions", failing)
            factories.vote(members["ada"], decision, Ash=5)
            until(lambda: failing.called and "the sweep failed" in caplog.text, "a sweep to fail")
        until_current(decision)
        assert winner(decision) == "Ash"
