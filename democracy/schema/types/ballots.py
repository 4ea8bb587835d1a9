"""Ballots, what they rest on, and what they carry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction

import strawberry

from accounts.api import Info
from democracy import access, models
from democracy.access import Viewer
from democracy.explaining import sources as explaining_sources
from democracy.presenting.numbers import exact_stars
from democracy.reading import ballots as reading_ballots
from democracy.reading import own_ballots as reading_own_ballots
from democracy.reading import receipts
from democracy.reading import start as reading_start
from democracy.reading.ballots import ShownBallot
from democracy.schema.scalars import BallotKind
from democracy.schema.types.ledger import Receipt
from democracy.schema.types.people import Voter
from democracy.schema.types.results import Choice, choices_of


@strawberry.type(
    description="A ballot's rating of a choice: 0 to 5 stars; whole ones in a cast ballot, an average in others."
)
class Rating:
    choice: Choice = strawberry.field(description="The choice that is rated.")
    microstars: int = strawberry.field(description="0 to 5,000,000; 1,000,000 microstars are a star.")

    @strawberry.field(
        description='The same in stars: a decimal number from 0 to 5, at most six decimals, such as "3.666667".'
    )
    def stars(self) -> str:
        return exact_stars(self.microstars)


@strawberry.type(description="A cast ballot that another rests on.")
class Source:
    member: Voter = strawberry.field(description="Whoever cast it, by name or under a pseudonym.")
    weight: float = strawberry.field(description="Its share; the weights of one ballot add up to 1.")
    weight_fraction: str | None = strawberry.field(description='The same exactly, such as "1/3", where that is known.')
    path: list[Voter] = strawberry.field(description="The strongest chain of followings to it, both ends included.")

    @classmethod
    def of(cls, source: explaining_sources.NamedSource, decision: models.Decision) -> Source:
        weight = source.weight

        def voter(member: models.Membership) -> Voter:
            is_unnamed = member.pk in source.unnamed
            return Voter(row=member, decision_pk=decision.pk, is_anonymous=is_unnamed, is_unnamed=is_unnamed)

        return cls(
            member=voter(source.member),
            weight=float(weight),
            weight_fraction=str(weight) if isinstance(weight, Fraction) else None,
            path=[voter(member) for member in source.path],
        )


@strawberry.type(
    description="A move of an inherited ballot: of a choice by a star or more, or to another best rated choice."
)
class BallotMove:
    move: strawberry.Private[reading_start.Move]
    decision: strawberry.Private[models.Decision]

    @strawberry.field(description="When it moved.")
    def at(self) -> datetime:
        return self.move.at

    @strawberry.field(description="The ratings before it, in the order of the choices.")
    async def before(self, info: Info) -> list[Rating]:
        choices = await choices_of(info, self.decision)
        return [Rating(choice=Choice.of(one), microstars=n) for one, n in zip(choices, self.move.before, strict=True)]


@strawberry.type(description="A member's ballot as it stands in a decision.")
class Ballot:
    shown: strawberry.Private[ShownBallot]

    @strawberry.field(description="Whose it is, by name or under a pseudonym.")
    def voter(self) -> Voter:
        shown = self.shown
        return Voter(
            row=shown.membership, decision_pk=shown.decision.pk, is_anonymous=shown.is_anonymous, kind=shown.kind
        )

    @strawberry.field(description="How its owner came to it.")
    def kind(self) -> BallotKind:
        return BallotKind(str(self.shown.kind))

    @strawberry.field(description="Whether it counts: it is a voter's, and no abstention.")
    def is_counted(self) -> bool:
        return self.shown.is_counted

    @strawberry.field(description="Its ratings of the choices, in their order; nothing for an abstention.")
    async def stars(self, info: Info) -> list[Rating]:
        choices = await choices_of(info, self.shown.decision)
        return _ratings(self.shown, choices)

    @strawberry.field(description="Empty for what an anonymous member inherits: they tell whom somebody follows.")
    def tags(self) -> list[str]:
        return list(self.shown.tags)

    @strawberry.field(description="The member's comment; null for inherited ballots and where nothing was written.")
    async def comment(self, info: Info) -> str | None:
        key = (self.shown.decision.pk, self.shown.membership.pk)
        return None if self.shown.kind == "inherited" else await info.context.load(_comments, key) or None

    @strawberry.field(description="Of your own ballot, if you cast it: what proves that it was recorded. Else null.")
    async def receipt(self, info: Info) -> Receipt | None:
        found = await info.context.load(own_receipts, (self.shown.decision.pk, self.shown.membership.pk))
        return None if found is None else Receipt(receipt=found)

    @strawberry.field(
        description="The last move of a ballot that you inherit; null where it has not moved, and for other ballots."
    )
    async def last_move(self, info: Info) -> BallotMove | None:
        move = await info.context.load(_moves, self.shown)
        return None if move is None else BallotMove(move=move, decision=self.shown.decision)

    @strawberry.field(
        description="The cast ballots that it rests on, heaviest first. Null where it is under a pseudonym and not "
        "yours (what somebody rests on tells whom they follow), and while ballots are hidden."
    )
    async def sources(self, info: Info) -> list[Source] | None:
        sources = await info.context.load(explaining_sources.explain, self.shown)
        return None if sources is None else [Source.of(source, self.shown.decision) for source in sources]


def _ratings(ballot: ShownBallot, choices: list[models.Choice]) -> list[Rating]:
    if ballot.kind == "abstained":
        return []
    return [Rating(choice=Choice.of(one), microstars=n) for one, n in zip(choices, ballot.microstars, strict=True)]


def _comments(viewer: Viewer, keys: list[tuple[int, int]]) -> Mapping[tuple[int, int], str]:
    return reading_ballots.comments_of(keys)


def _moves(viewer: Viewer, ballots: list[ShownBallot]) -> Mapping[ShownBallot, reading_start.Move]:
    own = [one for one in ballots if one.kind == "inherited" and access.is_self(viewer, one.membership)]
    found = reading_start.moves(viewer, own)
    return {one: found[one.decision.pk] for one in own if one.decision.pk in found}


def own_receipts(viewer: Viewer, keys: list[tuple[int, int]]) -> Mapping[tuple[int, int], receipts.Receipt]:
    return receipts.own_receipts(viewer, keys)


def own_ballots(viewer: Viewer, decisions: list[models.Decision]) -> dict[models.Decision, Ballot]:
    found = reading_own_ballots.own_ballots(viewer, decisions)
    return {one: Ballot(shown=found[one.pk]) for one in decisions if one.pk in found}


@strawberry.type(description="The influence of a cast ballot.")
class Influence:
    voter: Voter = strawberry.field(description="Whoever cast it.")
    ballots: float = strawberry.field(
        description="The number of counted ballots that it carries, itself included, without those under pseudonyms."
    )


def _named(member: models.Membership, decision: models.Decision) -> Voter:
    return Voter(row=member, decision_pk=decision.pk, is_anonymous=False)


def influence_pages(
    viewer: Viewer, keys: list[tuple[models.Decision, int, int]]
) -> dict[tuple[models.Decision, int, int], tuple[list[Influence], int]]:
    """From one place to another, and how many there are, of decisions that show their ballots."""
    found = {}
    for decision, start, stop in keys:
        if access.shows_ballots(decision):
            page, number = explaining_sources.influence(decision, start=start, stop=stop)
            nodes = [Influence(voter=_named(one.member, decision), ballots=one.ballots) for one in page]
            found[decision, start, stop] = (nodes, number)
    return found


@strawberry.type(description="A member in the delegation graph of a decision.")
class DelegationNode:
    voter: Voter = strawberry.field(description="The member, by name.")
    kind: BallotKind = strawberry.field(description="How they came to their ballot.")


@strawberry.type(description="An active following: the follower inherits through it in this decision.")
class DelegationEdge:
    follower: int = strawberry.field(description="A position in `nodes`.")
    followee: int = strawberry.field(description="A position in `nodes`.")
    tags: list[str] = strawberry.field(description="Of the following. Empty: on everything.")


@strawberry.type(description="The active followings of one decision, without members whose ballots bear pseudonyms.")
class DelegationGraph:
    nodes: list[DelegationNode] = strawberry.field(description="The members who follow or are followed so, by handle.")
    edges: list[DelegationEdge] = strawberry.field(description="The followings between these members.")
    is_complete: bool = strawberry.field(description="Whether these are all; else those with most followings.")


def delegation_of(
    viewer: Viewer, keys: list[tuple[models.Decision, int]]
) -> dict[tuple[models.Decision, int], DelegationGraph]:
    shown = [(decision, most) for decision, most in keys if access.shows_ballots(decision)]
    return {
        (decision, most): delegation_graph(decision, explaining_sources.active_followings(decision, most=most))
        for decision, most in shown
    }


def delegation_graph(decision: models.Decision, found: explaining_sources.ActiveFollowings) -> DelegationGraph:
    return DelegationGraph(
        nodes=[DelegationNode(voter=_named(member, decision), kind=BallotKind(kind)) for member, kind in found.members],
        edges=[DelegationEdge(follower=a, followee=b, tags=list(tags)) for a, b, tags in found.followings],
        is_complete=found.is_complete,
    )
