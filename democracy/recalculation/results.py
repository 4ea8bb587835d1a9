"""From staged ballots to results: `Tally` counts what `StageBallots` staged."""

from __future__ import annotations

from typing import Any

from democracy.recalculation.staging import StagedDecision
from graph import Result


class Tally:
    """Counts staged ballots by STAR and says the result in the form of a bundle's `result`: ids as text, microstars,
    names of tie-breaks.
    """

    def process(self, staged: StagedDecision) -> dict[str, Any]:
        return result_content(staged.result, staged.choices)


def result_content(result: Result, choices: tuple[int, ...]) -> dict[str, Any]:
    """A result as stored and exported; `choices` are the ids of the choices in the calculation's order."""
    ids = [str(choice) for choice in choices]
    participation = result.participation
    return {
        "rules": result.rules,
        "reason": result.reason,
        "winner": None if result.winner is None else ids[result.winner],
        "runner_up": None if result.runner_up is None else ids[result.runner_up],
        "finalists": [ids[i] for i in result.finalists],
        "scores": dict(zip(ids, result.scores, strict=True)),
        "ranks": dict(zip(ids, result.ranks, strict=True)),
        "preferences": {
            a: {b: result.preferences[i][j] for j, b in enumerate(ids) if i != j} for i, a in enumerate(ids)
        },
        "runoff": {
            "for": {ids[i]: count for i, count in zip(result.finalists, result.runoff_for, strict=True)},
            "equal": result.runoff_equal,
        },
        "five_stars": dict(zip(ids, result.five_stars, strict=True)),
        "tie_breaks": [
            {
                "round": tie.round,
                "kind": tie.kind,
                "choices": [ids[i] for i in tie.choices],
                "won": ids[tie.won],
                "numbers": {ids[i]: number for i, number in zip(tie.choices, tie.numbers, strict=True)},
            }
            for tie in result.tie_breaks
        ],
        "participation": {
            "eligible": participation.eligible,
            "cast": participation.cast,
            "inherited": participation.inherited,
            "abstained": participation.abstained,
            "none": participation.none,
            "lobbyists": participation.lobbyists,
            "counted": participation.counted,
        },
    }
