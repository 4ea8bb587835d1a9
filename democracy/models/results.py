"""A decision's result by choice id, and its JSON: the form in which it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graph import Participation, Result

# Paths into the stored JSON for queries that want no more of a result.
WINNER = "result__winner"
SCORES = "result__scores"
COUNTED = "result__participation__counted"


@dataclass(frozen=True)
class UsedTieBreak:
    """A tie-break that was used between `choices`; `numbers` are what decided, one for each of them."""

    round: str
    kind: str
    choices: tuple[int, ...]
    won: int
    numbers: Mapping[int, int]


@dataclass(frozen=True)
class DecisionResult:
    """A result of a decision. Choices are known by id, scores are in microstars.

    `ranks` are by score (1, 2, 2, 4); `preferences[a][b]` counts the ballots that prefer a to b; `runoff_for` counts
    the ballots that prefer each finalist, `runoff_equal` the others. Without a winner, `reason` says why.
    """

    rules: str
    reason: str | None
    winner: int | None
    runner_up: int | None
    finalists: tuple[int, ...]
    scores: Mapping[int, int]
    ranks: Mapping[int, int]
    preferences: Mapping[int, Mapping[int, int]]
    runoff_for: Mapping[int, int]
    runoff_equal: int
    five_stars: Mapping[int, int]
    tie_breaks: tuple[UsedTieBreak, ...]
    participation: Participation

    @property
    def counted(self) -> int:
        """The number of counted ballots."""
        return self.participation.counted

    @classmethod
    def of(cls, result: Result, choices: tuple[int, ...]) -> DecisionResult:
        """Name the choices of a calculation's result; `choices` are their ids in the calculation's order."""
        return cls(
            rules=result.rules,
            reason=result.reason,
            winner=None if result.winner is None else choices[result.winner],
            runner_up=None if result.runner_up is None else choices[result.runner_up],
            finalists=tuple(choices[at] for at in result.finalists),
            scores=dict(zip(choices, result.scores, strict=True)),
            ranks=dict(zip(choices, result.ranks, strict=True)),
            preferences={
                a: {b: result.preferences[i][j] for j, b in enumerate(choices) if i != j} for i, a in enumerate(choices)
            },
            runoff_for={choices[at]: count for at, count in zip(result.finalists, result.runoff_for, strict=True)},
            runoff_equal=result.runoff_equal,
            five_stars=dict(zip(choices, result.five_stars, strict=True)),
            tie_breaks=tuple(
                UsedTieBreak(
                    round=tie.round,
                    kind=tie.kind,
                    choices=tuple(choices[at] for at in tie.choices),
                    won=choices[tie.won],
                    numbers={choices[at]: number for at, number in zip(tie.choices, tie.numbers, strict=True)},
                )
                for tie in result.tie_breaks
            ),
            participation=result.participation,
        )

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> DecisionResult:
        """Read the stored form. Raises KeyError and ValueError where it is none."""
        return cls(
            rules=content["rules"],
            reason=content["reason"],
            winner=_id(content["winner"]),
            runner_up=_id(content["runner_up"]),
            finalists=tuple(map(int, content["finalists"])),
            scores=_by_id(content["scores"]),
            ranks=_by_id(content["ranks"]),
            preferences={int(choice): _by_id(row) for choice, row in content["preferences"].items()},
            runoff_for=_by_id(content["runoff"]["for"]),
            runoff_equal=content["runoff"]["equal"],
            five_stars=_by_id(content["five_stars"]),
            tie_breaks=tuple(
                UsedTieBreak(
                    round=tie["round"],
                    kind=tie["kind"],
                    choices=tuple(map(int, tie["choices"])),
                    won=int(tie["won"]),
                    numbers=_by_id(tie["numbers"]),
                )
                for tie in content["tie_breaks"]
            ),
            participation=Participation(**content["participation"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Write the stored form: JSON values alone, ids as text."""
        return {
            "rules": self.rules,
            "reason": self.reason,
            "winner": _text(self.winner),
            "runner_up": _text(self.runner_up),
            "finalists": list(map(str, self.finalists)),
            "scores": _by_text(self.scores),
            "ranks": _by_text(self.ranks),
            "preferences": {str(choice): _by_text(row) for choice, row in self.preferences.items()},
            "runoff": {"for": _by_text(self.runoff_for), "equal": self.runoff_equal},
            "five_stars": _by_text(self.five_stars),
            "tie_breaks": [
                {
                    "round": tie.round,
                    "kind": tie.kind,
                    "choices": list(map(str, tie.choices)),
                    "won": str(tie.won),
                    "numbers": _by_text(tie.numbers),
                }
                for tie in self.tie_breaks
            ],
            # Not by `asdict`, which copies every number with care: it takes ten times as long.
            "participation": {name: getattr(self.participation, name) for name in Participation.__slots__},
        }


def _id(text: str | None) -> int | None:
    return None if text is None else int(text)


def _text(choice: int | None) -> str | None:
    return None if choice is None else str(choice)


def _by_id(numbers: Mapping[str, int]) -> dict[int, int]:
    return {int(choice): number for choice, number in numbers.items()}


def _by_text(numbers: Mapping[int, int]) -> dict[str, int]:
    return {str(choice): number for choice, number in numbers.items()}
