"""Webhooks, as the managers of a community see them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from accounts.api import Info, Node, of_row
from democracy import models
from democracy.reading.webhooks import last_deliveries
from democracy.schema.scalars import WebhookDeliveryState, WebhookEvent
from democracy.schema.types.decisions import Decision


@strawberry.type(description="A message to a webhook. Receivers know it by its `messageId`, however often it is tried.")
class WebhookDelivery:
    row: strawberry.Private[models.WebhookDelivery]
    message_id: str = of_row("The header `webhook-id` of the message.")
    created_at: datetime = of_row("When it began to wait for being sent.")
    attempts: int = of_row("How often it was posted.")
    tried_at: datetime | None = of_row("When the last try ended.")
    due_at: datetime | None = of_row("When it is tried next; null where it has arrived or was given up.")
    answer: int | None = of_row("The status that the receiver answered last; null where it did not answer.")
    problem: str = of_row("Why the last try failed; else empty.")

    @strawberry.field(description="What happened.")
    def event(self) -> WebhookEvent:
        return WebhookEvent(self.row.event)

    @strawberry.field(description="What became of it.")
    def state(self) -> WebhookDeliveryState:
        return WebhookDeliveryState(self.row.state.value)

    @strawberry.field(description="What it tells of; null for a test.")
    def decision(self) -> Decision | None:
        return Decision(row=self.row.decision) if self.row.decision is not None else None


@strawberry.type(
    description="An address that is told when decisions of a community open, close and have a final result. Its "
    "managers see it, and never its secret."
)
class Webhook(Node):
    row: strawberry.Private[models.Webhook]
    url: str = of_row("Where messages are posted.")
    created_at: datetime = of_row("When a manager made it.")
    stopped_at: datetime | None = of_row(
        "Since then it is told of nothing new, because a message was given up; until one arrives, such as a test."
    )

    @strawberry.field(description="What it is told of.")
    def events(self) -> list[WebhookEvent]:
        return [WebhookEvent(event) for event in self.row.events]

    @strawberry.field(description="The last 20 messages, the newest first.")
    async def deliveries(self, info: Info) -> list[WebhookDelivery]:
        rows = await info.context.load(last_deliveries, self.row.pk) or []
        return [WebhookDelivery(row=row) for row in rows]
