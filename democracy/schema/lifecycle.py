"""The mutations on the life of a decision besides its words."""

from __future__ import annotations

from typing import Annotated

import strawberry

from accounts.api import Info, Input, Payload, mutation, pk_of
from democracy import access, services
from democracy.schema import inputs
from democracy.schema.arguments import DecisionId
from democracy.schema.mutations import DecisionPayload
from democracy.schema.types.communities import Community
from democracy.schema.types.decisions import Decision


@strawberry.type(description="The answer to `deleteDraft`.")
class DeleteDraftPayload(Payload):
    community: Community | None = strawberry.field(default=None, description="The one that the draft was in.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="The `id` that the draft had: drop it from what you keep."
    )


@strawberry.type
class Mutation:
    @mutation
    def delete_draft(self, info: Info, decision_id: DecisionId) -> DeleteDraftPayload:
        """Delete a draft for good. For managers."""
        pk = pk_of("Decision", decision_id, field="decision_id")
        community = services.delete_draft(info.context.viewer, pk)
        return DeleteDraftPayload(community=Community.of(community), deleted_id=decision_id)

    @mutation
    def call_off_decision(self, info: Info, input: Input[inputs.CallOffDecisionInput]) -> DecisionPayload:
        """Call a published decision off before it closes: it gets no result, its ballots are kept, and nothing is
        calculated any more. It can't be undone. For managers."""
        pk = pk_of("Decision", input.decision_id, field="decision_id")
        return DecisionPayload(decision=Decision.of(services.call_off(info.context.viewer, pk, reason=input.reason)))

    @mutation
    def copy_decision(
        self,
        info: Info,
        decision_id: DecisionId,
        idempotency_key: Annotated[str, strawberry.argument(description=inputs.KEY)] = "",
    ) -> DecisionPayload:
        """Draft a decision with the words, choices, topics and visibility of this one, without times. For managers."""
        viewer, pk = info.context.viewer, pk_of("Decision", decision_id, field="decision_id")
        sending = services.Sending("copyDecision", idempotency_key, {"decision": pk})
        made = services.once(viewer, sending, lambda: services.copy_decision(viewer, pk).pk)
        return DecisionPayload(decision=Decision.of(access.require_decision(viewer, made)))

    @mutation
    def pin_decision(self, info: Info, input: Input[inputs.PinDecisionInput]) -> DecisionPayload:
        """Put a published decision at the top of its community's page, or take it from there. For managers."""
        pk = pk_of("Decision", input.decision_id, field="decision_id")
        changed = services.pin_decision(info.context.viewer, pk, pinned=input.pinned)
        return DecisionPayload(decision=Decision.of(changed))

    @mutation
    def remind_members(self, info: Info, decision_id: DecisionId) -> DecisionPayload:
        """Have those reminded who have no ballot of their own in an open decision, at most once in 24 hours. Nobody
        learns who they are, or how many. For managers."""
        pk = pk_of("Decision", decision_id, field="decision_id")
        return DecisionPayload(decision=Decision.of(services.remind(info.context.viewer, pk)))
