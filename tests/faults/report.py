"""The outcome of a run, for people and for programs."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from tests.faults.history import Operation, Outcome
from tests.faults.nemesis import Fault, Kind
from tests.faults.state import ClaimWritten, FinalState, ResultStored
from tests.faults.violations import Violation
from tests.faults.watchers import Watcher


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Report:
    plan: Mapping[str, Any]
    took: float
    settling: float
    violations: Sequence[Violation]
    faults: Sequence[Fault]
    operations: Sequence[Operation]
    watchers: Sequence[Watcher]
    lags: Sequence[float]
    fenced_off: int
    state: FinalState

    @property
    def kills(self) -> int:
        return sum(fault.is_kill for fault in self.faults)

    def figures(self) -> dict[str, Any]:
        acknowledged = [one for one in self.operations if one.outcome is Outcome.ACKNOWLEDGED]
        unknown = [one for one in self.operations if one.outcome is Outcome.UNKNOWN]
        return {
            "plan": dict(self.plan),
            "took_seconds": round(self.took, 1),
            "settling_seconds": round(self.settling, 1),
            "kills": self.kills,
            "faults": _counted(fault.kind for fault in self.faults),
            **self._outcomes(),
            "latency_seconds": _spread([one.completed - one.invoked for one in acknowledged]),
            "latency_without_an_answer_seconds": _spread([one.completed - one.invoked for one in unknown]),
            "longest_time_without_an_acknowledgement_seconds": round(self._longest_pause(), 2),
            "oldest_uncounted_ballot_seconds": _spread(self.lags),
            "recovery_seconds": {
                kind: _spread(times) for kind, times in sorted(self._recoveries().items()) if any(times)
            },
            "acknowledged_while_down": {
                name: sum(any(a <= one.invoked and one.completed <= b for a, b in times) for one in acknowledged)
                for name, times in self._outages().items()
            },
            "runs": self._runs(),
            "ledger_entries": len(self.state.entries),
            "watchers": self._watched(),
            "violations": [asdict(violation) for violation in self.violations],
            "fault_log": [asdict(fault) for fault in sorted(self.faults, key=lambda fault: fault.at)],
        }

    def _outcomes(self) -> dict[str, Any]:
        kinds = sorted({one.kind for one in self.operations})
        unanswered = [one for one in self.operations if one.outcome in {Outcome.UNKNOWN, Outcome.UNREACHED}]
        return {
            "operations": {
                kind: _counted(one.outcome for one in self.operations if one.kind == kind) for kind in kinds
            },
            "outcomes": _counted(one.outcome for one in self.operations),
            "refusals": _counted(one.code for one in self.operations if one.outcome is Outcome.REFUSED),
            "without_an_answer": _counted(one.code or one.detail.partition("(")[0] for one in unanswered),
        }

    def _watched(self) -> dict[str, Any]:
        return {
            "number": len(self.watchers),
            "connections": sum(watcher.connections for watcher in self.watchers),
            "results_seen": sum(len(watcher.sightings) for watcher in self.watchers),
            "refusals": dict(sum((Counter(watcher.refusals) for watcher in self.watchers), Counter())),
        }

    def _longest_pause(self) -> float:
        ends = sorted(one.completed for one in self.operations if one.outcome is Outcome.ACKNOWLEDGED)
        return max((after - before for before, after in pairwise(ends)), default=0.0)

    def _outages(self) -> dict[str, list[tuple[float, float]]]:
        """When the services were away, from the kill until they answered again."""
        services = {"PostgreSQL": {Kind.KILL_POSTGRES, Kind.KILL_BACKEND}, "Redis": {Kind.KILL_REDIS}}
        return {
            name: [(fault.at, fault.served_again) for fault in self.faults if fault.kind in kinds]
            for name, kinds in services.items()
        }

    def _recoveries(self) -> dict[str, list[float]]:
        """Measure how long it took until a web process served after its start, until what was asked to end had ended,
        and until the first vote was acknowledged after a service was back.
        """
        found: dict[str, list[float]] = {}
        for fault in self.faults:
            if fault.kind in {Kind.KILL_WEB, Kind.END_WEB}:
                found.setdefault("web process from start to serving", []).append(fault.back)
            if fault.kind in {Kind.END_WEB, Kind.END_WORKER}:
                found.setdefault(f"{fault.kind} until it has ended", []).append(fault.down)
            if fault.kind in {Kind.KILL_POSTGRES, Kind.KILL_BACKEND, Kind.KILL_REDIS}:
                name = "Redis" if fault.kind is Kind.KILL_REDIS else "PostgreSQL"
                found.setdefault(f"{name} back to the first acknowledgement", []).append(self._first_after(fault))
        return found

    def _first_after(self, fault: Fault) -> float:
        ends = (one.completed for one in self.operations if one.outcome is Outcome.ACKNOWLEDGED)
        return min((end - fault.served_again for end in ends if end > fault.served_again), default=math.nan)

    def _runs(self) -> dict[str, int]:
        """Runs in all; how many took over from one that never gave its claim back: dead, frozen or cut off; how many of
        those came back and were kept from storing.
        """
        last: dict[int, ClaimWritten] = {}
        runs, taken_over = 0, 0
        for one in self.state.runs:
            if isinstance(one, ResultStored):
                continue
            before = last.get(one.community)
            if before is not None and before.fence != one.fence:
                runs += 1
                taken_over += bool(before.holder)
            last[one.community] = one
        stored = sum(isinstance(one, ResultStored) for one in self.state.runs)
        return {"runs": runs, "taken_over": taken_over, "fenced_off": self.fenced_off, "results_stored": stored}

    def text(self) -> str:
        figures = self.figures()
        lines = [
            f"Fault run, seed {self.plan['seed']}, executor {self.plan['executor']}: {self.took:.0f} s, "
            f"{self.kills} kills, {len(self.violations)} violations"
        ]
        titles = (
            "faults",
            "outcomes",
            "refusals",
            "without_an_answer",
            "latency_seconds",
            "latency_without_an_answer_seconds",
            "longest_time_without_an_acknowledgement_seconds",
            "oldest_uncounted_ballot_seconds",
            "acknowledged_while_down",
            "runs",
            "ledger_entries",
            "watchers",
            "settling_seconds",
        )
        lines += [f"  {title.replace('_', ' ')}: {_line(figures[title])}" for title in titles]
        lines.append("  recovery seconds:")
        lines += [f"    {name}: {_line(spread)}" for name, spread in figures["recovery_seconds"].items()]
        lines.append("  violations:" + (" none" if not self.violations else ""))
        lines += [f"    {violation}"[:2_000] for violation in self.violations[:50]]
        return "\n".join(lines)

    def json(self) -> str:
        return json.dumps(self.figures(), indent=1, default=str)


def _counted(values: Any) -> dict[str, int]:
    return dict(Counter(map(str, values)).most_common())


def _spread(values: Sequence[float]) -> dict[str, float]:
    shown = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    # After the last fault there may have been nothing to measure.
    values = [value for value in values if not math.isnan(value)]
    return {"number": len(values)} | {name: round(percentile(values, percent), 3) for name, percent in shown.items()}


def _line(value: Any) -> str:
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, Mapping) else str(value)
