"""Answers to "what if": a decision after changes that nobody made."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry
from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts.api import Info, pk_of
from democracy import models
from democracy.access import Viewer
from democracy.errors import InvalidInput, InvalidStars
from democracy.explaining import what_if as tried
from democracy.models import MAX_CHOICES
from democracy.models.results import DecisionResult
from democracy.reading.ballots import ShownBallot
from democracy.reading.decisions import choices_of
from democracy.schema.scalars import BigInt
from democracy.schema.types.ballots import Ballot, Source
from democracy.schema.types.decisions import Decision
from democracy.schema.types.results import Result

UNRATED = "Choices that are left out are unrated, which counts as 0 stars."
ABSTAIN = "Rate nothing, inherit nothing, hand nothing on to followers."


@strawberry.input(description="Stars for one choice.")
class StarsInput:
    choice_id: strawberry.ID = strawberry.field(description="One of the decision's; each is rated once.")
    stars: int = strawberry.field(description="A whole number from 0 to 5.")


@strawberry.input(description="Follow this member, or follow them on other tags.")
class WhatIfFollowInput:
    member_id: strawberry.ID = strawberry.field(description="Whom, of the same community.")
    tags: list[str] = strawberry.field(default_factory=list, description="Empty: on everything.")


@strawberry.input(description="Follow this member no longer.")
class WhatIfUnfollowInput:
    member_id: strawberry.ID = strawberry.field(description="Whom, of those you follow.")


@strawberry.input(description="Cast this ballot.")
class WhatIfVoteInput:
    stars: list[StarsInput] = strawberry.field(default_factory=list, description=UNRATED)
    abstain: bool = strawberry.field(default=False, description=ABSTAIN)
    tags: list[str] | None = strawberry.field(
        default=None, description="Left out: those of your ballot; without one, the decision's topics."
    )


@strawberry.input(one_of=True, description="One change.")
class ChangeInput:
    follow: WhatIfFollowInput | None = strawberry.field(
        default=strawberry.UNSET, description="Follow a member, or change on which tags."
    )
    unfollow: WhatIfUnfollowInput | None = strawberry.field(
        default=strawberry.UNSET, description="Stop following a member."
    )
    vote: WhatIfVoteInput | None = strawberry.field(
        default=strawberry.UNSET, description="Cast a ballot, in place of the one that you have."
    )
    withdraw: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Have no ballot of your own: give true."
    )

    def read(self) -> tried.TriedChange:
        if self.follow:
            return tried.Follow(pk_of("Member", self.follow.member_id, field="member_id"), tuple(self.follow.tags))
        if self.unfollow:
            return tried.Unfollow(pk_of("Member", self.unfollow.member_id, field="member_id"))
        if self.vote:
            stars = read_stars(self.vote.stars)
            tags = None if self.vote.tags is None else tuple(self.vote.tags)
            return tried.Cast(tuple(stars.items()), tags, self.vote.abstain)
        if self.withdraw:
            return tried.Withdraw()
        raise InvalidInput("A change is to follow, to unfollow, to vote, or to withdraw: true.", field="changes")


def read_stars(ratings: Sequence[StarsInput]) -> dict[int, int]:
    """Stars by choice. Raises InvalidId, and InvalidStars where a choice is rated twice."""
    if len(ratings) > MAX_CHOICES:
        raise InvalidStars(f"A decision has at most {MAX_CHOICES} choices.")
    stars = {pk_of("Choice", one.choice_id, field="stars"): one.stars for one in ratings}
    if len(stars) < len(ratings):
        raise InvalidStars("Each choice is rated once.")
    return stars


@strawberry.type(description="A decision as it stands, and as it would be after the changes. Nothing is written.")
class WhatIf:
    answer: strawberry.Private[tried.WhatIf]
    choices: strawberry.Private[list[models.Choice]]
    changes: strawberry.Private[list[tried.TriedChange]]
    others_changed: int = strawberry.field(
        description="The number of other members' ballots that would change with yours, without those under pseudonyms."
    )

    @strawberry.field(description="The result as the inputs stand now.")
    def before(self) -> Result:
        return _result(self.answer, self.answer.before, self.choices)

    @strawberry.field(description="The result as it would be.")
    def after(self) -> Result:
        return _result(self.answer, self.answer.after, self.choices)

    @strawberry.field(description="Yours as it stands, cast or inherited; null where you have none.")
    def my_ballot_before(self) -> Ballot | None:
        return _ballot(self.answer.ballot_before)

    @strawberry.field(description="Its sources are those of the ballot as it stands: ask for `mySourcesAfter`.")
    def my_ballot_after(self) -> Ballot | None:
        return _ballot(self.answer.ballot_after)

    @strawberry.field(description="The sources that your ballot would have, heaviest first.")
    def my_sources_after(self) -> list[Source]:
        return [Source.of(source, self.answer.decision) for source in self.answer.sources_after]

    @strawberry.field(
        description="The open decisions of the community, at most 20, in which your ballot would change if you "
        "followed and unfollowed so; those whose ballots are hidden are left out."
    )
    async def decisions_changed(self, info: Info) -> list[Decision]:
        changed = sync_to_async(tried.decisions_changed)
        return [Decision.of(row) for row in await changed(info.context.viewer, self.answer.decision.pk, self.changes)]


def _result(answer: tried.WhatIf, content: DecisionResult, choices: list[models.Choice]) -> Result:
    return Result(
        content=content,
        by_id={choice.pk: choice for choice in choices},
        decision_pk=answer.decision.pk,
        revision=BigInt(answer.revision),
        calculated_at=timezone.now(),
        is_final=False,
    )


def _ballot(shown: ShownBallot | None) -> Ballot | None:
    return None if shown is None else Ballot(shown=shown)


def what_if(viewer: Viewer, decision_id: strawberry.ID, changes: Sequence[ChangeInput]) -> WhatIf:
    """Raises what `explaining.what_if.what_if` raises, and InvalidId."""
    read = [change.read() for change in changes[: tried.MAX_CHANGES + 1]]
    answer = tried.what_if(viewer, pk_of("Decision", decision_id, field="decision_id"), read)
    choices = choices_of([answer.decision.pk])[answer.decision.pk]
    return WhatIf(answer=answer, choices=choices, changes=read, others_changed=answer.others_changed)
