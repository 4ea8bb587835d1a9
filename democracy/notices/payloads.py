"""The JSON that webhooks post: the event, the community, the decision, and of a final result what a visitor may know.

# Note [A receiver is a visitor]
Nobody knows who reads at the other end. So what is told of a result is what a visitor may see in the moment in which it
is posted: the final result of a decision that everybody may read, or that a manager has published. Of a members-only
decision the question and the address are told, as a manager wants by adding the webhook; ballots and people never are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse

from accounts.api import node_id
from democracy import access
from democracy.models import Choice, Decision, DecisionSnapshot, PublishedResult, WebhookDelivery
from democracy.models.results import DecisionResult

Event = WebhookDelivery.Event


def body(delivery: WebhookDelivery) -> str:
    """Write a message. Its webhook with community, and its decision, are loaded."""
    community, decision = delivery.webhook.community, delivery.decision
    data: dict[str, Any] = {
        "community": {
            "id": node_id("Community", community.pk),
            "name": community.name,
            "url": settings.SITE_URL + reverse("community", args=[community.pk]),
        }
    }
    if decision is not None:
        data["decision"] = _decision(decision, delivery.event)
        if delivery.event == Event.RESULT:
            data["result"] = _result(decision)
    at = _moment(decision, delivery.event) or delivery.created_at
    return json.dumps({"type": delivery.event, "timestamp": _time(at), "data": data})


def _decision(decision: Decision, event: str) -> dict[str, Any]:
    return {
        "id": node_id("Decision", decision.pk),
        "title": decision.title,
        "url": settings.SITE_URL + _path(decision, event),
        "opensAt": _time(decision.opens_at),
        "closesAt": _time(decision.closes_at),
    }


def _path(decision: Decision, event: str) -> str:
    if event != Event.RESULT:
        return reverse("decision", args=[decision.community_id, decision.pk])
    published = PublishedResult.objects.filter(decision=decision).first()
    if published is not None:
        return reverse("published-result", args=[published.token])
    return reverse("decision-results", args=[decision.community_id, decision.pk])


def _result(decision: Decision) -> dict[str, Any] | None:
    """The final result as a visitor may see it; None where none may. See Note [A receiver is a visitor]."""
    snapshot = DecisionSnapshot.objects.filter(decision=decision, is_final=True).first()
    is_everybodys = access.decisions_visible_to(AnonymousUser()).filter(pk=decision.pk).exists()
    is_published = PublishedResult.objects.filter(decision=decision).exists()
    if snapshot is None or not (is_everybodys or is_published) or access.hides_ballots(decision):
        return None
    titles = dict(Choice.objects.filter(decision=decision).values_list("pk", "title"))
    return _told(snapshot.read_result(), titles)


def _told(result: DecisionResult, titles: Mapping[int, str]) -> dict[str, Any]:
    who = result.participation
    return {
        "rules": result.rules,
        "winner": _choice(result.winner, titles),
        "runnerUp": _choice(result.runner_up, titles),
        "reason": result.reason,
        # In millionths of a star.
        "scores": [
            {**_named(pk, titles), "score": result.scores[pk], "rank": result.ranks[pk]}
            for pk in sorted(result.scores, key=lambda pk: (result.ranks[pk], pk))
        ],
        "participation": {
            "eligible": who.eligible,
            "counted": who.counted,
            "cast": who.cast,
            "inherited": who.inherited,
            "abstained": who.abstained,
            "none": who.none,
        },
    }


def _choice(pk: int | None, titles: Mapping[int, str]) -> dict[str, Any] | None:
    return _named(pk, titles) if pk is not None else None


def _named(pk: int, titles: Mapping[int, str]) -> dict[str, Any]:
    return {"id": node_id("Choice", pk), "title": titles[pk]}


def _moment(decision: Decision | None, event: str) -> datetime | None:
    """When it happened, as the decision says: a result is that of its closing."""
    if decision is None:
        return None
    return decision.opens_at if event == Event.OPENED else decision.closes_at


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
