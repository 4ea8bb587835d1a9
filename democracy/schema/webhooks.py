"""Mutations on webhooks, for managers."""

from __future__ import annotations

import strawberry

from accounts.api import Info, Input, Payload, mutation, pk_of
from democracy import services
from democracy.schema.arguments import WebhookId
from democracy.schema.scalars import WebhookEvent
from democracy.schema.types.communities import Community
from democracy.schema.types.webhooks import Webhook


@strawberry.input(description="An address to tell of decisions.")
class CreateWebhookInput:
    community_id: strawberry.ID = strawberry.field(description="Whose decisions it is told of.")
    url: str = strawberry.field(description="Begins with https://, and leads to the public internet.")
    events: list[WebhookEvent] = strawberry.field(
        description="What the address is told of: DECISION_OPENED, DECISION_CLOSED, DECISION_RESULT."
    )


@strawberry.type(description="The answer to `testWebhook`.")
class WebhookPayload(Payload):
    webhook: Webhook | None = strawberry.field(default=None, description="As it stands now.")


@strawberry.type(
    description="The answer to `createWebhook` and `renewWebhookSecret`, the only ones that tell the secret."
)
class WebhookSecretPayload(Payload):
    webhook: Webhook | None = strawberry.field(default=None, description="As it stands now.")
    secret: str | None = strawberry.field(
        default=None, description="What messages are signed with. It is told this once: give it to the receiver."
    )


@strawberry.type(description="The answer to `deleteWebhook`.")
class DeleteWebhookPayload(Payload):
    community: Community | None = strawberry.field(default=None, description="The one whose decisions it was told of.")
    deleted_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the webhook that is gone, for clients that keep it."
    )


@strawberry.type
class WebhookMutation:
    @mutation
    def create_webhook(self, info: Info, input: Input[CreateWebhookInput]) -> WebhookSecretPayload:
        """Have an address told when a community's decisions open, close and have a final result: by JSON, signed as
        Standard Webhooks says. For managers."""
        pk = pk_of("Community", input.community_id, field="community_id")
        events = [one.value for one in input.events]
        made = services.create_webhook(info.context.viewer, pk, url=input.url, events=events)
        return WebhookSecretPayload(webhook=Webhook.of(made), secret=made.secret)

    @mutation
    def delete_webhook(self, info: Info, webhook_id: WebhookId) -> DeleteWebhookPayload:
        """Delete a webhook; what waits for it is not sent any more. For managers."""
        pk = pk_of("Webhook", webhook_id, field="webhook_id")
        community = services.delete_webhook(info.context.viewer, pk)
        return DeleteWebhookPayload(community=Community.of(community), deleted_id=webhook_id)

    @mutation
    def renew_webhook_secret(self, info: Info, webhook_id: WebhookId) -> WebhookSecretPayload:
        """Give a webhook a new secret; the old one ends at once. For managers."""
        pk = pk_of("Webhook", webhook_id, field="webhook_id")
        renewed = services.renew_webhook_secret(info.context.viewer, pk)
        return WebhookSecretPayload(webhook=Webhook.of(renewed), secret=renewed.secret)

    @mutation
    def test_webhook(self, info: Info, webhook_id: WebhookId) -> WebhookPayload:
        """Send a test to a webhook; `deliveries` says moments later what came of it. For managers."""
        pk = pk_of("Webhook", webhook_id, field="webhook_id")
        return WebhookPayload(webhook=Webhook.of(services.send_webhook_test(info.context.viewer, pk)))
