"""All there is: every community of up to four members, every set of members who vote, and every single change.

Whoever votes gives a choice of their own five stars, so that everybody's ballot says how much of it is whose. Then what
holds for a community holds for each that differs by names alone: the reference judges one of each kind, and the engine
comes to it by every change that leads there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations, permutations, product

import pytest

from graph import Calculation, CastBallot, DelegationGraph, FollowingRemoved, FollowingSet, Member
from tests.test_graph.reference import Community, calculate

Pair = tuple[Member, Member]
Case = tuple[frozenset[Pair], frozenset[Member]]
"""Followings, and the members who vote."""

Shares = tuple[tuple[int, ...] | None, ...]
"""Everybody's microstars by choice; None for those without a ballot."""


def kinds(size: int) -> Iterator[Case]:
    """One community of each kind: of those that differ by names alone, the first."""
    pairs = list(permutations(range(size), 2))
    seen: set[Case] = set()
    for wanted in product((False, True), repeat=len(pairs)):
        followings = frozenset(pair for pair, one in zip(pairs, wanted, strict=True) if one)
        if (followings, frozenset()) in seen:
            continue
        for casters in subsets(size):
            if (followings, casters) not in seen:
                seen.update(renamed((followings, casters), names) for names in permutations(range(size)))
                yield followings, casters


def subsets(size: int) -> Iterator[frozenset[Member]]:
    for number in range(size + 1):
        yield from map(frozenset, combinations(range(size), number))


def renamed(case: Case, names: tuple[Member, ...]) -> Case:
    followings, casters = case
    return frozenset((names[a], names[b]) for a, b in followings), frozenset(names[one] for one in casters)


def alive(case: Case) -> Case:
    """Without the followings of those who vote: they count for nothing."""
    followings, casters = case
    return frozenset(pair for pair in followings if pair[0] not in casters), casters


def ballot_of(member: Member, size: int) -> CastBallot:
    return CastBallot(tuple(5 * (choice == member) for choice in range(size)))


class World:
    """The communities of one size, and what the reference says of them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.kinds = list(kinds(size))
        self._judged: dict[Case, Shares] = {}
        for case in self.kinds:
            if case != alive(case):
                continue
            shares = self._judge(case)
            for names in permutations(range(size)):
                back = {name: member for member, name in enumerate(names)}
                their = [shares[back[name]] for name in range(size)]
                self._judged[renamed(case, names)] = tuple(
                    None if row is None else tuple(row[back[choice]] for choice in range(size)) for row in their
                )

    def expected(self, case: Case) -> Shares:
        return self._judged[alive(case)]

    def _judge(self, case: Case) -> Shares:
        followings, casters = case
        community = Community(dict.fromkeys(range(self.size), True), dict.fromkeys(followings, frozenset[str]()))
        staged = calculate(community, {one: ballot_of(one, self.size) for one in casters}).staged
        return tuple(staged[one].microstars if one in staged else None for one in range(self.size))

    def calculated(self, case: Case) -> Calculation:
        followings, casters = case
        graph = DelegationGraph.build(
            revision=1,
            members=((member, True) for member in range(self.size)),
            followings=((*pair, frozenset[str]()) for pair in followings),
        )
        ballots = {one: ballot_of(one, self.size) for one in casters}
        return Calculation.from_scratch(graph, lots=range(self.size), ballots=ballots)

    def shares(self, calculation: Calculation) -> Shares:
        staged = map(calculation.staged, range(self.size))
        return tuple(None if ballot is None else ballot.microstars for ballot in staged)


@cache
def world(size: int) -> World:
    return World(size)


@pytest.mark.parametrize(("size", "communities"), [(1, 2), (2, 10), (3, 104), (4, 3044)])
def test_every_community_from_scratch(size: int, communities: int) -> None:
    everything = world(size)
    assert len(everything.kinds) == communities
    for case in everything.kinds:
        assert everything.shares(everything.calculated(case)) == everything.expected(case), case


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_every_vote_that_comes_or_goes(size: int) -> None:
    """Followings of the others who vote are left out: they change nothing."""
    everything = world(size)
    for followings, casters in everything.kinds:
        voting = {follower for follower, _ in followings} & casters
        if len(voting) > 1:
            continue
        before = everything.calculated((followings, casters))
        for member in voting or range(size):
            after = before.copy()
            ballot = None if member in casters else ballot_of(member, size)
            changed = after.update(before.graph, changes=[], ballots={member: ballot})
            expected = everything.expected((followings, casters ^ {member}))
            assert everything.shares(after) == expected, (followings, casters, member)
            was = everything.expected((followings, casters))
            # Whose microstars stay may have cast instead of inherited, or the other way round.
            assert changed - {member} == {m for m in range(size) if was[m] != expected[m]} - {member}


@pytest.mark.parametrize("size", [2, 3, 4])
def test_every_following_that_comes_or_goes(size: int) -> None:
    """Those of members who vote are left out: they change nothing."""
    everything = world(size)
    for followings, casters in everything.kinds:
        if any(follower in casters for follower, _ in followings):
            continue
        before = everything.calculated((followings, casters))
        for pair in permutations(range(size), 2):
            if pair[0] in casters:
                continue
            change = FollowingRemoved(*pair) if pair in followings else FollowingSet(*pair)
            after = before.copy()
            changed = after.update(before.graph.updated([change], revision=2), changes=[change], ballots={})
            was, expected = (
                everything.expected((followings, casters)),
                everything.expected((followings ^ {pair}, casters)),
            )
            assert everything.shares(after) == expected, (followings, casters, pair)
            assert changed == {m for m in range(size) if was[m] != expected[m]}
