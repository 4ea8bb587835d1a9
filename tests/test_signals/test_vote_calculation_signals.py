"""The receivers of `democracy.signals`: the community whose calculation a change wakes, and the change's entry."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.apps import apps
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.test import Client
from pytest_django import Settings

from democracy import eventlog, ledger, recalculation, services, signals
from democracy.ledger import contents
from democracy.ledger.canonical import written_time
from democracy.live.hub import access_topic, hub, readers_topic
from democracy.models import (
    Application,
    Ballot,
    CalculationClaim,
    Choice,
    Community,
    Decision,
    Following,
    LedgerEntry,
    Membership,
    Vote,
)
from democracy.models.results import DecisionResult
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import StagedDecision, forget_everything
from tests import factories

# Real transactions: what happens on commit, and what counts as one transaction, is the subject here.
pytestmark = pytest.mark.django_db(transaction=True)

Change = Callable[[], Any]


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Mock:
    """`threading.Thread`, mocked: threads are counted, none runs."""
    forget_everything()
    mock = Mock()
    monkeypatch.setattr(threading, "Thread", mock)
    settings.CROWDVOTE_EXECUTOR = "threads"
    settings.RECALCULATION_DEBOUNCE = 0
    scheduler = recalculation.Scheduler()
    scheduler.start()
    mock.reset_mock()
    monkeypatch.setattr("democracy.recalculation.scheduling.scheduler", scheduler)
    monkeypatch.setattr(recalculation, "scheduler", scheduler)
    return mock


@pytest.fixture
def started(threads: Mock) -> Callable[[Change], list[int]]:
    """The communities for which a thread is started once a change has committed."""

    def run(change: Change) -> list[int]:
        # What was woken while the scene was set has had its thread before.
        recalculation.scheduler.start_due()
        recalculation.scheduler._running.clear()
        threads.reset_mock()
        change()
        recalculation.scheduler.start_due()
        communities = []
        for call in threads.call_args_list:
            assert call.kwargs["daemon"] is True
            (community_id,) = call.kwargs["args"]
            communities.append(community_id)
            # The mocked thread never ends by itself.
            recalculation.scheduler._running.discard(community_id)
        assert threads.return_value.start.call_count == len(communities)
        return communities

    return run


@pytest.fixture
def springfield() -> tuple[Community, dict[str, Membership], Decision]:
    community, members = factories.community("ada", "ben", "cleo")
    return community, members, factories.decision(community, members["manager"].user)


@pytest.fixture(autouse=True)
def bystander() -> tuple[Community, dict[str, Membership], Decision]:
    """Another community with an open decision; nothing that happens elsewhere concerns it."""
    community, members = factories.community("dora")
    return community, members, factories.decision(community, members["manager"].user)


class TestTheSixTriggers:
    def test_a_vote_cast_changed_and_deleted_starts_its_community(self, springfield, started):
        community, members, decision = springfield
        assert started(lambda: factories.vote(members["ada"], decision, Ash=5)) == [community.pk]
        assert started(lambda: factories.vote(members["ada"], decision, Ash=2, Birch=1)) == [community.pk]
        vote = Vote.objects.get(ballot__membership=members["ada"], choice__title="Birch")
        assert started(vote.delete) == [community.pk]

    def test_following_somebody_starts_the_community(self, springfield, started):
        community, members, _ = springfield
        assert started(lambda: factories.follow(members["ada"], members["ben"])) == [community.pk]

    def test_unfollowing_starts_the_community(self, springfield, started):
        community, members, _ = springfield
        factories.follow(members["ada"], members["ben"])
        assert started(lambda: services.unfollow(members["ada"].user, members["ben"].pk)) == [community.pk]

    def test_changed_tags_of_a_following_start_the_community(self, springfield, started):
        community, members, _ = springfield
        factories.follow(members["ada"], members["ben"])
        assert started(lambda: factories.follow(members["ada"], members["ben"], "budget")) == [community.pk]

    def test_joining_leaving_and_a_deleted_membership_start_the_community(self, springfield, started):
        community, members, _ = springfield
        newcomer = factories.person()
        assert started(lambda: services.apply_to_community(newcomer, community.pk)) == [community.pk]
        assert started(lambda: services.leave_community(newcomer, community.pk)) == [community.pk]
        assert started(members["cleo"].delete) == [community.pk]

    def test_changed_tags_of_a_ballot_start_the_community(self, springfield, started):
        community, members, decision = springfield
        factories.vote(members["ada"], decision, Ash=5)
        retag = lambda: services.tag_ballot(members["ada"].user, decision.pk, tags=["budget"])  # noqa: E731
        assert started(retag) == [community.pk]

    def test_an_unchanged_row_saved_again_starts_nothing(self, springfield, started):
        _, members, decision = springfield
        factories.vote(members["ada"], decision, Ash=5)
        factories.follow(members["ben"], members["ada"])
        assert started(lambda: Vote.objects.get().save()) == []
        assert started(lambda: Following.objects.get().save()) == []
        assert started(members["ada"].save) == []

    def test_a_change_that_is_rolled_back_starts_nothing(self, springfield, started):
        community, members, decision = springfield

        def rolled_back() -> None:
            with transaction.atomic():
                factories.vote(members["ada"], decision, Ash=5)
                transaction.set_rollback(True)

        assert started(rolled_back) == []
        assert not Ballot.objects.filter(decision=decision).exists()
        assert not LedgerEntry.objects.filter(community=community, kind="ballot").exists()


class TestScoping:
    def test_several_changes_in_one_transaction_start_one_thread(self, springfield, started):
        community, members, decision = springfield

        def several() -> None:
            with transaction.atomic():
                factories.vote(members["ada"], decision, Ash=5)
                factories.vote(members["ben"], decision, Ash=1)
                factories.follow(members["cleo"], members["ada"])

        assert started(several) == [community.pk]

    def test_changes_in_two_communities_start_a_thread_each(self, springfield, bystander, started):
        community, members, decision = springfield
        other, others, their_decision = bystander

        def both() -> None:
            factories.vote(members["ada"], decision, Ash=5)
            factories.vote(others["dora"], their_decision, Ash=5)

        assert sorted(started(both)) == sorted([community.pk, other.pk])

    def test_a_change_leaves_other_communities_decisions_current(self, springfield, bystander):
        _, members, decision = springfield
        other, _, their_decision = bystander
        other.refresh_from_db()
        before = (other.revision, Decision.objects.get(pk=their_decision.pk).input_revision)
        factories.vote(members["ada"], decision, Ash=5)
        other.refresh_from_db()
        assert (other.revision, Decision.objects.get(pk=their_decision.pk).input_revision) == before


class TestTheLedgerEntry:
    def test_a_ballot_is_one_entry_however_many_votes_it_has(self, springfield):
        community, members, decision = springfield
        factories.vote(members["ada"], decision, ["budget"], Ash=5, Birch=3, Cedar=0)
        (entry,) = LedgerEntry.objects.filter(community=community, kind="ballot")
        ballot = Ballot.objects.get(decision=decision)
        ids = {title: str(choice.pk) for title, choice in factories.choices(decision).items()}
        assert entry.before is None
        assert entry.after == {
            "stars": {ids["Ash"]: 5, ids["Birch"]: 3, ids["Cedar"]: 0},
            "tags": ["budget"],
            "abstain": False,
            "comment": "",
            "anonymous": False,
            "cast": written_time(ballot.cast_at),
        }

    def test_rows_saved_past_the_commands_fold_into_one_entry(self, springfield):
        community, members, decision = springfield
        with transaction.atomic():
            ballot = Ballot.objects.create(decision=decision, membership=members["ada"])
            for choice in decision.choices.all():
                Vote.objects.create(ballot=ballot, choice=choice, stars=4)
        (entry,) = LedgerEntry.objects.filter(community=community, kind="ballot")
        assert entry.after["stars"] == {str(choice.pk): 4 for choice in decision.choices.all()}
        community.refresh_from_db()
        assert list(ledger.faults(community)) == []

    def test_withdrawing_is_one_entry_too(self, springfield):
        community, members, decision = springfield
        factories.vote(members["ada"], decision, Ash=5, Birch=3)
        services.withdraw_ballot(members["ada"].user, decision.pk)
        cast, withdrawn = LedgerEntry.objects.filter(community=community, kind="ballot").order_by("revision")
        assert (withdrawn.before, withdrawn.after) == (cast.after, None)

    def test_applications_drafts_and_choices_are_recorded(self, springfield):
        community, members, _ = springfield
        draft = factories.draft(community, members["manager"].user, "Yes", "No")
        Choice.objects.get(decision=draft, title="No").delete()
        newest = LedgerEntry.objects.filter(community=community, decision=draft).order_by("revision").last()
        assert [choice["title"] for choice in newest.after["choices"]] == ["Yes"]
        services.apply_to_community(factories.person("visitor"), community.pk, message="Hello")
        entry = LedgerEntry.objects.filter(community=community, kind="application").order_by("revision").last()
        assert (entry.after["status"], entry.after["message"]) == (Application.Status.APPROVED, "Hello")


class TestWhoeverWatches:
    """Open pages and subscriptions are told to look again when what somebody may see has changed."""

    def test_changed_settings_of_a_community_are_recorded_and_its_readers_told(self, springfield):
        community, members, _ = springfield
        show = lambda: services.update_community(members["manager"].user, community.pk, visibility="public")  # noqa: E731
        assert told(readers_topic(community.pk), show)
        entry = LedgerEntry.objects.filter(community=community).order_by("revision").last()
        assert (entry.kind, entry.before["visibility"], entry.after["visibility"]) == ("community", "members", "public")

    def test_whoever_joins_leaves_or_is_deleted_is_told_and_nobody_of_what_is_rolled_back(self, springfield):
        community, members, _ = springfield
        newcomer, ben, cleo = factories.person(), members["ben"].user, members["cleo"]

        def rolled_back() -> None:
            with transaction.atomic():
                services.leave_community(ben, community.pk)
                services.update_community(members["manager"].user, community.pk, visibility="public")
                transaction.set_rollback(True)

        for user, change, heard in (
            (newcomer, lambda: services.apply_to_community(newcomer, community.pk), True),
            (ben, rolled_back, False),
            (cleo.user, cleo.delete, True),
            (ben, lambda: services.leave_community(newcomer, community.pk), False),
        ):
            assert told(access_topic(user.pk), change) is heard
        assert not told(readers_topic(community.pk), rolled_back)

    def test_whoever_signs_out_is_told_and_others_are_not(self, springfield):
        _, members, _ = springfield
        ada, ben = members["ada"].user, members["ben"].user
        for user, heard in ((ada, True), (ben, False)):
            client = Client()
            client.force_login(ada, backend="accounts.backends.SignInLinkBackend")
            assert told(access_topic(user.pk), partial(client.post, "/sign-out/")) is heard


def told(topic: str, change: Change) -> bool:
    """Tell whether subscribers of a topic hear of a change. Its end is told, too, so nobody waits in vain."""

    async def listen() -> bool:
        async with hub.subscribe(topic, "done") as inbox:
            await sync_to_async(change)()
            hub.publish("done", None)
            heard: set[str] = set()
            while "done" not in heard:
                heard |= (await inbox.next()).keys()
            return topic in heard

    return async_to_sync(listen)()


class TestFailure:
    def test_a_receiver_that_fails_is_logged_and_undoes_the_change(self, springfield, monkeypatch):
        _, members, decision = springfield
        logged: list[tuple[str, str]] = []
        monkeypatch.setattr(eventlog, "signal_error", lambda name, error: logged.append((name, str(error))))
        monkeypatch.setattr(contents, "ballot_change", Mock(side_effect=RuntimeError("no such luck")))
        with pytest.raises(RuntimeError, match="no such luck"):
            factories.vote(members["ada"], decision, Ash=5)
        assert logged == [("ballot_tags_changed", "no such luck")]
        assert not Ballot.objects.filter(decision=decision).exists()
        monkeypatch.undo()
        factories.vote(members["ada"], decision, Ash=5)
        assert Ballot.objects.filter(decision=decision).count() == 1

    def test_a_thread_that_cannot_start_is_logged_and_fails_no_request(
        self, springfield, threads, started, monkeypatch
    ):
        _, members, decision = springfield
        logged: list[str] = []
        monkeypatch.setattr(eventlog, "thread_error", lambda error: logged.append(str(error)))
        threads.return_value.start.side_effect = RuntimeError("can't start new thread")
        started(lambda: factories.vote(members["ada"], decision, Ash=5))
        assert logged == ["can't start new thread"]
        assert Ballot.objects.filter(decision=decision).count() == 1
        decision.refresh_from_db()
        assert decision.is_stale

    def test_a_wake_up_that_fails_fails_no_request(self, springfield, monkeypatch):
        _, members, decision = springfield
        monkeypatch.setattr(recalculation, "wake", Mock(side_effect=RuntimeError("asleep")))
        receipt = factories.vote(members["ada"], decision, Ash=5)
        assert receipt.entry_hash == LedgerEntry.objects.get(community=decision.community, kind="ballot").hash

    def test_a_community_that_is_gone_is_calculated_without_an_error(self, springfield, monkeypatch):
        community, members, decision = springfield
        logged: list[str] = []
        monkeypatch.setattr(eventlog, "thread_error", lambda error: logged.append(str(error)))
        factories.vote(members["ada"], decision, Ash=5)
        process = Tally.process

        def gone_meanwhile(self: Tally, staged: StagedDecision) -> DecisionResult:
            Community.objects.get(pk=gone).delete()
            return process(self, staged)

        gone = community.pk
        monkeypatch.setattr(Tally, "process", gone_meanwhile)
        for pk in (gone, gone, 987_654_321):
            recalculation.recalculate_community_decisions_async(pk)
        assert logged == []
        assert not Community.objects.filter(pk=gone).exists()
        assert not CalculationClaim.objects.filter(community__in=[gone, 987_654_321]).exists()


class TestRegistration:
    def test_the_app_connects_every_receiver_once(self):
        apps.get_app_config("democracy").ready()
        for signal, suffix in ((post_save, "save"), (post_delete, "delete")):
            connected = [receiver[0][0] for receiver in signal.receivers]
            for receiver in (
                signals.vote_changed,
                signals.ballot_tags_changed,
                signals.following_changed,
                signals.membership_changed,
                signals.decision_changed,
                signals.choice_changed,
                signals.application_changed,
            ):
                assert connected.count(f"{receiver.__name__}.{suffix}") == 1

    def test_the_names_of_the_feature_plan_are_there(self):
        assert signals.recalculate_community_decisions_async is recalculation.recalculate_community_decisions_async
