"""Mutations on webhooks, for managers."""

from __future__ import annotations

import strawberry

from accounts.api import Info, Payload, mutation, pk_of
from democracy import services
from democracy.schema.scalars import WebhookEvent
from democracy.schema.types.communities import Community
from democracy.schema.types.webhooks import Webhook


@strawberry.input
class CreateWebhookInput:
    community_id: strawberry.ID
    url: str = strawberry.field(description="Begins with https://, and leads to the public internet.")
    events: list[WebhookEvent] = strawberry.field(
        description="What the address is told of: DECISION_OPENED, DECISION_CLOSED, DECISION_RESULT."
    )


@strawberry.type
class WebhookPayload(Payload):
    webhook: Webhook | None = None


@strawberry.type
class WebhookSecretPayload(Payload):
    webhook: Webhook | None = None
    secret: str | None = strawberry.field(
        default=None, description="What messages are signed with. It is told this once: give it to the receiver."
    )


@strawberry.type
class DeleteWebhookPayload(Payload):
    community: Community | None = None
    deleted_id: strawberry.ID | None = None


@strawberry.type
class WebhookMutation:
    @mutation
    def create_webhook(self, info: Info, input: CreateWebhookInput) -> WebhookSecretPayload:
        """Have an address told when a community's decisions open, close and have a final result: by JSON, signed as
        Standard Webhooks says. For managers."""
        pk = pk_of("Community", input.community_id, field="community_id")
        events = [one.value for one in input.events]
        made = services.create_webhook(info.context.viewer, pk, url=input.url, events=events)
        return WebhookSecretPayload(webhook=Webhook(row=made), secret=made.secret)

    @mutation
    def delete_webhook(self, info: Info, webhook_id: strawberry.ID) -> DeleteWebhookPayload:
        """Delete a webhook; what waits for it is not sent any more. For managers."""
        pk = pk_of("Webhook", webhook_id, field="webhook_id")
        community = services.delete_webhook(info.context.viewer, pk)
        return DeleteWebhookPayload(community=Community(row=community), deleted_id=webhook_id)

    @mutation
    def renew_webhook_secret(self, info: Info, webhook_id: strawberry.ID) -> WebhookSecretPayload:
        """Give a webhook a new secret; the old one ends at once. For managers."""
        pk = pk_of("Webhook", webhook_id, field="webhook_id")
        renewed = services.renew_webhook_secret(info.context.viewer, pk)
        return WebhookSecretPayload(webhook=Webhook(row=renewed), secret=renewed.secret)

    @mutation
    def test_webhook(self, info: Info, webhook_id: strawberry.ID) -> WebhookPayload:
        """Send a test to a webhook; `deliveries` says moments later what came of it. For managers."""
        pk = pk_of("Webhook", webhook_id, field="webhook_id")
        return WebhookPayload(webhook=Webhook(row=services.send_webhook_test(info.context.viewer, pk)))
