"""The eight invariants of the reactive core, each under its number. Longer walks are in tests/test_integration."""

from __future__ import annotations

import random
import threading
import time
from itertools import pairwise
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.test.utils import CaptureQueriesContext

from democracy import ledger, recalculation, services
from democracy.caches import BoundedCache
from democracy.models import (
    Ballot,
    CalculationClaim,
    Community,
    Decision,
    DecisionSnapshot,
    LedgerEntry,
    Vote,
)
from democracy.recalculation import inputs, recalculate_community, staging
from democracy.recalculation.claims import Claim
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import StageBallots, forget_everything
from democracy.recalculation.storing import store
from tests import factories
from tests.recalculation import live_recalculation, until_current  # noqa: F401
from tests.staged import stored

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scene():
    community, members = factories.community("ada", "ben", "cleo")
    decision = factories.decision(community, members["manager"].user)
    factories.follow(members["ben"], members["ada"])
    factories.vote(members["ada"], decision, Ash=5)
    return community, members, decision


def stage(decision: Decision):
    ((_, staged),) = StageBallots(decision.community_id).process([decision.pk], live=[decision.pk])
    return staged


def staged_rows(decision: Decision) -> dict[int, tuple[Any, ...]]:
    rows = stored(decision)
    return {member: (row.kind, row.microstars, tuple(sorted(row.tags)), row.is_counted) for member, row in rows.items()}


def test_invariant_1_calculation_writes_derived_rows_only_and_fires_no_signal(scene):
    community, _, _ = scene
    fired: list[str] = []

    def note(sender, **kwargs):
        fired.append(sender.__name__)

    for signal in (pre_save, post_save, pre_delete, post_delete):
        signal.connect(note)
    try:
        with CaptureQueriesContext(connection) as queries:
            recalculate_community(community.pk)
    finally:
        for signal in (pre_save, post_save, pre_delete, post_delete):
            signal.disconnect(note)
    inputs_tables = {
        apps.get_model("democracy", name)._meta.db_table
        for name in ("Community", "Membership", "Application", "Following", "Choice", "Ballot", "Vote", "LedgerEntry")
    }
    written = {
        table
        for query in queries
        for verb in ("INSERT INTO", "UPDATE", "DELETE FROM")
        for table in inputs_tables
        if query["sql"].startswith(f'{verb} "{table}"')
    }
    assert written == set()
    # The claim and the snapshot are single rows of bookkeeping and result; no input, and no receiver of ours listens to
    # them.
    assert set(fired) <= {"CalculationClaim", "DecisionSnapshot"}


def test_invariant_2_change_entry_and_counters_commit_together_or_not_at_all(scene, monkeypatch):
    community, members, decision = scene

    def state():
        return (
            list(Vote.objects.values_list("pk", "stars").order_by("pk")),
            list(Ballot.objects.values().order_by("pk")),
            list(LedgerEntry.objects.values_list("hash", flat=True)),
            Community.objects.get(pk=community.pk).revision,
            Decision.objects.get(pk=decision.pk).input_revision,
        )

    before = state()
    steps = [
        "democracy.ledger.recordings.commitment",
        "democracy.ledger.staleness.raise_counters",
        "democracy.database.bulk.insert",
    ]
    for step in steps:
        with monkeypatch.context() as broken:

            def fail(*args: object, **kwargs: object) -> None:
                raise OSError("disk full")

            broken.setattr(step, fail)
            with pytest.raises(OSError, match="disk full"):
                factories.vote(members["cleo"], decision, Ash=1, Birch=4)
        assert state() == before
    factories.vote(members["cleo"], decision, Ash=1, Birch=4)
    votes, ballots, entries, revision, input_revision = state()
    assert (len(votes), len(ballots), len(entries)) == (len(before[0]) + 2, len(before[1]) + 1, len(before[2]) + 1)
    assert (revision, input_revision) == (before[3] + 1, before[3] + 1)


def test_invariant_3_the_revision_is_read_first_and_stored_so_a_change_in_between_is_not_lost(scene, monkeypatch):
    community, members, decision = scene
    rows = inputs._rows

    def change_while_reading(*args: Any) -> Any:
        monkeypatch.setattr(inputs, "_rows", rows)
        read = rows(*args)
        # Commits after the rows were read: only the ledger entries read last can tell of it.
        factories.vote(members["cleo"], decision, Birch=5)
        return read

    monkeypatch.setattr(inputs, "_rows", change_while_reading)
    staged = stage(decision)
    community.refresh_from_db()
    assert staged.revision == community.revision
    assert staged.result.participation.cast == 2

    process = Tally.process

    def change_while_counting(self, staged):
        monkeypatch.setattr(Tally, "process", process)
        factories.vote(members["manager"], decision, Cedar=5)
        return process(self, staged)

    forget_everything()
    monkeypatch.setattr(Tally, "process", change_while_counting)
    recalculate_community(community.pk)
    revisions = [
        snapshot.revision for snapshot in DecisionSnapshot.objects.filter(decision=decision).order_by("revision")
    ]
    casts = [s.result["participation"]["cast"] for s in DecisionSnapshot.objects.order_by("revision")]
    community.refresh_from_db()
    assert (revisions, casts) == ([community.revision - 1, community.revision], [2, 3])


