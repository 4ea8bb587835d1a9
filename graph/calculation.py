"""The calculation of one decision: staged ballots and totals, kept up to date with what changes.

# Note [The urn]
Taking an anonymous ballot out of a decision, or counting it differently, would show which one it was. So it lies in the
urn: counted as a voter's, its caster eligible, whether they are still in the graph or not, and whatever role they have
there. Whoever followed them would see it exactly, so it hands nothing on: to the staging its caster is somebody who
abstains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from graph.delegation import DelegationGraph
from graph.incremental import active_followees, find_affected, restage
from graph.sources import find_influence, find_sources
from graph.staged_ballots import Published, StagedBallots, changed_rows, with_ballots, written
from graph.staging import CAST, INHERITED, KIND_NAMES, Staging, stage
from graph.tally import Totals, star, tally
from graph.values import (
    CastBallot,
    FollowingRemoved,
    FollowingSet,
    GraphChange,
    Member,
    MemberRemoved,
    MemberSet,
    Participation,
    Result,
    Source,
    StagedBallot,
    StagedColumns,
)

# More affected members than this, and than a tenth of the community, cost more than staging everything in arrays.
_MOST_AFFECTED = 1_000

# A member's ballot as published, if there is one, and whether the member is a voter.
_Standing = tuple[Published | None, bool]


class Calculation:
    """Staged ballots and totals of one decision.

    The one mutable thing in the engine: it belongs to one thread at a time. Made by `from_scratch`, brought up to
    date by `update`; both lead to the same, to the last microstar. After an exception from `update` it is of no
    further use.

    See Also
    --------
    graph.staged_ballots.StagedBallots : where the staged ballots are.
    """

    graph: DelegationGraph
    _staged: StagedBallots
    _groups: Counter[tuple[str, bool]]
    _totals: Totals
    _result: Result | None
    # What `influence` has found, shared by copies as long as nothing changes.
    _carried: dict[frozenset[Member], dict[Member, float]]

    def __init__(self, graph: DelegationGraph, lots: tuple[int, ...], ballots: Mapping[Member, CastBallot]) -> None:
        self.graph = graph
        self._lots = lots
        # See Note [The urn].
        self._carried = {}
        self._urn = {member: _published(ballot) for member, ballot in ballots.items() if ballot.anonymous}
        self._ballots = {member: self._to_stage(ballot) for member, ballot in ballots.items() if member in graph}
        self._start_from(stage(graph.arrays, self._ballots, len(lots)))

    @classmethod
    def from_scratch(
        cls, graph: DelegationGraph, *, lots: Sequence[int], ballots: Mapping[Member, CastBallot]
    ) -> Calculation:
        """Calculate everything.

        Parameters
        ----------
        graph : DelegationGraph
        lots : sequence of int
            The lot number of each choice; the order is that of the stars on the ballots.
        ballots : mapping from member to CastBallot
            Those of non-members are ignored, except anonymous ones.

        Returns
        -------
        Calculation

        Raises
        ------
        ValueError
            If a ballot has not one rating for each choice, or a member more than 4,000 active followings.
        """
        for member, ballot in ballots.items():
            _check(member, ballot, len(lots))
        return cls(graph, tuple(lots), ballots)

    def update(
        self, graph: DelegationGraph, *, changes: Sequence[GraphChange], ballots: Mapping[Member, CastBallot | None]
    ) -> frozenset[Member]:
        """Bring the calculation up to date; the cost follows the part that can change.

        Parameters
        ----------
        graph : DelegationGraph
            The new graph: ``self.graph.updated(changes, ...)``.
        changes : sequence of GraphChange
            All that differs between the two graphs.
        ballots : mapping from member to CastBallot or None
            Ballots that were cast, changed or (None) withdrawn. The ballot of a member who leaves goes with the
            member, unless it is anonymous, and is passed again when it is to count again.

        Returns
        -------
        frozenset of Member
            Members whose staged ballot (kind, microstars or tags) or its being counted changed, appeared or vanished.

        Raises
        ------
        ValueError
            As `from_scratch`; the calculation is of no further use then.
        """
        before: dict[Member, _Standing] = {}
        if changes or ballots:
            self._carried = {}
        sources, asking = self._take(graph, changes, ballots, before)
        previous, self.graph = self.graph, graph
        limit = max(_MOST_AFFECTED, len(graph) // 10)
        affected = None
        if len(asking) + len(self._staged.since) <= 2 * limit:
            affected = find_affected(graph, self._ballots, self._staged, sources=sources, asking=asking, limit=limit)
        if affected is None:
            return self._restage_all(previous, before)
        for member in affected:
            if member not in before:
                before[member] = self._standing(member)
        if affected:
            restage(graph, self._ballots, self._staged, affected)
        return self._compare(before)

    def copy(self) -> Calculation:
        """Make an independent calculation in the same state."""
        other = Calculation.__new__(Calculation)
        other.graph, other._lots = self.graph, self._lots
        other._ballots, other._staged, other._urn = self._ballots.copy(), self._staged.copy(), self._urn.copy()
        other._totals, other._groups, other._result = self._totals.copy(), self._groups.copy(), self._result
        other._carried = self._carried
        return other

    @property
    def result(self) -> Result:
        """Count the result as it stands."""
        if self._result is None:
            groups = self._groups
            cast, inherited, abstained = (groups[kind, True] for kind in ("cast", "inherited", "abstained"))
            eligible = self.graph.voters + sum(not self.graph.counts(member) for member in self._urn)
            self._result = star(
                self._totals,
                self._lots,
                Participation(
                    eligible=eligible,
                    cast=cast,
                    inherited=inherited,
                    abstained=abstained,
                    none=eligible - cast - inherited - abstained,
                    lobbyists=groups["cast", False],
                    counted=cast + inherited,
                ),
            )
        return self._result

    def staged(self, member: Member) -> StagedBallot | None:
        """Look up the member's staged ballot; None if there is none."""
        published, voter = self._standing(member)
        if published is None:
            return None
        kind, microstars, tags = published
        return StagedBallot(member, kind, microstars, tags, voter and kind != "abstained")

    def staged_ballots(self, members: Iterable[Member] | None = None) -> Iterator[StagedBallot]:
        """Iterate over the staged ballots of these members, in this order; without `members` all, in member order."""
        if members is None:
            yield from self.staged_columns()
            return
        for member in members:
            ballot = self.staged(member)
            if ballot is not None:
                yield ballot

    def staged_columns(self) -> StagedColumns:
        """Collect all staged ballots in columns, for storing them in bulk."""
        columns = self._staged.columns(self.graph)
        return _with_urn(columns, self._urn) if self._urn else columns

    def sources(self, member: Member) -> tuple[Source, ...]:
        """Find the sources of the member's ballot, heaviest first, then by member; none without a ballot with stars.

        A ballot that the member cast rests on itself.
        """
        published, _ = self._standing(member)
        if published is None or published[0] == "abstained":
            return ()
        return find_sources(member, self._active)

    def influence(self, *, leaving_out: frozenset[Member] = frozenset()) -> dict[Member, float]:
        """Sum, for each cast ballot with stars, the weights that counted ballots give it: how many it carries.

        Those in the urn carry only themselves and are left out, as are inherited ballots of members in `leaving_out`.
        """
        found = self._carried.get(leaving_out)
        if found is None:
            found = find_influence(self.graph.arrays, self._ballots, leaving_out)
            self._carried[leaving_out] = found
        return found.copy()

    def active_followings(self) -> Iterator[tuple[Member, Member]]:
        """Iterate over the active followings as (follower, followee), in order."""
        columns = self.staged_columns()
        for member, kind in zip(columns.members, columns.kinds, strict=True):
            if kind == "inherited":
                for followee in sorted(active_followees(self.graph, self._staged, member)):
                    yield member, followee

    def _take(
        self,
        graph: DelegationGraph,
        changes: Sequence[GraphChange],
        ballots: Mapping[Member, CastBallot | None],
        before: dict[Member, _Standing],
    ) -> tuple[dict[Member, frozenset[str]], set[Member]]:
        """Take the new inputs over, and into `before` the staged ballots of whoever is changed by that itself.

        Returns whose written ballot changed, with all tags it had or has, and who has to ask anew.
        """
        asking = self._take_changes(changes, before)
        self._take_memberships(graph, before)
        sources: dict[Member, frozenset[str]] = {}
        for member, ballot in ballots.items():
            old, _ = before.setdefault(member, self._standing(member))
            if ballot is not None:
                _check(member, ballot, len(self._lots))
            if ballot is not None and ballot.anonymous:
                self._urn[member] = _published(ballot)
            else:
                self._urn.pop(member, None)
            to_stage = None if ballot is None else self._to_stage(ballot)
            if member not in graph or self._ballots.get(member) == to_stage:
                continue
            if to_stage is None:
                del self._ballots[member]
                asking.add(member)
            else:
                self._write(member, to_stage)
                sources[member] = to_stage.tags if old is None else to_stage.tags | old[2]
        return sources, {member for member in asking if member in graph}

    def _take_changes(self, changes: Iterable[GraphChange], before: dict[Member, _Standing]) -> set[Member]:
        """Note in `before` whose membership changes; return who has to ask anew."""
        asking: set[Member] = set()
        for change in changes:
            match change:
                case FollowingSet(follower, _) | FollowingRemoved(follower, _):
                    asking.add(follower)
                case MemberSet(member) | MemberRemoved(member):
                    before[member] = self._standing(member)
                    if isinstance(change, MemberRemoved) or member not in self.graph:
                        asking.add(member)
                        asking.update(self.graph.followers.get(member, ()))
        return asking

    def _take_memberships(self, graph: DelegationGraph, members: Iterable[Member]) -> None:
        """Take over that these members came, left or are counted differently."""
        for member in members:
            # Even an unchanged ballot may be counted differently now, so the full staging no longer speaks for it.
            self._staged.since[member] = self._staged.look_up(member) if member in graph else None
            if member not in graph:
                self._ballots.pop(member, None)
            elif member in self._urn and member not in self._ballots:
                self._write(member, self._abstention)

    def _write(self, member: Member, ballot: CastBallot) -> None:
        """Let a ballot that its member wrote be the member's staged one."""
        self._ballots[member] = ballot
        self._staged.since[member] = written(ballot)

    def _compare(self, before: Mapping[Member, _Standing]) -> frozenset[Member]:
        """Take changed ballots over into totals and participation; return the members that changed."""
        changed: list[Member] = []
        leaving: list[tuple[int, ...]] = []
        coming: list[tuple[int, ...]] = []
        for member, standing in before.items():
            (old, voted), (new, votes) = standing, self._standing(member)
            if old is not None:
                self._groups[old[0], voted] -= 1
            if new is not None:
                self._groups[new[0], votes] += 1
            was, is_ = _is_counted(standing), _is_counted((new, votes))
            if was == is_ and old == new:
                continue
            changed.append(member)
            if was and old is not None:
                leaving.append(old[1])
            if is_ and new is not None:
                coming.append(new[1])
        self._totals.replace(leaving, coming)
        self._result = None
        return frozenset(changed)

    def _restage_all(self, previous: DelegationGraph, before: Mapping[Member, _Standing]) -> frozenset[Member]:
        """Calculate from scratch and compare; return the members that changed."""
        old = self._staged
        # Of the urn only what is named in `before` has changed.
        earlier = {
            member: (old.published(member), previous.counts(member)) for member in old.since if member not in self._urn
        }
        self._start_from(stage(self.graph.arrays, self._ballots, len(self._lots)))
        changed = changed_rows(old.base, self._staged.base) - self._urn.keys()
        for member, standing in {**earlier, **before}.items():
            now = self._standing(member)
            if _is_counted(standing) == _is_counted(now) and standing[0] == now[0]:
                changed.discard(member)
            else:
                changed.add(member)
        return frozenset(changed)

    def _start_from(self, staging: Staging) -> None:
        """Take a full staging for the state, and count it."""
        self._staged = StagedBallots(staging)
        self._groups = Counter()
        for code, kind in enumerate(KIND_NAMES):
            if kind is not None:
                voters = staging.graph.counted[staging.kinds == code]
                self._groups[kind, True] = int(np.count_nonzero(voters))
                self._groups[kind, False] = len(voters) - self._groups[kind, True]
        holding = (staging.kinds == CAST) | (staging.kinds == INHERITED)
        self._totals = tally(staging.microstars[holding & staging.graph.counted])
        # In the staging they abstain.
        for member, (kind, _, _) in self._urn.items():
            if member in self.graph:
                self._groups["abstained", self.graph.counts(member)] -= 1
            self._groups[kind, True] += 1
        self._totals.replace([], [ballot[1] for ballot in self._urn.values() if ballot[0] == "cast"])
        self._result = None

    def _standing(self, member: Member) -> _Standing:
        sealed = self._urn.get(member)
        if sealed is not None:
            return sealed, True
        return self._staged.published(member), self.graph.counts(member)

    @property
    def _abstention(self) -> CastBallot:
        return CastBallot((0,) * len(self._lots), abstain=True)

    def _to_stage(self, ballot: CastBallot) -> CastBallot:
        return self._abstention if ballot.anonymous else ballot

    def _active(self, member: Member) -> Sequence[Member] | None:
        if member in self._ballots or member in self._urn:
            return None
        return active_followees(self.graph, self._staged, member)


def _check(member: Member, ballot: CastBallot, choices: int) -> None:
    if len(ballot.stars) != choices:
        raise ValueError(f"the ballot of member {member} rates {len(ballot.stars)} choices, not {choices}")


def _published(ballot: CastBallot) -> Published:
    kind, microstars, tags, *_ = written(ballot)
    return kind, microstars, tags


def _is_counted(standing: _Standing) -> bool:
    published, voter = standing
    return voter and published is not None and published[0] != "abstained"


def _with_urn(columns: StagedColumns, urn: Mapping[Member, Published]) -> StagedColumns:
    """Put the ballots in the urn in place of their casters' abstentions, in member order."""
    keep = [row for row, member in enumerate(columns.members) if member not in urn]
    others = StagedColumns(
        [columns.members[row] for row in keep],
        [columns.kinds[row] for row in keep],
        columns.microstars[keep],
        [columns.tags[row] for row in keep],
        columns.counted[keep],
    )
    return with_ballots(others, urn, [kind != "abstained" for kind, _, _ in urn.values()])
