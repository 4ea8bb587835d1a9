"""Decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import strawberry
import strawberry_django
from django.db.models import QuerySet
from django.utils import timezone

from accounts.api import Info, Node, RowType, column
from democracy import access, models
from democracy.access import Viewer
from democracy.presenting import addresses
from democracy.presenting.audiences import audiences
from democracy.presenting.markdown import as_html
from democracy.presenting.sharing import embeds
from democracy.reading import ballots as reading_ballots
from democracy.reading import decisions as reading_decisions
from democracy.schema import orders
from democracy.schema.arguments import MOST_NODES, After, First, Members, PastRevision, require_nodes
from democracy.schema.cursors import name_list, seal, unseal
from democracy.schema.orders import DecisionOrder
from democracy.schema.paging import DEFAULT_PAGE, Connection, Listing, Page, Places, connection
from democracy.schema.rows import relation
from democracy.schema.scalars import DecisionStatus, ResultsVisibility
from democracy.schema.types.ballots import (
    Ballot,
    DelegationGraph,
    Influence,
    delegation_of,
    influence_pages,
    own_ballots,
)
from democracy.schema.types.belonging import ItsCommunity
from democracy.schema.types.past import PastDecision, as_of
from democracy.schema.types.results import (
    CalculationStatus,
    Choice,
    Result,
    choices_of,
    snapshots_of,
    statuses_of,
    with_choices,
)

_CLOSING_LAST = orders.DECISIONS[DecisionOrder.CLOSING_LAST]
DECISIONS = Listing(reading_decisions.decisions_of_communities, _CLOSING_LAST, "community_id")
ALL_DECISIONS = Listing(reading_decisions.decisions_listed, _CLOSING_LAST)
HISTORY = Listing(reading_decisions.snapshots_of, ("pk",), "decision_id")

_BallotPage = tuple[models.Decision, reading_ballots.Name | None, int]


@strawberry_django.type(
    models.Clarification,
    description="A manager's addition to a question, whose own words are frozen from the opening on.",
)
class Clarification(RowType):
    at: datetime = column("When it was added.")
    text: str = column("It may be Markdown: links, lists, emphasis.")

    @strawberry.field(description="The text as HTML that is safe to show.")
    def text_html(self, root: models.Clarification) -> str:
        return as_html(root.text)


@strawberry.type(description="A manager's word that a decision gets no result.")
class CallingOff:
    at: datetime = strawberry.field(description="When voting ended by it.")
    reason: str = strawberry.field(description="Why, in the manager's words.")


@strawberry_django.type(models.Decision, description="A question put to a community. Drafts are seen by its managers.")
class Decision(Node):
    title: str = column("The question, in one line of text.")
    description: str = column("It may be Markdown: links, lists, emphasis.")
    opens_at: datetime | None = column("Voting is open from then on.")
    closes_at: datetime | None = column("Until just before then.")
    published_at: datetime | None = column("Null for drafts.")
    topics: list[str] = column("Tags. A ballot whose caster says nothing of tags bears these.")
    is_pinned: bool = column("Whether a manager put it at the top of its community's page.")
    reminder_hours: int = column(
        "Hours before closing at which people without a ballot of their own are reminded; 0: never."
    )
    lot_seed: str = column(
        'Drawn when it was published: a choice\'s lot is its rank in SHA-256(seed + ":" + the number in its id). Empty '
        "for drafts, and where the lots came with a file."
    )

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.Decision], info: Info) -> QuerySet[models.Decision]:
        return access.decisions_visible_to(info.context.viewer) & queryset

    @strawberry.field(description="Its phase, by the clock.")
    def status(self, root: models.Decision) -> DecisionStatus:
        return DecisionStatus(root.status.value)

    @strawberry.field(description="The description, which may be Markdown, as HTML that is safe to show.")
    def description_html(self, root: models.Decision) -> str:
        return as_html(root.description)

    @strawberry.field(description="Null unless the decision was called off.")
    def called_off(self, root: models.Decision) -> CallingOff | None:
        return None if root.called_off_at is None else CallingOff(at=root.called_off_at, reason=root.called_off_reason)

    @strawberry.field(description="When results and ballots are shown; fixed once it is published.")
    def results_visibility(self, root: models.Decision) -> ResultsVisibility:
        return ResultsVisibility(root.results_visibility)

    @strawberry.field(description="Whether ballots, and all that is derived from single ballots, are shown now.")
    def shows_ballots(self, root: models.Decision) -> bool:
        return access.shows_ballots(root)

    @strawberry.field(
        description="The address at which a manager has published the result of a members-only decision; null where "
        "none is published."
    )
    async def published_result_address(self, info: Info, root: models.Decision) -> str | None:
        token = await info.context.load(_published_results, root.pk)
        return addresses.of_token("published-result", token) if token else None

    @strawberry.field(
        description="The address of a page that other sites may show in a frame: of decisions that everybody may read, "
        "and of published results; null for others."
    )
    async def embed_address(self, info: Info, root: models.Decision) -> str | None:
        return await info.context.load(_embeds, root)

    @strawberry.field(description="The address of the report for paper; null for drafts.")
    def report_address(self, root: models.Decision) -> str | None:
        return addresses.of_decision("decision-report", root) if root.published_at else None

    @strawberry.field(description="The address of its opening and closing as a calendar (iCalendar); null for drafts.")
    def calendar_address(self, root: models.Decision) -> str | None:
        return addresses.of_decision("decision-calendar", root) if root.published_at else None

    community: ItsCommunity = relation("The one whose members vote on it.")

    @strawberry_django.field(
        prefetch_related=[with_choices],
        description="In the order that ballots and results keep; 2 to 50 once it is published.",
    )
    async def choices(self, info: Info, root: models.Decision) -> list[Choice]:
        return [Choice.of(row) for row in await choices_of(info, root)]

    @strawberry.field(description="Oldest first.")
    async def clarifications(self, info: Info, root: models.Decision) -> list[Clarification]:
        return [Clarification.of(row) for row in await info.context.load(_clarifications, root.pk) or []]

    @strawberry.field(description="The tags on the cast ballots. Null while ballots are hidden.")
    async def tags(self, info: Info, root: models.Decision) -> list[str] | None:
        return await info.context.load(_tags, root)

    @strawberry_django.field(
        annotate={
            "has_final": lambda info: reading_decisions.has_final(),
            "is_claimed": lambda info: reading_decisions.is_claimed(timezone.now()),
        },
        description="Whether `result` is that of the newest inputs.",
    )
    async def calculation(self, info: Info, root: models.Decision) -> CalculationStatus:
        if "is_claimed" in vars(root):
            return CalculationStatus(state=reading_decisions.state_of(root))
        return cast(CalculationStatus, await info.context.load(statuses_of, root.pk))

    @strawberry_django.field(
        prefetch_related=[with_choices],
        description="The newest result that may be shown; null where there is none yet.",
    )
    async def result(self, info: Info, root: models.Decision) -> Result | None:
        snapshot = await info.context.load(snapshots_of, root.pk)
        return None if snapshot is None else Result.of(snapshot, await choices_of(info, root))

    @strawberry.field(
        description="The number of ballots that have been cast, those of members who have left among them; while "
        f"ballots are hidden, rounded down to a multiple of {reading_ballots.TURNOUT_STEP}. Null for drafts."
    )
    async def turnout(self, info: Info, root: models.Decision) -> int | None:
        return await info.context.load(_turnouts, root)

    @strawberry.field(
        description="A sentence that says who will see a ballot that you cast here, when, and with which name; null "
        "where you cannot vote."
    )
    async def ballot_audience(self, info: Info, root: models.Decision) -> str | None:
        return await info.context.load(_audiences, root)

    @strawberry_django.field(
        prefetch_related=[with_choices],
        description="Your own ballot, as you cast it or as you inherit it; null where you have none. While ballots are "
        "hidden, only as you cast it.",
    )
    async def my_ballot(self, info: Info, root: models.Decision) -> Ballot | None:
        return await info.context.load(own_ballots, root)

    @strawberry_django.field(
        prefetch_related=[with_choices],
        description="All ballots: those with names by handle, then those under pseudonyms by these. Null while they "
        "are hidden.",
    )
    async def ballots(
        self, info: Info, root: models.Decision, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Ballot] | None:
        return await _ballots(info, root, Page(first, after))

    @strawberry_django.field(prefetch_related=[with_choices], description="The results that were shown, oldest first.")
    async def history(
        self, info: Info, root: models.Decision, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Result]:
        choices = await choices_of(info, root)
        return await HISTORY.page(info, Page(first, after), lambda row: Result.of(row, choices), parent=root.pk)

    @strawberry.field(
        description="The decision as of the result of a revision that `history` lists; null where that result does not "
        "keep the ballots it rests on (`keepsBallots`), and while ballots are hidden."
    )
    async def as_of(self, info: Info, root: models.Decision, revision: PastRevision) -> PastDecision | None:
        return await as_of(info, root, revision)

    @strawberry.field(
        description="The influence of each cast ballot that bears a name, most first. Null while ballots are hidden."
    )
    async def influence(
        self, info: Info, root: models.Decision, first: First = DEFAULT_PAGE, after: After = None
    ) -> Connection[Influence] | None:
        page = Page(first, after)
        places = Places.of(name_list("influence", parent=("decision", root.pk)), page)
        found = await info.context.load(influence_pages, (root, places.after, places.stop))
        if found is None:
            return None
        nodes, number = found

        async def count() -> int:
            return number

        return connection(page, nodes, count=count, cursor=places.cursor)

    @strawberry.field(description=f"At most {MOST_NODES:,} members. Null while ballots are hidden.")
    async def delegation_graph(self, info: Info, root: models.Decision, first: Members = 200) -> DelegationGraph | None:
        require_nodes(first)
        return await info.context.load(delegation_of, (root, first))


async def _ballots(info: Info, decision: models.Decision, page: Page) -> Connection[Ballot] | None:
    async def count() -> int:
        return await info.context.load(_ballot_counts, decision) or 0

    name = name_list("ballots", parent=("decision", decision.pk))
    behind = None if page.after is None else tuple(unseal(name, page.after))
    ballots = await info.context.load(_ballot_pages, (decision, behind, page.first + 1))
    if ballots is None:
        return None

    def cursor(index: int) -> str:
        return seal(name, reading_ballots.name_of(ballots[index]))

    return connection(page, [Ballot(shown=one) for one in ballots], count=count, cursor=cursor)


def _ballot_pages(viewer: Viewer, keys: list[_BallotPage]) -> Mapping[_BallotPage, list[reading_ballots.ShownBallot]]:
    pages: dict[_BallotPage, list[reading_ballots.ShownBallot]] = {}
    for behind, most in {(behind, most) for _, behind, most in keys}:
        decisions = [one for one, *place in keys if place == [behind, most] and access.shows_ballots(one)]
        found = reading_ballots.ballots_of(decisions, behind=behind, most=most)
        pages |= {(one, behind, most): found[one.pk] for one in decisions}
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
