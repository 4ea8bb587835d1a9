"""From staged ballots to results: `Tally` counts what `StageBallots` staged."""

from __future__ import annotations

from democracy.models.results import DecisionResult
from democracy.recalculation.staging import StagedDecision


class Tally:
    """Count staged ballots by STAR."""

    def process(self, staged: StagedDecision) -> DecisionResult:
        """Return the result of a staged decision, its choices known by id."""
        return DecisionResult.of(staged.result, staged.choices)
