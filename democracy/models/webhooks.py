"""Webhooks: addresses of other programs that are told when a community's decisions open, close and have a result."""

from __future__ import annotations

import base64
import secrets
from enum import Enum
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from democracy.models.communities import Community
from democracy.models.decisions import Decision
from democracy.models.outgoing import Outgoing, OutgoingQuerySet

MAX_WEBHOOKS = 10
LONGEST_URL = 500


def new_key() -> str:
    return secrets.token_hex(16)


# Note [The secret is worked out]
# Whoever has a webhook's secret can send its receiver what looks like ours. So the table does not hold it: it is worked
# out from the row's `key` and the site's secret, as the links of invitations are. A new key makes a new secret.


class Webhook(models.Model):
    """An address that is told of a community's decisions. `events`: of which, see WebhookDelivery.Event.

    `stopped_at`: it is told of nothing new since then, because a delivery was given up. One that arrives ends that.
    """

    # Indexed by the constraint below.
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="webhooks", db_index=False)
    url = models.CharField(max_length=LONGEST_URL)
    key = models.CharField(max_length=32, default=new_key, editable=False)
    events = models.JSONField(default=list)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["community", "url"], name="webhook_address_once")]

    def __str__(self) -> str:
        return f"webhook {self.pk}"

    @property
    def secret(self) -> str:
        """The secret as receivers take it. See Note [The secret is worked out]."""
        digest = salted_hmac("democracy.webhook", self.key, algorithm="sha256").digest()
        return f"whsec_{base64.b64encode(digest).decode()}"

    @property
    def event_labels(self) -> list[str]:
        """Words for what it is told of."""
        return [WebhookDelivery.Event(event).label for event in self.events]


class WebhookDeliveryQuerySet(OutgoingQuerySet["WebhookDelivery"]):
    def over(self) -> Self:
        """Keep those that arrived or were given up."""
        return self.filter(due_at=None)


def new_message_id() -> str:
    return f"msg_{secrets.token_urlsafe(18)}"


class WebhookDelivery(Outgoing):
    """One message to a webhook. It keeps its `message_id` however often it is tried, so that a receiver can tell.

    `answer`: the status of the last answer, null where there was none; `problem`: why the last try failed.
    """

    class Event(models.TextChoices):
        OPENED = "decision.opened", "A decision opens"
        CLOSED = "decision.closed", "A decision closes"
        RESULT = "decision.result", "A final result is there"
        TEST = "webhook.test", "A test"

    class State(Enum):
        WAITING = "waiting"
        ARRIVED = "arrived"
        GIVEN_UP = "given_up"

    # Indexed by the constraint and the index below.
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    message_id = models.CharField(max_length=40, unique=True, default=new_message_id, editable=False)
    event = models.CharField(max_length=20, choices=Event)
    # Null for tests.
    decision = models.ForeignKey(Decision, null=True, on_delete=models.CASCADE, related_name="+")
    answer = models.PositiveSmallIntegerField(null=True)
    problem = models.CharField(max_length=300, blank=True)
    tried_at = models.DateTimeField(null=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            # Nulls are distinct: there may be any number of tests.
            models.UniqueConstraint(fields=["webhook", "event", "decision"], name="webhook_delivery_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="webhook_delivery_due"),
            models.Index(fields=["webhook", "-id"], name="webhook_delivery_of_webhook"),
        ]

    def __str__(self) -> str:
        return f"webhook delivery {self.pk}"

    @property
    def state(self) -> State:
        if self.sent_at is not None:
            return self.State.ARRIVED
        return self.State.GIVEN_UP if self.refused else self.State.WAITING


# The events that a webhook can be told of.
EVENTS: tuple[Any, ...] = (WebhookDelivery.Event.OPENED, WebhookDelivery.Event.CLOSED, WebhookDelivery.Event.RESULT)
