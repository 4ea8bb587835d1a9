"""Clients in Python against a served instance: the one that `make clients` makes, gql and sgqlc.

The generator needs packages of its own, which `make test` and `make clients` put into client/python/.venv.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport
from gql.transport.websockets import WebsocketsTransport

from tests.servers import Server
from tests.test_clients.making import CLIENTS, ENVIRONMENT, PROJECT, PYTHON, needs_the_generator, output, run
from tests.test_documents.reading import blocks

# The pages that show programs.
PAGES = (PROJECT / "docs/clients.md", PYTHON / "README.md")


@pytest.fixture
def run_generated(python_client: Path) -> Any:
    def run_it(*arguments: str) -> Any:
        command = (ENVIRONMENT / "python", "generated.py", *arguments)
        return json.loads(output(*command, cwd=CLIENTS, PYTHONPATH=str(python_client)))

    return run_it


@needs_the_generator
def test_the_generated_clients_read_for_a_visitor_and_vote_for_nobody(
    server: Server, decision: str, run_generated: Any
) -> None:
    visitor = run_generated(f"{server.url}/graphql/", "-", decision, "1")
    for got in (visitor, visitor["sync"]):
        assert got["title"]
        assert got["me"] is None
        assert [error["code"] for error in got["vote"]["errors"]] == ["SIGN_IN"]
        assert got["vote"]["full_receipt"] is None
    assert len(visitor["events"]) == 1
    assert visitor["sync"]["ballot"] is None
    assert [error["code"] for error in visitor["sync"]["withdrawn"]["errors"]] == ["SIGN_IN"]
    refused = [member["followed"]["errors"] for member in visitor["sync"]["members"]]
    assert [[error["code"] for error in errors] for errors in refused] == [["SIGN_IN"]] * 3


@needs_the_generator
def test_the_generated_clients_vote_receive_the_next_event_and_withdraw(
    server: Server, tokens: list[str], decision: str, run_generated: Any
) -> None:
    voter = run_generated(f"{server.url}/graphql/", tokens[1], decision, "1")
    assert (voter["me"], voter["vote"]["errors"]) == ("ada_1", [])
    first, *_, last = voter["events"]
    assert last["winner"]["title"] == voter["wanted"] != first["winner"]["title"]
    assert last["revision"] >= voter["vote"]["full_receipt"]["revision"] > first["revision"]
    after = voter["sync"]
    assert (after["me"], after["vote"]["errors"], after["withdrawn"]["errors"]) == ("ada_1", [], [])
    assert (after["ballot"]["kind"], after["withdrawn"]["decision"]["my_ballot"]) == ("CAST", None)
    assert [(stars["choice"]["title"], float(stars["stars"])) for stars in after["ballot"]["stars"]].count(
        (voter["wanted"], 5.0)
    ) == 1
    assert [member["followed"]["following"]["tags"] for member in after["members"]] == [["trees"]] * 2
    assert [member["unfollowed"]["errors"] for member in after["members"]] == [[]] * 2


@needs_the_generator
def test_a_program_that_uses_the_generated_clients_is_checked_for_its_types(
    python_client: Path, tmp_path: Path
) -> None:
    def check(*programs: Path) -> str:
        command = [sys.executable, "-m", "mypy", "--config-file=", "--strict", "--follow-imports=silent"]
        cache = ["--cache-dir", tmp_path / "cache", "--python-executable", ENVIRONMENT / "python"]
        return run(*command, *cache, *programs, cwd=tmp_path, MYPYPATH=str(python_client)).stdout

    programs = (CLIENTS / "generated.py", *(PROJECT / "examples").glob("*.py"))
    assert check(*programs) == f"Success: no issues found in {len(programs)} source files\n"
    shown = [block for page in PAGES for block in blocks(page, "python")]
    for number, block in enumerate(shown):
        (tmp_path / f"shown_{number}.py").write_text(block)
    assert check(*tmp_path.glob("shown_*.py")) == f"Success: no issues found in {len(shown)} source files\n"
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from crowdvote_client.sync import Client\n"
        "found = Client('').decision('1')\n"
        "assert found\n"
        "number: int = found.title\n"
    )
    assert 'expression has type "str", variable has type "int"' in check(wrong)


@needs_the_generator
def test_the_package_holds_both_clients_and_says_that_it_has_types(python_client: Path) -> None:
    output(ENVIRONMENT / "python", "-m", "build", "--wheel", "--no-isolation", cwd=python_client)
    (wheel,) = (python_client / "dist").glob("crowdvote_client-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {
        "crowdvote_client/client.py",
        "crowdvote_client/decision_result.py",
        "crowdvote_client/py.typed",
        "crowdvote_client/sync/client.py",
    } <= {*names}
    assert "crowdvote_client/sync/decision_result.py" not in names


QUERY = "query($id: ID!) { decision(id: $id) { title choices { id title } } me { handle } }"
WATCH = "subscription($id: ID!) { decisionResult(decisionId: $id) { revision winner { title } } }"
VOTE = """mutation($id: ID!, $choice: ID!) {
    castVote(input: {decisionId: $id, stars: [{choiceId: $choice, stars: 5}]}) { receipt errors { code } } }"""


def request(text: str, **variables: str) -> GraphQLRequest:
    return GraphQLRequest(text, variable_values=variables)


def test_gql_asks_for_a_visitor_and_is_told_what_is_refused(server: Server, decision: str) -> None:
    client = Client(transport=HTTPXTransport(url=f"{server.url}/graphql/"))
    got = client.execute(request(QUERY, id=decision))
    assert (got["me"], len(got["decision"]["choices"])) == (None, 3)
    with pytest.raises(TransportQueryError) as refused:
        client.execute(request("query($id: ID!) { checkpoint(communityId: $id) { hash } }", id=decision))
    assert [error["extensions"]["code"] for error in refused.value.errors] == ["INVALID_ID"]


async def test_gql_votes_and_receives_the_next_event(server: Server, tokens: list[str], decision: str) -> None:
    headers = {"Authorization": f"Bearer {tokens[1]}"}
    address = f"{server.url}/graphql/"
    async with (
        Client(transport=HTTPXAsyncTransport(url=address, headers=headers)) as asking,
        Client(transport=WebsocketsTransport(url=address.replace("http", "ws"), headers=headers)) as watching,
    ):
        got = await asking.execute(request(QUERY, id=decision))
        assert got["me"] == {"handle": "ada_1"}
        wanted = got["decision"]["choices"][2]
        events = []
        async for event in watching.subscribe(request(WATCH, id=decision)):
            events.append(event["decisionResult"])
            if len(events) == 1:
                vote = await asking.execute(request(VOTE, id=decision, choice=wanted["id"]))
                assert vote["castVote"]["errors"] == []
            if events[-1]["winner"] == {"title": wanted["title"]}:
                break
    assert events[-1]["revision"] > events[0]["revision"]


@needs_the_generator
def test_sgqlc_makes_a_module_of_a_sites_own_answer_and_votes_with_it(
    server: Server, tokens: list[str], decision: str, tmp_path: Path
) -> None:
    url = f"{server.url}/graphql/"
    output(ENVIRONMENT / "python", "-m", "sgqlc.introspection", url, "schema.json", cwd=tmp_path)
    output(ENVIRONMENT / "sgqlc-codegen", "schema", "schema.json", "made_by_sgqlc.py", cwd=tmp_path)

    def ask(token: str) -> Any:
        command = (ENVIRONMENT / "python", "with_sgqlc.py", url, token, decision, "0")
        return json.loads(output(*command, cwd=CLIENTS, PYTHONPATH=str(tmp_path)))

    visitor, voter = ask("-"), ask(tokens[1])
    assert (visitor["me"], visitor["receipt"], visitor["errors"]) == (None, None, ["SIGN_IN"])
    assert (voter["me"], voter["title"], voter["errors"]) == ("ada_1", visitor["title"], [])
    assert voter["receipt"]
