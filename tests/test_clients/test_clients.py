"""Clients that others wrote, against a served instance: the audit of GraphQL over HTTP, Apollo, urql and Relay.

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

PROJECT = Path(__file__).parents[2]
CLIENTS = PROJECT / "tests/clients"
PATIENCE = 60
pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (CLIENTS / "node_modules").is_dir(),
    reason="clients in JavaScript need Node 20.19 or newer, and npm to install them",
)
# Lists as Relay pages through them by itself: the schema has what its rules for connections and nodes ask for.
PAGED = """
    const graphql = String.raw;
    graphql`
      fragment paged_community on Community
      @refetchable(queryName: "pagedQuery")
      @argumentDefinitions(first: {type: "Int", defaultValue: 10}, after: {type: "String"}) {
        members(first: $first, after: $after) @connection(key: "paged_members") { edges { node { name } } }
      }
    `;
"""


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False)


def node(script: str, *arguments: str) -> Any:
    ended = run("node", script, *arguments, cwd=CLIENTS)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def compiled(top: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Relay's compiler on a copy of the operations, and on more files."""
    copy = top / "tests/clients"
    copy.mkdir(parents=True)
    shutil.copy(PROJECT / "schema.graphql", top)
    for name in ("package.json", "operations.js"):
        shutil.copy(CLIENTS / name, copy)
    for name, text in more.items():
        (copy / f"{name}.js").write_text(text)
    return run(CLIENTS / "node_modules/.bin/relay-compiler", "--noWatchman", cwd=copy)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the directory of what Relay's compiler makes of the operations."""
    top = tmp_path_factory.mktemp("compiled")
    ended = compiled(top)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return str(top / "tests/clients/__generated__")


def test_the_audit_of_graphql_over_http_finds_nothing(server: Server, tokens: list[str]) -> None:
    for address, token in (("/graphql", []), ("/graphql/", [tokens[1]])):
        found = node("audit.mjs", server.url + address, *token)
        assert found["found"] == []
        assert found["ok"] > 60


@pytest.mark.parametrize("client", ["apollo", "urql", "byHash", "relay"])
def test_a_client_asks_votes_and_receives_the_next_event(
    server: Server, tokens: list[str], decision: str, made: str, client: str
) -> None:
    visitor = node("clients.mjs", client, f"{server.url}/graphql/", "-", decision, made)
    assert (visitor["me"], visitor["vote"]["receipt"]) == (None, None)
    assert [error["code"] for error in visitor["vote"]["errors"]] == ["SIGN_IN"]
    assert len(visitor["events"]) >= 1
    voter = node("clients.mjs", client, f"{server.url}/graphql/", tokens[1], decision, made)
    assert (voter["me"] is None, voter["vote"]["errors"]) == (False, [])
    first, *_, last = voter["events"]
    assert last["revision"] > first["revision"]


@pytest.mark.parametrize("client", ["apollo", "relay"])
def test_what_a_client_has_read_is_brought_up_to_date_by_events(
    server: Server, tokens: list[str], decision: str, made: str, client: str
) -> None:
    voter = node("stores.mjs", client, f"{server.url}/graphql/", tokens[1], decision, made)
    assert voter["vote"]["errors"] == []
    assert voter["asked"] == ["operationsQuery", "operationsStoredQuery", "operationsMutation"]
    first, *_, last = voter["events"]
    assert (first["read"], last["read"]) == (first["told"], last["told"])
    assert last["read"]["winner"]["title"] == voter["wanted"] != first["read"]["winner"]["title"]
    assert last["read"]["revision"] > first["read"]["revision"]


def test_the_compiler_of_relay_takes_lists_that_page_by_themselves_and_no_field_that_is_not_there(
    tmp_path: Path,
) -> None:
    ended = compiled(tmp_path / "good", paged=PAGED)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "node(" in (tmp_path / "good/tests/clients/__generated__/pagedQuery.graphql.js").read_text()
    ended = compiled(tmp_path / "wrong", paged=PAGED.replace("{ name }", "{ surname }"))
    assert ended.returncode != 0
    assert "surname" in ended.stdout + ended.stderr