def test_invariant_4_an_older_run_never_overwrites_a_newer_one(scene):
    community, members, decision = scene
    older = stage(decision)
    factories.vote(members["ben"], decision, Birch=5)
    # As another process would have it, which has not staged the older one.
    forget_everything()
    newer = stage(decision)
    claim = Claim.take(community.pk)
    assert claim is not None
    assert store(decision, newer, Tally().process(newer), claim) == 2
    before = staged_rows(decision), Decision.objects.values().get(pk=decision.pk)
    assert store(decision, older, Tally().process(older), claim) is None
    assert (staged_rows(decision), Decision.objects.values().get(pk=decision.pk)) == before
    assert store(decision, newer, Tally().process(newer), claim) is None


def test_invariant_5_a_lost_wake_up_loses_nothing(scene, settings):
    _, members, decision = scene
    # No scheduler runs here: every wake-up so far was lost.
    factories.vote(members["ben"], decision, Birch=5)
    settings.CROWDVOTE_EXECUTOR = "threads"
    forget_everything()
    scheduler = recalculation.Scheduler()
    scheduler.start()
    try:
        until_current(decision)
    finally:
        scheduler.stop()
    assert len(staged_rows(decision)) == 2


def test_invariant_6_at_most_one_run_per_community_and_changes_during_it_cause_exactly_one_more(
    scene,
    live_recalculation,  # noqa: F811
    monkeypatch,
):
    community, members, decision = scene
    other, others = factories.community("dora")
    theirs = factories.decision(other, others["manager"].user)
    until_current(decision, theirs)
    running, overlaps, runs = set[int](), list[int](), list[int]()
    guard, first_entered, go_on = threading.Lock(), threading.Event(), threading.Event()
    process = StageBallots.process

    def watched(self, decision_ids, **which):
        key = self._community.community_id
        with guard:
            overlaps.extend([key] if key in running else [])
            running.add(key)
            runs.append(key)
        if key == community.pk:
            first_entered.set()
            go_on.wait(20)
        try:
            return process(self, decision_ids, **which)
        finally:
            with guard:
                running.discard(key)

    monkeypatch.setattr(StageBallots, "process", watched)
    factories.vote(members["ada"], decision, Ash=1)
    assert first_entered.wait(20)
    for stars in (1, 2, 3, 4, 5):
        factories.vote(others["dora"], theirs, Ash=stars)
        factories.vote(members["cleo"], decision, Cedar=stars)
        recalculation.wake(community.pk)
        recalculation.sweep()
    until_current(theirs)
    assert runs.count(community.pk) == 1
    go_on.set()
    until_current(decision)
    live_recalculation.stop()
    assert overlaps == []
    # The first run takes in all that was there when it read; at most one more is needed for what came after.
    assert runs.count(community.pk) <= 2
    assert len(staged_rows(decision)) == 3


def test_invariant_7_incremental_equals_from_scratch_and_an_unchanged_result_is_not_published(scene):
    community, members, decision = scene
    rng = random.Random(7)
    people = [*members.values(), *(factories.join(community, factories.person()) for _ in range(5))]
    recalculate_community(community.pk)
    for _ in range(40):
        one, another = rng.sample(people, 2)
        match rng.randrange(6):
            case 0 | 1:
                tags = rng.sample(["budget", "roads", "parks"], rng.randrange(3))
                factories.vote(one, decision, tags, Ash=rng.randrange(6), Birch=rng.randrange(6))
            case 2 | 3:
                factories.follow(one, another, *rng.sample(["budget", "roads"], rng.randrange(2)))
            case 4 if Ballot.objects.filter(decision=decision, membership=one).exists():
                services.withdraw_ballot(one.user, decision.pk)
            case 5 if one.followings.filter(followee=another).exists():
                services.unfollow(one.user, another.pk)
        recalculate_community(community.pk)
        incremental = staged_rows(decision)
        shown = DecisionSnapshot.objects.filter(decision=decision).order_by("-revision")[0].result
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(staging, "_kept", BoundedCache(1))
            afresh = stage(decision)
        assert afresh.columns is not None
        assert incremental == {
            ballot.member: (
                ballot.kind,
                ballot.microstars,
                tuple(sorted(ballot.tags)),
                ballot.counted,
            )
            for ballot in afresh.columns
        }
        assert Tally().process(afresh).to_json() == shown
    results = [s.result for s in DecisionSnapshot.objects.filter(decision=decision).order_by("revision")]
    assert all(earlier != later for earlier, later in pairwise(results))


def test_invariant_8_no_request_waits_for_a_calculation_and_none_fails_with_it(
    scene,
    live_recalculation,  # noqa: F811
    monkeypatch,
):
    community, members, decision = scene
    until_current(decision)
    entered, leave = threading.Event(), threading.Event()

    def hang_then_fail(self: Tally, staged: object) -> dict[str, Any]:
        entered.set()
        leave.wait(20)
        raise ArithmeticError("cannot count")

    with monkeypatch.context() as broken:
        broken.setattr(Tally, "process", hang_then_fail)
        factories.vote(members["ada"], decision, Ash=1)
        assert entered.wait(20)
        started = time.monotonic()
        factories.vote(members["cleo"], decision, Cedar=2)
        factories.follow(members["manager"], members["cleo"])
        assert Decision.objects.get(pk=decision.pk).calculation_status == "calculating"
        # Not a measurement: the calculation hangs for 20 seconds, a request that waited for it would too.
        assert time.monotonic() - started < 15
        leave.set()
        live_recalculation.stop()
    community.refresh_from_db()
    assert list(ledger.faults(community)) == []
    with transaction.atomic():
        CalculationClaim.objects.update(expires_at="2000-01-01T00:00:00Z")
    factories.vote(members["ben"], decision, Cedar=2)
    recalculate_community(community.pk)
    assert len(staged_rows(decision)) == 4
