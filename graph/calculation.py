"""The calculation of one decision: staged ballots and totals, kept up to date with what changes.

# Note [The urn]
Taking an anonymous ballot out of a decision, or counting it differently, would show which one it was. So it lies in the
urn: counted as a voter's, its caster eligible, whether they are still in the graph or not, and whatever role they have
there. Whoever followed them would see it exactly, so it hands nothing on: to the staging its caster is somebody who
abstains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from graph.counts import Counts, Standing, is_counted
from graph.delegation import DelegationGraph
from graph.incremental import Touched, active_followees, find_affected, restage
from graph.sources import find_influence, find_sources
from graph.staged_ballots import Published, StagedBallots, changed_rows, with_ballots, written
from graph.staging import stage
from graph.tally import star
from graph.values import (
    NO_TAGS,
    CastBallot,
    FollowingRemoved,
    FollowingSet,
    GraphChange,
    Member,
    MemberRemoved,
    MemberSet,
    Result,
    Source,
    StagedBallot,
    StagedColumns,
)
from graph.wide import restage_widely

# More affected members than these and this share of the community together cost more one by one than in arrays.
_MOST_AFFECTED = 100
_SHARE_AFFECTED = 50
# Bytes of a dictionary's entry.
_ENTRY = 40

# With more ballots staged later than these and that share, all are put into arrays again.
_MOST_LATER = 1_000


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
    _counts: Counts
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
        self._start_from(StagedBallots(stage(graph.arrays, self._ballots, len(lots))))

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
        before: dict[Member, Standing] = {}
        if changes or ballots:
            self._carried = {}
        touched = self._take(graph, changes, ballots, before)
        previous, self.graph = self.graph, graph
        limit = _MOST_AFFECTED + len(graph) // _SHARE_AFFECTED
        affected = None
        if not self._reaches_a_loop(touched):
            affected = find_affected(graph, self._ballots, self._staged, touched, limit=limit)
        if affected is None:
            changed = self._restage_widely(touched, before)
            return self._restage_all(previous, before) if changed is None else changed
        self._staged.is_laid_out &= touched.only_stars
        for member in affected:
            if member not in before:
                before[member] = self._standing(member)
        if affected:
            restage(graph, self._ballots, self._staged, affected)
        if len(self._staged.since) > _MOST_LATER + len(graph) // _SHARE_AFFECTED:
            self._staged = self._staged.gathered(graph.arrays)
        return self._compare(before)

    def copy(self) -> Calculation:
        """Make an independent calculation in the same state."""
        other = Calculation.__new__(Calculation)
        other.graph, other._lots = self.graph, self._lots
        other._ballots, other._staged, other._urn = self._ballots.copy(), self._staged.copy(), self._urn.copy()
        other._counts, other._result = self._counts.copy(), self._result
        other._carried = self._carried
        return other

    @property
    def nbytes(self) -> int:
        """The memory that the calculation takes beside its graph and the ballots given, about."""
        return self._staged.nbytes + _ENTRY * len(self._ballots)

    @property
    def result(self) -> Result:
        """Count the result as it stands."""
        if self._result is None:
            eligible = self.graph.voters + sum(not self.graph.counts(member) for member in self._urn)
            self._result = star(self._counts.totals, self._lots, self._counts.participation(eligible))
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
        before: dict[Member, Standing],
    ) -> Touched:
        """Take the new inputs over, and into `before` the staged ballots of whoever is changed by that itself."""
        asking = self._take_changes(changes, before)
        self._take_memberships(graph, before)
        touched = Touched({}, {member for member in asking if member in graph}, only_stars=not asking)
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
            was = self._ballots.get(member)
            touched.only_stars &= _is_like(was, to_stage)
            if to_stage is None:
                del self._ballots[member]
                touched.asking.add(member)
            else:
                tags = self._staged.tags(member)
                hands_all_on = tags is None or (not to_stage.abstain and tags <= to_stage.tags)
                touched.nothing_lost &= hands_all_on or not graph.followers[member]
                self._write(member, to_stage)
                touched.sources[member] = to_stage.tags if old is None else to_stage.tags | old[2]
        return touched

    def _take_changes(self, changes: Iterable[GraphChange], before: dict[Member, Standing]) -> set[Member]:
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

    def _compare(self, before: Mapping[Member, Standing]) -> frozenset[Member]:
        """Take changed ballots over into totals and participation; return the members that changed."""
        moved = {
            member: (old, new)
            for member, old in before.items()
            if (new := self._standing(member)) != old and not (old[0] is None is new[0])
        }
        self._counts.replace([old for old, _ in moved.values()], [new for _, new in moved.values()])
        self._result = None
        return frozenset(member for member, (old, new) in moved.items() if _differ(old, new))

    def _reaches_a_loop(self, touched: Touched) -> bool:
        """Whether a change of stars reaches so large a loop that it is not worth collecting its members."""
        structure, index = self._staged.structure, self._staged.base.graph.index
        if structure is None or not (touched.only_stars and self._staged.is_laid_out):
            return False
        followers = (one for member in touched.sources for one in self.graph.followers[member])
        return any(structure.is_in_loop(index[one]) for one in followers)

    def _restage_widely(self, touched: Touched, before: Mapping[Member, Standing]) -> frozenset[Member] | None:
        """Stage whom the change reaches in arrays; return the members that changed, None where that is no good."""
        wide = restage_widely(self.graph, self._ballots, self._staged, touched, apart=before)
        if wide is None:
            return None
        staging = wide.staged.base
        counted = staging.graph.counted[wide.rows]
        self._counts.add_rows(wide.kinds, counted, wide.microstars, -1)
        self._counts.add_rows(staging.kinds[wide.rows], counted, staging.microstars[wide.rows])
        self._staged = wide.staged
        members = staging.graph.members
        return self._compare(before).union(map(members.__getitem__, wide.rows.tolist()))

    def _restage_all(self, previous: DelegationGraph, before: Mapping[Member, Standing]) -> frozenset[Member]:
        """Calculate from scratch and compare; return the members that changed."""
        old = self._staged
        # Of the urn only what is named in `before` has changed.
        earlier = {
            member: (old.published(member), previous.counts(member)) for member in old.since if member not in self._urn
        }
        staging = stage(self.graph.arrays, self._ballots, len(self._lots))
        self._start_from(StagedBallots(staging, structure=old.structure, is_laid_out=old.is_laid_out))
        changed = changed_rows(old.base, self._staged.base) - self._urn.keys()
        for member, standing in {**earlier, **before}.items():
            now = self._standing(member)
            (changed.add if _differ(standing, now) else changed.discard)(member)
        return frozenset(changed)

    def _start_from(self, staged: StagedBallots) -> None:
        """Take a full staging for the state, and count it."""
        self._staged = staged
        staging = staged.base
        self._counts = Counts(len(self._lots))
        self._counts.add_rows(staging.kinds, staging.graph.counted, staging.microstars)
        # In the staging they abstain.
        abstained: Published = ("abstained", self._abstention.stars, NO_TAGS)
        abstaining = [(abstained, self.graph.counts(member)) for member in self._urn if member in self.graph]
        self._counts.replace(abstaining, [(ballot, True) for ballot in self._urn.values()])
        self._result = None

    def _standing(self, member: Member) -> Standing:
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


def _is_like(one: CastBallot | None, other: CastBallot | None) -> bool:
    """Whether two ballots differ in nothing but stars."""
    if one is None or other is None:
        return False
    return (one.tags, one.abstain, one.anonymous) == (other.tags, other.abstain, other.anonymous)


def _differ(one: Standing, other: Standing) -> bool:
    """Whether ballots, or their being counted, differ."""
    return one[0] != other[0] or is_counted(one) != is_counted(other)


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
