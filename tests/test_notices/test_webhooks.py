"""Webhooks tell a receiver of decisions, once each, however often it fails, and nothing that a visitor may not know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks import WebhookVerificationError

from accounts.api import node_id
from democracy import services
from democracy.models import Community, Decision, Membership, Webhook, WebhookDelivery
from democracy.models.webhooks import EVENTS
from democracy.notices import leases, payloads, posting, sending, webhooks
from democracy.recalculation import recalculate_community
from tests import factories, rules
from tests.servers import free_port
from tests.test_notices.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db

State = WebhookDelivery.State


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    settings.WEBHOOKS_TO = "any"
    found = Receiver()
    with receiving(found) as port:
        found.url = f"http://127.0.0.1:{port}/hooks?for=us"
        yield found


@pytest.fixture
def town() -> tuple[Community, dict[str, Membership]]:
    return factories.community("ada", "ben", name="Larch Lane", visibility=Community.Visibility.PUBLIC)


@pytest.fixture
def webhook(town, receiver: Receiver) -> Webhook:
    community, members = town
    return services.create_webhook(members["manager"].user, community.pk, url=receiver.url, events=EVENTS)


def send_test(webhook: Webhook) -> None:
    webhooks.send_test(webhook)


def opened(town) -> Decision:
    community, members = town
    decision = factories.decision(community, members["manager"].user, title="A bench")
    sending.notice_changes()
    return decision


def closed(town, decision: Decision) -> None:
    factories.close(decision)
    sending.notice_changes()
    recalculate_community(town[0].pk)
    sending.notice_changes()


def states() -> list[tuple[str, str, int | None]]:
    rows = WebhookDelivery.objects.order_by("pk")
    return [(row.event, row.state.value, row.answer) for row in rows]


def due_now() -> None:
    WebhookDelivery.objects.filter(due_at__isnull=False).update(due_at=timezone.now())


def test_a_receiver_is_told_of_opening_closing_and_result_each_once_and_can_check_who_says_so(
    town, webhook, receiver
) -> None:
    decision = opened(town)
    factories.vote(town[1]["ada"], decision, Ash=5, Birch=2)
    closed(town, decision)
    for _ in range(4):
        sending.notice_changes()
        webhooks.deliver()
    told = [one.verified(webhook.secret) for one in receiver.received]
    assert [one["type"] for one in told] == ["decision.opened", "decision.closed", "decision.result"]
    assert {one.path for one in receiver.received} == {"/hooks?for=us"}
    assert len({one.message_id for one in receiver.received}) == 3
    page = f"http://localhost:8000/communities/{decision.community_id}/decisions/{decision.pk}/"
    assert [one["data"]["decision"]["url"] for one in told] == [page, page, f"{page}results/"]
    assert told[0]["data"]["community"]["name"] == "Larch Lane"
    assert told[0]["data"]["decision"]["id"] == node_id("Decision", decision.pk)
    assert told[2]["timestamp"] == decision.closes_at.isoformat()
    result = told[2]["data"]["result"]
    assert (result["winner"]["title"], result["runnerUp"]["title"]) == ("Ash", "Birch")
    assert [(one["title"], one["score"]) for one in result["scores"]][:2] == [("Ash", 5_000_000), ("Birch", 2_000_000)]
    assert result["participation"] | {"eligible": 0} == {
        "eligible": 0,
        "counted": 1,
        "cast": 1,
        "inherited": 0,
        "abstained": 0,
        "none": 2,
    }
    with pytest.raises(WebhookVerificationError):
        receiver.received[0].verified(Webhook().secret)


def test_only_of_what_it_asked_for_and_not_of_what_happened_before_it_was_there(town, receiver) -> None:
    community, members = town
    decision = opened(town)
    services.create_webhook(members["manager"].user, community.pk, url=receiver.url, events=["decision.closed"])
    other, others = factories.community(visibility=Community.Visibility.PUBLIC)
    closed((other, others), factories.decision(other, others["manager"].user))
    closed(town, decision)
    assert [(row.event, row.decision) for row in WebhookDelivery.objects.all()] == [("decision.closed", decision)]


@pytest.mark.parametrize("visibility", Decision.Visibility.values)
def test_of_a_members_only_decision_no_result_is_told_but_one_that_a_manager_has_published(
    town, webhook, receiver, visibility
) -> None:
    """In the moment in which it is posted: what is withdrawn meanwhile is not told."""
    community, members = town
    Community.objects.filter(pk=community.pk).update(visibility=Community.Visibility.MEMBERS)
    decision = opened(town)
    Decision.objects.filter(pk=decision.pk).update(results_visibility=visibility)
    closed(town, decision)
    delivery = WebhookDelivery.objects.select_related("webhook__community", "decision").get(event="decision.result")

    def told() -> dict:
        return json.loads(payloads.body(delivery))["data"]

    assert (told()["decision"]["title"], told()["result"]) == ("A bench", None)
    published = services.publish_result(members["manager"].user, decision.pk)
    assert told()["result"]["reason"] == "no_ballots"
    assert told()["decision"]["url"] == f"http://localhost:8000/results/{published.token}/"
    services.withdraw_result(members["manager"].user, decision.pk)
    assert told()["result"] is None


def test_no_message_names_anybody_or_differs_by_what_is_hidden(town, webhook) -> None:
    community, members = town
    decision = factories.decision(
        community, members["manager"].user, results_visibility=Decision.Visibility.AFTER_CLOSE
    )
    sending.notice_changes()
    delivery = WebhookDelivery.objects.select_related("webhook__community", "decision").get()
    before = payloads.body(delivery)
    factories.vote(members["ada"], decision, Ash=5)
    recalculate_community(community.pk)
    assert payloads.body(delivery) == before
    closed(town, decision)
    for one in WebhookDelivery.objects.select_related("webhook__community", "decision"):
        text = payloads.body(one).lower()
        assert not any(member.user.handle in text or member.user.name.lower() in text for member in members.values())


def test_a_failure_is_tried_again_later_and_later_with_the_same_id_and_signed_anew(town, webhook, receiver) -> None:
    receiver.statuses = [500, 503, 200]
    opened(town)
    pauses = []
    for _ in range(3):
        due_now()
        before = timezone.now()
        webhooks.deliver()
        if due := WebhookDelivery.objects.get().due_at:
            pauses.append(round((due - before).total_seconds() / 60))
    assert pauses == [1, 2]
    assert states() == [("decision.opened", "arrived", 200)]
    assert len({one.message_id for one in receiver.received}) == 1
    assert all(one.verified(webhook.secret) for one in receiver.received)
    assert webhooks.deliver() is None


def test_what_fails_for_a_day_is_given_up_and_the_webhook_stops_until_a_test_arrives(
    town, webhook, receiver, monkeypatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_TRIES", 2)
    receiver.statuses = [500]
    opened(town)
    for _ in range(3):
        due_now()
        webhooks.deliver()
    assert (states(), len(receiver.received)) == ([("decision.opened", "given_up", 500)], 2)
    assert Webhook.objects.get().stopped_at is not None
    opened(town)
    assert len(states()) == 1, "it is told of nothing new"
    send_test(webhook)
    webhooks.deliver()
    assert Webhook.objects.get().stopped_at is not None, "the test failed"
    receiver.statuses = [200]
    send_test(webhook)
    webhooks.deliver()
    assert Webhook.objects.get().stopped_at is None
    opened(town)
    assert [state for _, state, _ in states()] == ["given_up", "given_up", "arrived", "waiting"]


def test_all_tries_together_take_about_a_day() -> None:
    whole = sum((leases.pause_after(attempts) for attempts in range(webhooks.MOST_TRIES - 1)), timedelta())
    assert timedelta(hours=20) < whole < timedelta(hours=30)


def test_a_receiver_that_says_that_it_is_gone_is_not_asked_again(town, webhook, receiver) -> None:
    receiver.statuses = [410]
    opened(town)
    webhooks.deliver()
    assert states() == [("decision.opened", "given_up", 410)]


def test_what_a_killed_sender_held_is_posted_again_with_the_same_id(town, webhook, receiver, monkeypatch) -> None:
    opened(town)

    def dies(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(webhooks, "note", dies)
        with pytest.raises(KeyboardInterrupt):
            webhooks.deliver()
    assert webhooks.deliver() is None, "the lease lasts"
    WebhookDelivery.objects.update(leased_until=timezone.now())
    webhooks.deliver()
    assert states() == [("decision.opened", "arrived", 204)]
    first, second = receiver.received
    assert first.message_id == second.message_id


def test_a_sender_whose_lease_ran_out_writes_nothing(town, webhook, monkeypatch, settings) -> None:
    clock = rules.Clock(monkeypatch)
    opened(town)
    clock.set(timezone.now())
    (late,) = webhooks.lease()
    clock.advance(seconds=settings.MAIL_LEASE + 1)
    (held,) = webhooks.lease()
    webhooks.note(late, posting.Answer(500, "It answered 500."))
    assert WebhookDelivery.objects.get().problem == ""
    webhooks.note(held, posting.Answer(200))
    assert states() == [("decision.opened", "arrived", 200)]


def test_one_message_of_each_webhook_is_held_at_a_time(town, webhook, receiver) -> None:
    community, members = town
    services.create_webhook(members["manager"].user, community.pk, url=receiver.url + "2", events=EVENTS)
    for _ in range(2):
        opened(town)
    held = webhooks.lease()
    assert len({one.delivery.webhook_id for one in held}) == len(held) == 2


def test_only_the_last_messages_are_kept(webhook, monkeypatch) -> None:
    monkeypatch.setattr(webhooks, "KEPT", 3)
    for _ in range(5):
        send_test(webhook)
        webhooks.deliver()
    send_test(webhook)
    assert [state for _, state, _ in states()] == ["arrived"] * 3 + ["waiting"]


def test_with_its_decision_or_webhook_what_waits_goes_and_nothing_fails(town, webhook, receiver) -> None:
    decision = opened(town)
    Decision.objects.filter(pk=decision.pk).delete()
    opened(town)
    services.delete_webhook(town[1]["manager"].user, webhook.pk)
    assert (webhooks.deliver(), receiver.received, WebhookDelivery.objects.count()) == (None, [], 0)


def test_a_receiver_that_is_away_is_tried_again(town, settings) -> None:
    settings.WEBHOOKS_TO = "any"
    community, members = town
    url = f"http://127.0.0.1:{free_port()}/"
    services.create_webhook(members["manager"].user, community.pk, url=url, events=EVENTS)
    opened(town)
    webhooks.deliver()
    assert states() == [("decision.opened", "waiting", None)]
    assert WebhookDelivery.objects.get().problem == "The connection failed."
