"""Staging: from inputs to staged ballots, which `StageBallots` brings up to date.

A process keeps the delegation graph and the calculations of the open decisions for the communities it calculated last,
and catches up from the ledger. Losing them costs time, never correctness. Inputs are read; nothing is written.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from democracy import ledger
from democracy.caches import BoundedCache
from democracy.models import Decision, LedgerEntry, StagedBlock
from democracy.models import StagedBallot as StoredBallot
from democracy.recalculation import inputs
from democracy.recalculation.inputs import DecisionInputs, Pair
from democracy.recalculation.steps import result_in_steps
from graph import (
    Calculation,
    CastBallot,
    DelegationGraph,
    FollowingRemoved,
    FollowingSet,
    GraphChange,
    MemberRemoved,
    MemberSet,
    Result,
    StagedBallot,
    StagedColumns,
)

# The most communities, and the most closed decisions, that a process keeps.
_KEPT = 32
# With more entries to catch up on, reading the rows again is cheaper.
_TOO_FAR_BEHIND = 5_000
# Seconds that a reader waits for a loaded community: longer than catching up takes, much shorter than loading.
_LOCK_TIMEOUT = 0.05
# The most entries that a reader catches up on: each may be a new member, which touches the whole graph.
_NEAR = 100
# The most changed ballots that are looked up one by one; with more of them, all are put into columns.
_FEW = 1_000

# Changed ballots by decision and member; None: withdrawn.
Ballots: TypeAlias = dict[int, dict[int, CastBallot | None]]


@dataclass(frozen=True)
class StagedDecision:
    """One staging of a decision at `revision`, to count and to store.

    `ballots`: the staged ballots that changed since this process last took the decision for storing; None for a member
    who has none any more. Where those are many, or another process has stored some, or after a calculation from
    scratch, `columns` holds all ballots instead. `anonymous`: the members among these whose ballots bear pseudonyms.
    """

    revision: int
    choices: tuple[int, ...]
    result: Result
    ballots: Mapping[int, StagedBallot | None]
    columns: StagedColumns | None
    anonymous: frozenset[int]

    @property
    def size(self) -> int:
        """The number of staged ballots to compare with the stored ones."""
        return len(self.ballots) if self.columns is None else len(self.columns.members)


@dataclass(frozen=True)
class LiveCalculation:
    """A calculation to ask questions of, with the ids of its choices in order."""

    revision: int
    choices: tuple[int, ...]
    calculation: Calculation

    def copy(self) -> LiveCalculation:
        """Copy it, to ask at leisure or to change."""
        return LiveCalculation(self.revision, self.choices, self.calculation.copy())


@dataclass(frozen=True)
class _Closed:
    """A closed decision's calculation, and the members whose staged ballots bear pseudonyms."""

    live: LiveCalculation
    anonymous: frozenset[int]


def staged_under_pseudonyms(
    decision: DecisionInputs, anonymous: Set[int], staged: Iterable[tuple[int, str]]
) -> frozenset[int]:
    """Find the members whose ballots are to be stored under pseudonyms: see Note [Whether a ballot bears a name] in
    `access`. `staged`: members with the kinds of their staged ballots.
    """
    unnamed = anonymous | decision.withdrawn
    if not (unnamed or any(ballot.anonymous for ballot in decision.ballots.values())):
        return frozenset()
    return frozenset(
        member
        for member, kind in staged
        if (member in unnamed if kind == StoredBallot.Kind.INHERITED else decision.ballots[member].anonymous)
    )


def kinds_of(columns: StagedColumns) -> Iterable[tuple[int, str]]:
    return zip(columns.members, columns.kinds, strict=True)


