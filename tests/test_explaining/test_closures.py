"""Explaining from a part of the community: the same ballots and sources as from the whole, without waiting for it."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from democracy import services
from democracy.benchmarks import networks, towns
from democracy.explaining import closures
from democracy.explaining.closures import PartialCalculation, ballots_known
from democracy.models import Ballot, Community, Decision, Following, Membership, Vote
from democracy.recalculation import recalculate_community, staging
from democracy.recalculation.staging import StageBallots, calculation_at_hand, calculation_of, forget_everything
from graph import Source, StagedBallot
from tests import factories, histories
from tests.towns import Town

pytestmark = pytest.mark.django_db

# What is told of some members: their staged ballots and sources.
Told = dict[int, tuple[StagedBallot | None, tuple[Source, ...]]]


def told(of: PartialCalculation, members: list[int]) -> Told:
    return {member: (of.staged(member), of.sources(member)) for member in members}


def by_part(decision: Decision, members: list[int]) -> Told:
    """Told by a process that keeps nothing, and still keeps nothing afterwards."""
    forget_everything()
    known = ballots_known(decision, members)
    assert calculation_at_hand(decision) is None
    return told(known.calculation, members)


def by_whole(decision: Decision, members: list[int]) -> Told:
    forget_everything()
    with calculation_of(decision) as live:
        return told(live.calculation, members)


def everybody(decision: Decision) -> list[int]:
    """All members, former ones among them."""
    rows = Membership.objects.filter(community=decision.community_id).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def write_rows(chance: random.Random, community: Community, decision: Decision) -> None:
    """Twenty more members, some of them lobbyists or gone, who follow each other on something and vote or abstain."""

    def tags() -> list[str]:
        return sorted(chance.sample(histories.TAGS, chance.choice([0, 0, 1, 1, 2])))

    users = User.objects.bulk_create([User(name=f"R{n}", handle=f"r{n}_{community.pk}") for n in range(20)])
    role, now = Membership.Role, timezone.now()
    members = Membership.objects.bulk_create(
        Membership(
            community=community,
            user=user,
            role=chance.choice([role.VOTER, role.VOTER, role.LOBBYIST]),
            left_at=now if chance.random() < 0.15 else None,
        )
        for user in users
    )
    pairs = chance.sample([(a, b) for a in members for b in members if a != b], 36)
    Following.objects.bulk_create(Following(follower=a, followee=b, tags=tags()) for a, b in pairs)
    choices = list(decision.choices.all())
    for ballot in Ballot.objects.bulk_create(
        Ballot(decision=decision, membership=member, tags=tags(), abstain=chance.random() < 0.2)
        for member in chance.sample(members, 7)
    ):
        rated = [] if ballot.abstain else chance.sample(choices, chance.randint(1, len(choices)))
        Vote.objects.bulk_create(Vote(ballot=ballot, choice=one, stars=chance.randint(0, 5)) for one in rated)


class TestTheSameAsTheWhole:
    def test_of_any_followings_and_ballots(self) -> None:
        kinds = Counter[str]()
        for seed in range(12):
            community, founders = factories.community()
            decision = factories.decision(community, founders["manager"].user)
            write_rows(random.Random(seed), community, decision)
            members = everybody(decision)
            whole = by_whole(decision, members)
            assert by_part(decision, members) == whole
            for member in members[::5]:
                assert by_part(decision, [member]) == {member: whole[member]}
            kinds.update(ballot.kind for ballot, _ in whole.values() if ballot)
        assert kinds["inherited"] > kinds["cast"] > kinds["abstained"] > 0

    @pytest.mark.parametrize("seed", [1, 203])
    def test_whatever_happened(self, seed: int) -> None:
        history = histories.History(seed)
        for _ in range(4):
            history.steps(8)
            for decision in history.decisions:
                members = everybody(decision)
                assert by_part(decision, members) == by_whole(decision, members)
        decision = history.decisions[0]
        before = by_whole(decision, members)
        closed = factories.close(decision)
        history.steps(12)
        assert by_part(closed, members) == by_whole(closed, members) == before

    def test_whatever_happened_after_closing(self, town: Town) -> None:
        for follower, followee in ((town.ben, town.ada), (town.cleo, town.ada), (town.dan, town.cleo)):
            factories.follow(follower, followee)
        factories.vote(town.ada, town.decision, ["roads"], Ash=5)
        members = everybody(town.decision)
        before = by_whole(town.decision, members)
        closed = factories.close(town.decision)
        services.unfollow(town.ben.user, town.ada.pk)
        factories.follow(town.cleo, town.ada, "parks")
        factories.follow(town.ada, town.dan)
        assert by_part(closed, members) == before
        services.leave_community(town.ada.user, town.community.pk)
        services.leave_community(town.cleo.user, town.community.pk)
        services.update_membership(town.manager, town.dan.pk, role=Membership.Role.LOBBYIST)
        assert by_part(closed, members) == before

    def test_after_the_final_result_is_stored(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        members = everybody(town.decision)
        before = by_whole(town.decision, members)
        closed = factories.close(town.decision)
        services.unfollow(town.ben.user, town.ada.pk)
        recalculate_community(town.community.pk)
        assert Decision.objects.get(pk=closed.pk).snapshots.filter(is_final=True).exists()
        assert by_part(closed, members) == before

    @pytest.mark.parametrize("follow_back", [0.0, 0.3])
    def test_in_a_community_with_long_chains_and_large_loops(self, follow_back: float) -> None:
        town = towns.store("town", networks.preferential(150, 260, choices=3, cast=0.15, follow_back=follow_back))
        members = everybody(town.decision)
        whole = by_whole(town.decision, members)
        assert by_part(town.decision, members) == whole
        for member in members[::10]:
            assert by_part(town.decision, [member]) == {member: whole[member]}
        assert {ballot.kind for ballot, _ in whole.values() if ballot} == {"cast", "inherited"}


class TestReadingLittle:
    def test_the_queries_follow_the_levels_not_the_members(
        self, town: Town, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        # Revision, choices and what changed since; twice members and ballots; the followings of those who ask.
        with django_assert_num_queries(3 + 2 + 1 + 2):
            ballots_known(town.decision, [town.members["ben"].pk])
        for name in ("cleo", "dan"):
            factories.follow(town.ben, getattr(town, name))
            factories.follow(town.members["manager"], getattr(town, name))
            factories.vote(getattr(town, name), town.decision, Birch=3)
        with django_assert_num_queries(3 + 2 + 1 + 2):
            ballots_known(town.decision, [town.members["ben"].pk, town.members["manager"].pk])

    def test_nobody_is_read_whom_a_cast_ballot_follows(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.follow(town.ada, town.cleo)
        factories.follow(town.dan, town.ben)
        factories.vote(town.ada, town.decision, Ash=5)
        known = ballots_known(town.decision, [town.ben.pk])
        assert set(known.calculation.graph.digraph) == {town.ben.pk, town.ada.pk}

    @pytest.mark.parametrize("limit", ["_MOST_MEMBERS", "_MOST_LEVELS"])
    def test_what_is_too_large_is_told_by_the_whole(
        self, town: Town, limit: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        factories.follow(town.cleo, town.ben)
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        expected = by_whole(town.decision, [town.cleo.pk])
        forget_everything()
        monkeypatch.setattr(closures, limit, 3)
        assert by_part(town.decision, [town.cleo.pk]) == expected
        monkeypatch.setattr(closures, limit, 2)
        assert told(ballots_known(town.decision, [town.cleo.pk]).calculation, [town.cleo.pk]) == expected
        assert calculation_at_hand(town.decision) is not None

    def test_a_closed_decision_is_told_from_its_part_whatever_happened_since(
        self, town: Town, bystander: Town, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        ben = town.ben
        factories.follow(ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        closed = factories.close(town.decision)
        recalculate_community(town.community.pk)
        expected = by_whole(closed, [ben.pk])
        forget_everything()
        # As of an open one, and the final result's revision; twice what members and ballots were, once the followings.
        with django_assert_num_queries(3 + 2 + 1 + 2 + 4):
            ballots_known(closed, [ben.pk])
        services.unfollow(ben.user, town.ada.pk)
        factories.follow(ben, town.cleo)
        services.leave_community(town.ada.user, town.community.pk)
        for number in range(1, 20):
            services.update_membership(
                town.manager, town.dan.pk, role=[Membership.Role.LOBBYIST, Membership.Role.VOTER][number % 2]
            )
        forget_everything()
        with django_assert_num_queries(3 + 2 + 1 + 2 + 4):
            found = ballots_known(closed, [ben.pk])
        assert told(found.calculation, [ben.pk]) == expected
        assert set(found.calculation.graph.digraph) == {ben.pk, town.ada.pk}


class TestWhatIsKept:
    def test_a_calculation_at_hand_is_brought_up_to_date_and_used(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        StageBallots(town.community.pk).process([town.decision.pk], live=[town.decision.pk])
        factories.vote(town.ada, town.decision, Ash=1)
        known = ballots_known(town.decision, [town.ben.pk]).calculation
        assert set(known.graph.digraph) == set(everybody(town.decision))
        assert told(known, [town.ben.pk]) == by_whole(town.decision, [town.ben.pk])

    def test_one_that_is_far_behind_is_not_waited_for(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        StageBallots(town.community.pk).process([town.decision.pk], live=[town.decision.pk])
        for number in range(1, 4):
            factories.vote(town.ada, town.decision, Ash=number)
        members = [town.ben.pk]
        monkeypatch.setattr(staging, "_NEAR", 2)
        part = ballots_known(town.decision, members).calculation
        assert set(part.graph.digraph) == {town.ben.pk, town.ada.pk}
        monkeypatch.setattr(staging, "_NEAR", 3)
        kept = ballots_known(town.decision, members).calculation
        assert set(kept.graph.digraph) == set(everybody(town.decision))
        assert told(part, members) == told(kept, members)

    def test_it_stays_as_it_is_while_the_kept_one_goes_on(self, town: Town) -> None:
        factories.vote(town.ada, town.decision, Ash=5)
        StageBallots(town.community.pk).process([town.decision.pk], live=[town.decision.pk])
        known = ballots_known(town.decision, [town.ada.pk]).calculation
        before = told(known, [town.ada.pk])
        factories.vote(town.ada, town.decision, Ash=1)
        assert told(ballots_known(town.decision, [town.ada.pk]).calculation, [town.ada.pk]) != before
        assert told(known, [town.ada.pk]) == before

    def test_invariant_8_nobody_waits_for_a_run_that_is_at_work_on_it(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.vote(town.ada, town.decision, Ash=5)
        StageBallots(town.community.pk).process([town.decision.pk], live=[town.decision.pk])
        holds, done = threading.Event(), threading.Event()

        def run() -> None:
            with staging._loaded(town.community.pk).lock:
                holds.set()
                done.wait()

        worker = threading.Thread(target=run)
        worker.start()
        try:
            holds.wait()
            known = ballots_known(town.decision, [town.ben.pk]).calculation
            assert set(known.graph.digraph) == {town.ben.pk, town.ada.pk}
        finally:
            done.set()
            worker.join()
        assert told(known, [town.ben.pk]) == by_whole(town.decision, [town.ben.pk])


@contextmanager
def meanwhile(change: Callable[[], object], before_query: int, times: int = 1) -> Iterator[None]:
    """Do something before a query of the reader, and before as many more as are to be met."""
    queries = 0
    busy = False

    def interfere(execute: Callable[..., Any], *args: Any) -> Any:
        nonlocal queries, busy
        if not busy:
            if before_query <= queries < before_query + times:
                busy = True
                change()
                busy = False
            queries += 1
        return execute(*args)

    with connection.execute_wrapper(interfere):
        yield


class Restless:
    """A member who casts another ballot at each call; `ballots` counts them."""

    def __init__(self, member: Membership, decision: Decision) -> None:
        self.member, self.decision, self.ballots = member, decision, 0

    def __call__(self) -> None:
        self.ballots += 1
        factories.vote(self.member, self.decision, Ash=self.ballots % 6)


class TestWhileOthersWrite:
    def chain(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        factories.follow(town.dan, town.ben)
        factories.vote(town.ada, town.decision, Ash=5)

    @pytest.mark.parametrize(
        ("moment", "closed"),
        [*((query, False) for query in range(1, 11)), *((query, True) for query in range(1, 20, 2))],
    )
    def test_what_is_told_is_of_one_revision(self, town: Town, moment: int, *, closed: bool) -> None:
        self.chain(town)
        members = [town.dan.pk]
        decision = factories.close(town.decision) if closed else town.decision
        before = by_whole(decision, members)

        def change() -> None:
            services.unfollow(town.dan.user, town.ben.pk)
            factories.follow(town.dan, town.cleo)
            if not closed:
                services.withdraw_ballot(town.ada.user, town.decision.pk)
                factories.vote(town.cleo, town.decision, Birch=1)

        forget_everything()
        with meanwhile(change, moment):
            found = told(ballots_known(decision, members).calculation, members)
        after = by_whole(decision, members)
        assert found in (before, after)
        assert (before == after) is closed
        assert not town.dan.followings.filter(followee=town.ben).exists()

    def test_what_others_do_elsewhere_does_not_matter(self, town: Town) -> None:
        self.chain(town)
        members = [town.dan.pk]
        change = Restless(town.cleo, town.decision)
        with meanwhile(change, 0, times=1000):
            found = told(ballots_known(town.decision, members).calculation, members)
        assert found == by_part(town.decision, members)
        assert change.ballots < 19

    def test_rows_that_never_stand_still_are_left_to_the_whole(self, town: Town) -> None:
        self.chain(town)
        members = [town.dan.pk]
        with meanwhile(Restless(town.ada, town.decision), 0, times=60):
            found = told(ballots_known(town.decision, members).calculation, members)
        assert calculation_at_hand(town.decision) is not None
        assert found == by_whole(town.decision, members)
