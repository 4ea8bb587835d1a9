"""Closures: the part of a community that the ballots of some members rest on, calculated alone.

A request that explains a ballot must not wait until a whole community has been read and calculated (invariant 8). A
process that keeps no calculation of the community reads the *closure* of the members asked about: these members, the
followees of those among them without a cast ballot, the followees of these, and so on; current members only.

# Note [A closure stages as the whole]
In the least fixed point a member's ballot, tags and stars follow from the member's own cast ballot, or else from the
ballots of the followees. A closure holds, with each member, the cast ballot or else all followees. So every derivation
of a ballot in the whole community is one in the closure, and conversely. Sources are found along the same followings,
and a loop lies in a closure entirely or not at all, so weights and paths are the same, too.

# Note [Untouched rows are of one revision]
The revision is read first, the rows second and the changes after that revision third. If none of these changes is an
input of a member asked about on the way, the rows show the inputs as they stood at that revision, though they were read
one after the other. Otherwise they may be of several revisions, and are read again. Changes in other parts of the
community do not matter. Of a closed decision, what the ledger says that the inputs of these members were at its closing
is read after their rows, and laid over them: that costs the same, however much others have done since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from democracy import ledger
from democracy.ledger import Content, contents
from democracy.models import Ballot, Community, Decision, DecisionSnapshot, Following, Membership
from democracy.recalculation.inputs import (
    CommunityInputs,
    DecisionInputs,
    Pair,
    closing_revision,
    following_rows,
    member_rows,
    without_ballots,
)
from democracy.recalculation.staging import calculation_at_hand, calculation_of
from graph import Calculation, DelegationGraph, Source, StagedBallot

# Larger closures, and longer chains, are not walked: each level takes a few queries, and reading the whole community is
# cheaper at some point.
_MOST_MEMBERS = 20_000
_MOST_LEVELS = 100
_TRIES = 3
_ROWS = 5_000

Contents = Mapping[str, Content]


class PartialCalculation(Protocol):
    """A calculation that may know some members only: it answers nothing that counts everybody."""

    @property
    def graph(self) -> DelegationGraph: ...

    def staged(self, member: int) -> StagedBallot | None: ...

    def sources(self, member: int) -> tuple[Source, ...]: ...


@dataclass(frozen=True)
class KnownBallots:
    """Staged ballots to explain, with the ids of the decision's choices in order."""

    choices: tuple[int, ...]
    calculation: PartialCalculation


def ballots_known(decision: Decision, members: Iterable[int]) -> KnownBallots:
    """Calculate at least these members' ballots of a published decision as its inputs stand now (closed: at closing).

    The calculation belongs to the caller, to read only.
    """
    if (kept := calculation_at_hand(decision)) is not None:
        return KnownBallots(kept.choices, kept.calculation)
    if (part := _part(decision, set(members))) is not None:
        return part
    with calculation_of(decision) as live:
        return KnownBallots(live.choices, live.calculation.copy())


def _part(decision: Decision, members: set[int]) -> KnownBallots | None:
    """Calculate from the closure of these members; None where it is too large, or keeps changing while it is read."""
    found = _read(decision, members)
    if found is None:
        return None
    one = found.decisions[decision.pk]
    return KnownBallots(one.choices, Calculation.from_scratch(found.graph(), lots=one.lots, ballots=one.ballots))


def _read(decision: Decision, members: set[int]) -> CommunityInputs | None:
    closed_at = _closed_at(decision) if decision.status == Decision.Status.CLOSED else None
    for _ in range(_TRIES):
        revision = Community.objects.values_list("revision", flat=True).get(pk=decision.community_id)
        walk = _Walk(decision, revision, closed_at)
        if not walk.reach(members):
            return None
        touched = (_whose(decision, subject) for subject in ledger.subjects_after(decision.community_id, revision))
        if walk.asked.isdisjoint(touched):
            return walk.found
    return None


def _closed_at(decision: Decision) -> int:
    """The revision of a closed decision's inputs. Asking the ledger waits for writers."""
    final = DecisionSnapshot.objects.filter(decision=decision, is_final=True).values_list("revision", flat=True).first()
    return closing_revision(decision) if final is None else final


def _whose(decision: Decision, subject: str) -> int | None:
    """The member whose input this is, if the walk asks for it."""
    kind, *ids = subject.split(":")
    match kind:
        case "membership" | "following":
            return int(ids[0])
        case "ballot" if int(ids[0]) == decision.pk:
            return int(ids[1])
    return None


class _Walk:
    """A walk from members along their followings, level by level; `asked`: the members met, `found`: their inputs.

    `closed_at`: the revision at which the inputs are wanted; None for those of now, `revision` or later.
    """

    def __init__(self, decision: Decision, revision: int, closed_at: int | None) -> None:
        self.asked: set[int] = set()
        at = revision if closed_at is None else closed_at
        self.found = CommunityInputs(at, {}, {}, without_ballots([decision.pk]))
        self._decision = decision
        self._closed_at = closed_at

    def reach(self, members: set[int]) -> bool:
        """Walk from these members to the end. Returns False where that is too far."""
        levels = 0
        while members:
            self.asked |= members
            levels += 1
            if len(self.asked) > _MOST_MEMBERS or levels > _MOST_LEVELS:
                return False
            members = {followee for _, followee in self._ask(members)} - self.asked
        return True

    def _ask(self, members: set[int]) -> Iterable[Pair]:
        """Read the inputs of these members; their followings, except of those with a cast ballot."""
        pk = self._decision.pk
        known = self.found.decisions[pk]
        level = CommunityInputs(self.found.revision, {}, {}, {pk: DecisionInputs(known.choices, known.lots)})
        current, cast = level.members, level.decisions[pk]
        for some in _batches(members):
            current |= member_rows(Membership.objects.filter(community=self._decision.community_id, pk__in=some))
            cast.read(Ballot.objects.filter(decision=pk, membership__in=some))
            self._lay_over(level, self._members_then, some)
        asking = current.keys() - cast.ballots.keys()
        for some in _batches(asking):
            level.followings |= following_rows(Following.objects.filter(follower__in=some))
            self._lay_over(level, self._followings_then, some)
        self.found.members |= current
        known.ballots |= cast.ballots
        self.found.followings |= level.followings
        return level.followings

    def _lay_over(self, level: CommunityInputs, then: Callable[[int, list[int]], Contents], some: list[int]) -> None:
        """Lay what the inputs of these members were at the closing over their rows."""
        if self._closed_at is not None:
            for subject, content in then(self._closed_at, some).items():
                level.apply(subject, content)

    def _members_then(self, revision: int, members: list[int]) -> Contents:
        """The memberships and ballots that have changed since, as they were."""
        subjects = [
            subject
            for member in members
            for subject in (contents.membership_subject(member), contents.ballot_subject(self._decision.pk, member))
        ]
        return ledger.contents_at(self._decision.community_id, revision, subjects=subjects)

    def _followings_then(self, revision: int, followers: list[int]) -> Contents:
        """The followings that have changed since, as they were."""
        return ledger.followings_at(self._decision.community_id, revision, followers)


def _batches(ids: Iterable[int]) -> Iterator[list[int]]:
    """Split ids into lists that every database takes."""
    ordered = sorted(ids)
    return (ordered[start : start + _ROWS] for start in range(0, len(ordered), _ROWS))
