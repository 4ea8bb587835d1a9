"""Commands of managers on webhooks. They change no input, so the ledger has no entry of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from django.db import transaction

from democracy import access, eventlog
from democracy.access import Viewer
from democracy.database import clock
from democracy.database.turns import turn
from democracy.errors import InvalidInput, PermissionDenied, SentLately
from democracy.models import MAX_WEBHOOKS, Community, Membership, Webhook, WebhookDelivery
from democracy.models.webhooks import EVENTS, new_key
from democracy.notices import public_addresses, webhooks
from democracy.services.commands import command

_BETWEEN_TESTS = timedelta(seconds=10)


@command
def create_webhook(viewer: Viewer, community_id: int, *, url: str, events: Sequence[str]) -> Webhook:
    """Have an address told of these events of a community's decisions. Managers only.

    An address that the community has a webhook for already is refused. Raises PermissionDenied, InvalidInput.
    """
    manager = access.require_manager(viewer, community_id)
    address = public_addresses.checked_url(url)
    if not events or not set(events) <= set(EVENTS):
        raise InvalidInput("Choose at least one event of decisions.", field="events")
    with _writing(community_id) as community:
        if Webhook.objects.filter(community=community).count() >= MAX_WEBHOOKS:
            raise InvalidInput(f"A community has at most {MAX_WEBHOOKS} webhooks. Delete one that is not needed.")
        if Webhook.objects.filter(community=community, url=address).exists():
            raise InvalidInput("There is a webhook for this address already.", field="url")
        webhook = Webhook.objects.create(
            community=community,
            url=address,
            events=[event for event in EVENTS if event in events],
            created_by=manager.user,
            created_at=clock.now(),
        )
        _log(manager, community, "added")
    return webhook


@command
def delete_webhook(viewer: Viewer, webhook_id: int) -> Community:
    """Delete a webhook with what it was to be told. Returns its community. Managers only. Raises PermissionDenied."""
    webhook, manager = _managed(viewer, webhook_id)
    with _writing(webhook.community_id) as community:
        webhook.delete()
        _log(manager, community, "deleted")
    return community


@command
def renew_webhook_secret(viewer: Viewer, webhook_id: int) -> Webhook:
    """Give a webhook a new secret; the old one ends at once, also for what waits. Managers only.

    Raises PermissionDenied.
    """
    webhook, manager = _managed(viewer, webhook_id)
    with _writing(webhook.community_id) as community:
        webhook.key = new_key()
        webhook.save(update_fields=["key"])
        _log(manager, community, "given a new secret")
    return webhook


@command
def send_webhook_test(viewer: Viewer, webhook_id: int) -> Webhook:
    """Send a test to a webhook. If it arrives, a webhook that had stopped goes on. Managers only.

    Raises PermissionDenied, SentLately.
    """
    webhook, _ = _managed(viewer, webhook_id)
    with _writing(webhook.community_id) as community:
        # Of the whole community: a webhook that is deleted and made again has no tests.
        tests = WebhookDelivery.objects.filter(webhook__community=community, event=WebhookDelivery.Event.TEST)
        if tests.filter(created_at__gt=clock.now() - _BETWEEN_TESTS).exists():
            raise SentLately("A test was sent a moment ago. Wait ten seconds before the next one.")
        webhooks.send_test(webhook)
    return webhook


@contextmanager
def _writing(community_id: int) -> Iterator[Community]:
    """Write while nobody else writes to this community's webhooks."""
    with turn(), transaction.atomic():
        yield Community.objects.select_for_update().get(pk=community_id)


def _managed(viewer: Viewer, webhook_id: int) -> tuple[Webhook, Membership]:
    webhook = access.webhooks_visible_to(viewer).filter(pk=webhook_id).first()
    if webhook is None:
        raise PermissionDenied
    return webhook, access.require_manager(viewer, webhook.community_id)


def _log(manager: Membership, community: Community, what: str) -> None:
    actor, name = access.display_name(manager), community.name
    transaction.on_commit(lambda: eventlog.webhook_changed(actor, name, what), robust=True)
