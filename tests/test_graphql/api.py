"""Asking the API as its clients do: over HTTP, through every middleware."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.test import Client

from accounts.api import node_id
from accounts.models import ApiToken, Passkey, User
from democracy.models import (
    Application,
    Ballot,
    Choice,
    Community,
    Decision,
    Following,
    Invitation,
    InvitationLink,
    LedgerEntry,
    Membership,
    PublishedResult,
    Vote,
    Webhook,
    WebhookDelivery,
)
from tests import rules

URL = "/graphql/"
JSON = "application/json"
INPUTS: list[Any] = [
    User,
    ApiToken,
    Passkey,
    Community,
    Membership,
    Application,
    Invitation,
    InvitationLink,
    Following,
    Decision,
    Choice,
    Ballot,
    Vote,
    PublishedResult,
    Webhook,
    WebhookDelivery,
    LedgerEntry,
]


def client_of(viewer: User | None) -> Client:
    client = Client()
    if viewer is not None:
        client.force_login(viewer, backend="accounts.backends.SignInLinkBackend")
    return client


def post(viewer: User | Client | None, query: str, **variables: Any) -> dict[str, Any]:
    """The whole answer, errors included."""
    client = viewer if isinstance(viewer, Client) else client_of(viewer)
    response = client.post(URL, json.dumps({"query": query, "variables": variables}), content_type=JSON)
    answer: dict[str, Any] = response.json()
    return answer


def ask(viewer: User | Client | None, query: str, **variables: Any) -> dict[str, Any]:
    """The data; there must be no errors."""
    answer = post(viewer, query, **variables)
    assert "errors" not in answer, answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data


def id_of(row: models.Model) -> str:
    """The id that the API has for a row."""
    if isinstance(row, Following):
        return node_id("Following", row.follower_id, row.followee_id)
    kind = {Membership: "Member"}.get(type(row), type(row).__name__)
    return node_id(kind, row.pk)


def codes(answer: dict[str, Any]) -> list[str]:
    """The codes of an answer's errors."""
    return [error["extensions"]["code"] for error in answer["errors"]]


def everything_written() -> dict[str, list[tuple[Any, ...]]]:
    """All rows that people write, and the ledger."""
    return {model.__name__: rules.rows(model) for model in INPUTS}
