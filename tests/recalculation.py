"""Real background calculation for tests, and waiting for its effects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from democracy import recalculation
from democracy.models import Decision
from democracy.recalculation.staging import forget_everything

PATIENCE = 20.0


def until(condition: Callable[[], bool], what: str = "the condition", *, patience: float = PATIENCE) -> None:
    """Wait until the condition holds; fail after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {patience:g} seconds in vain for {what}")
        time.sleep(0.01)


def is_current(decision: Decision) -> bool:
    decision.refresh_from_db()
    return decision.calculation_status == Decision.CalculationStatus.CURRENT


def until_current(*decisions: Decision) -> None:
    for decision in decisions:
        until(lambda one=decision: is_current(one), f"{decision} to be current")  # type: ignore[misc]


@pytest.fixture
def live_recalculation(settings: Settings, transactional_db: None) -> Iterator[recalculation.Scheduler]:
    """Run the scheduler with real threads, a short debounce and a frequent sweep. Nothing is kept from before."""
    settings.CROWDVOTE_EXECUTOR = "threads"
    settings.RECALCULATION_DEBOUNCE = 0.02
    settings.RECALCULATION_DEBOUNCE_BOUND = 0.2
    settings.RECALCULATION_SWEEP_INTERVAL = 0.2
    settings.RECALCULATION_LEASE = 1.5
    forget_everything()
    recalculation.scheduler.start()
    yield recalculation.scheduler
    recalculation.scheduler.stop()
    forget_everything()
