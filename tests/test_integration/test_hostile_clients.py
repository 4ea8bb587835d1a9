"""Clients that take more than their share: their server refuses them, and answers everybody else."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from accounts.api import node_id
from tests.servers import PATIENCE, Server, data_directory, prepared_directory, serving, tokens

__all__ = ["data_directory", "prepared_directory", "tokens"]

IMPATIENT = """
    from crowdvote.serving import bodies
    from crowdvote.serving import server
    server.HEAD_SECONDS = 0.3
    bodies.BODY_SECONDS = 0.3
"""
# Holds every operation until a file of this name exists.
HELD = """
    import pathlib, time
    from crowdvote import settings
    from crowdvote.api import limits
    exceeded_limit = limits.exceeded_limit
    def wait(*arguments):
        print("measuring", flush=True)
        while not (settings.DATA_DIR / "go-on").exists():
            time.sleep(0.01)
        return exceeded_limit(*arguments)
    limits.exceeded_limit = wait
"""


def raw(server: Server, *parts: bytes) -> bytes:
    """Send these bytes; return the server's answer until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    return answer


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def threads(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))


@contextmanager
def watching(server: Server, number: int) -> Iterator[list[Any]]:
    """Let so many visitors watch the scene's decision over WebSockets."""
    query = "subscription($d: ID!) { decisionResult(decisionId: $d) { revision } }"
    with ExitStack() as stack:
        sockets = []
        for _ in range(number):
            one = stack.enter_context(
                connect(f"ws://127.0.0.1:{server.port}/graphql/", subprotocols=[Subprotocol("graphql-transport-ws")])
            )
            one.send(json.dumps({"type": "connection_init"}))
            assert json.loads(one.recv(PATIENCE))["type"] == "connection_ack"
            payload = {"query": query, "variables": {"d": node_id("Decision", 1)}}
            one.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            assert json.loads(one.recv(PATIENCE))["type"] == "next"
            sockets.append(one)
        yield sockets


def test_open_connections_share_a_few_threads_and_have_a_limit_that_leaves_pages_working(
    data_directory: Path,
) -> None:
    """Fifty sockets and ten pages; an address may have 60 connections."""
    with serving(data_directory, CROWDVOTE_CONNECTIONS_PER_ADDRESS="60") as server, ExitStack() as pages:
        before = threads(server)
        with watching(server, 50):
            for _ in range(10):
                page = pages.enter_context(server.http.stream("GET", "/communities/1/decisions/1/events/"))
                assert page.status_code == 200
            assert threads(server) - before < 20
            with pytest.raises(InvalidStatus) as refused:
                connect(f"ws://127.0.0.1:{server.port}/graphql/", subprotocols=[Subprotocol("graphql-transport-ws")])
            assert refused.value.response.status_code == 429
            assert b"from your address" in refused.value.response.body
            assert server.http.get("/communities/1/decisions/1/events/").status_code == 429
            assert server.http.get("/communities/1/decisions/1/").status_code == 200
        with watching(server, 1):
            assert server.output == ""


def test_a_server_with_few_files_keeps_some_for_pages(data_directory: Path) -> None:
    few = """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
    """
    with serving(data_directory, program=few) as server, ExitStack() as pages:
        found = []
        for _ in range(25):
            page = pages.enter_context(server.http.stream("GET", "/communities/1/decisions/1/events/"))
            found.append(page.status_code)
        assert set(found) == {200, 429}
        assert found.count(200) == (300 - 256) // 2
        assert server.http.get("/").status_code == 200


def test_a_request_that_does_not_come_is_not_waited_for(data_directory: Path) -> None:
    with serving(data_directory, program=IMPATIENT) as server:
        assert status(raw(server)) == 408
        assert status(raw(server, b"POST /graphql/ HTTP/1.1\r\nHost: local")) == 408
        head = b"POST /graphql/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        assert status(raw(server, head + b"Content-Length: 100\r\n\r\n{")) == 408
        assert status(raw(server, head + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")) == 408
        many = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1_000) for number in range(100))
        assert status(raw(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + many)) == 431
        assert server.http.get("/").status_code == 200
        assert server.output == ""


def test_a_body_that_is_too_large_is_refused_by_its_length_and_while_it_is_read(
    data_directory: Path, tokens: list[str]
) -> None:
    with serving(data_directory) as server:
        head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        for path in (b"/graphql/", b"/sign-in/", b"/nowhere/"):
            assert status(raw(server, head % path + b"Content-Length: 419430400\r\n\r\n")) == 413
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        answer = raw(server, head % b"/graphql/" + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 17)
        assert (status(answer), b"at most 1 MiB." in answer) == (413, True)
        large = {"query": "{ me { __typename } }", "variables": {"much": "x" * 1_000_000}}
        answered = server.http.post("/graphql/", json=large, headers={"Authorization": f"Bearer {tokens[1]}"})
        assert answered.json()["data"] == {"me": {"__typename": "Me"}}
        assert server.output == ""


def test_everybody_is_answered_while_operations_take_long(data_directory: Path, tokens: list[str]) -> None:
    """Too many operations of one viewer get a refusal, not a place in the queue."""
    with serving(data_directory, program=HELD, CROWDVOTE_OPERATIONS_AT_ONCE="2") as server, ExitStack() as clients:
        body = b'{"query": "{ me { id } }"}'
        head = (
            "POST /graphql/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {tokens[1]}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        waiting = []
        for number in range(2):
            one = clients.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE))
            one.sendall(head.encode() + body)
            waiting.append(one)
            server.until_it_prints("measuring\n" * number + "measuring")
        assert server.http.get("/healthz").json() == {"status": "alive"}
        assert server.http.get("/communities/1/decisions/1/").status_code == 200
        ours, others = ({"Authorization": f"Bearer {token}"} for token in (tokens[1], "wrong"))
        refused = server.http.post("/graphql/", content=body, headers=ours | {"Content-Type": "application/json"})
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (429, "TOO_MANY_REQUESTS")
        assert server.http.post("/graphql/", content=body, headers=others).status_code == 401
        (data_directory / "go-on").touch()
        assert [one.makefile("rb").readline().split()[1] for one in waiting] == [b"200", b"200"]


@pytest.mark.parametrize(
    "message",
    ["[" * 50_000, '{"type": "connection_init", "payload": {"a": ' + "7" * 5_000 + "}}", "[]", "7"],
    ids=["deep", "digits", "a list", "a number"],
)
def test_a_message_that_cannot_be_read_closes_its_socket(hostile: Server, message: str) -> None:
    with connect(f"ws://127.0.0.1:{hostile.port}/graphql/", subprotocols=[Subprotocol("graphql-transport-ws")]) as one:
        one.send(message)
        with pytest.raises(Exception, match="4400"):
            one.recv(PATIENCE)
    assert hostile.output == ""


@pytest.mark.parametrize("seen", ["7" * 5_000 + ".1", "٣.1", "-1.1", "9" * 30 + ".0"])
def test_what_a_page_says_it_has_seen_may_be_nonsense(hostile: Server, seen: str) -> None:
    for path in ("/communities/1/events/", "/communities/1/decisions/1/events/"):
        with hostile.http.stream("GET", path, params={"seen": seen}) as stream:
            assert next(stream.iter_lines()).startswith("event: ")
    assert hostile.output == ""


@pytest.fixture(scope="module")
def hostile(prepared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    import shutil

    directory = shutil.copytree(prepared_directory, tmp_path_factory.mktemp("hostile") / "data")
    with serving(directory) as server:
        yield server
