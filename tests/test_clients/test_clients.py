"""Clients that others wrote, against a served instance: the audit of GraphQL over HTTP, Apollo and urql.

They run where Node is installed and `npm ci` in tests/clients has brought them, as `make test` sees to.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server

CLIENTS = Path(__file__).parents[1] / "clients"
PATIENCE = 60
pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (CLIENTS / "node_modules").is_dir(),
    reason="clients in JavaScript need Node 20.19 or newer, and npm to install them",
)


def node(script: str, *arguments: str) -> Any:
    ended = subprocess.run(
        ["node", script, *arguments], cwd=CLIENTS, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_the_audit_of_graphql_over_http_finds_nothing(server: Server, tokens: list[str]) -> None:
    for address, token in (("/graphql", []), ("/graphql/", [tokens[1]])):
        found = node("audit.mjs", server.url + address, *token)
        assert found["found"] == []
        assert found["ok"] > 60


@pytest.mark.parametrize(("client", "choice"), [("apollo", "1"), ("urql", "2"), ("byHash", "0")])
def test_a_client_asks_votes_and_receives_the_next_event(
    server: Server, tokens: list[str], decision: str, client: str, choice: str
) -> None:
    visitor = node("clients.mjs", client, f"{server.url}/graphql/", "-", decision, choice)
    assert (visitor["me"], visitor["vote"]["receipt"]) == (None, None)
    assert [error["code"] for error in visitor["vote"]["errors"]] == ["SIGN_IN"]
    assert len(visitor["events"]) >= 1
    voter = node("clients.mjs", client, f"{server.url}/graphql/", tokens[1], decision, choice)
    assert (voter["me"] is None, voter["vote"]["errors"]) == (False, [])
    first, *_, last = voter["events"]
    assert last["revision"] > first["revision"]
