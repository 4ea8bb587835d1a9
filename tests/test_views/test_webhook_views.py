"""The page of webhooks: managers add them, get the secret once, and see what became of messages."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from democracy import services
from democracy.models import Community, Membership, Webhook, WebhookDelivery
from tests import factories
from tests.test_views.browsing import as_, nothing_written, text, told

pytestmark = pytest.mark.django_db

URL = "https://hooks.example.org/us"


@pytest.fixture
def house() -> tuple[Community, User]:
    community, members = factories.community("ann", name="Maple Court")
    return community, members["manager"].user


@pytest.fixture
def webhook(house) -> Webhook:
    return services.create_webhook(house[1], house[0].pk, url=URL, events=["decision.opened"])


def page(community: Community, name: str = "community-webhooks", *more: object) -> str:
    return reverse(name, args=[community.pk, *more])


def test_a_manager_adds_one_and_sees_its_secret_this_once(house) -> None:
    community, manager = house
    client = as_(manager)
    assert page(community) in text(client.get(reverse("community-settings", args=[community.pk])))
    shown = text(client.post(page(community), {"url": URL, "events": ["decision.opened", "decision.result"]}))
    (made,) = Webhook.objects.all()
    assert (made.url, made.events) == (URL, ["decision.opened", "decision.result"])
    assert (made.secret in shown, URL in shown) == (True, True)
    later = text(client.get(page(community)))
    assert (made.secret in later, URL in later) == (False, True)
    renewed = text(client.post(page(community, "webhook-secret", made.pk)))
    made.refresh_from_db()
    assert made.secret in renewed


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"url": "http://example.org/", "events": ["decision.opened"]}, "An address begins with https://"),
        ({"url": "https://10.0.0.1/", "events": ["decision.opened"]}, "not one of the public internet"),
        ({"url": URL}, "Choose at least one."),
        ({"url": URL, "events": ["webhook.test"]}, "Select a valid choice"),
        ({"events": ["decision.opened"]}, "This field is required."),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(house, given: dict, error: str) -> None:
    response = as_(house[1]).post(page(house[0]), given)
    assert (response.status_code, error in text(response), Webhook.objects.count()) == (400, True, 0)


def test_what_became_of_messages_is_shown(house, webhook) -> None:
    community, manager = house
    decision = factories.decision(community, manager, title="Which tree?")
    fields = {"webhook": webhook, "event": "decision.opened", "decision": decision}
    one = WebhookDelivery.objects.create(**fields, problem="It answered 500.", attempts=3, due_at=timezone.now())
    client = as_(manager)
    shown = text(client.get(page(community)))
    assert [said in shown for said in ("On its way", "Which tree?", "It answered 500.", "3 tries so far")] == [True] * 4
    WebhookDelivery.objects.filter(pk=one.pk).update(refused="x", due_at=None)
    Webhook.objects.update(stopped_at=timezone.now())
    shown = text(client.get(page(community)))
    assert ("Given up" in shown, "Stopped" in shown) == (True, True)


def test_a_manager_sends_a_test_not_two_at_once_and_deletes(house, webhook) -> None:
    community, manager = house
    client = as_(manager)
    for said in ("A test is on its way", "A test was sent a moment ago"):
        assert said in told(client.post(page(community, "webhook-test", webhook.pk)))[-1]
    assert WebhookDelivery.objects.get().event == "webhook.test"
    client.post(page(community, "webhook-delete", webhook.pk))
    assert not Webhook.objects.exists()


def test_nobody_else_sees_or_does_anything(house, webhook) -> None:
    community, _ = house
    member = Membership.objects.get(community=community, is_manager=False).user
    posted = [page(community, name, webhook.pk) for name in ("webhook-test", "webhook-secret", "webhook-delete")]
    other, others = factories.community()
    with nothing_written():
        for address in (page(community), *posted):
            assert as_(member).post(address, {"url": URL, "events": ["decision.opened"]}).status_code == 403
            assert as_(None).post(address).status_code == 302
        assert as_(member).get(page(community)).status_code == 403
        for name in ("webhook-test", "webhook-secret", "webhook-delete"):
            assert as_(others["manager"].user).post(page(other, name, webhook.pk)).status_code == 404
    assert (Webhook.objects.get().key, WebhookDelivery.objects.count()) == (webhook.key, 0)
