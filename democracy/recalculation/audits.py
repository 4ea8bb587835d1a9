"""Audits: compare a community's ledger with its tables, its results and its checkpoints.

# Note [What an audit finds]
The chain binds every entry to those before it; the kept checkpoints, which are signed, bind the chain to the site's
key. The ledger's last content of every subject has to stand in the tables, column by column. Replayed from its first
entry, the ledger gives the inputs at every revision, and with them every result, staged ballot (those that past results
keep, too) and counter that may be stored. Somebody who changes a row has to change the ledger, too; somebody who chains
the ledger anew contradicts the checkpoints, some of which other people hold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Max

from democracy import ledger
from democracy.ledger import Content, checkpoints, signing, staleness
from democracy.models import (
    BallotColumns,
    Checkpoint,
    Community,
    Decision,
    DecisionSnapshot,
    LedgerEntry,
)
from democracy.models.results import DecisionResult
from democracy.recalculation import table_audits
from democracy.recalculation.blocks import past_faults, staged_faults
from democracy.recalculation.inputs import CommunityInputs, DecisionInputs
from democracy.recalculation.pseudonyms import kinds_of, staged_under_pseudonyms
from democracy.recalculation.steps import counts_in_steps, result_in_steps
from democracy.recalculation.storing import is_due
from graph import Calculation, DelegationGraph

Kind = LedgerEntry.Kind
_ROWS = 2_000
# What comes of contents that no command ever writes.
_NEVER_WRITTEN = (KeyError, TypeError, ValueError, AttributeError)


def faults(community: Community, *, keys: Iterable[str] = ()) -> Iterator[str]:
    """Audit a community; yield a sentence for each row that differs.

    `keys`: public keys by which the site signed before its present one.
    """
    chain, summary, walk = ledger.Chain(), _Summary(), _Walk(community)
    for entry in ledger.entries_in_order(community):
        yield from chain.faults(entry)
        summary.add(entry)
        walk.add(entry)
    yield from chain.end_faults(community)
    for subject in summary.asked:
        del chain.left[subject]
    yield from _checkpoint_faults(community, {signing.public_key(), *keys}, summary)
    try:
        yield from table_audits.faults(community, chain.left)
        yield from walk.faults()
    except _NEVER_WRITTEN as error:
        yield f"the ledger can't be replayed: {type(error).__name__}: {error}"


def missing_communities() -> Iterator[str]:
    """Find communities of which only ledger entries or checkpoints are left: no command deletes a community."""
    there = Community.objects.values("pk")
    left = {
        *LedgerEntry.objects.exclude(community__in=there).values_list("community_id", flat=True).distinct(),
        *Checkpoint.objects.exclude(community__in=there).values_list("community_id", flat=True).distinct(),
    }
    for pk in sorted(left):
        yield f"community {pk} is missing, of which the ledger speaks"


class _Summary:
    """The periods in which the ledger grew, each with its first revision; `asked`: subjects that no table has, since
    somebody asked for a calculation.
    """

    def __init__(self) -> None:
        self.periods: list[tuple[float, int]] = []
        self.asked: set[str] = set()

    def add(self, entry: LedgerEntry) -> None:
        period = checkpoints.period(entry.time)
        if not self.periods or self.periods[-1][0] != period:
            self.periods.append((period, entry.revision))
        if entry.kind == Kind.RECALCULATION:
            self.asked.add(entry.subject)


def _checkpoint_faults(community: Community, keys: set[str], summary: _Summary) -> Iterator[str]:
    """Compare the kept checkpoints with the chain; the newest shows whether its end is missing."""
    kept = list(Checkpoint.objects.filter(community=community).order_by("revision"))
    wanted = [checkpoint.revision for checkpoint in kept]
    there = LedgerEntry.objects.filter(community=community, revision__in=wanted)
    hashes = dict(there.values_list("revision", "hash"))
    times = dict(there.values_list("revision", "time"))
    for checkpoint in kept:
        name = f"the checkpoint at revision {checkpoint.revision}"
        if checkpoint.key not in keys:
            yield f"{name} is signed with another key than the site's"
        if not checkpoints.is_genuine(checkpoint):
            yield f"{name} was changed: its signature is not right"
        elif checkpoint.revision not in hashes:
            yield f"{name} vouches for an entry that is missing"
        elif checkpoint.hash != hashes[checkpoint.revision]:
            yield f"{name} contradicts the ledger: the entries up to there are not those that the site vouched for"
    vouched_for = {checkpoints.period(time) for time in times.values()}
    for period, first in summary.periods:
        if period not in vouched_for:
            yield f"the checkpoint of the hour of entry {first} is missing"
    finals = DecisionSnapshot.objects.filter(decision__community=community, is_final=True, revision__gt=0)
    for decision, revision in finals.exclude(revision__in=wanted).values_list("decision", "revision"):
        yield f"the checkpoint of the final result of decision {decision}, at revision {revision}, is missing"


# --- What is derived --------------------------------------------------------------------------------------------------


@dataclass
class _Trace:
    """The bounds that the ledger sets to a published decision's counters."""

    published: bool = False
    closes_at: datetime | None = None
    called_off: bool = False
    # The last entry that surely made it stale, and the last one before its closing.
    surely: int = 0
    at_most: int = 0

    def is_live(self, time: datetime) -> bool:
        return self.published and not self.called_off and self.closes_at is not None and self.closes_at > time


