"""Recalculation in the background: wake-ups, the scheduler, the executors, runs and the sweep.

A wake-up is a hint. The counters in the database say which decisions are stale; the scheduler only has them calculated
soon. Its sweep finds those that no wake-up told of: after a crash, at closing time, from another process. The executor
chooses who calculates: threads of this process, or workers that a queue hands communities to.
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
