"""Webhooks and what became of their messages, for managers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from democracy import access
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.models import Webhook, WebhookDelivery

# The messages of each webhook that are shown.
SHOWN = 20


def webhooks_of(viewer: Viewer, community_ids: Collection[int]) -> Mapping[int, list[Webhook]]:
    """The webhooks of these communities that the viewer may see, the oldest first."""
    found = defaultdict(list)
    for row in access.webhooks_visible_to(viewer).filter(community__in=community_ids).order_by("pk"):
        found[row.community_id].append(row)
    return found


def require_webhook(viewer: Viewer, community_id: int, webhook_id: int) -> None:
    """Find a webhook of this community that the viewer may see. Raises PermissionDenied."""
    if not access.webhooks_visible_to(viewer).filter(pk=webhook_id, community=community_id).exists():
        raise PermissionDenied


def last_deliveries(viewer: Viewer, webhook_ids: Collection[int]) -> Mapping[int, list[WebhookDelivery]]:
    """The last messages of these webhooks, the newest first, with their decisions."""
    rows = WebhookDelivery.objects.filter(webhook__in=access.webhooks_visible_to(viewer).filter(pk__in=webhook_ids))
    place = Window(RowNumber(), partition_by=F("webhook"), order_by="-pk")
    placed = rows.annotate(place=place).filter(place__lte=SHOWN).select_related("decision__community")
    found = defaultdict(list)
    for row in placed.order_by("place"):
        found[row.webhook_id].append(row)
    return found
