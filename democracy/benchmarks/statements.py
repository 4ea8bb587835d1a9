"""SQL statements of real queries of the API: what programs and pages ask, over the demo communities."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import Client

from accounts.api import node_id
from accounts.services import create_api_token
from democracy.benchmarks.figures import Figure
from democracy.models import Community, Decision, Membership

_RESULT = "result { revision isFinal winner { title } runnerUp { title } participation { cast inherited counted } }"
_BALLOT = "kind voter { name member { name handle } } stars { choice { title } stars } tags"


def _list(field: str, *inner: str) -> str:
    return f"{field} {{ totalCount edges {{ node {{ {' '.join(inner)} }} }} }}"


def _of_community(*inner: str) -> str:
    return f"query($c: ID!) {{ community(id: $c) {{ {' '.join(inner)} }} }}"


def _of_decision(*inner: str) -> str:
    return f"query($d: ID!) {{ decision(id: $d) {{ {' '.join(inner)} }} }}"


# What each is for, and its text. $c, $d and $m stand for ids of a community, an open decision and a member of it.
QUERIES = {
    "the README's: open decisions with results": """{ communities(search: "Springfield") { edges { node { name
      decisions(status: OPEN, first: 3) { edges { node { id title resultsVisibility calculation { status }
        result { winner { title } runnerUp { title } participation { cast inherited counted } } } } } } } } }""",
    "communities to choose from": "{"
    + _list("communities(first: 20)", "id name description memberCount joining membership { role }")
    + "}",
    "a community's page": _of_community(
        "name memberCount revision membership { role }",
        _list("decisions(first: 20)", "id title status closesAt community { name }"),
    ),
    "a decision's page": _of_decision(
        "title status closesAt community { name memberCount } choices { id title } calculation { status } turnout",
        _RESULT,
        f"myBallot {{ {_BALLOT} }}",
    ),
    "my start": "{ me { name unreadNotices "
    + _list("memberships(first: 20)", "role community { name memberCount }")
    + _list("openDecisions(voted: false)", "title closesAt community { name } myBallot { kind }")
    + _list("newResults", "title community { name } result { winner { title } }")
    + "} }",
    "decisions of all communities": "{"
    + _list(
        "decisions(first: 20, status: OPEN)", "title community { name memberCount } calculation { status }", _RESULT
    )
    + "}",
    "members with whom they follow": _of_community(
        _list(
            "members(first: 20)",
            "name handle role",
            _list("followings(first: 5)", "tags followee { name }"),
            _list("followers(first: 5)", "follower { name }"),
        )
    ),
    "a decision's ballots and history": _of_decision(
        "title", _list("ballots(first: 20)", _BALLOT), _list("history(first: 5)", "revision winner { title }")
    ),
    "two lists under two names": _of_community(
        _list("open: decisions(status: OPEN, first: 5)", "title choices { title }"),
        _list("closed: decisions(status: CLOSED, first: 5)", "title choices { title } result { winner { title } }"),
    ),
    "things by their ids": """query($c: ID!, $d: ID!, $m: ID!) { nodes(ids: [$c, $d, $m]) { id
      ... on Community { name memberCount } ... on Decision { title community { name } }
      ... on Member { name community { name } } } }""",
}


def statements(scale: float) -> Iterator[Figure]:
    """Count the statements of each query, asked by a member with a token."""
    told = StringIO()
    call_command("load_demo", stdout=told)
    # Its last line names the community that the start page shows.
    community = Community.objects.get(pk=told.getvalue().rpartition("=")[2].strip())
    member = (
        Membership.objects.current().select_related("user").filter(community=community, is_manager=True).earliest("pk")
    )
    decision = Decision.objects.filter(community=community, results_visibility="live").latest("published_at")
    _, secret = create_api_token(member.user, "statements")
    client = Client(headers={"authorization": f"Bearer {secret}", "host": "localhost"})
    variables = {
        "c": node_id("Community", community.pk),
        "d": node_id("Decision", decision.pk),
        "m": node_id("Member", member.pk),
    }
    for what, query in QUERIES.items():
        body = json.dumps({"query": query, "variables": {k: v for k, v in variables.items() if f"${k}:" in query}})

        def ask(body: str = body) -> Any:
            return client.post("/graphql/", body, content_type="application/json").json()

        # The first answers what is kept: settings, content types, the document's parts.
        ask()
        with counted() as seen:
            answer = ask()
        assert "errors" not in answer, answer
        yield Figure("statements", what, len(seen), "statements")


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the statements that run meanwhile, on the connections of all threads."""
    seen: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        seen.append(sql)
        return execute(sql, *args)

    def watch(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        connection.execute_wrappers.append(note)

    connection_created.connect(watch)
    try:
        with connection.execute_wrapper(note):
            yield seen
    finally:
        connection_created.disconnect(watch)
