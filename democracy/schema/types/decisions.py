"""Decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import strawberry
from django.db.models import F

from accounts.api import Info, Node, of_row
from democracy import access, models
from democracy.access import Viewer
from democracy.presenting import addresses
from democracy.presenting.audiences import audiences
from democracy.presenting.markdown import as_html
from democracy.presenting.sharing import embeds
from democracy.reading import ballots as reading_ballots
from democracy.reading import decisions as reading_decisions
from democracy.schema.arguments import MOST_NODES, After, First, Members, PastRevision, require_nodes
from democracy.schema.paging import DEFAULT_PAGE, Connection, Listing, Page, connection
from democracy.schema.scalars import DecisionStatus, ResultsVisibility
from democracy.schema.types.ballots import (
    Ballot,
    DelegationGraph,
    Influence,
    delegation_of,
    influence_pages,
    own_ballots,
)
from democracy.schema.types.belonging import ItsCommunity, community_of
from democracy.schema.types.past import PastDecision, as_of
from democracy.schema.types.results import CalculationStatus, Choice, Result, choices_of, results_of, statuses_of

# Those that close last first; drafts without a closing before them.
_LAST_FIRST = (F("closes_at").desc(nulls_first=True), F("pk").desc())
DECISIONS = Listing(reading_decisions.decisions_of_communities, _LAST_FIRST, "community_id")
ALL_DECISIONS = Listing(reading_decisions.decisions_listed, _LAST_FIRST)
HISTORY = Listing(reading_decisions.snapshots_of, ("pk",), "decision_id")

_BallotPage = tuple[models.Decision, int, int]


@strawberry.type(description="A manager's addition to a question, whose own words are frozen from the opening on.")
class Clarification:
    row: strawberry.Private[models.Clarification]
    at: datetime = of_row("When it was added.")
    text: str = of_row("It may be Markdown: links, lists, emphasis.")

    @strawberry.field(description="The text as HTML that is safe to show.")
    def text_html(self) -> str:
        return as_html(self.row.text)


@strawberry.type(description="A manager's word that a decision gets no result.")
class CallingOff:
    row: strawberry.Private[models.Decision]
    at: datetime = of_row("When voting ended by it.", attribute="called_off_at")
    reason: str = of_row("Why, in the manager's words.", attribute="called_off_reason")


@strawberry.type(description="A question put to a community. Drafts are seen by its managers.")
class Decision(Node):
    row: strawberry.Private[models.Decision]
    title: str = of_row("The question, in one line of text.")
    description: str = of_row("It may be Markdown: links, lists, emphasis.")
    opens_at: datetime | None = of_row("Voting is open from then on.")
    closes_at: datetime | None = of_row("Until just before then.")
    published_at: datetime | None = of_row("Null for drafts.")
    topics: list[str] = of_row("Tags. A ballot whose caster says nothing of tags bears these.")
    is_pinned: bool = of_row("Whether a manager put it at the top of its community's page.")
    reminder_hours: int = of_row(
        "Hours before closing at which people without a ballot of their own are reminded; 0: never."
    )
    lot_seed: str = of_row(
        'Drawn when it was published: a choice\'s lot is its rank in SHA-256(seed + ":" + the number in its id). Empty '
        "for drafts, and where the lots came with a file."
    )

    @classmethod
    def of(cls, row: models.Decision) -> Decision:
        return cls(row=row)

    @strawberry.field(description="Its phase, by the clock.")
    def status(self) -> DecisionStatus:
        return DecisionStatus(self.row.status.value)

    @strawberry.field(description="The description, which may be Markdown, as HTML that is safe to show.")
    def description_html(self) -> str:
        return as_html(self.row.description)

    @strawberry.field(description="Null unless the decision was called off.")
    def called_off(self) -> CallingOff | None:
        return None if self.row.called_off_at is None else CallingOff(row=self.row)

    @strawberry.field(description="When results and ballots are shown; fixed once it is published.")
    def results_visibility(self) -> ResultsVisibility:
        return ResultsVisibility(self.row.results_visibility)

    @strawberry.field(description="Whether ballots, and all that is derived from single ballots, are shown now.")
    def shows_ballots(self) -> bool:
        return access.shows_ballots(self.row)

    @strawberry.field(
        description="The address at which a manager has published the result of a members-only decision; null where "
        "none is published."
    )
    async def published_result_address(self, info: Info) -> str | None:
        token = await info.context.load(_published_results, self.row.pk)
        return addresses.of_token("published-result", token) if token else None

    @strawberry.field(
        description="The address of a page that other sites may show in a frame: of decisions that everybody may read, "
        "and of published results; null for others."
    )
    async def embed_address(self, info: Info) -> str | None:
        return await info.context.load(_embeds, self.row)

    @strawberry.field(description="The address of the report for paper; null for drafts.")
    def report_address(self) -> str | None:
        return addresses.of_decision("decision-report", self.row) if self.row.published_at else None

    @strawberry.field(description="The address of its opening and closing as a calendar (iCalendar); null for drafts.")
    def calendar_address(self) -> str | None:
        return addresses.of_decision("decision-calendar", self.row) if self.row.published_at else None

    @strawberry.field(description="The one whose members vote on it.")
    async def community(self, info: Info) -> ItsCommunity:
        return await community_of(info, self.row.community_id)

    @strawberry.field(description="In the order that ballots and results keep; 2 to 50 once it is published.")
    async def choices(self, info: Info) -> list[Choice]:
        return [Choice(row=row) for row in await info.context.load(choices_of, self.row.pk) or []]

    @strawberry.field(description="Oldest first.")
    async def clarifications(self, info: Info) -> list[Clarification]:
        return [Clarification(row=row) for row in await info.context.load(_clarifications, self.row.pk) or []]

    @strawberry.field(description="The tags on the cast ballots. Null while ballots are hidden.")
    async def tags(self, info: Info) -> list[str] | None:
        return await info.context.load(_tags, self.row)

    @strawberry.field(description="Whether `result` is that of the newest inputs.")
    async def calculation(self, info: Info) -> CalculationStatus:
        return cast(CalculationStatus, await info.context.load(statuses_of, self.row.pk))

    @strawberry.field(description="The newest result that may be shown; null where there is none yet.")
    async def result(self, info: Info) -> Result | None:
        return await info.context.load(results_of, self.row.pk)

    @strawberry.field(
        description="The number of ballots that have been cast, those of members who have left among them; while "
        f"ballots are hidden, rounded down to a multiple of {reading_ballots.TURNOUT_STEP}. Null for drafts."
    )
    async def turnout(self, info: Info) -> int | None:
        return await info.context.load(_turnouts, self.row)

    @strawberry.field(
        description="A sentence that says who will see a ballot that you cast here, when, and with which name; null "
        "where you cannot vote."
    )
    async def ballot_audience(self, info: Info) -> str | None:
        return await info.context.load(_audiences, self.row)

    @strawberry.field(
        description="Your own ballot, as you cast it or as you inherit it; null where you have none. While ballots are "
        "hidden, only as you cast it."
    )
    async def my_ballot(self, info: Info) -> Ballot | None:
        return await info.context.load(own_ballots, self.row)

    @strawberry.field(
        description="All ballots: those with names by handle, then those under pseudonyms by these. Null while they "
        "are hidden."
    )
    async def ballots(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Ballot] | None:
        return await _ballots(info, self.row, Page.of(first, after))

    @strawberry.field(description="The results that were shown, oldest first.")
    async def history(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[Result]:
        choices = await info.context.load(choices_of, self.row.pk) or []
        return await HISTORY.page(info, Page.of(first, after), lambda row: Result.of(row, choices), parent=self.row.pk)

    @strawberry.field(
        description="The decision as of the result of a revision that `history` lists; null where that result does not "
        "keep the ballots it rests on (`keepsBallots`), and while ballots are hidden."
    )
    async def as_of(self, info: Info, revision: PastRevision) -> PastDecision | None:
        return await as_of(info, self.row, revision)

    @strawberry.field(
        description="The influence of each cast ballot that bears a name, most first. Null while ballots are hidden."
    )
    async def influence(
        self, info: Info, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Influence] | None:
        page = Page.of(first, after)
        found = await info.context.load(influence_pages, (self.row, page.after, page.stop))
        if found is None:
            return None
        nodes, number = found

        async def count() -> int:
            return number

        return connection(page, nodes, count=count)

    @strawberry.field(description=f"At most {MOST_NODES:,} members. Null while ballots are hidden.")
    async def delegation_graph(self, info: Info, first: Members = 200) -> DelegationGraph | None:
        require_nodes(first)
        return await info.context.load(delegation_of, (self.row, first))


async def _ballots(info: Info, decision: models.Decision, page: Page) -> Connection[Ballot] | None:
    async def count() -> int:
        return await info.context.load(_ballot_counts, decision) or 0

    ballots = await info.context.load(_ballot_pages, (decision, page.after, page.stop))
    return None if ballots is None else connection(page, [Ballot(shown=one) for one in ballots], count=count)


def _ballot_pages(viewer: Viewer, keys: list[_BallotPage]) -> Mapping[_BallotPage, list[reading_ballots.ShownBallot]]:
    pages: dict[_BallotPage, list[reading_ballots.ShownBallot]] = {}
    for start, stop in {(start, stop) for _, start, stop in keys}:
        decisions = [one for one, *place in keys if place == [start, stop] and access.shows_ballots(one)]
        found = reading_ballots.ballots_of(decisions, start=start, stop=stop)
        pages |= {(one, start, stop): found[one.pk] for one in decisions}
    return pages


def _ballot_counts(viewer: Viewer, decisions: list[models.Decision]) -> Mapping[models.Decision, int]:
    counts = reading_ballots.ballot_counts(decisions)
    return {one: counts.get(one.pk, 0) for one in decisions}


def _clarifications(viewer: Viewer, keys: list[int]) -> Mapping[int, list[models.Clarification]]:
    found: dict[int, list[models.Clarification]] = {}
    for row in models.Clarification.objects.filter(decision__in=keys):
        found.setdefault(row.decision_id, []).append(row)
    return found


def _tags(viewer: Viewer, decisions: list[models.Decision]) -> Mapping[models.Decision, list[str]]:
    tags = reading_ballots.tags_on_ballots(decisions)
    return {one: tags[one.pk] for one in decisions if one.pk in tags}


def _turnouts(viewer: Viewer, decisions: list[models.Decision]) -> Mapping[models.Decision, int]:
    turnouts = reading_ballots.turnouts(decisions)
    return {one: turnouts[one.pk] for one in decisions if one.published_at is not None}


def _audiences(viewer: Viewer, decisions: list[models.Decision]) -> Mapping[models.Decision, str]:
    found = audiences(viewer, decisions)
    return {one: found[one.pk].sentence for one in decisions if one.pk in found}


def _published_results(viewer: Viewer, ids: list[int]) -> Mapping[int, str]:
    published = access.published_results_visible_to(viewer).filter(decision__in=ids)
    return dict(published.values_list("decision", "token"))


def _embeds(viewer: Viewer, decisions: list[models.Decision]) -> Mapping[models.Decision, str]:
    found = embeds(viewer, decisions)
    return {one: found[one.pk] for one in decisions if one.pk in found}


def decisions_by_id(viewer: Viewer, ids: list[int]) -> dict[int, models.Decision]:
    """Those that the viewer may see."""
    return {row.pk: row for row in access.decisions_visible_to(viewer).filter(pk__in=ids)}
