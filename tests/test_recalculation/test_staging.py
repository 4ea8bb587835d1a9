"""Staging from the ledger: what a process keeps equals what is read afresh; a final result stands on closing time."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from democracy import ledger, services
from democracy.models import Decision, Following, Membership
from democracy.recalculation import inputs, staging
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import StageBallots, StagedDecision, calculation_of
from democracy.services.recalculations import recalculation_change
from graph import Calculation, CastBallot, StagedBallot
from tests import factories, histories, rules
from tests.lengths import times
from tests.test_graph import reference
from tests.towns import Town, new_town

pytestmark = pytest.mark.django_db


Staged = dict[int, StagedBallot]


@pytest.fixture
def town(db: None) -> Town:
    """Write a town for each test: some tests here have transactions of their own."""
    return new_town("ada", "ben", "cleo", "dan")


def ballots(staged: StagedDecision) -> Staged:
    """All staged ballots of a staging from scratch."""
    assert staged.columns is not None
    columns = staged.columns
    return {
        member: StagedBallot(
            member,
            columns.kinds[row],
            tuple(columns.microstars[row].tolist()),
            columns.tags[row],
            bool(columns.counted[row]),
        )
        for row, member in enumerate(columns.members)
    }


def taken(of: int | StageBallots, wanted: Iterable[int], *, live: Iterable[int]) -> list[tuple[int, StagedDecision]]:
    """Take decisions of a community for storing, as if they were stored then."""
    stage_ballots = of if isinstance(of, StageBallots) else StageBallots(of)
    staged = stage_ballots.process(wanted, live=live)
    for pk, one in staged:
        Decision.objects.filter(pk=pk).update(calculated_revision=one.revision)
    stage_ballots.stored((pk, one.revision) for pk, one in staged)
    return staged


def stage(decision: Decision) -> StagedDecision:
    ((_, staged),) = taken(decision.community_id, [decision.pk], live=[decision.pk])
    return staged


def afresh(decision: Decision) -> tuple[int, Any, Staged]:
    """(revision, result, staged ballots) of a decision, from nothing but the tables; the ballots by the reference."""
    now = inputs.current_inputs(decision.community_id, [decision.pk])
    one = now.decisions[decision.pk]
    made = Calculation.from_scratch(now.graph(), lots=one.lots, ballots=one.ballots)
    present = {pair: tags for pair, tags in now.followings.items() if now.members.keys() >= set(pair)}
    return now.revision, made.result, reference.calculate(reference.Community(now.members, present), one.ballots).staged


class TestCatchingUp:
    @pytest.mark.parametrize(
        ("seed", "kept"), [*((seed, None) for seed in range(times(4, long=40))), (60, 1), (61, 20_000)]
    )
    def test_what_a_process_keeps_equals_reading_everything_afresh(
        self, seed: int, kept: int | None, settings: Settings
    ) -> None:
        settings.RECALCULATION_KEPT_BYTES = kept or settings.RECALCULATION_KEPT_BYTES
        history = histories.History(seed)
        known: dict[int, Staged] = {}
        for _ in range(25):
            history.steps(history.random.choice([0, 1, 1, 2, 5, 25]))
            live = [decision.pk for decision in history.decisions]
            # Not every decision is stale each time; those that are not are kept up to date all the same.
            wanted = history.random.sample(live, history.random.randint(1, len(live)))
            for pk, staged in taken(history.community.pk, wanted, live=live):
                if staged.columns is not None:
                    known[pk] = ballots(staged)
                for member, ballot in staged.ballots.items():
                    known[pk].pop(member, None)
                    if ballot is not None:
                        known[pk][member] = ballot
                decision = Decision.objects.get(pk=pk)
                assert (staged.revision, staged.result, known[pk]) == afresh(decision)

    @pytest.mark.parametrize("seed", range(100, 100 + times(2, long=3)))
    def test_the_kept_graph_equals_the_one_built_from_the_tables(self, seed: int) -> None:
        history = histories.History(seed)
        for _ in range(15):
            history.steps(3)
            with calculation_of(history.decisions[0]) as kept:
                then = inputs.current_inputs(history.community.pk, []).graph()
                graph = kept.calculation.graph
                assert kept.revision == graph.revision == then.revision
                assert dict(graph.digraph.nodes(data="counted")) == dict(then.digraph.nodes(data="counted"))
                assert set(graph.digraph.edges(data="tags")) == set(then.digraph.edges(data="tags"))

    def test_only_what_changed_is_handed_on_for_storing(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        factories.vote(town.cleo, town.decision, Birch=1)
        assert set(ballots(stage(town.decision))) == {town.ada.pk, town.ben.pk, town.cleo.pk}
        factories.vote(town.ada, town.decision, Ash=4)
        assert set(stage(town.decision).ballots) == {town.ada.pk, town.ben.pk}
        services.withdraw_ballot(town.ada.user, town.decision.pk)
        assert dict(stage(town.decision).ballots) == {town.ada.pk: None, town.ben.pk: None}
        assert dict(stage(town.decision).ballots) == {}

    def test_an_inherited_ballot_is_handed_on_for_storing_when_its_name_comes_or_goes(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        assert stage(town.decision).anonymous == frozenset()
        for anonymous, unnamed in ((True, {town.ben.pk}), (False, set())):
            services.set_anonymity(town.ben.user, town.community.pk, anonymous=anonymous)
            staged = stage(town.decision)
            assert (set(staged.ballots), staged.anonymous) == ({town.ben.pk}, unnamed)

    def test_what_is_not_known_to_be_stored_is_handed_on_again_with_what_changed_since(self, town: Town) -> None:
        factories.vote(town.ada, town.decision, Ash=5)
        stage(town.decision)
        stage_ballots = StageBallots(town.community.pk)
        for caster, changed in ((town.ben, {town.ben.pk}), (town.cleo, {town.ben.pk, town.cleo.pk})):
            factories.vote(caster, town.decision, Ash=1)
            ((_, staged),) = stage_ballots.process([town.decision.pk], live=[town.decision.pk])
            assert set(staged.ballots) == changed
        # Of an earlier run, which was held up.
        stage_ballots.stored([(town.decision.pk, staged.revision - 1)])
        assert set(stage(town.decision).ballots) == {town.ben.pk, town.cleo.pk}
        assert set(stage(town.decision).ballots) == set()

    def test_a_ballot_that_is_inherited_again_is_handed_on_though_only_its_name_is_gone(self, town: Town) -> None:
        """Whoever has cast a ballot without a name inherits without one, though all of it happened in one step."""
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        assert stage(town.decision).anonymous == frozenset()
        services.set_anonymity(town.ben.user, town.community.pk, anonymous=True)
        factories.vote(town.ben, town.decision, Birch=5)
        services.withdraw_ballot(town.ben.user, town.decision.pk)
        services.set_anonymity(town.ben.user, town.community.pk, anonymous=False)
        staged = stage(town.decision)
        assert (set(staged.ballots), staged.anonymous) == ({town.ben.pk}, {town.ben.pk})

    def test_a_request_for_recalculation_calculates_that_decision_from_scratch(self, town: Town) -> None:
        sibling = factories.decision(town.community, town.manager)
        both = [town.decision.pk, sibling.pk]
        taken(town.community.pk, both, live=both)
        services.request_recalculation(town.manager, town.decision.pk)
        staged = dict(taken(town.community.pk, both, live=both))
        assert {pk: one.columns is not None for pk, one in staged.items()} == {
            town.decision.pk: True,
            sibling.pk: False,
        }

    def test_too_many_entries_are_not_caught_up_with_but_read_afresh(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage(town.decision)
        monkeypatch.setattr(staging, "_TOO_FAR_BEHIND", 2)
        for member in (town.ada, town.ben, town.cleo):
            factories.vote(member, town.decision, Ash=5)
        staged = stage(town.decision)
        assert (staged.revision, staged.result, ballots(staged)) == afresh(town.decision)

    def test_all_that_happened_meanwhile_is_one_change(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        factories.follow(town.ben, town.ada)
        factories.follow(town.cleo, town.ada, "parks")
        factories.vote(town.ada, town.decision, ["parks"], Ash=5)
        known = ballots(stage(town.decision))
        services.leave_community(town.dan.user, town.community.pk)
        services.leave_community(town.ada.user, town.community.pk)
        services.unfollow(town.ben.user, town.ada.pk)
        newcomer = factories.join(town.community, factories.person())
        services.apply_to_community(town.ada.user, town.community.pk)
        factories.follow(newcomer, town.cleo)
        services.apply_to_community(town.dan.user, town.community.pk)
        factories.follow(town.dan, newcomer)
        made: list[int] = []
        update = Calculation.update

        def counted(self: Calculation, *args: Any, changes: Any, **kwargs: Any) -> frozenset[int]:
            made.append(len(changes))
            return update(self, *args, changes=changes, **kwargs)

        monkeypatch.setattr(Calculation, "update", counted)
        staged = stage(town.decision)
        assert made == [4]
        assert set(staged.ballots) == {town.ben.pk, newcomer.pk, town.dan.pk}
        known |= staged.ballots
        found = {member: ballot for member, ballot in known.items() if ballot}
        assert (staged.revision, staged.result, found) == afresh(town.decision)

    def test_a_request_for_the_whole_community_calculates_every_decision_from_scratch(self, town: Town) -> None:
        other = factories.decision(town.community, town.manager)
        both = [town.decision.pk, other.pk]
        taken(town.community.pk, both, live=both)
        with ledger.recording(town.community.pk) as recording:
            recording.add(recalculation_change(None))
        assert all(one.columns is not None for _, one in taken(town.community.pk, both, live=both))

    def test_the_communities_and_closed_decisions_of_long_ago_are_let_go(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for cache in (staging._kept, staging._final):
            monkeypatch.setattr(cache, "most", 2)
        closed = []
        for _ in range(3):
            community, members = rules.new_community()
            decision = factories.decision(community, members["manager"].user)
            taken(community.pk, [decision.pk], live=[decision.pk])
            closed.append(factories.close(decision))
            StageBallots.final(closed[-1])
        assert staging._kept.keys() == [one.community_id for one in closed[1:]]
        assert staging._final.keys() == [(one.pk, one.closes_at) for one in closed[1:]]

    def test_without_memory_for_more_only_the_calculation_used_last_is_kept(
        self, town: Town, settings: Settings
    ) -> None:
        settings.RECALCULATION_KEPT_BYTES = 1
        both = [town.decision.pk, factories.decision(town.community, town.manager).pk]
        for decision_id in both:
            factories.vote(town.ada, Decision.objects.get(pk=decision_id), Ash=5)
        for first, last in (both, both[::-1]):
            for decision_id in (first, last):
                factories.vote(town.ben, Decision.objects.get(pk=decision_id), Ash=first % 5, Birch=last % 5)
                taken(town.community.pk, [decision_id], live=both)
            kept = staging.kept()
            assert (kept.communities, kept.decisions) == (1, 1)
            staged = dict(taken(town.community.pk, both, live=both))
            assert {pk: one.columns is None for pk, one in staged.items()} == {first: False, last: True}
            assert [one.result.participation.cast for one in staged.values()] == [2, 2]

    def test_of_those_that_one_change_needs_as_many_as_fit_stay(self, town: Town, settings: Settings) -> None:
        made = [town.decision.pk, *(factories.decision(town.community, town.manager).pk for _ in range(3))]
        stage_ballots = StageBallots(town.community.pk)
        taken(stage_ballots, made, live=made)
        settings.RECALCULATION_KEPT_BYTES = staging.kept().nbytes - 1
        for _ in range(2):
            factories.join(town.community, factories.person())
            staged = dict(taken(stage_ballots, made, live=made))
        were_kept = [staged[pk].columns is None for pk in made]
        assert were_kept == sorted(were_kept, reverse=True)
        assert (were_kept[0], were_kept[-1]) == (True, False)

    def test_what_is_kept_is_weighed(self, town: Town) -> None:
        before = staging.kept()
        stage(town.decision)
        one = staging.kept()
        taken(town.community.pk, [factories.decision(town.community, town.manager).pk], live=[])
        two = staging.kept()
        stage(town.decision)
        assert (before, one.decisions, two.decisions) == ((0, 0, 0), 1, 1)
        assert 0 < one.nbytes == two.nbytes

    def test_decisions_are_staged_in_portions_that_the_memory_has_room_for(
        self, town: Town, settings: Settings
    ) -> None:
        made = [town.decision, *(factories.decision(town.community, town.manager) for _ in range(4))]
        stage_ballots = StageBallots(town.community.pk)

        def sizes() -> list[int]:
            return [len(portion) for portion in stage_ballots.portions(made)]

        assert sizes() == [5]
        # Room for two of five members from scratch, or for ten to be brought up to date.
        settings.RECALCULATION_KEPT_BYTES = 6 * 2 * 5 * 200
        assert sizes() == [2, 2, 1]
        settings.RECALCULATION_KEPT_BYTES = 1
        assert sizes() == [1, 1, 1, 1, 1]
        settings.RECALCULATION_KEPT_BYTES = 1 << 20
        taken(stage_ballots, [one.pk for one in made], live=[])
        settings.RECALCULATION_KEPT_BYTES = 6 * 2 * 5 * 200
        assert sizes() == [5]
        assert list(stage_ballots.portions([])) == []

    def test_after_an_error_everything_is_read_afresh(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        factories.vote(town.ada, town.decision, Ash=5)
        stage(town.decision)
        factories.vote(town.ben, town.decision, Ash=1)
        with monkeypatch.context() as broken:
            broken.setattr(Calculation, "update", lambda *args, **kwargs: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                stage(town.decision)
        staged = stage(town.decision)
        assert (staged.revision, staged.result, ballots(staged)) == afresh(town.decision)

    def test_a_decision_that_is_no_longer_live_is_let_go(self, town: Town) -> None:
        sibling = factories.decision(town.community, town.manager)
        both = [town.decision.pk, sibling.pk]
        taken(town.community.pk, both, live=both)
        taken(town.community.pk, [sibling.pk], live=[sibling.pk])
        assert stage(town.decision).columns is not None


class TestWhatCounts:
    def result(self, decision: Decision) -> dict[str, Any]:
        return Tally().process(stage(decision)).to_json()

    def test_whoever_left_counts_for_nothing_and_hands_nothing_on_until_they_are_back(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        there = self.result(town.decision)
        assert there["participation"] == {
            "eligible": 5, "cast": 1, "inherited": 1, "abstained": 0, "none": 3, "lobbyists": 0, "counted": 2,
        }  # fmt: skip
        services.leave_community(town.ada.user, town.community.pk)
        assert self.result(town.decision)["participation"] == {
            "eligible": 4, "cast": 0, "inherited": 0, "abstained": 0, "none": 4, "lobbyists": 0, "counted": 0,
        }  # fmt: skip
        services.apply_to_community(town.ada.user, town.community.pk)
        assert self.result(town.decision) == there

    def test_a_following_that_changed_or_ended_while_its_followee_was_away_is_what_it_became(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.follow(town.cleo, town.ada, "roads")
        factories.vote(town.ada, town.decision, ["parks"], Ash=5)
        stage(town.decision)
        services.leave_community(town.ada.user, town.community.pk)
        stage(town.decision)
        services.unfollow(town.ben.user, town.ada.pk)
        stage(town.decision)
        services.apply_to_community(town.ada.user, town.community.pk)
        assert set(stage(town.decision).ballots) == {town.ada.pk}
        factories.follow(town.cleo, town.ada)
        assert set(stage(town.decision).ballots) == {town.cleo.pk}

    def test_everybody_who_follows_somebody_follows_them_again_when_they_are_back(self, town: Town) -> None:
        for follower in (town.ben, town.cleo, town.dan):
            factories.follow(follower, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        everybody = {town.ada.pk, town.ben.pk, town.cleo.pk, town.dan.pk}
        assert set(ballots(stage(town.decision))) == everybody
        services.leave_community(town.ada.user, town.community.pk)
        assert dict(stage(town.decision).ballots) == dict.fromkeys(everybody)
        services.apply_to_community(town.ada.user, town.community.pk)
        staged = stage(town.decision)
        assert dict(staged.ballots) == afresh(town.decision)[2]
        assert set(staged.ballots) == everybody

    def test_a_following_written_outside_the_commands_while_its_followee_is_away_counts_afterwards(
        self, town: Town
    ) -> None:
        following = factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, ["parks"], Ash=5)
        stage(town.decision)
        services.leave_community(town.ada.user, town.community.pk)
        stage(town.decision)
        following.tags = ["roads"]
        following.save()
        Following.objects.create(follower=town.cleo, followee=town.ada, tags=["parks"])
        stage(town.decision)
        services.apply_to_community(town.ada.user, town.community.pk)
        staged = stage(town.decision)
        assert dict(staged.ballots) == afresh(town.decision)[2]
        assert set(staged.ballots) == {town.ada.pk, town.cleo.pk}

    def test_a_lobbyist_is_never_counted_but_hands_on(self, town: Town) -> None:
        services.update_membership(town.manager, town.ada.pk, role=Membership.Role.LOBBYIST)
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        result = self.result(town.decision)
        ash = str(factories.choices(town.decision)["Ash"].pk)
        assert (result["winner"], result["scores"][ash]) == (ash, 5_000_000)
        assert result["participation"] == {
            "eligible": 4, "cast": 0, "inherited": 1, "abstained": 0, "none": 3, "lobbyists": 1, "counted": 1,
        }  # fmt: skip

    def test_an_abstention_is_counted_as_one_and_stops_inheritance(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.follow(town.cleo, town.ben)
        factories.vote(town.ada, town.decision, Ash=5)
        factories.vote(town.ben, town.decision)
        assert self.result(town.decision)["participation"] == {
            "eligible": 5, "cast": 1, "inherited": 0, "abstained": 1, "none": 3, "lobbyists": 0, "counted": 1,
        }  # fmt: skip

    def test_withdrawing_returns_the_member_to_inheriting(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        before = self.result(town.decision)
        factories.vote(town.ben, town.decision, Birch=5)
        assert self.result(town.decision) != before
        services.withdraw_ballot(town.ben.user, town.decision.pk)
        assert self.result(town.decision) == before


class TestEarlierRevisions:
    @pytest.mark.parametrize("seed", range(times(2, long=3)))
    def test_inputs_at_a_revision_are_those_that_stood_then(self, seed: int) -> None:
        history = histories.History(seed)
        decisions = {decision.pk: decision for decision in history.decisions}
        moments: dict[int, histories.Contents] = {}
        for _ in range(40):
            moments[rules.revision(history.community)] = histories.contents(history.community)
            history.step()
        for revision, then in moments.items():
            found = inputs.inputs_at(history.community.pk, decisions, revision)
            assert found.revision == revision
            assert found.members == {
                int(subject.split(":")[1]): content["role"] == "voter"
                for subject, content in then.items()
                if subject.startswith("membership:") and content["active"]
            }
            assert found.anonymous == {
                int(subject.split(":")[1])
                for subject, content in then.items()
                if subject.startswith("membership:") and content["anonymous"]
            }
            assert found.followings == {
                (content["follower"], content["followee"]): frozenset(content["tags"])
                for subject, content in then.items()
                if subject.startswith("following:")
            }
            for pk in decisions:
                choices = found.decisions[pk].choices
                assert found.decisions[pk].ballots == {
                    int(subject.split(":")[2]): CastBallot(
                        tuple(content["stars"].get(str(choice), 0) for choice in choices),
                        frozenset(content["tags"]),
                        content["abstain"],
                        content["anonymous"],
                    )
                    for subject, content in then.items()
                    if subject.startswith(f"ballot:{pk}:")
                }


class TestFinal:
    def test_every_change_before_closing_counts_and_none_later(self, town: Town, clock: rules.Clock) -> None:
        closes = town.decision.closes_at
        assert closes is not None
        clock.set(closes - timedelta(hours=1))
        factories.follow(town.ben, town.ada)
        factories.follow(town.cleo, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        factories.vote(town.dan, town.decision, Birch=4)
        services.leave_community(town.dan.user, town.community.pk)
        clock.set(closes - timedelta(microseconds=1))
        services.unfollow(town.cleo.user, town.ada.pk)
        revision, result, staged = afresh(town.decision)

        clock.set(closes)
        services.unfollow(town.ben.user, town.ada.pk)
        factories.follow(town.cleo, town.ada)
        services.update_membership(town.manager, town.ben.pk, role=Membership.Role.LOBBYIST)
        services.apply_to_community(town.dan.user, town.community.pk)
        services.apply_to_community(factories.person(), town.community.pk)
        services.leave_community(town.ada.user, town.community.pk)
        final = StageBallots.final(Decision.objects.get(pk=town.decision.pk))
        assert (final.revision, final.result, ballots(final)) == (revision, result, staged)
        assert afresh(town.decision)[1:] != (result, staged)
        with calculation_of(Decision.objects.get(pk=town.decision.pk)) as explained:
            assert (explained.revision, explained.calculation.result) == (revision, result)

    def test_a_prolonged_decision_is_final_at_its_later_closing(self, town: Town, clock: rules.Clock) -> None:
        closes = town.decision.closes_at
        assert closes is not None
        early = Decision.objects.get(pk=town.decision.pk)
        factories.vote(town.ada, town.decision, Ash=5)
        # Somebody asks by a clock that is ahead, and what they get is kept.
        StageBallots.final(early)
        services.update_decision(town.manager, town.decision.pk, closes_at=closes + timedelta(hours=1))
        clock.set(closes + timedelta(minutes=30))
        factories.vote(town.ben, town.decision, Ash=1)
        expected = afresh(town.decision)
        clock.set(closes + timedelta(hours=1))
        final = StageBallots.final(Decision.objects.get(pk=town.decision.pk))
        assert (final.revision, final.result, ballots(final)) == expected


@pytest.mark.django_db(transaction=True)
class TestLastMoment:
    def test_a_vote_that_was_in_time_counts_even_while_it_is_still_being_written(
        self, transactional_db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        community, members = factories.community("ada", "ben")
        decision = factories.decision(community, members["manager"].user)
        factories.vote(members["ben"], decision, Ash=1)
        assert decision.closes_at is not None
        clock = rules.Clock(monkeypatch)
        clock.set(decision.closes_at - timedelta(seconds=1))
        found: list[StagedDecision] = []

        def calculate() -> None:
            try:
                found.append(StageBallots.final(decision))
            finally:
                connection.close()

        sweep = threading.Thread(target=calculate)
        with ledger.recording(community.pk):
            factories.follow(members["manager"], members["ben"])
            clock.set(decision.closes_at)
            sweep.start()
            # A calculation that does not wait for the writer has ended by now, without the writer's change.
            sweep.join(0.5)
        sweep.join()
        assert set(ballots(found[0])) == {members["ben"].pk, members["manager"].pk}
