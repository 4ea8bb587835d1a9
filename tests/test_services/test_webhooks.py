"""The rules of webhooks: managers alone add and delete them, see what became of messages, and get a secret once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from democracy import services
from democracy.errors import InvalidInput, PermissionDenied, SentLately
from democracy.models import MAX_WEBHOOKS, Community, Membership, Webhook, WebhookDelivery
from democracy.notices import webhooks
from democracy.reading.webhooks import last_deliveries, webhooks_of
from tests import factories, rules

pytestmark = pytest.mark.django_db

URL, EVENTS = "https://hooks.example.org/us", ["decision.opened", "decision.result"]
COMMANDS: dict[str, Callable[[Any, Webhook], Any]] = {
    "create": lambda viewer, one: services.create_webhook(viewer, one.community_id, url=f"{URL}/2", events=EVENTS),
    "delete": lambda viewer, one: services.delete_webhook(viewer, one.pk),
    "renew": lambda viewer, one: services.renew_webhook_secret(viewer, one.pk),
    "test": lambda viewer, one: services.send_webhook_test(viewer, one.pk),
}


@pytest.fixture
def town() -> tuple[Community, dict[str, Membership]]:
    return factories.community("ada")


@pytest.fixture
def manager(town) -> User:
    return town[1]["manager"].user


@pytest.fixture
def webhook(town, manager) -> Webhook:
    return services.create_webhook(manager, town[0].pk, url=URL, events=EVENTS)


def everything() -> list[Any]:
    return [rules.rows(Webhook), rules.rows(WebhookDelivery)]


@contextmanager
def refused(error: type[Exception], message: str | None = None) -> Iterator[None]:
    before = everything()
    with pytest.raises(error, match=message):
        yield
    assert everything() == before


@pytest.mark.parametrize("name", COMMANDS)
def test_nobody_but_a_manager_of_that_community_may(town, webhook, name: str) -> None:
    _, others = factories.community()
    nowhere = Webhook(pk=10**6, community_id=10**6)
    for viewer in (AnonymousUser(), town[1]["ada"].user, others["manager"].user, factories.person()):
        with refused(PermissionDenied):
            COMMANDS[name](viewer, webhook)
        with refused(PermissionDenied):
            COMMANDS[name](viewer, nowhere)


def test_managers_alone_see_them_and_what_became_of_their_messages(town, webhook, manager) -> None:
    services.send_webhook_test(manager, webhook.pk)
    for viewer, number in ((manager, 1), (town[1]["ada"].user, 0), (AnonymousUser(), 0)):
        assert len(webhooks_of(viewer, [town[0].pk]).get(town[0].pk, [])) == number
        assert len(last_deliveries(viewer, [webhook.pk]).get(webhook.pk, [])) == number


def test_the_secret_is_not_in_the_table_and_a_new_one_is_another(webhook, manager) -> None:
    first = webhook.secret
    assert first.removeprefix("whsec_") not in str(everything())
    assert Webhook.objects.get().secret == first
    assert services.renew_webhook_secret(manager, webhook.pk).secret != first
    assert Webhook.objects.get().secret != first


@pytest.mark.parametrize("events", [[], ["webhook.test"], ["decision.opened", "ballot.cast"]])
def test_only_events_of_decisions_can_be_asked_for_and_one_at_least(town, manager, events) -> None:
    with refused(InvalidInput, "at least one event"):
        services.create_webhook(manager, town[0].pk, url=URL, events=events)


def test_an_address_is_told_once_and_a_community_has_a_few(town, webhook, manager) -> None:
    with refused(InvalidInput, "already"):
        services.create_webhook(manager, town[0].pk, url=f" {URL}", events=EVENTS)
    for number in range(1, MAX_WEBHOOKS):
        services.create_webhook(manager, town[0].pk, url=f"{URL}/{number}", events=EVENTS)
    with refused(InvalidInput, "at most 10"):
        services.create_webhook(manager, town[0].pk, url=f"{URL}/more", events=EVENTS)
    other, others = factories.community()
    services.create_webhook(others["manager"].user, other.pk, url=URL, events=EVENTS)


@pytest.mark.parametrize("url", ["http://example.org/", "https://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "nonsense"])
def test_an_address_that_is_not_public_is_refused_with_the_field(town, manager, url) -> None:
    with pytest.raises(InvalidInput) as caught:
        services.create_webhook(manager, town[0].pk, url=url, events=EVENTS)
    assert (caught.value.field, Webhook.objects.count()) == ("url", 0)


def test_a_community_sends_one_test_at_a_time_to_whichever_webhook(town, webhook, manager, monkeypatch) -> None:
    clock = rules.Clock(monkeypatch)
    clock.advance()
    again = services.create_webhook(manager, town[0].pk, url=f"{URL}/2", events=EVENTS)
    services.send_webhook_test(manager, webhook.pk)
    for one in (webhook, again):
        with refused(SentLately):
            services.send_webhook_test(manager, one.pk)
    clock.advance(seconds=11)
    services.send_webhook_test(manager, again.pk)
    assert WebhookDelivery.objects.count() == 2


def test_a_deleted_webhook_takes_its_messages_along_and_leaves_the_others(town, webhook, manager) -> None:
    kept = services.create_webhook(manager, town[0].pk, url=f"{URL}/2", events=EVENTS)
    decision = factories.decision(town[0], manager)
    webhooks.tell(decision, "decision.opened")
    services.delete_webhook(manager, webhook.pk)
    assert [row.webhook for row in WebhookDelivery.objects.all()] == [kept]


def test_what_managers_do_with_webhooks_is_no_input_and_is_logged_without_the_address(
    town, webhook, manager, caplog, django_capture_on_commit_callbacks
) -> None:
    before = rules.written()
    with caplog.at_level("INFO", "crowdvote.events"), django_capture_on_commit_callbacks(execute=True):
        services.create_webhook(manager, town[0].pk, url=f"{URL}/2", events=EVENTS)
        services.renew_webhook_secret(manager, webhook.pk)
        services.delete_webhook(manager, webhook.pk)
    assert rules.written() == before
    name = town[0].name
    assert [record.getMessage() for record in caplog.records] == [
        f"A webhook of community '{name}' was {what}" for what in ("added", "given a new secret", "deleted")
    ]