class LoadedCommunity:
    """A community's graph and open decisions as this process knows them, at one revision. Use it under its lock."""

    def __init__(self, community_id: int) -> None:
        self.community_id = community_id
        self.lock = threading.RLock()
        self.graph: DelegationGraph | None = None
        self.dormant: dict[Pair, frozenset[str]] = {}
        self.anonymous: set[int] = set()
        self.inputs: dict[int, DecisionInputs] = {}
        self.calculations: dict[int, Calculation] = {}
        # Members whose staged ballot changed since they were last taken for storing; None: all may have.
        self.changed: dict[int, frozenset[int] | None] = {}
        # The revision at which a decision was last taken for storing.
        self.taken: dict[int, int] = {}

    def forget(self) -> None:
        """Drop everything; the next call reads it afresh."""
        self.graph = None
        self.inputs, self.calculations, self.changed = {}, {}, {}

    def bring_up_to_date(self, decision_ids: Iterable[int]) -> None:
        """Calculate these decisions at the newest revision. After an error everything is read afresh next time."""
        wanted = set(decision_ids)
        try:
            if self.graph is None:
                self._load(wanted)
            else:
                self._catch_up(wanted)
            for decision_id in wanted & self.inputs.keys() - self.calculations.keys():
                one = self.inputs[decision_id]
                assert self.graph is not None
                self.calculations[decision_id] = Calculation.from_scratch(
                    self.graph, lots=one.lots, ballots=one.ballots
                )
                self.changed[decision_id] = None
        except BaseException:
            self.forget()
            raise

    def _load(self, wanted: set[int]) -> None:
        now = inputs.current_inputs(self.community_id, wanted)
        self.forget()
        self.graph, self.dormant, self.inputs = now.graph(), now.dormant(), now.decisions
        self.anonymous = now.anonymous

    def _catch_up(self, wanted: set[int]) -> None:
        assert self.graph is not None
        # Before the entries are read, so that they reach at least as far (Note [Revision first]).
        self.inputs.update(inputs.decision_inputs(wanted - self.inputs.keys()))
        entries = ledger.entries_after(self.community_id, self.graph.revision, most=_TOO_FAR_BEHIND + 1)
        if len(entries) > _TOO_FAR_BEHIND:
            self._load(wanted)
            return
        for entry in entries:
            if entry.kind == LedgerEntry.Kind.RECALCULATION:
                for decision_id in [entry.decision_id] if entry.decision_id else list(self.inputs):
                    self.calculations.pop(decision_id, None)
        changes: list[GraphChange] = []
        ballots: Ballots = {}
        for entry in entries:
            if entry.kind == LedgerEntry.Kind.MEMBERSHIP:
                # A member who comes or goes moves followings between the graph and the dormant ones: apply the earlier
                # changes first.
                self._apply(changes, ballots, entry.revision)
                self._apply(*self._membership(entry), entry.revision)
                changes, ballots = [], {}
            elif entry.kind == LedgerEntry.Kind.FOLLOWING:
                changes.extend(self._following(entry))
            elif entry.kind == LedgerEntry.Kind.BALLOT and (one := self.inputs.get(entry.decision_id or 0)):
                assert entry.decision_id is not None
                assert entry.membership_id is not None
                cast = one.apply(entry.membership_id, entry.after)
                ballots.setdefault(entry.decision_id, {})[entry.membership_id] = cast
        if entries:
            self._apply(changes, ballots, entries[-1].revision)

    def _membership(self, entry: LedgerEntry) -> tuple[list[GraphChange], Ballots]:
        assert self.graph is not None
        member = entry.membership_id
        assert member is not None
        self._rename(member, is_anonymous=inputs.is_anonymous(entry.after))
        present = member in self.graph.digraph
        if entry.after is None or not entry.after["active"]:
            if present:
                digraph = self.graph.digraph
                edges = (*digraph.out_edges(member, data=True), *digraph.in_edges(member, data=True))
                self.dormant.update({(follower, followee): data["tags"] for follower, followee, data in edges})
            return [MemberRemoved(member)] if present else [], {}
        changes: list[GraphChange] = [MemberSet(member, inputs.is_counted(entry.after))]
        if present:
            return changes, {}
        digraph = self.graph.digraph
        awake = [p for p in self.dormant if member in p and all(end == member or end in digraph for end in p)]
        changes.extend(FollowingSet(*pair, self.dormant.pop(pair)) for pair in awake)
        ballots: Ballots = {d: {member: one.ballots[member]} for d, one in self.inputs.items() if member in one.ballots}
        return changes, ballots

    def _rename(self, member: int, *, is_anonymous: bool) -> None:
        """Have a member's inherited ballots bear a name or a pseudonym from now on: they are stored again."""
        if is_anonymous == (member in self.anonymous):
            return
        (self.anonymous.add if is_anonymous else self.anonymous.discard)(member)
        self.changed = {pk: None if one is None else one | {member} for pk, one in self.changed.items()}

    def _following(self, entry: LedgerEntry) -> list[GraphChange]:
        assert self.graph is not None
        _, follower, followee = entry.subject.split(":")
        pair = (int(follower), int(followee))
        if entry.after is None:
            self.dormant.pop(pair, None)
            return [FollowingRemoved(*pair)]
        tags = frozenset(entry.after["tags"])
        if pair[0] in self.graph.digraph and pair[1] in self.graph.digraph:
            return [FollowingSet(*pair, tags)]
        self.dormant[pair] = tags
        return []

    def _apply(self, changes: list[GraphChange], ballots: Ballots, revision: int) -> None:
        assert self.graph is not None
        graph = self.graph.updated(changes, revision=revision)
        for decision_id, calculation in self.calculations.items():
            now_changed = calculation.update(graph, changes=changes, ballots=ballots.get(decision_id, {}))
            before = self.changed[decision_id]
            self.changed[decision_id] = None if before is None else before | now_changed
        self.graph = graph

    def take(self, decision_id: int, *, in_steps: bool) -> StagedDecision:
        """Take what is to be stored of a decision, its result `in_steps` or not, and collect its changes anew."""
        assert self.graph is not None
        calculation, changed = self.calculations[decision_id], self.changed[decision_id]
        if changed is not None and (len(changed) > _FEW or _is_stored_since(decision_id, self.taken[decision_id])):
            changed = None
        self.changed[decision_id], self.taken[decision_id] = frozenset(), self.graph.revision
        one = self.inputs[decision_id]
        ballots = {} if changed is None else {member: calculation.staged(member) for member in changed}
        columns = calculation.staged_columns() if changed is None else None
        kinds = (
            kinds_of(columns) if columns is not None else ((m, ballot.kind) for m, ballot in ballots.items() if ballot)
        )
        result = calculation.result
        if in_steps:
            members = {member: self.graph.counts(member) for member in self.graph.digraph}
            result = result_in_steps(self.community_id, decision_id, one, members, self.graph.revision)
        return StagedDecision(
            self.graph.revision,
            one.choices,
            result,
            ballots,
            columns,
            staged_under_pseudonyms(one, self.anonymous, kinds),
        )

    def drop_except(self, decision_ids: Iterable[int]) -> None:
        """Drop the calculations of all other decisions."""
        keep = set(decision_ids)
        for decision_id in self.inputs.keys() - keep:
            del self.inputs[decision_id]
            self.calculations.pop(decision_id, None)
            self.changed.pop(decision_id, None)
            self.taken.pop(decision_id, None)


