"""Staging: from inputs to staged ballots, which `StageBallots` brings up to date.

A process keeps the delegation graph and the calculations of the open decisions for the communities it calculated last,
and catches up from the ledger. Losing them costs time, never correctness. Inputs are read; nothing is written.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from democracy import ledger
from democracy.caches import BoundedCache
from democracy.models import Community, Decision, Membership
from democracy.recalculation import inputs, measuring
from democracy.recalculation.catching_up import Ballots, CaughtUp
from democracy.recalculation.fitting import Kept, decision_weight, graph_weight, portions
from democracy.recalculation.inputs import DecisionInputs, Pair
from democracy.recalculation.pseudonyms import kinds_of, staged_under_pseudonyms
from democracy.recalculation.steps import result_in_steps
from democracy.recalculation.unstored import Unstored
from graph import Calculation, DelegationGraph, GraphChange, Result, StagedBallot, StagedColumns

# The most communities, and the most closed decisions, that a process keeps, however small they are.
_KEPT, _KEPT_CLOSED = 10_000, 32
# With more entries to catch up on, reading the rows again is cheaper, where an entry outweighs the rows that there are.
_TOO_FAR_BEHIND, _ROWS_AN_ENTRY = 50, 20
# Seconds that a reader waits for a loaded community: longer than catching up takes, much shorter than loading.
_LOCK_TIMEOUT = 0.05
# The most entries that a reader catches up on: each may be a new member, which touches the whole graph.
_NEAR = 100
# The most changed ballots that are looked up one by one; with more of them, all are put into columns.
_FEW = 1_000


@dataclass(frozen=True)
class StagedDecision:
    """One staging of a decision at `revision`, to count and to store.

    `ballots`: the staged ballots that changed since this process last stored the decision; None for a member who has
    none any more. Where those are many, or another process has stored some, or after a calculation from scratch,
    `columns` holds all ballots instead. `anonymous`: the members among these whose ballots bear pseudonyms.
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

    @property
    def is_unmoved(self) -> bool:
        """Whether it surely changes no stored staged ballot."""
        return self.columns is None and not self.ballots


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
    weight: int


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
        self.unstored = Unstored()
        # The revision at which a decision was last needed.
        self.used: dict[int, int] = {}
        # About so many rows were read to load it; the bytes of the graph, and of everything.
        self._rows = self._graph_weight = self.weight = 0

    def trim(self) -> None:
        """Let go the calculations used longest ago that do not fit, and weigh what is kept. One always stays.

        Of those used at the same revision the newest go: a run that needs all of them finds the others again.
        """
        weights = {pk: decision_weight(one, self.inputs[pk]) for pk, one in self.calculations.items()}
        self.weight = self._graph_weight + sum(weights.values())
        newest_first = list(self.calculations)[::-1]
        for decision_id in sorted(newest_first, key=self.used.__getitem__)[:-1]:
            if self.weight <= settings.RECALCULATION_KEPT_BYTES:
                break
            self._drop(decision_id)
            self.weight -= weights[decision_id]
            measuring.let_go.send_robust(None)

    def forget(self) -> None:
        """Drop everything; the next call reads it afresh."""
        self.graph = None
        self.inputs, self.calculations, self.unstored = {}, {}, Unstored()

    def bring_up_to_date(self, decision_ids: Iterable[int]) -> None:
        """Calculate these decisions at the newest revision. After an error everything is read afresh next time."""
        wanted = set(decision_ids)
        try:
            if self.graph is None:
                self._load(wanted)
            else:
                self._catch_up(wanted)
            assert self.graph is not None
            for decision_id in sorted(wanted & self.inputs.keys()):
                if decision_id not in self.calculations:
                    one = self.inputs[decision_id]
                    made = Calculation.from_scratch(self.graph, lots=one.lots, ballots=one.ballots)
                    self.calculations[decision_id] = made
                    self.unstored.begin(decision_id)
                self.used[decision_id] = self.graph.revision
        except BaseException:
            self.forget()
            raise

    def _load(self, wanted: set[int]) -> None:
        now = inputs.current_inputs(self.community_id, wanted)
        measuring.inputs_read.send_robust(None, outcome="loaded")
        self.forget()
        self.graph, self.dormant, self.inputs = now.graph(), now.dormant(), now.decisions
        self.anonymous, self._rows = now.anonymous, now.size
        self._graph_weight = graph_weight(now)

    def behind(self) -> int:
        """Count the ledger's entries that this process has not caught up with. Revisions have no gaps."""
        assert self.graph is not None
        newest = Community.objects.values_list("revision", flat=True).get(pk=self.community_id)
        return newest - self.graph.revision

    def _catch_up(self, wanted: set[int]) -> None:
        """Apply the entries since (see Note [Caught up in one step] in `catching_up`)."""
        assert self.graph is not None
        if self.behind() > max(_TOO_FAR_BEHIND, self._rows // _ROWS_AN_ENTRY):
            self._load(wanted)
            return
        # Before the entries are read, so that they reach at least as far (Note [Revision first]).
        if unknown := wanted - self.inputs.keys():
            self.inputs.update(inputs.decision_inputs(unknown))
        entries = ledger.contents_after(self.community_id, self.graph.revision)
        measuring.inputs_read.send_robust(None, outcome="caught_up" if entries else "current")
        if not entries:
            return
        found = CaughtUp.by(entries, self.inputs)
        for decision_id in found.asked:
            self.calculations.pop(decision_id, None)
        for member, is_anonymous in found.renamed(self.anonymous).items():
            self._rename(member, is_anonymous=is_anonymous)
        changes = found.graph_changes(self.graph, self.dormant, self.inputs)
        self._apply(changes, found.ballots, entries[-1].revision)

    def _rename(self, member: int, *, is_anonymous: bool) -> None:
        """Have a member's inherited ballots bear a name or a pseudonym from now on: they are stored again."""
        (self.anonymous.add if is_anonymous else self.anonymous.discard)(member)
        self.unstored.add_everywhere(member)

    def _apply(self, changes: list[GraphChange], ballots: Ballots, revision: int) -> None:
        assert self.graph is not None
        graph = self.graph.updated(changes, revision=revision)
        for decision_id, calculation in self.calculations.items():
            written = ballots.get(decision_id, {})
            now_changed = calculation.update(graph, changes=changes, ballots=written)
            # Whoever took a ballot back may inherit as before, but for the name (see `pseudonyms`).
            self.unstored.add(decision_id, now_changed.union(written))
        self.graph = graph

    def take(self, decision_id: int, stored: int | None, *, in_steps: bool) -> StagedDecision:
        """Take what is to be stored of a decision, its result `in_steps` or not, and collect its changes anew.

        `stored`: the revision of what is stored.
        """
        assert self.graph is not None
        calculation = self.calculations[decision_id]
        changed = self.unstored.take(decision_id, self.graph.revision, stored=stored)
        if changed is not None and len(changed) > _FEW:
            changed = None
        one = self.inputs[decision_id]
        ballots = {} if changed is None else {member: calculation.staged(member) for member in changed}
        columns = calculation.staged_columns() if changed is None else None
        kinds = (
            kinds_of(columns) if columns is not None else [(m, ballot.kind) for m, ballot in ballots.items() if ballot]
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
            # Whether any ballot was cast under a pseudonym is not asked for nothing.
            staged_under_pseudonyms(one, self.anonymous, kinds) if kinds else frozenset(),
        )

    def drop_except(self, decision_ids: Iterable[int]) -> None:
        """Drop the calculations of all other decisions."""
        keep = set(decision_ids)
        for decision_id in self.inputs.keys() - keep:
            self._drop(decision_id)

    def _drop(self, decision_id: int) -> None:
        self.unstored.drop(decision_id)
        for kept in (self.inputs, self.calculations, self.used):
            kept.pop(decision_id, None)


_kept: BoundedCache[int, LoadedCommunity] = BoundedCache(
    _KEPT, weigh=lambda loaded: loaded.weight, most_weight=settings.RECALCULATION_KEPT_BYTES
)
# By decision and closing time: a manager may move the closing until it has passed.
_final: BoundedCache[tuple[int, datetime | None], _Closed] = BoundedCache(
    _KEPT_CLOSED, weigh=lambda closed: closed.weight, most_weight=settings.RECALCULATION_KEPT_BYTES // 4
)


def _loaded(community_id: int) -> LoadedCommunity:
    return _kept.get_or_make(community_id, lambda: LoadedCommunity(community_id))


@contextmanager
def _in_use(loaded: LoadedCommunity) -> Iterator[LoadedCommunity]:
    """Hold a community; afterwards let go what does not fit."""
    with loaded.lock:
        yield loaded
        loaded.trim()
    _kept.weigh_again(loaded.community_id)


def kept() -> Kept:
    """Measure what this process keeps."""
    loaded = _kept.values()
    decisions = sum(len(one.calculations) for one in loaded) + len(_final)
    return Kept(len(loaded), decisions, _kept.weight + _final.weight)


def forget_everything() -> None:
    """Drop what this process keeps; the next calculation reads everything afresh."""
    _kept.clear()
    _final.clear()


def _count_members(community_id: int, decisions: Sequence[Decision]) -> int:
    """Count the members where their number matters: one decision is a portion however large it is."""
    return Membership.objects.filter(community=community_id).current().count() if len(decisions) > 1 else 0


class StageBallots:
    """Stage the ballots of one community's decisions: exact inheritance along active followings, at one revision."""

    def __init__(self, community_id: int) -> None:
        self._community = _loaded(community_id)

    def portions(self, decisions: Sequence[Decision]) -> Iterator[Sequence[Decision]]:
        """Divide decisions, in their order, into portions that can be staged and stored in the memory that there is."""
        community = self._community
        known = community.graph
        members = len(known) if known is not None else _count_members(community.community_id, decisions)
        return portions(decisions, members=members, known=community.calculations)

    def process(
        self, decision_ids: Iterable[int], *, live: Iterable[int], in_steps: Container[int] = ()
    ) -> list[tuple[int, StagedDecision]]:
        """Stage these decisions at the newest revision, and return them in order of id.

        `live`: the decisions whose calculations are kept; all others are dropped. `in_steps`: those whose results are
        in steps (`recalculation.steps`).
        """
        wanted = sorted(decision_ids)
        with _in_use(self._community) as loaded:
            loaded.drop_except({*wanted, *live})
            loaded.bring_up_to_date(wanted)
            known = [pk for pk in wanted if pk in loaded.calculations]
            stored = dict(Decision.objects.filter(pk__in=known).values_list("pk", "calculated_revision"))
            return [(pk, loaded.take(pk, stored.get(pk), in_steps=pk in in_steps)) for pk in known]

    def stored(self, revisions: Iterable[tuple[int, int]]) -> None:
        """Take note that decisions are stored as they were taken at these revisions.

        See Note [Unstored until it is known] in `unstored`.
        """
        with self._community.lock:
            for decision_id, revision in revisions:
                self._community.unstored.has_stored(decision_id, revision)

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
        weight = graph_weight(then) + calculation.nbytes
        closed = _Closed(live, staged_under_pseudonyms(one, then.anonymous, kinds), weight)
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
    with _in_use(_loaded(decision.community_id)) as loaded:
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
        if loaded.behind() > _NEAR:
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
    with _in_use(_loaded(community_id)) as loaded:
        loaded.bring_up_to_date(wanted)
        assert loaded.graph is not None
        yield {
            pk: LiveCalculation(loaded.graph.revision, loaded.inputs[pk].choices, loaded.calculations[pk])
            for pk in wanted
        }
