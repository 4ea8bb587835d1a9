"""The values that go into the engine and come out of it.

All are frozen. Members are known by number, choices by their position in the decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

Member = int
"""A membership's number, within 64 bits."""

Kind = Literal["cast", "inherited", "abstained"]

STAR = 1_000_000
"""Microstars in a star."""

FIVE_STARS = 5 * STAR
"""The most that a ballot gives a choice, in microstars."""

RULES = "star-2026/1"
"""The name of the counting rules, published with every result."""

NO_TAGS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CastBallot:
    """A ballot as its member wrote it: stars (0..5) in the order of the choices, all 0 for an abstention.

    An `anonymous` one lies in the urn: it is a voter's, whatever becomes of its member, and hands nothing on.
    """

    stars: tuple[int, ...]
    tags: frozenset[str] = NO_TAGS
    abstain: bool = False
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class MemberSet:
    """The member is in the community from now on; `counted` says whether as a voter."""

    member: Member
    counted: bool


@dataclass(frozen=True, slots=True)
class MemberRemoved:
    """The member left; every following from and to the member goes too."""

    member: Member


@dataclass(frozen=True, slots=True)
class FollowingSet:
    """`follower` follows `followee` on `tags` (none: on everything), whatever it was before."""

    follower: Member
    followee: Member
    tags: frozenset[str] = NO_TAGS


@dataclass(frozen=True, slots=True)
class FollowingRemoved:
    """`follower` no longer follows `followee`."""

    follower: Member
    followee: Member


GraphChange = MemberSet | MemberRemoved | FollowingSet | FollowingRemoved


@dataclass(frozen=True, slots=True)
class StagedBallot:
    """A member's ballot as it stands in one decision: cast, inherited or an abstention.

    `counted` says that it is a voter's and no abstention.
    """

    member: Member
    kind: Kind
    microstars: tuple[int, ...]
    tags: frozenset[str]
    counted: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A cast ballot that a staged ballot rests on.

    `weight` is its share, a `Fraction` where it was computed exactly; the weights of one ballot sum to 1. `path`
    is the strongest chain of active followings from the asking member to the source, both ends included.
    """

    member: Member
    weight: Fraction | float
    path: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class TieBreak:
    """One tie-break that was used.

    `choices` are those still tied when `kind` decided, by lot; `numbers` are what decided, one for each of them.
    """

    round: Literal["score", "runoff"]
    kind: Literal["head_to_head", "score", "five_star", "lot"]
    choices: tuple[int, ...]
    won: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Participation:
    """The numbers that took part. `cast`, `inherited`, `abstained` and `none` count voters and add up to `eligible`.

    `counted` = `cast` + `inherited`; `lobbyists` are the ballots that lobbyists cast, which are never counted.
    """

    eligible: int
    cast: int
    inherited: int
    abstained: int
    none: int
    lobbyists: int
    counted: int


@dataclass(frozen=True)
class Result:
    """The outcome of one decision.

    `scores` are in microstars; `ranks` are competition ranks by score (1, 2, 2, 4); `preferences[a][b]` counts the
    ballots with more microstars for a than for b; `runoff_for` goes with `finalists`. Without a winner, `reason`
    says why.
    """

    rules: str
    scores: tuple[int, ...]
    ranks: tuple[int, ...]
    finalists: tuple[int, ...]
    preferences: tuple[tuple[int, ...], ...]
    runoff_for: tuple[int, ...]
    runoff_equal: int
    winner: int | None
    runner_up: int | None
    five_stars: tuple[int, ...]
    tie_breaks: tuple[TieBreak, ...]
    participation: Participation
    reason: Literal["no_ballots", "one_choice"] | None


@dataclass(frozen=True, slots=True)
class StagedColumns:
    """All staged ballots in columns, in member order; row i of each belongs to `members[i]`.

    `microstars` is int32, members x choices, in C order; `counted` is boolean. Equal sets of tags are one object
    as far as that comes cheap.
    """

    members: list[Member]
    kinds: list[Kind]
    microstars: npt.NDArray[np.int32]
    tags: list[frozenset[str]]
    counted: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[StagedBallot]:
        rows = zip(self.members, self.kinds, self.microstars.tolist(), self.tags, self.counted.tolist(), strict=True)
        for member, kind, microstars, tags, counted in rows:
            yield StagedBallot(member, kind, tuple(microstars), tags, counted)
