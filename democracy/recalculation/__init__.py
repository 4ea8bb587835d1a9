"""Recalculation in the background: wake-ups, the scheduler, the executors, runs and the sweep.

A wake-up is a hint. The counters in the database say what is stale; the scheduler only makes that be calculated soon,
and its sweep finds whatever no wake-up told of: after a crash, at closing time, from another process. Who calculates is
the executor's choice: threads of this process, or workers that a queue hands communities to.
"""

from democracy.recalculation.runs import (
    CalculationTimeout,
    recalculate_community,
    recalculate_community_decisions_async,
)
from democracy.recalculation.scheduling import Scheduler, executor_problem, scheduler, start_in_worker, sweep, wake

__all__ = [
    "CalculationTimeout",
    "Scheduler",
    "executor_problem",
    "recalculate_community",
    "recalculate_community_decisions_async",
    "scheduler",
    "start_in_worker",
    "sweep",
    "wake",
]
