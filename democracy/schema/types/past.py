"""A decision as of a past result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import strawberry

from accounts.api import Info
from democracy import models
from democracy.access import Viewer
from democracy.explaining.past_followings import past_followings
from democracy.reading.ballots import ShownBallot
from democracy.reading.past_ballots import PastBallots, past_ballots
from democracy.schema.arguments import MOST_NODES, After, First, Members, require_nodes
from democracy.schema.cursors import name_list
from democracy.schema.paging import DEFAULT_PAGE, Connection, Page, Places, connection
from democracy.schema.scalars import BallotKind, BigInt
from democracy.schema.types.ballots import DelegationGraph, Rating, delegation_graph
from democracy.schema.types.people import Voter
from democracy.schema.types.results import Choice, Result, choices_of


@strawberry.type(description="A ballot as it was when a past result was calculated.")
class PastBallot:
    member: Voter = strawberry.field(description="Whoever cast or inherited it, by name.")
    kind: BallotKind = strawberry.field(description="Cast, inherited, or an abstention.")
    is_counted: bool = strawberry.field(description="Whether it counted in the result.")
    tags: list[str] = strawberry.field(description="What it was about, in order.")
    stars: list[Rating] = strawberry.field(description="One rating for each choice, in the decision's order.")

    @classmethod
    def of(cls, shown: ShownBallot, choices: Sequence[models.Choice]) -> PastBallot:
        rated = zip(choices, shown.microstars, strict=True)
        stars = [Rating(choice=Choice.of(choice), microstars=microstars) for choice, microstars in rated]
        return cls(
            member=Voter(row=shown.membership, decision_pk=shown.decision.pk, is_anonymous=False, kind=shown.kind),
            kind=BallotKind(shown.kind),
            is_counted=shown.is_counted,
            tags=list(shown.tags),
            stars=stars,
        )


@strawberry.type(description="A decision as of a past result that keeps the ballots it rests on.")
class PastDecision:
    past: strawberry.Private[PastBallots]
    choices: strawberry.Private[list[models.Choice]]
    revision: BigInt = strawberry.field(description="That of the result.")

    @strawberry.field(description="The result as it was shown.")
    def result(self) -> Result:
        return Result.of(self.past.snapshot, self.choices)

    @strawberry.field(
        description="The ballots that it rests on, by handle: those that bore names, of members who are still there "
        "and not anonymous now."
    )
    async def ballots(self, info: Info, first: First = DEFAULT_PAGE, after: After = None) -> Connection[PastBallot]:
        page = Page(first, after)
        result = self.past.snapshot
        name = name_list("past ballots", parent=("decision", result.decision_id), filters=result.revision)
        places = Places.of(name, page)

        async def count() -> int:
            return len(self.past)

        shown = await info.context.load(_pages, (self.past, places.after, places.stop)) or []
        nodes = [PastBallot.of(one, self.choices) for one in shown]
        return connection(page, nodes, count=count, cursor=places.cursor)

    @strawberry.field(
        description=f"The followings that were active, between members of `ballots`: at most {MOST_NODES:,}."
    )
    async def delegation_graph(self, info: Info, first: Members = 200) -> DelegationGraph | None:
        require_nodes(first)
        return await info.context.load(_graphs, (self.past, first))


async def as_of(info: Info, decision: models.Decision, revision: int) -> PastDecision | None:
    """The decision as of the result of this revision."""
    past = await info.context.load(_past, (decision, revision))
    if past is None:
        return None
    return PastDecision(past=past, choices=await choices_of(info, decision), revision=BigInt(revision))


def _past(viewer: Viewer, keys: list[tuple[models.Decision, int]]) -> Mapping[tuple[models.Decision, int], PastBallots]:
    found = {key: past_ballots(viewer, *key) for key in keys}
    return {key: past for key, past in found.items() if past is not None}


def _graphs(viewer: Viewer, keys: list[tuple[PastBallots, int]]) -> Mapping[tuple[PastBallots, int], DelegationGraph]:
    return {
        (past, most): delegation_graph(past.snapshot.decision, past_followings(past, most=most)) for past, most in keys
    }


def _pages(
    viewer: Viewer, keys: list[tuple[PastBallots, int, int]]
) -> Mapping[tuple[PastBallots, int, int], list[ShownBallot]]:
    return {(past, start, stop): past[start:stop] for past, start, stop in keys}
