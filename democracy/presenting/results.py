"""Results for pages: choices by name, bars, runoff, tie-breaks and sentences. Nothing is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from democracy.models import Choice, DecisionSnapshot
from democracy.models.results import DecisionResult
from democracy.presenting import wording
from democracy.presenting.wording import RunoffWords
from graph import FIVE_STARS, Participation

# More colours, and lines of a chart, can't be told apart.
MOST_COLOURS = 6


@dataclass(frozen=True)
class ChoiceRow:
    """One choice. `score` and `average` in microstars; `share` of the most stars there could be, 0 to 1; `series` the
    number of its colour, 0 for none; `beats` are the cells of its row in the preference matrix, None for itself.
    """

    choice: Choice
    rank: int
    score: int
    average: int
    share: float
    five_stars: int
    is_winner: bool
    is_finalist: bool
    series: int
    beats: tuple[Preference | None, ...] = ()


@dataclass(frozen=True)
class Preference:
    """The number of ballots that prefer the choice of this row to that of this column, and the other way."""

    over: str
    count: int
    against: int

    @property
    def is_ahead(self) -> bool:
        return self.count > self.against


@dataclass(frozen=True)
class Outcome:
    """A result in words and rows, the best choice first: winner, runner-up, then by score; `columns` in that order."""

    title: str
    winner: Choice | None
    is_final: bool
    explanation: str
    upset: str
    rows: tuple[ChoiceRow, ...]
    runoff: RunoffWords | None
    tie_breaks: tuple[str, ...]
    participation: Participation
    counted: int
    rules: str = ""
    columns: tuple[Choice, ...] = field(default=())

    @property
    def by_stars(self) -> tuple[ChoiceRow, ...]:
        """The rows as the score round has them: most stars first."""
        return tuple(sorted(self.rows, key=lambda row: -row.score))

    @property
    def needs_words(self) -> bool:
        """True where the stars, as they are shown, don't explain why the winner is ahead."""
        won = next((row for row in self.rows if row.is_winner), None)
        return won is not None and any(
            round(row.average, -4) >= round(won.average, -4) for row in self.rows if row is not won
        )


def outcome_of(snapshot: DecisionSnapshot, choices: Sequence[Choice]) -> Outcome:
    """Put a stored result into words."""
    return outcome(snapshot.read_result(), choices, is_final=snapshot.is_final)


def outcome(result: DecisionResult, choices: Sequence[Choice], *, is_final: bool) -> Outcome:
    """Put a result into words; `choices` are all choices of its decision."""
    by_id = {choice.pk: choice for choice in choices}
    titles = {pk: choice.title for pk, choice in by_id.items()}
    winner = None if result.winner is None else by_id[result.winner]
    runoff = _runoff(result, titles)
    order = _order(result, by_id)
    series = _series(order, by_id)
    return Outcome(
        title=wording.outcome_title(winner.title if winner else None, is_final=is_final),
        winner=winner,
        is_final=is_final,
        explanation=wording.runoff_sentence(runoff)
        if runoff
        else wording.no_winner_sentence(result.reason, is_final=is_final),
        upset=wording.upset_sentence(runoff) if runoff else "",
        rows=tuple(_row(result, by_id, pk, order, series.get(pk, 0)) for pk in order),
        runoff=runoff,
        tie_breaks=tuple(
            wording.tie_break_text(
                tie.round,
                tie.kind,
                [titles[pk] for pk in tie.choices],
                titles[tie.won],
                [tie.numbers[pk] for pk in tie.choices],
                rivals=list(result.scores.values()).count(result.scores[tie.won]),
            )
            for tie in result.tie_breaks
        ),
        participation=result.participation,
        counted=result.counted,
        rules=result.rules,
        columns=tuple(by_id[pk] for pk in order),
    )


def _order(result: DecisionResult, choices: Mapping[int, Choice]) -> list[int]:
    """The choices, best first: winner, runner-up, then by score."""
    first = [result.winner, result.runner_up]

    def place(pk: int) -> tuple[int, int, int]:
        return (first.index(pk) if pk in first else 2, result.ranks[pk], choices[pk].position)

    return sorted(choices, key=place)


def _series(order: Sequence[int], choices: Mapping[int, Choice]) -> dict[int, int]:
    """The colours of the best choices, from 1, as they are listed: new ballots alone change no colour."""
    best = sorted(order[:MOST_COLOURS], key=lambda pk: choices[pk].position)
    return {pk: number for number, pk in enumerate(best, start=1)}


def _row(
    result: DecisionResult, choices: Mapping[int, Choice], pk: int, order: Sequence[int], series: int
) -> ChoiceRow:
    counted, score, preferences = result.counted, result.scores[pk], result.preferences
    return ChoiceRow(
        choice=choices[pk],
        rank=result.ranks[pk],
        score=score,
        average=round(score / counted) if counted else 0,
        share=score / (counted * FIVE_STARS) if counted else 0.0,
        five_stars=result.five_stars[pk],
        is_winner=pk == result.winner,
        is_finalist=pk in result.finalists,
        series=series,
        beats=tuple(
            None if other == pk else Preference(choices[other].title, preferences[pk][other], preferences[other][pk])
            for other in order
        ),
    )


def _runoff(result: DecisionResult, titles: Mapping[int, str]) -> RunoffWords | None:
    winner, runner_up = result.winner, result.runner_up
    if winner is None or runner_up is None:
        return None
    return RunoffWords(
        winner=titles[winner],
        runner_up=titles[runner_up],
        ahead=result.runoff_for[winner],
        behind=result.runoff_for[runner_up],
        equal=result.runoff_equal,
        winner_score=result.scores[winner],
        runner_up_score=result.scores[runner_up],
    )
