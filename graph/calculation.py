"""The calculation of one decision: staged ballots and totals, kept up to date with what changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from graph.cone import Staged, active_followees, find_cone, restage, written
from graph.delegation import DelegationGraph
from graph.explain import find_influence, find_sources
from graph.staging import ABSTAINED, CAST, INHERITED, KIND_NAMES, NONE, Staging, stage
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

# A cone larger than this, and than a tenth of the community, costs more than staging everything in arrays.
_LARGE_CONE = 1_000


class Calculation:
    """Staged ballots and totals of one decision.

    The one mutable thing in the engine: it belongs to one thread at a time. Made by `from_scratch`, brought up to
    date by `update`; both lead to the same, to the last microstar. After an exception from `update` it is of no
    further use.

    Notes
    -----
    The last full staging stays as it was made; members staged since then are kept beside it. So a copy is cheap.
    """

    graph: DelegationGraph
    _base: Staging
    _since: dict[Member, Staged | None]
    _groups: Counter[tuple[str, bool]]
    _totals: Totals
    _result: Result | None

    def __init__(
        self, graph: DelegationGraph, lots: tuple[int, ...], ballots: dict[Member, CastBallot], staging: Staging
    ) -> None:
        self.graph = graph
        self._lots = lots
        self._ballots = ballots
        self._rest(staging)

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
            Those of non-members are ignored.

        Raises
        ------
        ValueError
            If a ballot has not one rating for each choice, or a member more than 4,000 active followings.
        """
        members = {member: ballot for member, ballot in ballots.items() if member in graph}
        for member, ballot in members.items():
            _check(member, ballot, len(lots))
        return cls(graph, tuple(lots), members, stage(graph.arrays, members, len(lots)))

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
            member and is passed again when it is to count again.

        Returns
        -------
        frozenset of Member
            Whose staged ballot (kind, microstars or tags) or its being counted changed, appeared or vanished.
        """
        sources, asking, roles, fresh = self._take(graph, changes, ballots)
        previous = self.graph
        limit = max(_LARGE_CONE, len(graph) // 10)
        cone = None
        if len(sources) + len(asking) + len(self._since) <= limit * 2:
            cone = find_cone(graph, self._ballots, self._lookup, sources=sources, asking=asking, limit=limit)
        self.graph = graph
        if cone is None:
            return self._restage_all(previous)

        def lookup(member: Member) -> Staged | None:
            return fresh[member] if member in fresh else self._lookup(member)

        if cone:
            fresh.update(restage(graph, self._ballots, lookup, cone))
        for member in roles:
            fresh.setdefault(member, self._lookup(member))
        return self._apply(fresh, previous)

    def copy(self) -> Calculation:
        """An independent calculation in the same state."""
        other = Calculation.__new__(Calculation)
        other.graph, other._lots, other._ballots = self.graph, self._lots, self._ballots.copy()
        other._base, other._since = self._base, self._since.copy()
        other._totals, other._groups = self._totals.copy(), self._groups.copy()
        other._result = self._result
        return other

    @property
    def result(self) -> Result:
        """The result as it stands."""
        if self._result is None:
            groups = self._groups
            cast, inherited, abstained = (groups[kind, True] for kind in ("cast", "inherited", "abstained"))
            eligible = self.graph.voters
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
        """The member's staged ballot; None if there is none."""
        staged = self._lookup(member)
        if staged is None:
            return None
        return StagedBallot(
            member, staged.kind, staged.microstars, staged.tags, _is_counted(self.graph, member, staged)
        )

    def staged_ballots(self, members: Iterable[Member] | None = None) -> Iterator[StagedBallot]:
        """The staged ballots of these members, in this order; without `members` all, in member order."""
        if members is None:
            yield from self.staged_columns()
            return
        for member in members:
            ballot = self.staged(member)
            if ballot is not None:
                yield ballot

    def staged_columns(self) -> StagedColumns:
        """All staged ballots in columns, for storing them in bulk."""
        base, graph = self._base, self._base.graph
        keep = base.kinds != NONE
        keep[[graph.index[member] for member in self._since if member in graph.index]] = False
        rows = np.flatnonzero(keep)
        at = rows.tolist()
        counted = graph.counted[rows] & (base.kinds[rows] != ABSTAINED)
        columns = StagedColumns(
            [graph.members[row] for row in at],
            [kind for kind in map(KIND_NAMES.__getitem__, base.kinds[rows].tolist()) if kind is not None],
            base.microstars[rows],
            [base.tags[row] for row in at],
            counted,
        )
        later = [(member, staged) for member, staged in self._since.items() if staged is not None]
        if not later:
            return columns
        members = columns.members + [member for member, _ in later]
        kinds = columns.kinds + [staged.kind for _, staged in later]
        tags = columns.tags + [staged.tags for _, staged in later]
        microstars = np.array([staged.microstars for _, staged in later], dtype=np.int32)
        flags = np.array([_is_counted(self.graph, member, staged) for member, staged in later])
        order = sorted(range(len(members)), key=members.__getitem__)
        return StagedColumns(
            [members[row] for row in order],
            [kinds[row] for row in order],
            np.concatenate((columns.microstars, microstars))[order],
            [tags[row] for row in order],
            np.concatenate((counted, flags))[order],
        )

    def sources(self, member: Member) -> tuple[Source, ...]:
        """What the member's ballot rests on, heaviest first, then by member; empty without a ballot with stars.

        A ballot that the member cast rests on itself.
        """
        staged = self._lookup(member)
        if staged is None or staged.kind == "abstained":
            return ()
        return find_sources(member, self._active)

    def influence(self) -> dict[Member, float]:
        """For each cast ballot with stars, how many counted ballots it carries: their weights on it, summed."""
        influence = find_influence(
            [member for member, ballot in self._ballots.items() if not ballot.abstain],
            {ballot.member: 1.0 for ballot in self.staged_columns() if ballot.counted and ballot.kind == "inherited"},
            self._active,
        )
        for member in influence:
            influence[member] += self.graph.counts(member)
        return dict(sorted(influence.items()))

    def active_followings(self) -> Iterator[tuple[Member, Member]]:
        """Every active following as (follower, followee), in order."""
        columns = self.staged_columns()
        for member, kind in zip(columns.members, columns.kinds, strict=True):
            if kind == "inherited":
                for followee in sorted(active_followees(self.graph, self._lookup, member)):
                    yield member, followee

    def _take(
        self, graph: DelegationGraph, changes: Sequence[GraphChange], ballots: Mapping[Member, CastBallot | None]
    ) -> tuple[dict[Member, frozenset[str]], set[Member], set[Member], dict[Member, Staged | None]]:
        """Take the new inputs over.

        Returns whose written ballot changed (with all tags it had or has), who has to ask anew, whose role may have
        changed, and the staged ballots that follow at once.
        """
        sources: dict[Member, frozenset[str]] = {}
        asking: set[Member] = set()
        roles: set[Member] = set()
        fresh: dict[Member, Staged | None] = {}
        for change in changes:
            match change:
                case FollowingSet(follower, _) | FollowingRemoved(follower, _):
                    asking.add(follower)
                case MemberSet(member):
                    roles.add(member)
                    if member not in self.graph:
                        asking.add(member)
                case MemberRemoved(member):
                    roles.add(member)
                    asking.add(member)
                    asking.update(self.graph.followers.get(member, ()))
        for member in roles:
            if member not in graph:
                fresh[member] = None
                self._ballots.pop(member, None)
        for member, ballot in ballots.items():
            if member not in graph or self._ballots.get(member) == ballot:
                continue
            if ballot is None:
                del self._ballots[member]
                asking.add(member)
            else:
                _check(member, ballot, len(self._lots))
                before = self._lookup(member)
                self._ballots[member] = ballot
                sources[member] = ballot.tags if before is None else ballot.tags | before.tags
                fresh[member] = written(ballot)
        return sources, {member for member in asking if member in graph}, roles, fresh

    def _apply(self, fresh: Mapping[Member, Staged | None], previous: DelegationGraph) -> frozenset[Member]:
        """Take new staged ballots over into totals and participation; the members that changed."""
        changed: list[Member] = []
        leaving: list[tuple[int, ...]] = []
        coming: list[tuple[int, ...]] = []
        for member, after in fresh.items():
            before = self._lookup(member)
            self._since[member] = after
            was = before is not None and _is_counted(previous, member, before)
            is_ = after is not None and _is_counted(self.graph, member, after)
            voted, votes = previous.counts(member), self.graph.counts(member)
            if before is not None:
                self._groups[before.kind, voted] -= 1
            if after is not None:
                self._groups[after.kind, votes] += 1
            same = _published(before) == _published(after)
            if same and was == is_:
                continue
            changed.append(member)
            if was and before is not None:
                leaving.append(before.microstars)
            if is_ and after is not None:
                coming.append(after.microstars)
        self._totals.count(leaving, -1)
        self._totals.count(coming)
        self._result = None
        return frozenset(changed)

    def _restage_all(self, previous: DelegationGraph) -> frozenset[Member]:
        """Calculate from scratch and compare; the members that changed."""
        base, since = self._base, self._since
        lookup_before = {member: self._lookup(member) for member in since}
        self._rest(stage(self.graph.arrays, self._ballots, len(self._lots)))
        old, new = base.graph, self._base.graph
        changed = {member for member in old.index if member not in new.index and base.kinds[old.index[member]] != NONE}
        came = [old.index.get(member, -1) for member in new.members]
        where = np.array(came, dtype=np.int64)
        rows = np.flatnonzero(where >= 0)
        were = where[rows]
        kinds, kinds_before = self._base.kinds[rows], base.kinds[were]
        differs = kinds != kinds_before
        differs |= (self._base.microstars[rows] != base.microstars[were]).any(axis=1)
        differs |= (new.counted[rows] != old.counted[were]) & ((kinds == CAST) | (kinds == INHERITED))
        pairs = zip(rows.tolist(), were.tolist(), strict=True)
        differs |= np.fromiter(
            (self._base.tags[a] is not base.tags[b] and self._base.tags[a] != base.tags[b] for a, b in pairs),
            dtype=np.bool_,
            count=len(rows),
        ) & (kinds != NONE)
        changed.update(new.members[row] for row in rows[differs].tolist())
        joined = np.flatnonzero((where < 0) & (self._base.kinds != NONE))
        changed.update(new.members[row] for row in joined.tolist())
        for member, before in lookup_before.items():
            after = self._lookup(member)
            was = before is not None and _is_counted(previous, member, before)
            is_ = after is not None and _is_counted(self.graph, member, after)
            if _published(before) == _published(after) and was == is_:
                changed.discard(member)
            else:
                changed.add(member)
        return frozenset(changed)

    def _rest(self, staging: Staging) -> None:
        """Rest on a full staging."""
        self._base = staging
        self._since = {}
        self._groups = Counter()
        for code, kind in enumerate(KIND_NAMES):
            if kind is not None:
                voters = staging.graph.counted[staging.kinds == code]
                self._groups[kind, True] = int(np.count_nonzero(voters))
                self._groups[kind, False] = len(voters) - self._groups[kind, True]
        holding = (staging.kinds == CAST) | (staging.kinds == INHERITED)
        self._totals = tally(staging.microstars[holding & staging.graph.counted])
        self._result = None

    def _lookup(self, member: Member) -> Staged | None:
        if member in self._since:
            return self._since[member]
        base = self._base
        row = base.graph.index.get(member)
        if row is None:
            return None
        kind = KIND_NAMES[base.kinds[row]]
        if kind is None:
            return None
        return Staged(
            kind,
            tuple(base.microstars[row].tolist()),
            base.tags[row],
            tuple(base.fixed[row].tolist()),
            tuple(base.errors[row].tolist()),
        )

    def _active(self, member: Member) -> Sequence[Member] | None:
        return None if member in self._ballots else active_followees(self.graph, self._lookup, member)


def _check(member: Member, ballot: CastBallot, choices: int) -> None:
    if len(ballot.stars) != choices:
        raise ValueError(f"the ballot of member {member} rates {len(ballot.stars)} choices, not {choices}")


def _is_counted(graph: DelegationGraph, member: Member, staged: Staged) -> bool:
    return staged.kind != "abstained" and graph.counts(member)


def _published(staged: Staged | None) -> tuple[object, ...] | None:
    return None if staged is None else (staged.kind, staged.microstars, staged.tags)
