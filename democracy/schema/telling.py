"""Mutations and fields that tell of results outside the community."""

from __future__ import annotations

import strawberry

from accounts.api import Info, Payload, mutation, pk_of
from democracy import services
from democracy.presenting import addresses
from democracy.schema.arguments import DecisionId
from democracy.schema.types.decisions import Decision


@strawberry.type(description="The answer to `publishResult`.")
class PublishResultPayload(Payload):
    decision: Decision | None = strawberry.field(default=None, description="The one whose result it is.")
    address: str | None = strawberry.field(
        default=None, description="Whoever has it sees the question, the result and the turnout, without signing in."
    )


@strawberry.type(description="The answer to `withdrawResult`.")
class WithdrawResultPayload(Payload):
    decision: Decision | None = strawberry.field(default=None, description="The one whose result it is.")


@strawberry.type
class TellingMutation:
    @mutation
    def publish_result(self, info: Info, decision_id: DecisionId) -> PublishResultPayload:
        """Publish the result of a closed members-only decision at an address of its own, which nobody can guess.
        Published again, it keeps its address. For managers."""
        pk = pk_of("Decision", decision_id, field="decision_id")
        published = services.publish_result(info.context.viewer, pk)
        return PublishResultPayload(
            decision=Decision.of(published.decision),
            address=addresses.of_token("published-result", published.token),
        )

    @mutation
    def withdraw_result(self, info: Info, decision_id: DecisionId) -> WithdrawResultPayload:
        """Withdraw a published result: its address leads nowhere from now on. For managers."""
        pk = pk_of("Decision", decision_id, field="decision_id")
        return WithdrawResultPayload(decision=Decision.of(services.withdraw_result(info.context.viewer, pk)))
