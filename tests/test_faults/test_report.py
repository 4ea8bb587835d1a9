"""The report of a fault run, for histories that are made up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.faults.history import Kind, Operation, Outcome
from tests.faults.nemesis import Fault
from tests.faults.nemesis import Kind as FaultKind
from tests.faults.report import Report, percentile
from tests.faults.state import ClaimWritten, FinalState, ResultStored
from tests.faults.violations import Violation


def vote(invoked: float, completed: float, outcome: Outcome = Outcome.ACKNOWLEDGED, code: str = "") -> Operation:
    return Operation("ballot:1:1", Kind.CAST, invoked, completed, outcome, code=code)


def claim(fence: int, at: float, expires_at: float, *, released: bool = False) -> ClaimWritten:
    run, process = ("", "") if released else (f"run {fence}", "worker-1")
    return ClaimWritten(1, at, "worker-1", 1, fence, run, process, expires_at)


FAULTS = [
    Fault(FaultKind.KILL_REDIS, "redis", 10, 2, 1),
    Fault(FaultKind.KILL_POSTGRES, "postgres", 20, 2, 1),
    Fault(FaultKind.FREEZE_WORKER, "worker-1", 30, 5),
    Fault(FaultKind.END_WEB, "web-1", 40, 1.5, 4),
]
OPERATIONS = [
    vote(0, 1),
    vote(11, 12.5),
    # Asked for while PostgreSQL was away, done when it was back.
    vote(21, 23.5),
    vote(21, 36, Outcome.UNKNOWN, "ERRORS"),
    vote(24, 25, Outcome.REFUSED, "NO_BALLOT"),
]
# The second run takes over from one that was never released, the third from one that was.
RUNS = [
    claim(0, 0, 0, released=True),
    claim(1, 0, 5),
    ResultStored(1, 1, "worker-1", 1, 1, 7),
    claim(2, 6, 11),
    claim(2, 7, 7, released=True),
    claim(3, 8, 13),
]


def report(*violations: Violation) -> Report:
    plan = {"seed": 1, "executor": "celery"}
    return Report(plan, 50, 1, violations, FAULTS, OPERATIONS, [], [0.5, 2.0], 1, FinalState([], {}, runs=RUNS))


def test_it_counts_kills_and_what_people_were_told():
    figures = report().figures()
    assert figures["kills"] == 2
    assert figures["outcomes"] == {"acknowledged": 3, "unknown": 1, "refused": 1}
    assert (figures["refusals"], figures["without_an_answer"]) == ({"NO_BALLOT": 1}, {"ERRORS": 1})
    assert figures["longest_time_without_an_acknowledgement_seconds"] == 11.5
    assert figures["acknowledged_while_down"] == {"PostgreSQL": 0, "Redis": 1}


def test_it_says_how_soon_things_worked_again():
    recovery = {name: spread["max"] for name, spread in report().figures()["recovery_seconds"].items()}
    assert recovery == {
        "PostgreSQL back to the first acknowledgement": 0.5,
        "Redis back to the first acknowledgement": 10.5,
        "SIGTERM to a web process until it has ended": 1.5,
        "web process from start to serving": 4,
    }


def test_a_fault_after_which_nobody_did_anything_tells_nothing_of_recovery():
    last = Fault(FaultKind.KILL_REDIS, "redis", 45, 2, 1)
    told = replace(report(), faults=[*FAULTS, last]).figures()["recovery_seconds"]
    assert told["Redis back to the first acknowledgement"] == {
        "number": 1, "p50": 10.5, "p95": 10.5, "p99": 10.5, "max": 10.5,
    }  # fmt: skip


def test_it_counts_runs_and_those_that_took_over():
    assert report().figures()["runs"] == {"runs": 3, "taken_over": 1, "fenced_off": 1, "results_stored": 1}


def test_people_and_programs_are_told_of_every_violation():
    bad = report(Violation("STALE", "decision 3", "calculated 1 of 2"))
    assert "1 violations" in bad.text()
    assert "STALE decision 3: calculated 1 of 2" in bad.text()
    assert json.loads(bad.json())["violations"] == [
        {"kind": "STALE", "subject": "decision 3", "detail": "calculated 1 of 2"}
    ]
    assert "violations: none" in report().text()


@pytest.mark.parametrize(
    ("values", "percent", "value"), [([], 50, 0), ([3], 99, 3), ([4, 1, 3, 2], 50, 2), ([4, 1, 3, 2], 100, 4)]
)
def test_a_percentile_is_one_of_the_values(values, percent, value):
    assert percentile(values, percent) == value