def _is_stored_since(decision_id: int, revision: int) -> bool:
    """Whether another process stored staged ballots after `revision`: one that changed and changed back meanwhile has
    not changed for this process, but differs from the stored one.
    """
    return StagedBlock.objects.filter(decision=decision_id, revision__gt=revision).exists()


_kept: BoundedCache[int, LoadedCommunity] = BoundedCache(_KEPT)
# By decision and closing time: a manager may move the closing until it has passed.
_final: BoundedCache[tuple[int, datetime | None], _Closed] = BoundedCache(_KEPT)


def _loaded(community_id: int) -> LoadedCommunity:
    return _kept.get_or_make(community_id, lambda: LoadedCommunity(community_id))


def forget_everything() -> None:
    """Drop what this process keeps; the next calculation reads everything afresh."""
    _kept.clear()
    _final.clear()


class StageBallots:
    """Stage the ballots of one community's decisions: exact inheritance along active followings, at one revision."""

    def __init__(self, community_id: int) -> None:
        self._community = _loaded(community_id)

    def process(
        self, decision_ids: Iterable[int], *, live: Iterable[int], in_steps: Container[int] = ()
    ) -> list[tuple[int, StagedDecision]]:
        """Stage these decisions at the newest revision, and return them in order of id.

        `live`: the decisions whose calculations are kept; all others are dropped. `in_steps`: those whose results are
        in steps (`recalculation.steps`).
        """
        wanted = sorted(decision_ids)
        with self._community.lock:
            self._community.drop_except({*wanted, *live})
            self._community.bring_up_to_date(wanted)
            known = [pk for pk in wanted if pk in self._community.calculations]
            return [(pk, self._community.take(pk, in_steps=pk in in_steps)) for pk in known]

    def not_stored(self, decision_ids: Iterable[int]) -> None:
        """Remember that these stagings did not reach the database: next time everything is compared with it."""
        with self._community.lock:
            for decision_id in self._community.changed.keys() & set(decision_ids):
                self._community.changed[decision_id] = None

    @staticmethod
    def final(decision: Decision) -> StagedDecision:
        """Stage a closed decision from its inputs as they stood at `closes_at`."""
        closed = _closed_calculation(decision)
        live, calculation = closed.live, closed.live.calculation
        columns = calculation.staged_columns()
        return StagedDecision(live.revision, live.choices, calculation.result, {}, columns, closed.anonymous)


