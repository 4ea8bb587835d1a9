"""Inputs of mutations. Every field is named: no other column can be set."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import strawberry

from democracy import services
from democracy.schema.scalars import BigInt, CommunityVisibility, Joining, ResultsVisibility, Role
from democracy.schema.types.whatif import ABSTAIN, UNRATED, StarsInput

USE_JOINING = "Use joining, which wins where both are given."
_IF_REVISION = (
    "The community's `revision` as you know it. What was changed after it is not changed: CHANGED_MEANWHILE. Left out: "
    "the last change wins."
)
KEY = (
    "At most 100 characters of your choice, new for each new thing. Sent again with the same key and input within a "
    "day, it is done once, and answered as the first time."
)
_TOPICS = "Tags. A ballot whose caster says nothing of tags bears these. They are fixed once voting opens."
_REMINDER = (
    "Hours before closing at which people without a ballot of their own are reminded: 0 (never) to 720. In decisions "
    "shorter than twice these hours, when half of the time is over."
)


def sending(mutation: str, input: Any) -> services.Sending:
    """An input with its idempotency key."""
    given = asdict(input)
    return services.Sending(mutation, given.pop("idempotency_key"), given)


@strawberry.input(description="A community to found.")
class CreateCommunityInput:
    name: str = strawberry.field(description="1 to 120 characters, unlike every other community's.")
    description: str = strawberry.field(
        default="", description="At most 5,000 characters; it may be Markdown: links, lists, emphasis."
    )
    visibility: CommunityVisibility = strawberry.field(
        default=CommunityVisibility.MEMBERS, description="Who may read its decisions, results and members."
    )
    joining: Joining | None = strawberry.field(default=None, description="Left out: REQUEST.")
    auto_approve: bool = strawberry.field(
        default=False, description="Approve applications at once.", deprecation_reason=USE_JOINING
    )
    idempotency_key: str = strawberry.field(default="", description=KEY)


@strawberry.input(description="Fields that are left out stay.")
class UpdateCommunityInput:
    community_id: strawberry.ID = strawberry.field(description="The one to change.")
    name: str | None = strawberry.field(
        default=None, description="1 to 120 characters, unlike every other community's."
    )
    description: str | None = strawberry.field(
        default=None, description="At most 5,000 characters; it may be Markdown: links, lists, emphasis."
    )
    visibility: CommunityVisibility | None = strawberry.field(
        default=None, description="Who may read its decisions, results and members."
    )
    joining: Joining | None = strawberry.field(default=None, description="How people become members from now on.")
    auto_approve: bool | None = strawberry.field(
        default=None, description="Approve applications at once.", deprecation_reason=USE_JOINING
    )
    if_revision: BigInt | None = strawberry.field(default=None, description=_IF_REVISION)


@strawberry.input(description="An application, or another message for one that is pending.")
class ApplyToCommunityInput:
    community_id: strawberry.ID = strawberry.field(description="The one to join.")
    message: str = strawberry.field(default="", description="For its managers; at most 2,000 characters.")


@strawberry.input(description="A manager's answer to an application.")
class DecideApplicationInput:
    application_id: strawberry.ID = strawberry.field(description="A pending one.")
    approve: bool = strawberry.field(description="True: whoever applied is a member now. False: it is rejected.")


@strawberry.input(description="Fields that are left out stay.")
class UpdateMembershipInput:
    member_id: strawberry.ID = strawberry.field(description="Whose role or right changes.")
    role: Role | None = strawberry.field(default=None, description="Whether their ballot is counted from now on.")
    is_manager: bool | None = strawberry.field(
        default=None, description="Whether they keep the roll, and draft and publish decisions."
    )
    if_revision: BigInt | None = strawberry.field(default=None, description=_IF_REVISION)


@strawberry.input(description="A step into anonymity, or out of it.")
class SetAnonymityInput:
    community_id: strawberry.ID = strawberry.field(description="Where; anonymity in other communities stays as it is.")
    anonymous: bool = strawberry.field(description="True: become so, which voters can. False: give it up.")
    confirmed: bool = strawberry.field(
        default=False,
        description="Your consent that followings of you end; ANONYMITY_NEEDS_CONFIRMATION asks for it.",
    )


@strawberry.input(description="With an id, a choice that is kept; its texts may change.")
class ChoiceInput:
    title: str = strawberry.field(description="1 to 200 characters, unlike the other choices'.")
    description: str = strawberry.field(
        default="", description="At most 5,000 characters; it may be Markdown: links, lists, emphasis."
    )
    id: strawberry.ID | None = strawberry.field(
        default=None, description="Of a choice that the draft has already; null makes a new one."
    )


@strawberry.input(description="A draft: choices and times may be missing yet.")
class CreateDecisionInput:
    community_id: strawberry.ID = strawberry.field(description="Whose members are asked.")
    title: str = strawberry.field(description="The question, in 1 to 200 characters.")
    description: str = strawberry.field(
        default="", description="At most 20,000 characters; it may be Markdown: links, lists, emphasis."
    )
    choices: list[ChoiceInput] = strawberry.field(
        default_factory=list, description="In their order; at most 50, and at least 2 when it is published."
    )
    opens_at: datetime | None = strawberry.field(default=None, description="Left out: when it is published.")
    closes_at: datetime | None = strawberry.field(
        default=None, description="When voting ends. It may be missing until it is published."
    )
    results_visibility: ResultsVisibility = strawberry.field(
        default=ResultsVisibility.LIVE, description="When results and ballots are shown; fixed once it is published."
    )
    topics: list[str] = strawberry.field(default_factory=list, description=_TOPICS)
    reminder_hours: int | None = strawberry.field(default=None, description=f"Left out: 24. {_REMINDER}")
    idempotency_key: str = strawberry.field(default="", description=KEY)


@strawberry.input(
    description="Fields that are left out stay; a draft's time that is null is taken away. Of a published decision, "
    "only texts, reminderHours and, later, closesAt."
)
class UpdateDecisionInput:
    decision_id: strawberry.ID = strawberry.field(description="The one to change.")
    title: str | None = strawberry.field(
        default=None, description="The question, in 1 to 200 characters; fixed once voting opens."
    )
    description: str | None = strawberry.field(
        default=None, description="At most 20,000 characters, which may be Markdown; fixed once voting opens."
    )
    choices: list[ChoiceInput] | None = strawberry.field(
        default=None, description="All of them, in their order; fixed once it is published."
    )
    opens_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When voting opens; fixed once it is published."
    )
    closes_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When voting ends; of a published decision, not earlier than before."
    )
    results_visibility: ResultsVisibility | None = strawberry.field(
        default=None, description="When results and ballots are shown; fixed once it is published."
    )
    topics: list[str] | None = strawberry.field(default=None, description=_TOPICS)
    reminder_hours: int | None = strawberry.field(default=None, description=_REMINDER)
    if_revision: BigInt | None = strawberry.field(default=None, description=_IF_REVISION)


@strawberry.input(description="An end before closing, without a result.")
class CallOffDecisionInput:
    decision_id: strawberry.ID = strawberry.field(description="A published one that has not closed.")
    reason: str = strawberry.field(
        description="Shown to everybody who sees the decision, and kept in the ledger; 1 to 2,000 characters."
    )


@strawberry.input(description="A place at the top of a community's page; it has 5 of them.")
class PinDecisionInput:
    decision_id: strawberry.ID = strawberry.field(description="A published one.")
    pinned: bool = strawberry.field(description="True: put it there. False: take it away.")


@strawberry.input(description="Words to add to a question that is published.")
class ClarifyDecisionInput:
    decision_id: strawberry.ID = strawberry.field(description="A published one that has not closed.")
    text: str = strawberry.field(description="1 to 2,000 characters; it may be Markdown: links, lists, emphasis.")


@strawberry.input(description="A ballot, in place of the one that you have. It rates something, or it abstains.")
class CastVoteInput:
    decision_id: strawberry.ID = strawberry.field(description="An open one, of a community of yours.")
    stars: list[StarsInput] = strawberry.field(default_factory=list, description=UNRATED)
    tags: list[str] | None = strawberry.field(
        default=None, description="Left out: as they were; on a first ballot, the decision's topics."
    )
    comment: str | None = strawberry.field(
        default=None, description="At most 2,000 characters, shown with the ballot. Left out: as it was."
    )
    abstain: bool = strawberry.field(default=False, description=ABSTAIN)
    if_revision: BigInt | None = strawberry.field(default=None, description=_IF_REVISION)


@strawberry.input(description="Other tags for the ballot that you cast.")
class TagVoteInput:
    decision_id: strawberry.ID = strawberry.field(description="An open one, in which you have voted.")
    tags: list[str] = strawberry.field(
        description="All of them, at most 20 of at most 50 characters; they replace those that it bears."
    )


@strawberry.input(description="Whom to follow, and on what.")
class FollowInput:
    member_id: strawberry.ID = strawberry.field(description="A member of a community of yours, who is not anonymous.")
    tags: list[str] = strawberry.field(
        default_factory=list, description="At most 20 of at most 50 characters. Empty: on everything."
    )
    order: int | None = strawberry.field(
        default=None, description="The place in your list, for display: 0 to 1,000. Left out: as it was, or last."
    )
