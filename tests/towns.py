"""A town with an open decision, and a bystander: another community, which nothing done in the town may touch."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from accounts.models import User
from democracy.models import Community, Decision, Membership
from tests import factories, rules


@dataclass
class Town:
    community: Community
    members: dict[str, Membership]
    decision: Decision

    @property
    def manager(self) -> User:
        return self.members["manager"].user

    def __getattr__(self, handle: str) -> Membership:
        """Return a member by handle, as the database has it now."""
        if handle not in self.__dict__.get("members", {}):
            raise AttributeError(handle)
        return Membership.objects.select_related("user", "community").get(pk=self.members[handle].pk)


def new_town(*handles: str) -> Town:
    community, members = rules.new_community(*handles)
    return Town(community, members, factories.decision(community, members["manager"].user))


@pytest.fixture(scope="module")
def written(module_rows: None) -> tuple[Town, Town, rules.Rows]:
    """Write both towns, and return them with every row of the second."""
    town, other = new_town("ada", "ben", "cleo", "dan"), new_town("eve")
    factories.follow(other.members["manager"], other.members["eve"])
    factories.vote(other.members["eve"], other.decision, Ash=5)
    return town, other, rules.written(other.community)


@pytest.fixture
def town(written: tuple[Town, Town, rules.Rows], db: None) -> Town:
    return copy.deepcopy(written[0])


@pytest.fixture
def bystander(written: tuple[Town, Town, rules.Rows], db: None) -> Iterator[Town]:
    """Return another community, whose every row must be the same when the test ends."""
    _, other, before = written
    yield copy.deepcopy(other)
    assert rules.written(other.community) == before


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> rules.Clock:
    return rules.Clock(monkeypatch)
