"""The contents of a file as values, between its reader and its writing into the database.

Members, choices and decisions go by the ids of the file. Readers see to it that texts, tags, stars and references are
right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from democracy.models import Community, Decision, Membership

OPEN_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NewMember:
    """`id` is the file's own. `handle`: of an account of the demo, which is used again where it exists."""

    id: str
    name: str
    role: str = Membership.Role.VOTER
    is_manager: bool = False
    is_anonymous: bool = False
    handle: str = ""
    is_demo: bool = False


@dataclass(frozen=True, slots=True)
class NewFollowing:
    follower: str
    followee: str
    tags: Sequence[str] = ()
    order: int = 1


@dataclass(frozen=True, slots=True)
class NewChoice:
    id: str
    title: str
    description: str = ""
    lot: int | None = None


@dataclass(frozen=True, slots=True)
class NewBallot:
    """`stars` by choice id. `cast_at`: None for as late as it can have been."""

    member: str
    stars: Mapping[str, int]
    tags: Sequence[str] = ()
    abstain: bool = False
    comment: str = ""
    cast_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewClarification:
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewCallingOff:
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewDecision:
    """A published decision. Its lots are kept where every choice has one, else drawn."""

    id: str
    title: str
    choices: Sequence[NewChoice]
    opens_at: datetime
    closes_at: datetime
    description: str = ""
    results_visibility: str = Decision.Visibility.LIVE
    ballots: Sequence[NewBallot] = ()
    clarifications: Sequence[NewClarification] = ()
    topics: Sequence[str] = ()
    called_off: NewCallingOff | None = None


@dataclass(frozen=True, slots=True)
class NewCommunity:
    name: str
    members: Sequence[NewMember]
    description: str = ""
    visibility: str = Community.Visibility.MEMBERS
    joining: str = Community.Joining.REQUEST
    followings: Sequence[NewFollowing] = ()
    decisions: Sequence[NewDecision] = ()
