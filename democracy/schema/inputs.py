"""Inputs of mutations. Every field is named: no other column can be set."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import strawberry

from democracy import services
from democracy.schema.scalars import BigInt, CommunityVisibility, Joining, ResultsVisibility, Role
from democracy.schema.types.whatif import StarsInput

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


@strawberry.input
class CreateCommunityInput:
    name: str
    description: str = ""
    visibility: CommunityVisibility = CommunityVisibility.MEMBERS
    joining: Joining | None = strawberry.field(default=None, description="Left out: REQUEST.")
    auto_approve: bool = strawberry.field(
        default=False, description="Approve applications at once.", deprecation_reason=USE_JOINING
    )
    idempotency_key: str = strawberry.field(default="", description=KEY)


@strawberry.input(description="Fields that are left out stay.")
class UpdateCommunityInput:
    community_id: strawberry.ID
    name: str | None = None
    description: str | None = None
    visibility: CommunityVisibility | None = None
    joining: Joining | None = None
    auto_approve: bool | None = strawberry.field(default=None, deprecation_reason=USE_JOINING)
    if_revision: BigInt | None = strawberry.field(default=None, description=_IF_REVISION)


@strawberry.input
class ApplyToCommunityInput:
    community_id: strawberry.ID
    message: str = ""


@strawberry.input
class DecideApplicationInput:
    application_id: strawberry.ID
    approve: bool


@strawberry.input(description="Fields that are left out stay.")
class UpdateMembershipInput:
    member_id: strawberry.ID
    role: Role | None = None
    is_manager: bool | None = None
    if_revision: BigInt | None = strawberry.field(default=None, description=_IF_REVISION)


@strawberry.input
class SetAnonymityInput:
    community_id: strawberry.ID
    anonymous: bool
    confirmed: bool = strawberry.field(
        default=False,
        description="Your consent that followings of you end; ANONYMITY_NEEDS_CONFIRMATION asks for it.",
    )


@strawberry.input(description="With an id, a choice that is kept; its texts may change.")
class ChoiceInput:
    title: str
    description: str = ""
    id: strawberry.ID | None = None


@strawberry.input(description="A draft: choices and times may be missing yet.")
class CreateDecisionInput:
    community_id: strawberry.ID
    title: str
    description: str = ""
    choices: list[ChoiceInput] = strawberry.field(default_factory=list)
    opens_at: datetime | None = strawberry.field(default=None, description="Left out: when it is published.")
    closes_at: datetime | None = None
    results_visibility: ResultsVisibility = ResultsVisibility.LIVE
    topics: list[str] = strawberry.field(default_factory=list, description=_TOPICS)
    reminder_hours: int | None = strawberry.field(default=None, description=f"Left out: 24. {_REMINDER}")
    idempotency_key: str = strawberry.field(default="", description=KEY)


@strawberry.input(
    description="Fields that are left out stay; a draft's time that is null is taken away. Of a published decision, "
    "only texts, reminderHours and, later, closesAt."
)
class UpdateDecisionInput:
    decision_id: strawberry.ID
    title: str | None = None
    description: str | None = None
    choices: list[ChoiceInput] | None = strawberry.field(default=None, description="All of them, in order.")
    opens_at: datetime | None = strawberry.UNSET
    closes_at: datetime | None = strawberry.UNSET
    results_visibility: ResultsVisibility | None = None
    topics: list[str] | None = strawberry.field(default=None, description=_TOPICS)
    reminder_hours: int | None = strawberry.field(default=None, description=_REMINDER)
    if_revision: BigInt | None = strawberry.field(default=None, description=_IF_REVISION)


@strawberry.input
class CallOffDecisionInput:
    decision_id: strawberry.ID
    reason: str = strawberry.field(description="Shown to everybody who sees the decision, and kept in the ledger.")


@strawberry.input
class PinDecisionInput:
    decision_id: strawberry.ID
    pinned: bool


@strawberry.input
class ClarifyDecisionInput:
    decision_id: strawberry.ID
    text: str


@strawberry.input
class CastVoteInput:
    decision_id: strawberry.ID
    stars: list[StarsInput] = strawberry.field(
        default_factory=list, description="Choices that are left out are unrated, which counts as 0 stars."
    )
    tags: list[str] | None = strawberry.field(
        default=None, description="Left out: as they were; on a first ballot, the decision's topics."
    )
    comment: str | None = strawberry.field(default=None, description="Left out: as it was.")
    abstain: bool = strawberry.field(
        default=False, description="Rate nothing, inherit nothing, hand nothing on to followers."
    )
    if_revision: BigInt | None = strawberry.field(default=None, description=_IF_REVISION)


@strawberry.input
class TagVoteInput:
    decision_id: strawberry.ID
    tags: list[str]


@strawberry.input
class FollowInput:
    member_id: strawberry.ID
    tags: list[str] = strawberry.field(default_factory=list, description="Empty: on everything.")
    order: int | None = strawberry.field(default=None, description="For display, 0 to 1,000.")
