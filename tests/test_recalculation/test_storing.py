"""Storing: what a calculation leaves in the database, when a result is shown, and what never overwrites what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from democracy import services
from democracy.caches import BoundedCache
from democracy.live import publishing
from democracy.live.hub import result_topic
from democracy.models import CalculationClaim, Community, Decision, DecisionSnapshot, Membership, StagedBlock
from democracy.recalculation import audits, blocks, recalculate_community, staging
from democracy.recalculation.claims import Claim, ClaimLost
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import StageBallots, StagedDecision, forget_everything
from democracy.recalculation.storing import record_failure, store
from tests import factories, rules

pytestmark = pytest.mark.django_db


class Scene:
    """A community in which the tests calculate by hand, under one claim."""

    def __init__(self, **fields: Any) -> None:
        handles = ("ada", "ben", "cleo", "dan", "eve", "fay")
        self.community, self.members = rules.new_community(*handles)
        self.manager = self.members["manager"].user
        self.decision = factories.decision(self.community, self.manager, **fields)
        claim = Claim.take(self.community.pk)
        assert claim is not None
        self.claim = claim

    def __getitem__(self, handle: str) -> Membership:
        return self.members[handle]

    def vote(self, handle: str, **stars: int) -> None:
        factories.vote(self.members[handle], self.decision, **stars)

    def withdraw(self, handle: str) -> None:
        services.withdraw_ballot(self.members[handle].user, self.decision.pk)

    def stage(self) -> StagedDecision:
        ((_, staged),) = StageBallots(self.community.pk).process([self.decision.pk], live=[self.decision.pk])
        return staged

    def store(self, staged: StagedDecision, *, final: bool = False) -> int | None:
        changed = store(self.decision, staged, Tally().process(staged), self.claim, final=final)
        if changed is not None:
            StageBallots(self.community.pk).stored([(self.decision.pk, staged.revision)])
        return changed

    def calculate(self) -> int | None:
        return self.store(self.stage())

    def shown(self) -> list[tuple[int, bool]]:
        """(revision, is final) of each result ever shown, oldest first."""
        rows = DecisionSnapshot.objects.filter(decision=self.decision).order_by("pk")
        return list(rows.values_list("revision", "is_final"))

    def ballots(self) -> dict[str, tuple[str, bool, int]]:
        """(kind, counted, revision at which its block changed) of each staged ballot, by handle."""
        handles = {member.pk: handle for handle, member in self.members.items()}
        found = {}
        for block in StagedBlock.objects.filter(decision=self.decision):
            columns = block.columns()
            for ballot in map(columns.ballot, range(len(columns))):
                found[handles[ballot.member]] = (ballot.kind, ballot.is_counted, block.revision)
        return found

    @property
    def revision(self) -> int:
        return rules.revision(self.community)

    def derived(self) -> list[Any]:
        decision = Decision.objects.filter(pk=self.decision.pk).values("calculated_revision", "last_calculated")
        return [*decision, *StagedBlock.objects.order_by("pk").values(), *DecisionSnapshot.objects.values()]


@pytest.fixture
def scene(db: None) -> Scene:
    return Scene()


class TestOrder:
    def test_an_older_run_never_overwrites_a_newer_one(self, scene: Scene) -> None:
        scene.vote("ada", Ash=5)
        older = scene.stage()
        scene.vote("ada", Ash=1)
        scene.vote("ben", Birch=5)
        assert scene.calculate() == 2
        before = scene.derived()
        assert scene.store(older) is None
        assert scene.derived() == before

    def test_the_same_revision_is_stored_once(self, scene: Scene) -> None:
        scene.vote("ada", Ash=5)
        staged = scene.stage()
        scene.store(staged)
        before = scene.derived()
        assert scene.store(staged) is None
        assert scene.derived() == before

    def test_a_run_whose_claim_was_taken_over_stores_nothing(self, scene: Scene) -> None:
        scene.vote("ada", Ash=5)
        staged = scene.stage()
        CalculationClaim.objects.update(expires_at=timezone.now())
        taken_over = Claim.take(scene.community.pk)
        assert taken_over is not None
        before = scene.derived()
        with pytest.raises(ClaimLost):
            scene.store(staged)
        with pytest.raises(ClaimLost):
            scene.store(staged, final=True)
        assert scene.derived() == before
        scene.claim = taken_over
        assert scene.store(staged) == 1

    def test_an_interim_result_is_not_stored_once_the_decision_has_closed(self, scene: Scene) -> None:
        scene.vote("ada", Ash=5)
        staged = scene.stage()
        scene.decision = factories.close(scene.decision)
        assert scene.store(staged) is None
        assert (scene.shown(), scene.ballots()) == ([], {})
        assert scene.store(StageBallots.final(scene.decision), final=True) == 1

    def test_a_result_is_told_once_it_is_stored_and_not_before(
        self, scene: Scene, django_capture_on_commit_callbacks: Any
    ) -> None:
        topic = result_topic(scene.decision.pk)
        scene.vote("ada", Ash=5)
        publishing._told.pop(topic, None)
        with django_capture_on_commit_callbacks() as commit:
            scene.calculate()
        assert topic not in publishing._told
        for effect in commit:
            effect()
        assert publishing._told[topic].revision == scene.revision

    def test_storing_clears_a_failure(self, scene: Scene) -> None:
        scene.vote("ada", Ash=5)
        record_failure(scene.decision, scene.revision, "x" * 900)
        row = Decision.objects.get(pk=scene.decision.pk)
        assert (row.failed_revision, len(row.calculation_error), row.calculated_revision) == (scene.revision, 500, 0)
        scene.calculate()
        row.refresh_from_db()
        assert (row.failed_revision, row.calculation_error, row.calculated_revision) == (0, "", scene.revision)


class TestStagedBallots:
    def test_a_block_has_the_revision_at_which_a_ballot_in_it_last_changed(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(blocks, "BLOCK", 1)
        factories.follow(scene["ben"], scene["ada"])
        scene.vote("ada", Ash=5)
        scene.vote("cleo")
        first = scene.revision
        assert scene.calculate() == 3
        assert scene.ballots() == {
            "ada": ("cast", True, first),
            "ben": ("inherited", True, first),
            "cleo": ("abstained", False, first),
        }
        scene.vote("ben", Ash=1)
        assert scene.calculate() == 1
        assert scene.ballots() == {
            "ada": ("cast", True, first),
            "ben": ("cast", True, first + 1),
            "cleo": ("abstained", False, first),
        }

    @pytest.mark.parametrize("kept", [True, False], ids=["incrementally", "from scratch"])
    def test_one_that_is_gone_is_in_no_block_any_more(self, scene: Scene, kept: bool) -> None:
        services.update_membership(scene.manager, scene["cleo"].pk, role=Membership.Role.LOBBYIST)
        for handle in ("ada", "ben", "cleo"):
            scene.vote(handle, Ash=5)
        first = scene.revision
        scene.calculate()
        scene.withdraw("ada")
        scene.withdraw("cleo")
        if not kept:
            forget_everything()
        assert scene.calculate() == 2
        assert scene.ballots() == {"ben": ("cast", True, first + 2)}
        scene.vote("dan", Birch=1)
        forget_everything()
        assert scene.calculate() == 1
        assert scene.ballots() == {"ben": ("cast", True, first + 3), "dan": ("cast", True, first + 3)}
        scene.withdraw("ben")
        scene.withdraw("dan")
        assert scene.calculate() == 2
        assert scene.ballots() == {}
        scene.vote("ada", Ash=1)
        assert scene.calculate() == 1
        assert scene.ballots() == {"ada": ("cast", True, scene.revision)}

    def test_equal_ones_are_not_written_again(self, scene: Scene) -> None:
        for handle in ("ada", "ben"):
            scene.vote(handle, Ash=5)
        scene.calculate()
        before = scene.ballots()
        services.request_recalculation(scene.manager, scene.decision.pk)
        assert scene.calculate() == 0
        assert scene.ballots() == before
        scene.vote("ada", Ash=1)
        scene.stage()  # by another run, which stores nothing
        scene.vote("ada", Ash=5)
        assert scene.calculate() == 0

    def test_they_are_written_in_few_statements_however_many_they_are(self, scene: Scene) -> None:
        scene.vote("manager", Ash=5)
        scene.calculate()
        scene.vote("ada", Ash=5)
        few, many = scene.stage(), 0
        with CaptureQueriesContext(connection) as queries:
            assert scene.store(few) == 1
            many = len(queries)
        for handle in ("ben", "cleo", "dan", "eve", "fay"):
            scene.vote(handle, Ash=4)
        staged = scene.stage()
        with CaptureQueriesContext(connection) as queries:
            assert scene.store(staged) == 5
        assert len(queries) == many


class TestLive:
    def test_every_new_result_is_shown(self, scene: Scene) -> None:
        scene.vote("ada", Ash=5)
        first = scene.revision
        scene.calculate()
        scene.vote("ben", Ash=4)
        scene.calculate()
        assert scene.shown() == [(first, False), (first + 1, False)]

    def test_an_unchanged_result_advances_the_counter_and_shows_nothing_new(self, scene: Scene) -> None:
        scene.vote("ada", Ash=5)
        scene.calculate()
        before = scene.shown()
        services.request_recalculation(scene.manager, scene.decision.pk)
        assert Decision.objects.get(pk=scene.decision.pk).is_stale
        scene.calculate()
        row = Decision.objects.get(pk=scene.decision.pk)
        assert (row.calculated_revision, row.is_stale, scene.shown()) == (scene.revision, False, before)

    def test_a_join_changes_participation_and_so_the_result(self, scene: Scene) -> None:
        scene.vote("ada", Ash=5)
        scene.calculate()
        factories.join(scene.community, factories.person())
        scene.calculate()
        assert len(scene.shown()) == 2
        eligible = DecisionSnapshot.objects.order_by("pk").values_list("result__participation__eligible", flat=True)
        assert list(eligible) == [7, 8]


class TestBatched:
    @pytest.fixture
    def scene(self, db: None) -> Scene:
        return Scene(results_visibility=Decision.Visibility.BATCHED)

    def test_nothing_is_shown_before_five_members_have_voted(self, scene: Scene) -> None:
        for handle in ("ada", "ben", "cleo", "dan"):
            scene.vote(handle, Ash=5)
            scene.calculate()
        assert scene.shown() == []
        scene.vote("eve", Ash=5)
        scene.calculate()
        first = scene.revision
        assert scene.shown() == [(first, False)]
        for handle in ("ada", "ben", "cleo", "dan"):
            scene.vote(handle, Birch=1)
            scene.calculate()
        assert scene.shown() == [(first, False)]
        scene.vote("fay", Birch=1)
        scene.calculate()
        assert scene.shown() == [(first, False), (scene.revision, False)]

    def test_a_member_who_votes_five_times_is_one_member(self, scene: Scene) -> None:
        for number in range(6):
            scene.vote("ada", Ash=number)
            scene.calculate()
        assert scene.shown() == []

    def test_abstentions_and_lobbyists_ballots_are_not_counted_ones(self, scene: Scene) -> None:
        for handle in ("dan", "eve"):
            services.update_membership(scene.manager, scene[handle].pk, role=Membership.Role.LOBBYIST)
        for handle in ("ada", "ben", "cleo", "dan", "eve"):
            scene.vote(handle, Ash=5)
        scene.vote("fay")
        scene.calculate()
        assert scene.shown() == []
        # Nor when they are gone.
        for handle in ("dan", "eve", "fay"):
            scene.withdraw(handle)
        scene.calculate()
        assert scene.shown() == []
        scene.vote("fay", Ash=1)
        scene.calculate()
        assert scene.shown() == []
        scene.vote("manager", Ash=1)
        scene.calculate()
        assert scene.shown() == [(scene.revision, False)]

    def test_one_changed_ballot_shows_no_result_however_many_inherit_it(self, scene: Scene) -> None:
        for handle in ("ben", "cleo", "dan", "eve"):
            factories.follow(scene[handle], scene["ada"])
        for number in range(3):
            scene.vote("ada", Ash=number)
            scene.calculate()
        scene.withdraw("ada")
        scene.calculate()
        assert scene.shown() == []

    def test_members_who_withdraw_or_abstain_have_changed_a_ballot(self, scene: Scene) -> None:
        for handle in ("ada", "ben", "cleo", "dan", "eve"):
            scene.vote(handle, Ash=5)
        scene.calculate()
        first = scene.revision
        for handle in ("ada", "ben"):
            scene.vote(handle)  # abstains
        scene.withdraw("ada")
        for handle in ("cleo", "dan"):
            scene.withdraw(handle)
        scene.calculate()
        assert scene.shown() == [(first, False)]
        scene.vote("eve", Birch=2)
        scene.calculate()
        assert scene.shown() == [(first, False), (scene.revision, False)]

    def test_neither_a_comment_nor_anybody_who_leaves_is_one_of_the_five(self, scene: Scene) -> None:
        for handle in ("ada", "ben", "cleo", "dan", "eve"):
            scene.vote(handle, Ash=5)
        scene.calculate()
        first = scene.revision
        ash = factories.choices(scene.decision)["Ash"].pk
        for handle in ("ada", "ben", "cleo", "dan"):
            services.cast_ballot(scene[handle].user, scene.decision.pk, stars={ash: 5}, comment="As I said")
            services.leave_community(scene[handle].user, scene.community.pk)
        scene.vote("eve", Ash=1)
        scene.calculate()
        assert scene.shown() == [(first, False)]

    def test_a_request_for_recalculation_shows_nothing_more(self, scene: Scene) -> None:
        for handle in ("ada", "ben", "cleo", "dan"):
            scene.vote(handle, Ash=5)
        for _ in range(2):
            services.request_recalculation(scene.manager, scene.decision.pk)
            forget_everything()
            scene.calculate()
        assert scene.shown() == []


class TestAfterClose:
    def test_nothing_is_shown_before_closing(self, db: None) -> None:
        scene = Scene(results_visibility=Decision.Visibility.AFTER_CLOSE)
        for handle in ("ada", "ben", "cleo", "dan", "eve", "fay"):
            scene.vote(handle, Ash=5)
            scene.calculate()
        assert scene.shown() == []
        assert not Decision.objects.get(pk=scene.decision.pk).is_stale
        scene.decision = factories.close(scene.decision)
        scene.store(StageBallots.final(scene.decision), final=True)
        assert scene.shown() == [(scene.revision, True)]


class TestFinal:
    @pytest.mark.parametrize("visibility", Decision.Visibility.values)
    def test_the_final_result_is_stored_exactly_once(self, db: None, visibility: str) -> None:
        scene = Scene(results_visibility=visibility)
        scene.vote("ada", Ash=5)
        scene.calculate()
        scene.decision = factories.close(scene.decision)
        final = StageBallots.final(scene.decision)
        assert scene.store(final, final=True) is not None
        before = scene.derived()
        assert scene.store(final, final=True) is None
        assert scene.derived() == before
        assert [is_final for _, is_final in scene.shown()].count(True) == 1
        stored = Decision.objects.get(pk=scene.decision.pk)
        assert (stored.is_final_calculation, stored.has_final_result) == (True, True)

    def test_an_equal_interim_result_does_not_stand_in_for_the_final_one(self, scene: Scene) -> None:
        scene.vote("ada", Ash=5)
        scene.calculate()
        scene.decision = factories.close(scene.decision)
        scene.store(StageBallots.final(scene.decision), final=True)
        assert scene.shown() == [(scene.revision, False), (scene.revision, True)]

    def test_a_decision_that_was_prolonged_meanwhile_gets_no_final_result(self, scene: Scene) -> None:
        scene.vote("ada", Ash=5)
        final = StageBallots.final(scene.decision)
        assert scene.decision.closes_at is not None
        later = scene.decision.closes_at + timedelta(days=1)
        services.update_decision(scene.manager, scene.decision.pk, closes_at=later)
        assert scene.store(final, final=True) is None
        assert scene.shown() == []
        assert not Decision.objects.get(pk=scene.decision.pk).has_final_result


def test_a_run_ends_even_for_a_decision_that_lost_its_choices(scene: Scene) -> None:
    scene.claim.release()
    Decision.objects.get(pk=scene.decision.pk).choices.all().delete()
    sibling = factories.decision(scene.community, scene.manager)
    assert recalculate_community(scene.community.pk)
    assert not Decision.objects.get(pk=sibling.pk).is_stale


def test_other_communities_are_left_alone(scene: Scene) -> None:
    other, others = factories.community("zoe")
    decision = factories.decision(other, others["manager"].user)
    factories.vote(others["zoe"], decision, Ash=5)
    before = Decision.objects.filter(pk=decision.pk).values().get()
    scene.vote("ada", Ash=5)
    scene.calculate()
    assert Decision.objects.filter(pk=decision.pk).values().get() == before
    assert not StagedBlock.objects.filter(decision=decision).exists()
    assert Community.objects.get(pk=other.pk).revision == rules.revision(other)


@pytest.mark.parametrize("another_calculates", [False, True])
def test_ballots_that_were_taken_and_never_stored_are_stored_the_next_time(
    another_calculates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database went away between the two. Another process may have found the ballot as it was before."""
    community, members = factories.community("ada")
    decision = factories.decision(community, members["manager"].user)
    factories.vote(members["ada"], decision, Ash=5)
    recalculate_community(community.pk)
    factories.vote(members["ada"], decision, Ash=4)
    StageBallots(community.pk).process([decision.pk], live=[decision.pk])
    factories.vote(members["ada"], decision, Ash=5)
    if another_calculates:
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(staging, "_kept", BoundedCache(1))
            recalculate_community(community.pk)
    factories.vote(members["ada"], decision, Ash=4)
    recalculate_community(community.pk)
    community.refresh_from_db()
    assert list(audits.faults(community)) == []
