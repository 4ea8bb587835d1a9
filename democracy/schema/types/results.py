"""Choices, results and whether they are current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

import strawberry
import strawberry_django
from django.db.models import Prefetch, QuerySet

from accounts.api import Info, Node, column, node_id
from democracy import access, models
from democracy.access import Viewer
from democracy.models.results import DecisionResult
from democracy.presenting.markdown import as_html
from democracy.presenting.numbers import exact_stars
from democracy.reading import decisions as reading_decisions
from democracy.schema.scalars import (
    BigInt,
    CalculationStatusKind,
    LedgerKind,
    NoWinnerReason,
    Round,
    TieBreakKind,
)
from democracy.schema.types.belonging import ItsDecision, decision_of
from graph import STAR


@strawberry_django.type(
    models.Choice, description="One of the things a decision is between. Frozen once the decision is published."
)
class Choice(Node):
    title: str = column("Unique among the choices of its decision.")
    description: str = column("It may be Markdown: links, lists, emphasis.")
    lot: int | None = column(
        "The last tie-break: the lowest lot wins. Drawn when the decision is published; the decision's `lotSeed` says "
        "how."
    )

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.Choice], info: Info) -> QuerySet[models.Choice]:
        return queryset.filter(decision__in=access.decisions_visible_to(info.context.viewer))

    @strawberry.field(description="The description, which may be Markdown, as HTML that is safe to show.")
    def description_html(self, root: models.Choice) -> str:
        return as_html(root.description)


@strawberry.type(description="A choice in the score round.")
class Score:
    choice: Choice = strawberry.field(description="The choice that was rated.")
    score: BigInt = strawberry.field(description="The sum of its microstars; 1,000,000 microstars are a star.")
    stars: str = strawberry.field(
        description="The same in stars, a decimal number with at most six decimals: each counted ballot gives 0 to 5."
    )
    average: float = strawberry.field(
        description="Stars per counted ballot, 0 to 5; 0 where no ballot is counted. For display; `score` is exact."
    )
    rank: int = strawberry.field(description="By score: 1, 2, 2, 4.")
    five_star_ballots: int = strawberry.field(description="Counted ballots that give it 5 stars, no less.")


@strawberry.type(description="How many prefer the row's choice to another.")
class PreferenceCount:
    over: Choice = strawberry.field(description="The other one.")
    ballots: int = strawberry.field(description="Counted ballots that give the row's choice more than this one.")


@strawberry.type(description="A row of the preference matrix.")
class Preference:
    choice: Choice = strawberry.field(description="The one that is preferred.")
    counts: list[PreferenceCount] = strawberry.field(description="One for each other choice, in the decision's order.")


@strawberry.type(description="The votes for a finalist in the automatic runoff.")
class RunoffCount:
    choice: Choice = strawberry.field(description="The finalist.")
    ballots: int = strawberry.field(description="Counted ballots that give it more than the other finalist.")


@strawberry.type(description="The automatic runoff between the finalists.")
class Runoff:
    votes: list[RunoffCount] = strawberry.field(description="For each finalist, the ballots that prefer it.")
    equal: int = strawberry.field(description="Ballots that give both finalists the same.")


@strawberry.type(description="What a tied choice had where the tie was broken.")
class TieBreakNumber:
    choice: Choice = strawberry.field(description="One of those that were tied.")
    number: BigInt = strawberry.field(
        description="The count that decided, of ballots, microstars or five-star ballots; or the lot."
    )


@strawberry.type(description="A tie-break that was used.")
class TieBreak:
    kind: TieBreakKind = strawberry.field(description="The rule that decided.")
    round: Round = strawberry.field(description="Where the choices were tied.")
    choices: list[Choice] = strawberry.field(description="Those that were still tied.")
    won: Choice = strawberry.field(description="The one that went on or, in the runoff, won the decision.")
    numbers: list[TieBreakNumber] = strawberry.field(
        description="What decided: one for each of `choices`, in their order."
    )


@strawberry.type(description="Participation in a decision. Cast, inherited, abstained and none add up to eligible.")
class Participation:
    eligible: int = strawberry.field(description="Voters.")
    cast: int = strawberry.field(description="Voters who cast a ballot with ratings.")
    inherited: int = strawberry.field(description="Voters who inherit a ballot.")
    abstained: int = strawberry.field(description="Voters who cast an abstention, which is not counted.")
    none: int = strawberry.field(description="Voters without a ballot.")
    lobbyists: int = strawberry.field(description="Ballots that lobbyists cast; they are never counted.")
    counted: int = strawberry.field(description="Cast and inherited.")


def _number(number: int | None) -> BigInt | None:
    return None if number is None else BigInt(number)


@strawberry.type(description="What changed between a result and the one before it.")
class ResultCause:
    kinds: list[LedgerKind] = strawberry.field(
        description="The kinds of the ledger's entries in between, of this decision or of no single one, each once."
    )
    ballots: int = strawberry.field(description="The entries on ballots of this decision.")


@strawberry.type(description="A result of a decision, counted by STAR.")
class Result:
    # Its mappings have no order: PostgreSQL keeps keys in one of its own. Lists are in that of `by_id`, the decision's.
    content: strawberry.Private[DecisionResult]
    by_id: strawberry.Private[Mapping[int, models.Choice]]
    decision_pk: strawberry.Private[int]
    revision: BigInt | None = strawberry.field(
        description="Of the community's ledger: the inputs that it reflects. Null for an interim result of a decision "
        "that hides its ballots while it is open."
    )
    calculated_at: datetime = strawberry.field(description="To the hour, where the revision is null.")
    is_final: bool = strawberry.field(description="The one of the inputs as they stood at closing; it never changes.")
    keeps_ballots: bool = strawberry.field(
        default=False, description="Whether the ballots it rests on can be read: see `asOf` of its decision."
    )
    # None for one that is not stored.
    snapshot_pk: strawberry.Private[int | None] = None

    @classmethod
    def of(cls, snapshot: models.DecisionSnapshot, choices: Sequence[models.Choice]) -> Result:
        return cls(
            content=snapshot.read_result(),
            by_id={choice.pk: choice for choice in choices},
            decision_pk=snapshot.decision_id,
            revision=_number(access.shown_revision(snapshot)),
            calculated_at=access.shown_time(snapshot),
            is_final=snapshot.is_final,
            keeps_ballots=snapshot.keeps_ballots,
            snapshot_pk=snapshot.pk,
        )

    def _choice(self, pk: int) -> Choice:
        return Choice.of(self.by_id[pk])

    @strawberry.field(description="Of the decision that this is about; `node` finds it.")
    def decision_id(self) -> strawberry.ID:
        return node_id("Decision", self.decision_pk)

    @strawberry.field(description="Its decision, so that what a client keeps of that is brought up to date.")
    async def decision(self, info: Info) -> ItsDecision | None:
        return await decision_of(info, self.decision_pk)

    @strawberry.field(
        description="What changed since the result before it, or since the beginning: of a final result whose interim "
        "results have no revision, since then. Null where the revision is."
    )
    async def cause(self, info: Info) -> ResultCause | None:
        if self.snapshot_pk is None or self.revision is None:
            return None
        found = await info.context.load(causes_of, self.snapshot_pk)
        if found is None:
            return None
        return ResultCause(kinds=[LedgerKind(kind) for kind in found.kinds], ballots=found.ballots)

    @strawberry.field(description="The name of the counting rules.")
    def rules(self) -> str:
        return self.content.rules

    @strawberry.field(description="The choice that won; null where `reason` says why none did.")
    def winner(self) -> Choice | None:
        return None if self.content.winner is None else self._choice(self.content.winner)

    @strawberry.field(description="The finalist that lost; null where there is no winner.")
    def runner_up(self) -> Choice | None:
        return None if self.content.runner_up is None else self._choice(self.content.runner_up)

    @strawberry.field(description="Why there is no winner; null where there is one.")
    def reason(self) -> NoWinnerReason | None:
        return NoWinnerReason(self.content.reason) if self.content.reason else None

    @strawberry.field(description="The two highest scores.")
    def finalists(self) -> list[Choice]:
        return [self._choice(pk) for pk in self.content.finalists]

    @strawberry.field(description="In the order of the decision's choices.")
    def scores(self) -> list[Score]:
        counted = self.content.counted
        return [
            Score(
                choice=self._choice(pk),
                score=BigInt(score := self.content.scores[pk]),
                stars=exact_stars(score),
                average=score / STAR / counted if counted else 0.0,
                rank=self.content.ranks[pk],
                five_star_ballots=self.content.five_stars[pk],
            )
            for pk in self.by_id
        ]

    @strawberry.field(description="For each pair of choices, how many counted ballots prefer the one to the other.")
    def preferences(self) -> list[Preference]:
        return [
            Preference(
                choice=self._choice(pk),
                counts=[
                    PreferenceCount(over=self._choice(over), ballots=self.content.preferences[pk][over])
                    for over in self.by_id
                    if over != pk
                ],
            )
            for pk in self.by_id
        ]

    @strawberry.field(description="The numbers of the second round; no votes where there are no finalists.")
    def runoff(self) -> Runoff:
        content = self.content
        votes = [RunoffCount(choice=self._choice(pk), ballots=content.runoff_for[pk]) for pk in content.finalists]
        return Runoff(votes=votes, equal=content.runoff_equal)

    @strawberry.field(description="In the order in which they were used.")
    def tie_breaks(self) -> list[TieBreak]:
        return [
            TieBreak(
                kind=TieBreakKind(tie.kind),
                round=Round(tie.round),
                choices=[self._choice(pk) for pk in tie.choices],
                won=self._choice(tie.won),
                numbers=[TieBreakNumber(choice=self._choice(pk), number=BigInt(tie.numbers[pk])) for pk in tie.choices],
            )
            for tie in self.content.tie_breaks
        ]

    @strawberry.field(description="How many voters cast, inherited, abstained or have no ballot.")
    def participation(self) -> Participation:
        return Participation(**asdict(self.content.participation))


@strawberry.type(
    description="Whether a decision's result is that of the newest inputs. Until a decision closes that hides its "
    "ballots: CURRENT, and nothing more is told."
)
class CalculationStatus:
    state: strawberry.Private[reading_decisions.CalculationState]

    @strawberry.field(description="Of the decision that this is about; `node` finds it.")
    def decision_id(self) -> strawberry.ID:
        return node_id("Decision", self.state.decision_id)

    @strawberry.field(description="Its decision, so that what a client keeps of that is brought up to date.")
    async def decision(self, info: Info) -> ItsDecision | None:
        return await decision_of(info, self.state.decision_id)

    @strawberry.field(description="Whether the result is that of the newest inputs.")
    def status(self) -> CalculationStatusKind:
        return CalculationStatusKind(self.state.status.value)

    @strawberry.field(description="Of the last change that affects the decision; null while ballots are hidden.")
    def input_revision(self) -> BigInt | None:
        return _number(self.state.input_revision)

    @strawberry.field(description="Of the inputs that the stored result reflects; null while ballots are hidden.")
    def calculated_revision(self) -> BigInt | None:
        return _number(self.state.calculated_revision)

    @strawberry.field(description="When a result was last calculated; null before that, and while ballots are hidden.")
    def last_calculated(self) -> datetime | None:
        return self.state.last_calculated

    @strawberry.field(description="Whether the final result is there: then nothing is calculated any more.")
    def is_final(self) -> bool:
        return self.state.is_final

    @strawberry.field(description="Shorthand: whether `status` is CALCULATING.")
    def is_calculating(self) -> bool:
        return self.state.is_calculating

    @strawberry.field(description="A message where the last calculation failed; the server's log says what went wrong.")
    def error(self) -> str | None:
        return "The last calculation failed; it is tried again." if self.state.error else None


def with_choices(info: Info) -> Prefetch:
    """Read the choices with a decision, where an operation selects what needs them."""
    return Prefetch("choices", models.Choice.objects.all(), to_attr="choices_in_order")


async def choices_of(info: Info, decision: models.Decision) -> list[models.Choice]:
    """The choices of a decision, in order: those that were read with it, or else read with others'."""
    if "choices_in_order" in vars(decision):
        return decision.choices_in_order  # type: ignore[attr-defined]
    return await info.context.load(_choices, decision.pk) or []


def _choices(viewer: Viewer, decisions: list[int]) -> dict[int, list[models.Choice]]:
    return reading_decisions.choices_of(decisions)


def causes_of(viewer: Viewer, snapshots: list[int]) -> dict[int, reading_decisions.Cause]:
    return reading_decisions.causes(snapshots)


def snapshots_of(viewer: Viewer, decisions: list[int]) -> dict[int, models.DecisionSnapshot]:
    """The present results of decisions that the viewer has been shown."""
    return {one.decision_id: one for one in reading_decisions.newest_snapshots(decisions)}


def statuses_of(viewer: Viewer, decisions: list[int]) -> dict[int, CalculationStatus]:
    return {
        state.decision_id: CalculationStatus(state=state) for state in reading_decisions.calculation_states(decisions)
    }
