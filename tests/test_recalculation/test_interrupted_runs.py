"""Runs of several processes that are cut off: what is stored is what the ledger gives, whatever was lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError

from accounts.errors import DomainError
from democracy import services
from democracy.caches import BoundedCache
from democracy.errors import PermissionDenied
from democracy.models import Community, Decision, Membership
from democracy.recalculation import audits, recalculate_community, runs, staging
from democracy.recalculation.claims import Claim, ClaimLost
from democracy.recalculation.staging import StageBallots, calculation_of
from tests import factories
from tests.lengths import times

pytestmark = pytest.mark.django_db

_AWAY = OperationalError("the database went away")


class Processes:
    """Two processes, each of which keeps what it has calculated; one at a time does something."""

    def __init__(self, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self._chance, self._monkeypatch = chance, monkeypatch
        # The test's transaction has to outlive it.
        monkeypatch.setattr(runs, "close_old_connections", lambda: None)
        self._kept = [(_empty_cache(), _empty_cache()) for _ in range(2)]

    def change(self) -> None:
        kept, final = self._chance.choice(self._kept)
        self._monkeypatch.setattr(staging, "_kept", kept)
        self._monkeypatch.setattr(staging, "_final", final)

    def run(self, community: Community) -> None:
        """Calculate the community, and be cut off on the way as often as not."""
        self.change()
        with self._monkeypatch.context() as broken, suppress(OperationalError):
            if self._chance.random() < 0.6:
                self._chance.choice(_CUTS)(broken, self._chance)
            recalculate_community(community.pk)


def _empty_cache() -> BoundedCache[Any, Any]:
    return BoundedCache(staging._KEPT, weigh=lambda kept: kept.weight, most_weight=settings.RECALCULATION_KEPT_BYTES)


def _cut(owner: object, name: str, *, error: Exception, after: bool) -> Callable[[pytest.MonkeyPatch, Any], None]:
    """Raise an error instead of one of the calls, or after it; all others go through."""

    def cut(broken: pytest.MonkeyPatch, chance: random.Random) -> None:
        original, left = getattr(owner, name), chance.choice([0, 0, 1])

        def called(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            done = None if left == -1 and not after else original(*args, **kwargs)
            if left == -1:
                raise error
            return done

        broken.setattr(owner, name, called)

    return cut


_CUTS = [
    *[_cut(StageBallots, "process", error=_AWAY, after=True)] * 3,
    _cut(runs, "store", error=_AWAY, after=False),
    _cut(runs, "store", error=_AWAY, after=True),
    _cut(runs, "stored_together", error=_AWAY, after=False),
    _cut(runs, "stored_together", error=_AWAY, after=True),
    _cut(Claim, "hold", error=ClaimLost("claimed by another run"), after=False),
]


class Neighbours:
    """Three people who keep doing and undoing the same few things, in two decisions: what is lost shows."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.community, members = factories.community("ada", "ben", "cleo")
        self._people = [members[handle] for handle in ("ada", "ben", "cleo")]
        self.decisions = [factories.decision(self.community, members["manager"].user) for _ in range(2)]
        self._last, self._stars = (self._people[0], self.decisions[0]), 5
        factories.follow(members["ben"], members["ada"])
        factories.follow(members["cleo"], members["ben"])

    def step(self) -> None:
        others = [self._vote, self._withdraw, self._come_or_go, self._name, self._in_passing, self._follow]
        act = self._vote_again if self._chance.random() < 0.7 else self._chance.choice(others)
        with suppress(DomainError):  # of somebody who is no member just now, say
            act(self._chance.choice(self._people), self._chance.choice(self.decisions))

    def _vote(self, member: Membership, decision: Decision) -> None:
        self._last, self._stars = (member, decision), 5
        factories.vote(member, decision, Ash=self._stars)

    def _vote_again(self, *_: object) -> None:
        """Whoever voted last goes back and forth between two ballots."""
        self._stars = 9 - self._stars
        factories.vote(*self._last, Ash=self._stars)

    def _withdraw(self, member: Membership, decision: Decision) -> None:
        services.withdraw_ballot(member.user, decision.pk)

    def _come_or_go(self, member: Membership, _: Decision) -> None:
        try:
            services.leave_community(member.user, self.community.pk)
        except PermissionDenied:
            services.apply_to_community(member.user, self.community.pk)

    def _name(self, member: Membership, _: Decision) -> None:
        anonymous = self._chance.random() < 0.5
        services.set_anonymity(member.user, self.community.pk, anonymous=anonymous, confirmed=True)

    def _in_passing(self, member: Membership, decision: Decision) -> None:
        """Vote without a name, and take it all back."""
        services.set_anonymity(member.user, self.community.pk, anonymous=True, confirmed=True)
        factories.vote(member, decision, Ash=1)
        services.withdraw_ballot(member.user, decision.pk)
        services.set_anonymity(member.user, self.community.pk, anonymous=False)

    def _follow(self, member: Membership, _: Decision) -> None:
        followee = self._chance.choice(self._people).pk
        if self._chance.random() < 0.5:
            services.follow(member.user, followee)
        else:
            services.unfollow(member.user, followee)


# The first three found what a process took, lost and forgot, and a name that was gone.
@pytest.mark.parametrize("seed", [12, 22, 25, *range(100, 100 + times(3, long=200))])
def test_what_is_stored_is_what_the_ledger_gives(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    neighbours, processes = Neighbours(chance), Processes(chance, monkeypatch)
    for _ in range(20):
        for _ in range(chance.choice([0, 1, 1, 2, 4])):
            neighbours.step()
        if chance.random() < 0.2:
            processes.change()
            with calculation_of(chance.choice(neighbours.decisions)):
                pass
        processes.run(neighbours.community)
        assert list(audits.faults(Community.objects.get(pk=neighbours.community.pk))) == []
