"""Clients that others wrote, in Node against a served instance: the audit of GraphQL over HTTP, Apollo, urql and Relay.

They run where Node is installed and `npm ci` in tests/clients has brought them, as `make test` sees to.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server, serving
from tests.test_clients.judging import assert_walked
from tests.test_clients.making import compiled, made_with_list, needs_node, operations_copied, run

pytestmark = needs_node
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


def node(programs: Path, script: str, *arguments: str) -> Any:
    ended = run("node", script, *arguments, cwd=programs)
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_the_audit_of_graphql_over_http_finds_nothing(server: Server, tokens: list[str], programs: Path) -> None:
    for address, token in (("/graphql", []), ("/graphql/", [tokens[1]])):
        found = node(programs, "audit.mjs", server.url + address, *token)
        assert found["found"] == []
        assert found["ok"] > 60


@pytest.mark.parametrize("client", ["apollo", "urql", "byHash", "relay"])
def test_a_client_asks_votes_and_receives_the_next_event(
    server: Server, tokens: list[str], decision: str, programs: Path, client: str
) -> None:
    def walk(token: str) -> Any:
        return node(programs, "clients.mjs", client, f"{server.url}/graphql/", token, tokens[1], decision)

    assert_walked(visitor=walk("-"), voter=walk(tokens[1]))


def test_a_site_that_runs_what_relays_compiler_has_listed_runs_it_by_hash_and_nothing_else(
    data_directory: Path, tokens: list[str], decision: str, tmp_path: Path
) -> None:
    programs = made_with_list(operations_copied(tmp_path / "listed"))
    with serving(data_directory, CROWDVOTE_API_DOCUMENTS=str(programs / "documents.json")) as site:

        def walk(client: str, token: str) -> Any:
            return run("node", "clients.mjs", client, f"{site.url}/graphql/", token, tokens[1], decision, cwd=programs)

        visitor, voter = (walk("relay", token) for token in ("-", tokens[1]))
        assert (visitor.stderr, voter.stderr) == ("", "")
        assert_walked(visitor=json.loads(visitor.stdout), voter=json.loads(voter.stdout))
        assert "only the documents that its operator has listed" in walk("apollo", tokens[1]).stderr


@pytest.mark.parametrize("client", ["apollo", "relay"])
def test_what_a_client_has_read_is_brought_up_to_date_by_events(
    server: Server, tokens: list[str], decision: str, programs: Path, client: str
) -> None:
    voter = node(programs, "stores.mjs", client, f"{server.url}/graphql/", tokens[1], decision)
    assert voter["vote"]["errors"] == []
    assert voter["asked"] == ["operationsQuery", "operationsStoredQuery", "operationsMutation"]
    first, *_, last = voter["events"]
    assert (first["read"], last["read"]) == (first["told"], last["told"])
    assert last["read"]["winner"]["title"] == voter["wanted"] != first["read"]["winner"]["title"]
    assert last["read"]["revision"] > first["read"]["revision"]


def test_the_compiler_of_relay_takes_lists_that_page_by_themselves_and_no_field_that_is_not_there(
    tmp_path: Path,
) -> None:
    ended = compiled(operations_copied(tmp_path / "good", paged=PAGED))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "node(" in (tmp_path / "good/tests/clients/__generated__/pagedQuery.graphql.js").read_text()
    ended = compiled(operations_copied(tmp_path / "wrong", paged=PAGED.replace("{ name }", "{ surname }")))
    assert ended.returncode != 0
    assert "surname" in ended.stdout + ended.stderr