@dataclass
class _Due:
    """Stored results and decisions to compare with a calculation from the inputs at one revision."""

    snapshots: list[DecisionSnapshot] = field(default_factory=list)
    staged: list[Decision] = field(default_factory=list)


class _Walk:
    """A walk through the ledger from its first entry, with the inputs as they stood; it looks at stored revisions."""

    def __init__(self, community: Community) -> None:
        self.community = community
        self.decisions = {row.pk: row for row in Decision.objects.filter(community=community)}
        self.inputs = CommunityInputs(0, {}, {}, {})
        self.traces: defaultdict[int, _Trace] = defaultdict(_Trace)
        self.times: dict[int, datetime] = {}
        self.due: defaultdict[int, _Due] = defaultdict(_Due)
        self.snapshots: defaultdict[int, list[DecisionSnapshot]] = defaultdict(list)
        self._found: list[str] = []
        self._stopped_by: Exception | None = None
        rows = DecisionSnapshot.objects.filter(decision__in=self.decisions).order_by("revision", "is_final")
        for snapshot in rows:
            self.snapshots[snapshot.decision_id].append(snapshot)
            self.due[snapshot.revision].snapshots.append(snapshot)
        for decision in self.decisions.values():
            if decision.calculated_revision:
                self.due[self._staged_at(decision)].staged.append(decision)

    def _staged_at(self, decision: Decision) -> int:
        """The revision that a decision's staged rows reflect: the newest for a decision that is said to be current."""
        return self.community.revision if self._is_current(decision) else decision.calculated_revision

    def _is_current(self, decision: Decision) -> bool:
        return decision.status in {Decision.Status.SCHEDULED, Decision.Status.OPEN} and not decision.is_stale

    def add(self, entry: LedgerEntry) -> None:
        """Take the next entry; nothing more after one with contents that no command ever writes."""
        if self._stopped_by is not None:
            return
        try:
            self._apply(entry)
            if due := self.due.pop(entry.revision, None):
                self._found.extend(self._compare(due))
        except _NEVER_WRITTEN as error:
            self._stopped_by = error

    def faults(self) -> Iterator[str]:
        """Say what was found on the way, and what only the end shows. Raises what stopped the walk."""
        yield from self._found
        if self._stopped_by is not None:
            raise self._stopped_by
        for revision, due in sorted(self.due.items()):
            for pk in {one.decision_id for one in due.snapshots} | {one.pk for one in due.staged}:
                yield f"decision {pk} has results of revision {revision}, which is missing"
        for decision in self.decisions.values():
            yield from self._bookkeeping(decision, self.inputs.revision)

    def _apply(self, entry: LedgerEntry) -> None:
        if entry.kind == Kind.DECISION and entry.decision_id is not None:
            self._apply_decision(entry.decision_id, entry.after)
        self.inputs.apply(entry.subject, entry.after)
        self.inputs.revision = entry.revision
        if entry.revision in self.due:
            self.times[entry.revision] = entry.time
        surely = staleness.surely_affects(entry)
        for pk, trace in self.traces.items():
            if trace.is_live(entry.time):
                trace.at_most = entry.revision
                if surely and entry.decision_id in {None, pk}:
                    trace.surely = entry.revision

    def _apply_decision(self, pk: int, content: Content) -> None:
        if content is None:
            self.inputs.decisions.pop(pk, None)
            self.traces.pop(pk, None)
            return
        trace = self.traces[pk]
        trace.published = content["published"] is not None
        trace.closes_at = datetime.fromisoformat(content["closes_at"]) if content["closes_at"] else None
        trace.called_off = "called_off" in content
        choices = tuple(choice["id"] for choice in content["choices"])
        lots = tuple(choice["lot"] or 0 for choice in content["choices"])
        known = self.inputs.decisions.get(pk, DecisionInputs(choices, lots))
        self.inputs.decisions[pk] = replace(known, choices=choices, lots=lots)

    def _compare(self, due: _Due) -> Iterator[str]:
        graph = self.inputs.graph()
        for snapshot in due.snapshots:
            calculation = self._calculated(graph, snapshot.decision_id)
            expected = self._result(snapshot.decision, calculation, final=snapshot.is_final).to_json()
            if snapshot.result != expected:
                keys = sorted(key for key in {*expected, *snapshot.result} if _of(snapshot, key) != expected.get(key))
                yield f"{_result(snapshot)} is not what the ledger gives: {', '.join(keys)}"
            if snapshot.keeps_ballots:
                yield from past_faults(snapshot, self._staged(snapshot.decision, calculation))
        for decision in due.staged:
            calculation = self._calculated(graph, decision.pk)
            yield from staged_faults(decision, self._staged(decision, calculation))
            # Older results of one day may have been pruned. The due batch is known while nothing has changed since.
            newest = next(reversed(self.snapshots[decision.pk]), None)
            is_known = decision.results_visibility == Decision.Visibility.LIVE or self._is_current(decision)
            result = self._result(decision, calculation, final=False)
            if is_known and is_due(decision, newest, decision.calculated_revision, result.to_json()):
                yield f"the newest result of decision {decision.pk} is missing"

    def _result(self, decision: Decision, calculation: Calculation, *, final: bool) -> DecisionResult:
        one, result = self.inputs.decisions[decision.pk], calculation.result
        if counts_in_steps(decision, final=final):
            members, revision = self.inputs.members, self.inputs.revision
            result = result_in_steps(self.community.pk, decision.pk, one, members, revision)
        return DecisionResult.of(result, one.choices)

    def _calculated(self, graph: DelegationGraph, decision_id: int) -> Calculation:
        one = self.inputs.decisions[decision_id]
        return Calculation.from_scratch(graph, lots=one.lots, ballots=one.ballots)

    def _staged(self, decision: Decision, calculation: Calculation) -> BallotColumns:
        """The staged ballots of a calculation from the inputs as they stand, as they are to be stored."""
        columns, one = calculation.staged_columns(), self.inputs.decisions[decision.pk]
        anonymous = staged_under_pseudonyms(one, self.inputs.anonymous, kinds_of(columns))
        return BallotColumns.of(
            columns.members, columns.kinds, columns.tags, columns.counted, columns.microstars, anonymous=anonymous
        )

    # --- Counters and times ---

    def _bookkeeping(self, decision: Decision, newest: int) -> Iterator[str]:
        """Check what can't be calculated again but has to fit: counters, final marks, times."""
        name, trace = f"decision {decision.pk}", self.traces[decision.pk]
        snapshots = self.snapshots[decision.pk]
        if not trace.published:
            marks = (decision.input_revision, decision.calculated_revision, decision.failed_revision, snapshots)
            if any(marks) or decision.last_calculated or decision.stale_since or decision.has_final_result:
                yield f"{name} is a draft and has results"
            return
        if not trace.surely <= decision.input_revision <= trace.at_most:
            yield (
                f"{name} says that its inputs last changed at revision {decision.input_revision}; "
                f"the ledger: between {trace.surely} and {trace.at_most}"
            )
        last = max((one.revision for one in snapshots), default=0)
        if not last <= decision.calculated_revision <= newest:
            yield (
                f"{name} says that it was calculated at revision {decision.calculated_revision}; "
                f"its last result is of revision {last}, the last entry {newest}"
            )
        if decision.failed_revision > newest or 0 < decision.failed_revision < decision.calculated_revision:
            yield (
                f"{name} says that its calculation failed at revision {decision.failed_revision}; "
                f"it was calculated at revision {decision.calculated_revision}, the last entry is {newest}"
            )
        yield from self._times(decision, snapshots)
        yield from self._finality(decision, snapshots)

    def _times(self, decision: Decision, snapshots: list[DecisionSnapshot]) -> Iterator[str]:
        name, last = f"decision {decision.pk}", decision.last_calculated
        if (last is None) != (decision.calculated_revision == 0):
            yield f"{name} is at odds with itself about whether it was calculated: last_calculated"
        earlier: datetime | None = None
        for snapshot in snapshots:
            at = snapshot.calculated_at
            first = max(filter(None, [earlier, self.times.get(snapshot.revision)]), default=at)
            if not first <= at <= (last or at):
                yield f"{_result(snapshot)} was not calculated when it says: calculated_at"
            if at == last and snapshot.revision != decision.calculated_revision:
                yield f"{_result(snapshot)} was not calculated at that revision"
            earlier = at
        is_closed = decision.status == Decision.Status.CLOSED
        is_final = any(snapshot.is_final for snapshot in snapshots)
        # Closed and not calculated for the last time yet, it may have the mark or not.
        if (is_final or not is_closed) and (decision.stale_since is not None) != (decision.is_stale and not is_closed):
            yield f"{name} is at odds with itself about whether it is stale: stale_since"
        if decision.has_final_result != is_final:
            yield f"{name} is at odds with itself about whether its final result is there: has_final_result"

    def _finality(self, decision: Decision, snapshots: list[DecisionSnapshot]) -> Iterator[str]:
        closes_at = self.traces[decision.pk].closes_at
        assert closes_at is not None
        closing = LedgerEntry.objects.filter(community=self.community, time__lt=closes_at)
        for snapshot in snapshots:
            if (snapshot.calculated_at >= closes_at) != snapshot.is_final:
                yield f"{_result(snapshot)} was calculated {'before' if snapshot.is_final else 'after'} the closing"
            elif snapshot.is_final and snapshot.revision != closing.aggregate(last=Max("revision"))["last"]:
                yield f"{_result(snapshot)} is not of the inputs as they stood at the closing"
            if not snapshot.is_final and decision.results_visibility == Decision.Visibility.AFTER_CLOSE:
                yield f"{_result(snapshot)} was stored, of a decision that shows none before its closing"


def _of(snapshot: DecisionSnapshot, key: str) -> Any:
    return snapshot.result.get(key) if isinstance(snapshot.result, Mapping) else None


def _result(snapshot: DecisionSnapshot) -> str:
    kind = "final " if snapshot.is_final else ""
    return f"the {kind}result of decision {snapshot.decision_id} at revision {snapshot.revision}"
