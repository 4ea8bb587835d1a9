"""`recalculate_community_decisions_async`, called directly: what it calculates, stores, logs, and what it survives."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from democracy import eventlog, recalculation
from democracy.live import publishing
from democracy.models import CalculationClaim, Decision, DecisionSnapshot, LedgerEntry, StagedBlock
from democracy.recalculation import recalculate_community, recalculate_community_decisions_async
from democracy.recalculation.claims import Claim
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import StageBallots, forget_everything
from tests import factories
from tests.staged import stored

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scene():
    community, members = factories.community("ada", "ben", "cleo")
    return community, members, factories.decision(community, members["manager"].user)


def log_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"[{record.event}] {record.getMessage()}" for record in caplog.records if hasattr(record, "event")]


def statuses(*decisions: Decision) -> list[str]:
    return [Decision.objects.get(pk=decision.pk).calculation_status for decision in decisions]


class TestWhatIsCalculated:
    def test_every_stale_open_decision_of_the_community_becomes_current(self, scene):
        community, members, first = scene
        second = factories.decision(community, members["manager"].user)
        factories.vote(members["ada"], first, Ash=5)
        factories.vote(members["ada"], second, Birch=4)
        assert statuses(first, second) == ["stale", "stale"]
        recalculate_community_decisions_async(community.pk)
        assert statuses(first, second) == ["current", "current"]
        winners = {snapshot.decision_id: snapshot.result["winner"] for snapshot in DecisionSnapshot.objects.all()}
        assert winners == {
            first.pk: str(factories.choices(first)["Ash"].pk),
            second.pk: str(factories.choices(second)["Birch"].pk),
        }

    def test_only_the_named_community_is_calculated(self, scene):
        community, members, decision = scene
        _, others = factories.community("dora")
        theirs = factories.decision(others["manager"].community, others["manager"].user)
        factories.vote(members["ada"], decision, Ash=5)
        factories.vote(others["dora"], theirs, Ash=5)
        recalculate_community_decisions_async(community.pk)
        assert statuses(decision, theirs) == ["current", "stale"]
        assert stored(theirs) == {}

    def test_drafts_and_current_decisions_are_left_alone(self, scene, caplog):
        community, members, current = scene
        recalculate_community_decisions_async(community.pk)
        stale = factories.decision(community, members["manager"].user)
        factories.vote(members["ada"], stale, Ash=5)
        draft = factories.draft(community, members["manager"].user)
        # What a draft's counters say does not matter.
        community.refresh_from_db()
        Decision.objects.filter(pk=draft.pk).update(input_revision=community.revision)

        def derived() -> list[object]:
            alone = {"pk__in": [current.pk, draft.pk]}
            results = DecisionSnapshot.objects.filter(decision__in=alone["pk__in"]).order_by("pk")
            return [*Decision.objects.filter(**alone).order_by("pk").values(), *results.values()]

        before = derived()
        assert len(before) == 3
        with caplog.at_level("INFO", logger="crowdvote.events"):
            caplog.clear()
            recalculate_community_decisions_async(community.pk)
            assert log_lines(caplog)[0] == "[STAGE_BALLOTS_START] Staging ballots for 1 decision across 1 community"
            caplog.clear()
            recalculate_community_decisions_async(community.pk)
            assert log_lines(caplog) == []
        assert (derived(), statuses(stale)) == (before, ["current"])

    def test_staging_and_tally_give_the_stored_result(self, scene):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5, Birch=2)
        factories.follow(members["ben"], members["ada"])
        factories.follow(members["cleo"], members["ben"], "roads")
        recalculate_community_decisions_async(community.pk)
        forget_everything()
        ((_, staged),) = StageBallots(community.pk).process([decision.pk], live=[decision.pk])
        assert DecisionSnapshot.objects.get(decision=decision).read_result() == Tally().process(staged)
        kinds = {member: ballot.kind for member, ballot in stored(decision).items()}
        assert kinds == {members["ada"].pk: "cast", members["ben"].pk: "inherited"}

    def test_the_counters_the_time_and_the_revision_are_stored(self, scene):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5)
        started = timezone.now()
        recalculate_community_decisions_async(community.pk)
        decision.refresh_from_db()
        community.refresh_from_db()
        assert decision.input_revision == decision.calculated_revision == community.revision
        assert started <= decision.last_calculated <= timezone.now()
        assert DecisionSnapshot.objects.get(decision=decision).revision == community.revision


class TestTheLog:
    def test_a_calculation_is_logged_from_start_to_end(self, scene, caplog):
        community, members, decision = scene
        recalculate_community(community.pk)
        factories.vote(members["ada"], decision, Ash=5)
        factories.follow(members["ben"], members["ada"])
        caplog.set_level("INFO", logger="crowdvote.events")
        caplog.clear()
        recalculate_community_decisions_async(community.pk)
        patterns = [
            r"\[STAGE_BALLOTS_START\] Staging ballots for 1 decisions? across 1 communit(y|ies)",
            r"\[STAGE_BALLOTS_COMPLETE\] Staged 2 ballots in \d+\.\d+ seconds",
            r"\[TALLY_START\] Tallying results for 1 decisions?",
            r"\[TALLY_COMPLETE\] Tally completed in \d+\.\d+ seconds",
        ]
        lines = log_lines(caplog)
        assert len(lines) == len(patterns)
        for pattern, line in zip(patterns, lines, strict=True):
            assert re.fullmatch(pattern, line)

    def test_decisions_that_hide_their_ballots_are_not_among_what_is_counted(self, scene, caplog):
        community, members, live = scene
        hidden = factories.decision(community, members["manager"].user, results_visibility="after_close")
        factories.vote(members["ada"], live, Ash=5)
        for name in ("ada", "ben"):
            factories.vote(members[name], hidden, Ash=5)
        with caplog.at_level("INFO", logger="crowdvote.events"):
            caplog.clear()
            recalculate_community_decisions_async(community.pk)
        counted = [re.sub(r" in [\d.]+ seconds", "", line) for line in log_lines(caplog)]
        assert counted == [
            "[STAGE_BALLOTS_START] Staging ballots for 1 decision across 1 community",
            "[STAGE_BALLOTS_COMPLETE] Staged 1 ballot",
            "[TALLY_START] Tallying results for 1 decision",
            "[TALLY_COMPLETE] Tally completed",
        ]


class TestFailure:
    def test_a_failing_tally_marks_its_decision_and_spares_the_others(self, scene, monkeypatch, caplog):
        community, members, first = scene
        second = factories.decision(community, members["manager"].user)
        process = Tally.process

        def fail_first(self, staged):
            if staged.choices == tuple(first.choices.values_list("pk", flat=True)):
                raise ArithmeticError("cannot count to two")
            return process(self, staged)

        monkeypatch.setattr(Tally, "process", fail_first)
        factories.vote(members["ada"], first, Ash=5)
        factories.vote(members["ada"], second, Ash=5)
        recalculate_community_decisions_async(community.pk)
        assert statuses(first, second) == ["failed", "current"]
        first.refresh_from_db()
        assert first.calculation_error == "ArithmeticError: cannot count to two"
        assert "[THREAD_ERROR] Background calculation failed: cannot count to two" in log_lines(caplog)

    @pytest.mark.parametrize("visibility", ["live", "batched", "after_close"])
    def test_what_a_failure_says_is_not_told_of_a_decision_that_hides_its_ballots(
        self, monkeypatch, caplog, visibility
    ):
        """An error may name whom it met, and how they voted."""
        community, members = factories.community("ada")
        decision = factories.decision(community, members["manager"].user, results_visibility=visibility)
        monkeypatch.setattr(Tally, "process", Mock(side_effect=ArithmeticError("ada gives Ash 5")))
        factories.vote(members["ada"], decision, Ash=5)
        recalculate_community_decisions_async(community.pk)
        decision.refresh_from_db()
        is_live = visibility == "live"
        assert ("ada gives" in caplog.text, "ada gives" in decision.calculation_error) == (is_live, is_live)
        assert "ArithmeticError" in caplog.text
        assert decision.calculation_error.startswith("ArithmeticError")

    def test_a_failed_decision_is_left_alone_until_something_changes_or_a_while_has_passed(self, scene, monkeypatch):
        community, members, decision = scene
        monkeypatch.setattr(Tally, "process", Mock(side_effect=ArithmeticError("cannot count")))
        factories.vote(members["ada"], decision, Ash=5)
        recalculate_community_decisions_async(community.pk)
        monkeypatch.undo()
        recalculate_community_decisions_async(community.pk)
        assert statuses(decision) == ["failed"]
        Decision.objects.filter(pk=decision.pk).update(failed_at=timezone.now() - timedelta(minutes=1))
        recalculate_community_decisions_async(community.pk)
        assert statuses(decision) == ["current"]
        decision.refresh_from_db()
        assert decision.calculation_error == ""

    def test_a_new_change_gives_a_failed_decision_another_try_at_once(self, scene, monkeypatch):
        community, members, decision = scene
        monkeypatch.setattr(Tally, "process", Mock(side_effect=ArithmeticError("cannot count")))
        factories.vote(members["ada"], decision, Ash=5)
        recalculate_community_decisions_async(community.pk)
        monkeypatch.undo()
        factories.vote(members["ben"], decision, Ash=5)
        recalculate_community_decisions_async(community.pk)
        assert statuses(decision) == ["current"]
        assert [ballot.kind for ballot in stored(decision).values()] == ["cast", "cast"]

    def test_an_error_outside_a_decision_is_logged_and_does_not_escape_the_thread(self, scene, monkeypatch):
        community, _, _ = scene
        logged: list[str] = []
        monkeypatch.setattr(eventlog, "thread_error", lambda error: logged.append(str(error)))
        monkeypatch.setattr(Claim, "take", Mock(side_effect=OSError("the disk is gone")))
        recalculate_community_decisions_async(community.pk)
        assert logged == ["the disk is gone"]

    @pytest.mark.parametrize("where", ['FROM "democracy_ballot"', 'SET "calculated_revision"'], ids=["read", "store"])
    def test_a_database_that_is_away_fails_no_decision_and_the_next_sweep_calculates(self, scene, caplog, where):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5)

        def away(execute, sql, *rest):
            if where in sql:
                raise OperationalError("server closed the connection unexpectedly")
            return execute(sql, *rest)

        with connection.execute_wrapper(away):
            recalculate_community_decisions_async(community.pk)
        assert "[THREAD_ERROR] Background calculation failed: server closed the connection unexpectedly" in log_lines(
            caplog
        )
        # Stale, not failed; and the claim is free again.
        assert statuses(decision) == ["stale"]
        recalculate_community_decisions_async(community.pk)
        assert statuses(decision) == ["current"]
        cast = [member for member, ballot in stored(decision).items() if ballot.kind == "cast"]
        assert cast == [members["ada"].pk]

    @pytest.mark.services("postgres")
    @pytest.mark.parametrize("where", ['FROM "democracy_ballot"', 'SET "calculated_revision"'], ids=["read", "store"])
    def test_nor_does_a_connection_that_is_cut(self, scene, where):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5)
        cut: list[int] = []

        def cut_off() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", cut)
            connection.close()

        def cutting(execute, sql, *rest):
            if where in sql and not cut:
                cut.append(connection.connection.info.backend_pid)
                other = threading.Thread(target=cut_off)
                other.start()
                other.join()
            return execute(sql, *rest)

        with connection.execute_wrapper(cutting):
            recalculate_community_decisions_async(community.pk)
        assert (len(cut), statuses(decision)) == (1, ["stale"])
        recalculate_community_decisions_async(community.pk)
        assert statuses(decision) == ["current"]

    def test_what_could_not_be_told_is_stored_all_the_same(self, scene, monkeypatch):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5)
        monkeypatch.setattr(publishing, "result_stored", Mock(side_effect=ConnectionError("nobody listens")))
        recalculate_community_decisions_async(community.pk)
        decision.refresh_from_db()
        assert (decision.calculation_status, decision.calculation_error) == ("current", "")
        assert DecisionSnapshot.objects.get(decision=decision).result["participation"]["cast"] == 1

    def test_a_closed_decision_that_fails_is_left_alone_for_a_while_too(self, scene, monkeypatch):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5)
        factories.close(decision)
        # A second try would succeed.
        process = Mock(side_effect=[ArithmeticError("cannot count"), {}])
        monkeypatch.setattr(Tally, "process", process)
        for _ in range(2):
            recalculate_community_decisions_async(community.pk)
        assert (process.call_count, statuses(decision)) == (1, ["failed"])

    def test_a_failed_staging_marks_all_its_decisions(self, scene, monkeypatch):
        community, _, decision = scene
        monkeypatch.setattr(StageBallots, "process", Mock(side_effect=MemoryError("too many")))
        recalculate_community_decisions_async(community.pk)
        assert statuses(decision) == ["failed"]

    def test_a_calculation_that_takes_too_long_is_stopped_logged_and_marked(self, scene, settings, monkeypatch):
        community, members, decision = scene
        logged: list[str] = []
        monkeypatch.setattr(eventlog, "limit_reached", logged.append)
        settings.RECALCULATION_TIMEOUT = -1
        factories.vote(members["ada"], decision, Ash=5)
        recalculate_community_decisions_async(community.pk)
        assert statuses(decision) == ["failed"]
        assert logged == ["Calculation stopped after -1 seconds"]
        assert stored(decision) == {}


class TestThreadSafety:
    def test_two_threads_calculate_a_community_only_once(self, scene, caplog):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5)
        caplog.set_level("INFO", logger="crowdvote.events")
        caplog.clear()
        threads = [
            threading.Thread(target=recalculate_community_decisions_async, args=(community.pk,)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses(decision) == ["current"]
        assert [line for line in log_lines(caplog) if line.startswith("[TALLY_START]")] == [log_lines(caplog)[2]]

    def test_a_community_held_by_another_run_is_left_to_it(self, scene):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5)
        claim = Claim.take(community.pk)
        assert claim is not None
        assert recalculate_community(community.pk) is False
        assert statuses(decision) == ["calculating"]
        claim.release()
        assert recalculate_community(community.pk) is True
        assert statuses(decision) == ["current"]

    def test_what_changes_while_a_run_ends_is_calculated_by_it_though_others_found_the_community_claimed(
        self, scene, monkeypatch
    ):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5)
        release = Claim.release

        def change_first(claim):
            monkeypatch.setattr(Claim, "release", release)
            factories.vote(members["ben"], decision, Birch=5)
            assert recalculate_community(community.pk) is False
            release(claim)

        monkeypatch.setattr(Claim, "release", change_first)
        assert recalculate_community(community.pk) is True
        assert statuses(decision) == ["current"]
        assert len(stored(decision)) == 2

    def test_a_run_whose_claim_was_taken_over_stores_nothing(self, scene, monkeypatch):
        community, members, decision = scene
        second = factories.decision(community, members["manager"].user)
        for one in (decision, second):
            factories.vote(members["ada"], one, Ash=5)
        process = Tally.process

        def taken_over(self, staged):
            CalculationClaim.objects.filter(community=community).update(fence=99)
            return process(self, staged)

        monkeypatch.setattr(Tally, "process", taken_over)
        recalculate_community_decisions_async(community.pk)
        assert not DecisionSnapshot.objects.exists()
        assert not StagedBlock.objects.exists()
        monkeypatch.undo()
        CalculationClaim.objects.filter(community=community).update(expires_at=timezone.now())
        recalculate_community_decisions_async(community.pk)
        assert statuses(decision, second) == ["current", "current"]
        # The staging that was lost is stored now, of the decision whose turn had not come, too.
        kinds = [{ballot.kind for ballot in stored(one).values()} for one in (decision, second)]
        assert kinds == [{"cast"}, {"cast"}]

    def test_a_thread_leaves_no_connection_behind(self, scene):
        community, _, _ = scene
        seen: list[object] = []

        def run() -> None:
            recalculate_community_decisions_async(community.pk)
            seen.append(connection.connection)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert seen == [None]

    def test_it_changes_no_input(self, scene):
        community, members, decision = scene
        factories.vote(members["ada"], decision, Ash=5)
        entries = LedgerEntry.objects.count()
        recalculate_community_decisions_async(community.pk)
        assert LedgerEntry.objects.count() == entries


class TestTheScheduler:
    """The scheduler without its thread: what is due when, and how many run at once."""

    @pytest.fixture
    def scheduler(self, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> recalculation.Scheduler:
        settings.CROWDVOTE_EXECUTOR = "threads"
        settings.RECALCULATION_DEBOUNCE = 0.2
        settings.RECALCULATION_DEBOUNCE_BOUND = 2.0
        self.now = 1_000.0
        self.thread = Mock()
        monkeypatch.setattr(threading, "Thread", self.thread)
        monkeypatch.setattr("democracy.recalculation.scheduling.time.monotonic", lambda: self.now)
        scheduler = recalculation.Scheduler()
        scheduler.start()
        self.thread.reset_mock()
        return scheduler

    def started(self) -> list[int]:
        communities = [call.kwargs["args"][0] for call in self.thread.call_args_list]
        self.thread.reset_mock()
        return communities

    def later(self, scheduler: recalculation.Scheduler, seconds: float = 1.0) -> None:
        """Let time pass, and start what is due."""
        self.now += seconds
        scheduler.start_due()

    def test_a_run_starts_after_the_debounce(self, scheduler):
        scheduler.wake(1)
        assert scheduler.start_due() == pytest.approx(0.2)
        assert self.started() == []
        self.now += 0.2
        assert scheduler.start_due() is None
        assert self.started() == [1]

    def test_further_wake_ups_are_folded_in_and_move_the_start_but_not_past_the_bound(self, scheduler):
        starts: list[float] = []
        for number in range(1, 15):
            scheduler.wake(1)
            self.now += 0.15
            scheduler.start_due()
            starts += [0.15 * number for _ in self.started()]
        # Each moves it 0.2 seconds on, until 2 seconds have passed.
        assert starts == [pytest.approx(2.1)]

    def test_a_run_starts_a_debounce_after_the_last_wake_up(self, scheduler):
        scheduler.wake(1)
        self.now += 0.15
        scheduler.wake(1)
        self.now += 0.1
        assert scheduler.start_due() == pytest.approx(0.1)
        assert self.started() == []
        self.now += 0.1
        scheduler.start_due()
        assert self.started() == [1]

    def test_a_sweep_puts_off_nothing_that_is_due_already(self, scheduler):
        community, members = factories.community()
        factories.decision(community, members["manager"].user)
        scheduler.wake(community.pk)
        self.now += 0.15
        assert scheduler.sweep() == [community.pk]
        assert scheduler.start_due() == pytest.approx(0.05)
        self.later(scheduler, 0.06)
        assert self.started() == [community.pk]

    def test_a_community_that_is_being_calculated_keeps_no_other_waiting(self, scheduler):
        scheduler.wake(1)
        self.later(scheduler)
        scheduler.wake(1)
        scheduler.wake(2)
        self.later(scheduler)
        assert self.started() == [1, 2]

    def test_whoever_waits_longest_is_calculated_first(self, scheduler, settings):
        settings.RECALCULATION_CONCURRENCY = 1
        scheduler.wake(1)
        scheduler.wake(2)
        self.now += 0.1
        scheduler.wake(1)
        self.later(scheduler)
        assert self.started() == [2]

    def test_a_run_for_which_no_thread_was_to_be_had_is_tried_again(self, scheduler, caplog):
        self.thread.return_value.start.side_effect = RuntimeError("can't start new thread")
        scheduler.wake(1)
        self.later(scheduler)
        assert self.started() == [1]
        self.thread.return_value.start.side_effect = None
        scheduler.wake(1)
        self.later(scheduler)
        assert self.started() == [1]

    def test_a_wake_up_during_a_run_starts_exactly_one_more_after_it(self, scheduler):
        scheduler.wake(1)
        self.later(scheduler)
        scheduler.wake(1)
        scheduler.wake(1)
        self.later(scheduler)
        assert self.started() == [1]
        scheduler._running.discard(1)
        scheduler.start_due()
        scheduler.start_due()
        assert self.started() == [1]

    def test_no_more_run_at_once_than_the_settings_allow_and_the_limit_is_logged_once(
        self, scheduler, settings, monkeypatch
    ):
        logged: list[str] = []
        monkeypatch.setattr(eventlog, "limit_reached", logged.append)
        settings.RECALCULATION_CONCURRENCY = 2
        for community in (1, 2, 3):
            scheduler.wake(community)
        self.later(scheduler)
        scheduler.start_due()
        assert self.started() == [1, 2]
        assert logged == ["2 calculations are running, others wait"]
        scheduler._running.discard(1)
        scheduler.start_due()
        assert self.started() == [3]
        # Nobody waited in between: the next time is news.
        scheduler.wake(1)
        self.later(scheduler)
        assert logged == ["2 calculations are running, others wait"] * 2

    def test_it_starts_no_thread_of_its_own_where_another_executor_calculates(self, settings, monkeypatch):
        settings.CROWDVOTE_EXECUTOR = "off"
        monkeypatch.setattr(threading, "Thread", thread := Mock())
        scheduler = recalculation.Scheduler()
        scheduler.start()
        scheduler.wake(1)
        assert scheduler.start_due() is None
        thread.assert_not_called()

    def test_it_is_started_once(self, scheduler):
        scheduler.start()
        self.thread.assert_not_called()


def test_the_log_directory_of_the_tests_is_not_the_projects(settings: Settings):
    assert Path(settings.LOG_DIR).is_relative_to(settings.DATA_DIR)