def _closed_calculation(decision: Decision) -> _Closed:
    key = (decision.pk, decision.closes_at)
    closed = _final.get(key)
    if closed is None:
        revision = inputs.closing_revision(decision)
        then = inputs.inputs_at(decision.community_id, [decision.pk], revision)
        one = then.decisions[decision.pk]
        calculation = Calculation.from_scratch(then.graph(), lots=one.lots, ballots=one.ballots)
        kinds = kinds_of(calculation.staged_columns())
        live = LiveCalculation(revision, one.choices, calculation)
        closed = _Closed(live, staged_under_pseudonyms(one, then.anonymous, kinds))
        _final.put(key, closed)
    return closed


@contextmanager
def calculation_of(decision: Decision) -> Iterator[LiveCalculation]:
    """Hold the calculation of a published decision as its inputs stand now (closed: at closing).

    Runs of the community wait meanwhile, so read quickly, or copy it.
    """
    if decision.status == Decision.Status.CLOSED:
        yield _closed_calculation(decision).live
        return
    loaded = _loaded(decision.community_id)
    with loaded.lock:
        loaded.bring_up_to_date([decision.pk])
        assert loaded.graph is not None
        calculation = loaded.calculations[decision.pk]
        yield LiveCalculation(loaded.graph.revision, loaded.inputs[decision.pk].choices, calculation)


def calculation_at_hand(decision: Decision) -> LiveCalculation | None:
    """A private copy of the kept calculation, to read only; None where there is none, it is far behind, or in use."""
    if decision.status == Decision.Status.CLOSED:
        closed = _final.get((decision.pk, decision.closes_at))
        return closed.live if closed is not None else None
    loaded = _kept.get(decision.community_id)
    if loaded is None or not loaded.lock.acquire(timeout=_LOCK_TIMEOUT):
        return None
    try:
        if loaded.graph is None or decision.pk not in loaded.calculations:
            return None
        if len(ledger.entries_after(decision.community_id, loaded.graph.revision, most=_NEAR + 1)) > _NEAR:
            return None
        loaded.bring_up_to_date([decision.pk])
        calculation = loaded.calculations[decision.pk].copy()
        return LiveCalculation(loaded.graph.revision, loaded.inputs[decision.pk].choices, calculation)
    finally:
        loaded.lock.release()


@contextmanager
def open_calculations(community_id: int, decision_ids: Iterable[int]) -> Iterator[dict[int, LiveCalculation]]:
    """Hold the calculations of several open decisions of one community, by id, all at one revision."""
    wanted = list(decision_ids)
    loaded = _loaded(community_id)
    with loaded.lock:
        loaded.bring_up_to_date(wanted)
        assert loaded.graph is not None
        yield {
            pk: LiveCalculation(loaded.graph.revision, loaded.inputs[pk].choices, loaded.calculations[pk])
            for pk in wanted
        }
