"""Webhooks, as the managers of a community see them."""

from __future__ import annotations

from datetime import datetime

import strawberry
import strawberry_django
from django.db.models import QuerySet

from accounts.api import Info, Node, RowType, column
from democracy import access, models
from democracy.reading.webhooks import last_deliveries
from democracy.schema.rows import relation
from democracy.schema.scalars import WebhookDeliveryState, WebhookEvent
from democracy.schema.types.decisions import Decision


@strawberry_django.type(
    models.WebhookDelivery,
    description="A message to a webhook. Receivers know it by its `messageId`, however often it is tried.",
)
class WebhookDelivery(RowType):
    message_id: str = column("The header `webhook-id` of the message.")
    created_at: datetime = column("When it began to wait for being sent.")
    attempts: int = column("How often it was posted.")
    tried_at: datetime | None = column("When the last try ended.")
    due_at: datetime | None = column("When it is tried next; null where it has arrived or was given up.")
    answer: int | None = column("The status that the receiver answered last; null where it did not answer.")
    problem: str = column("Why the last try failed; else empty.")

    @strawberry.field(description="What happened.")
    def event(self, root: models.WebhookDelivery) -> WebhookEvent:
        return WebhookEvent(root.event)

    @strawberry.field(description="What became of it.")
    def state(self, root: models.WebhookDelivery) -> WebhookDeliveryState:
        return WebhookDeliveryState(root.state.value)

    decision: Decision | None = relation("What it tells of; null for a test.")


@strawberry_django.type(
    models.Webhook,
    description="An address that is told when decisions of a community open, close and have a final result. Its "
    "managers see it, and never its secret.",
)
class Webhook(Node):
    url: str = column("Where messages are posted.")
    created_at: datetime = column("When a manager made it.")
    stopped_at: datetime | None = column(
        "Since then it is told of nothing new, because a message was given up; until one arrives, such as a test."
    )

    @classmethod
    def get_queryset(cls, queryset: QuerySet[models.Webhook], info: Info) -> QuerySet[models.Webhook]:
        return access.webhooks_visible_to(info.context.viewer) & queryset

    @strawberry.field(description="What it is told of.")
    def events(self, root: models.Webhook) -> list[WebhookEvent]:
        return [WebhookEvent(event) for event in root.events]

    @strawberry.field(description="The last 20 messages, the newest first.")
    async def deliveries(self, info: Info, root: models.Webhook) -> list[WebhookDelivery]:
        rows = await info.context.load(last_deliveries, root.pk) or []
        return [WebhookDelivery.of(row) for row in rows]
