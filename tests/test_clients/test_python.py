"""Clients in Python against a served instance: the one that `make clients` makes, gql and sgqlc.

The generator needs packages of its own, which `make test` and `make clients` put into client/python/.venv.
"""

from __future__ import annotations

import json
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import InvalidStatus

from tests.servers import Server
from tests.test_clients.judging import assert_walked
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


@pytest.fixture(params=["same", "other"])
def origin(request: pytest.FixtureRequest, elsewhere: tuple[Path, str]) -> str:
    """Return the origin that a client names: none, as of a program, and that of a page elsewhere."""
    return "-" if request.param == "same" else elsewhere[1]


@needs_the_generator
def test_the_generated_clients_ask_vote_receive_the_next_event_and_withdraw(
    server: Server, tokens: list[str], decision: str, run_generated: Any, origin: str
) -> None:
    def walk(token: str) -> Any:
        return run_generated(f"{server.url}/graphql/", token, tokens[1], decision, origin)

    visitor, voter = walk("-"), walk(tokens[1])
    assert_walked(visitor=visitor, voter=voter)
    refused = visitor["sync"]
    assert (refused["me"], refused["vote"]["receipt"], refused["ballot"]) == (None, None, None)
    attempts = [refused["vote"], refused["withdrawn"], *(member["followed"] for member in refused["members"])]
    assert [[error["code"] for error in one["errors"]] for one in attempts] == [["SIGN_IN"]] * 5
    done = voter["sync"]
    assert (done["me"]["handle"], done["vote"]["errors"], done["withdrawn"]["errors"]) == ("ada_1", [], [])
    assert (done["ballot"]["kind"], done["withdrawn"]["decision"]["my_ballot"]) == ("CAST", None)
    stars = [(each["choice"]["title"], float(each["stars"])) for each in done["ballot"]["stars"]]
    assert stars.count((done["wanted"], 5.0)) == 1
    assert [member["followed"]["following"]["tags"] for member in done["members"]] == [["trees"]] * 2
    assert [member["unfollowed"]["errors"] for member in done["members"]] == [[]] * 2


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
def test_the_packages_are_complete_and_the_installed_one_has_both_clients_with_types(
    python_client: Path, tmp_path: Path
) -> None:
    # The wheel is built from what the source package holds.
    output(ENVIRONMENT / "python", "-m", "build", "--no-isolation", cwd=python_client)
    (source,) = (python_client / "dist").glob("crowdvote_client-*.tar.gz")
    (wheel,) = (python_client / "dist").glob("crowdvote_client-*.whl")
    files = [path for path in (python_client / "crowdvote_client").rglob("*") if path.is_file()]
    made = {path.relative_to(python_client).as_posix() for path in files if path.parent.name != "__pycache__"}
    assert {
        "crowdvote_client/decision_result.py",
        "crowdvote_client/py.typed",
        "crowdvote_client/sync/client.py",
    } < made
    assert "crowdvote_client/sync/decision_result.py" not in made
    with tarfile.open(source) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert made | {"LICENSE", "README.md", "pyproject.toml"} <= names
    with zipfile.ZipFile(wheel) as packed_wheel:
        names = {*packed_wheel.namelist()}
        (licence,) = (name for name in names if name.endswith("/licenses/LICENSE"))
        assert packed_wheel.read(licence).decode() == (PROJECT / "LICENSE").read_text()
    assert {name for name in names if ".dist-info/" not in name} == made
    install = [ENVIRONMENT / "python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    output(*install, "--target", tmp_path, wheel, cwd=tmp_path)
    program = "import crowdvote_client.sync; print(crowdvote_client.__file__, crowdvote_client.sync.Client.decision)"
    said = output(ENVIRONMENT / "python", "-c", program, cwd=tmp_path)
    assert said.startswith(f"{tmp_path}/crowdvote_client/__init__.py <function Client.decision")


QUERY = "query($id: ID!) { decision(id: $id) { title choices { id title } } me { handle } }"
WATCH = "subscription($id: ID!) { decisionResult(decisionId: $id) { revision winner { title } } }"
VOTE = """mutation($id: ID!, $choice: ID!) {
    castVote(input: {decisionId: $id, stars: [{choiceId: $choice, stars: 5}]}) { receipt errors { code } } }"""


def request(text: str, **variables: str) -> GraphQLRequest:
    return GraphQLRequest(text, variable_values=variables)


def gql_clients(server: Server, token: str, origin: str) -> tuple[Client, Client]:
    """Return a client for queries and mutations, and one for subscriptions."""
    authorized = {} if token == "-" else {"Authorization": f"Bearer {token}"}
    headers = authorized if origin == "-" else authorized | {"Origin": origin}
    more = {} if origin == "-" else {"origin": origin}
    url = f"{server.url}/graphql/"
    socket = WebsocketsTransport(url=url.replace("http", "ws"), headers=authorized, connect_args=more)
    return Client(transport=HTTPXAsyncTransport(url=url, headers=headers)), Client(transport=socket)


async def walk_with_gql(server: Server, token: str, voter: str, decision: str, origin: str) -> dict[str, Any]:
    (asks, watches), (asks_for_voter, _) = (gql_clients(server, each, origin) for each in (token, voter))
    async with asks as asking, watches as watching, asks_for_voter as of_voter:
        got = await asking.execute(request(QUERY, id=decision))
        events: list[Any] = []
        async for event in watching.subscribe(request(WATCH, id=decision)):
            if (result := event["decisionResult"]) is None:
                continue
            events.append(result)
            if len(events) == 1:
                choices = got["decision"]["choices"]
                winner = result["winner"] and result["winner"]["title"]
                wanted = next(choice for choice in reversed(choices) if choice["title"] != winner)
                ballot = request(VOTE, id=decision, choice=wanted["id"])
                vote = (await asking.execute(ballot))["castVote"]
                if vote["errors"]:
                    await of_voter.execute(ballot)
            elif result["winner"] == {"title": wanted["title"]}:
                break
    told = {"title": got["decision"]["title"], "me": got["me"], "wanted": wanted["title"]}
    return told | {"vote": vote, "events": events}


async def test_gql_asks_votes_and_receives_the_next_event(
    server: Server, tokens: list[str], decision: str, origin: str
) -> None:
    visitor = await walk_with_gql(server, "-", tokens[1], decision, origin)
    voter = await walk_with_gql(server, tokens[1], tokens[1], decision, origin)
    assert_walked(visitor=visitor, voter=voter)


def test_gql_is_told_what_is_refused(server: Server, decision: str) -> None:
    client = Client(transport=HTTPXTransport(url=f"{server.url}/graphql/"))
    with pytest.raises(TransportQueryError) as refused:
        client.execute(request("query($id: ID!) { checkpoint(communityId: $id) { hash } }", id=decision))
    assert [error["extensions"]["code"] for error in refused.value.errors] == ["INVALID_ID"]


async def test_a_page_of_an_origin_that_is_not_allowed_gets_no_answer_and_no_websocket(
    server: Server, tokens: list[str], elsewhere: tuple[Path, str]
) -> None:
    def names_allowed(origin: str) -> list[str | None]:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        asked["Access-Control-Request-Headers"] = "authorization,content-type"
        first = server.http.options("/graphql/", headers=asked)
        answer = server.http.post("/graphql/", json={"query": "{ __typename }"}, headers={"Origin": origin})
        return [each.headers.get("Access-Control-Allow-Origin") for each in (first, answer)]

    allowed, other = elsewhere[1], "https://elsewhere.example"
    assert names_allowed(allowed) == [allowed] * 2
    assert names_allowed(other) == [None] * 2
    for token in ("-", tokens[1]):
        async with gql_clients(server, token, allowed)[1] as watching:
            assert await watching.execute(request("{ __typename }")) == {"__typename": "Query"}
        with pytest.raises(TransportConnectionFailed) as refused:
            await gql_clients(server, token, other)[1].connect_async()
        assert isinstance(refused.value.__cause__, InvalidStatus)
        assert refused.value.__cause__.response.status_code == 403


@pytest.fixture(scope="module")
def made_by_sgqlc(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the module that sgqlc makes of the site's own answer."""
    top = tmp_path_factory.mktemp("sgqlc")
    output(ENVIRONMENT / "python", "-m", "sgqlc.introspection", f"{server.url}/graphql/", "schema.json", cwd=top)
    output(ENVIRONMENT / "sgqlc-codegen", "schema", "schema.json", "made_by_sgqlc.py", cwd=top)
    return top


@needs_the_generator
def test_sgqlc_asks_votes_and_receives_the_next_event(
    server: Server, tokens: list[str], decision: str, made_by_sgqlc: Path, origin: str
) -> None:
    def walk(token: str) -> Any:
        arguments = (f"{server.url}/graphql/", token, tokens[1], decision, origin)
        command = (ENVIRONMENT / "python", "with_sgqlc.py", *arguments)
        return json.loads(output(*command, cwd=CLIENTS, PYTHONPATH=str(made_by_sgqlc)))

    assert_walked(visitor=walk("-"), voter=walk(tokens[1]))
