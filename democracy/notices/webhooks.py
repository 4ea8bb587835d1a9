"""Webhooks' part of the outbox: messages are added with the mark of what they tell, leased, posted, and tried again.

See Note [None lost, hardly one doubled]: a message that is posted twice bears the same id both times.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Min
from standardwebhooks import Webhook as Signer

from democracy.database import clock
from democracy.database.turns import turn
from democracy.models import Decision, Webhook, WebhookDelivery
from democracy.notices import leases, outbox, payloads, posting
from democracy.notices.posting import Answer, Letter

logger = logging.getLogger(__name__)

Event = WebhookDelivery.Event
# With the pauses between them, about a day.
MOST_TRIES = 30
# Messages of one webhook that are kept after they have arrived, or were given up.
KEPT = 50
# Messages that a sender posts at the same time, each to another webhook.
_BATCH = 20
# "Gone": the receiver wants no more.
_GONE = 410


# --- Adding -----------------------------------------------------------------------------------------------------------


def tell(decision: Decision, event: str) -> None:
    """Tell the webhooks of the decision's community of an event, in the caller's transaction; each once."""
    found = Webhook.objects.filter(community=decision.community_id, stopped_at=None)
    _add([WebhookDelivery(webhook=one, event=event, decision=decision) for one in found if event in one.events])


def send_test(webhook: Webhook) -> None:
    """Send a message that tells nothing, in the caller's transaction."""
    _add([WebhookDelivery(webhook=webhook, event=Event.TEST)])


def _add(deliveries: Sequence[WebhookDelivery]) -> None:
    if not deliveries:
        return
    now = clock.now()
    for one in deliveries:
        one.created_at = one.due_at = now
    WebhookDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    for one in deliveries:
        _prune(one.webhook_id)
    transaction.on_commit(lambda: outbox.added.send_robust(None), robust=True)


def _prune(webhook_id: int) -> None:
    over = WebhookDelivery.objects.over().filter(webhook=webhook_id)
    last = list(over.order_by("-pk").values_list("pk", flat=True)[KEPT - 1 : KEPT])
    if last:
        over.filter(pk__lt=last[0]).delete()


# --- Delivering -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leased:
    """A message that this process holds until `until`."""

    delivery: WebhookDelivery
    until: datetime


def deliver() -> float | None:
    """Post what is due. Returns 0 where more may be due, None where nothing is."""
    held = lease()
    letters = [_letter(one.delivery) for one in held]
    for one, answer in zip(held, posting.post_all(letters), strict=True):
        leases.persistently(lambda one=one, answer=answer: note(one, answer))  # type: ignore[misc]
    return 0.0 if held else None


def lease() -> list[Leased]:
    """Lease the messages that are due, at most one of each webhook: a receiver that is slow holds up its own alone."""
    if not WebhookDelivery.objects.due(clock.now()).exists():
        return []
    with turn(), transaction.atomic():
        now = clock.now()
        due = WebhookDelivery.objects.due(now)
        # The order of rows is that of their keys.
        first = due.values("webhook").annotate(first=Min("pk"), since=Min("due_at")).order_by("since", "first")
        keys = [row["first"] for row in first[:_BATCH]]
        # Another sender's rows are left to it.
        found = list(
            due.filter(pk__in=keys)
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("webhook__community", "decision__community")
            .order_by("pk")
        )
        until = leases.take(WebhookDelivery, [one.pk for one in found], now)
    return [Leased(one, until) for one in found]


def _letter(delivery: WebhookDelivery) -> Letter:
    """The message as it is posted now: signed, with what a visitor may know at this moment."""
    now, body = clock.now(), payloads.body(delivery)
    signature = Signer(delivery.webhook.secret).sign(delivery.message_id, now, body)
    headers = {
        "webhook-id": delivery.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    return Letter(delivery.webhook.url, body.encode(), headers)


def note(leased: Leased, answer: Answer) -> None:
    """Write what came of a message, unless its lease ran out and another sender has it."""
    delivery, now = leased.delivery, clock.now()
    told = {"answer": answer.status, "problem": answer.problem, "tried_at": now}
    webhook = Webhook.objects.filter(pk=delivery.webhook_id)
    if answer.is_taken:
        with turn(), transaction.atomic():
            if _end(leased, sent_at=now, due_at=None, **told):
                webhook.update(stopped_at=None)
    elif delivery.attempts + 1 >= MOST_TRIES or answer.status == _GONE or delivery.event == Event.TEST:
        with turn(), transaction.atomic():
            if _end(leased, refused=answer.problem, due_at=None, **told) and delivery.event != Event.TEST:
                webhook.filter(stopped_at=None).update(stopped_at=now)
    else:
        logger.warning("webhook %s is tried again later: %s", delivery.webhook_id, answer.problem)
        _end(leased, due_at=now + leases.pause_after(delivery.attempts), **told)


def _end(leased: Leased, **changes: object) -> bool:
    return leases.end(WebhookDelivery, [leased.delivery.pk], leased.until, **changes)
