"""While the database is away, everybody is told to come again, by a server that goes on as soon as it is back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from accounts.api import node_id
from accounts.outages import SORRY
from tests.servers import PATIENCE, Server, data_directory, prepared_directory, serving, tokens

__all__ = ["data_directory", "prepared_directory", "tokens"]

IMPATIENT = """
    from democracy.views import live
    live.HEARTBEAT = 0.1
"""
QUERY = "{ communities { totalCount } }"
STATUS = f'subscription {{ calculationStatus(decisionId: "{node_id("Decision", 1)}") {{ isFinal }} }}'
PAGE = "/communities/1/decisions/1/"


@pytest.fixture
def token(tokens: list[str]) -> str:
    return tokens[0]


@pytest.fixture
def server(data_directory: Path) -> Iterator[Server]:
    with serving(data_directory, program=IMPATIENT) as server:
        yield server


@contextmanager
def away(directory: Path) -> Iterator[None]:
    """Move the database's file away within this block."""
    file, elsewhere = directory / "crowdvote.sqlite3", directory / "elsewhere.sqlite3"
    file.rename(elsewhere)
    file.mkdir()
    yield
    file.rmdir()
    elsewhere.rename(file)


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_pages_and_programs_are_told_to_come_again(server: Server, token: str) -> None:
    def answers() -> list[httpx.Response]:
        return [
            server.http.get("/graphql/", params={"query": QUERY}),
            server.http.post("/graphql/", json={"query": QUERY}, headers=bearing(token)),
            server.http.get(PAGE, headers=bearing(token)),
            server.http.get(f"{PAGE}status/"),
        ]

    with away(server.directory):
        found = answers()
        assert [(one.status_code, one.headers["Retry-After"]) for one in found] == [(503, "5")] * 4
        for one in found[:2]:
            (error,) = one.json()["errors"]
            assert (error["message"], error["extensions"]) == (SORRY, {"code": "INTERNAL"})
        for one in found[2:]:
            assert "Back in a moment" in one.text
            assert "script-src 'self'" in one.headers["Content-Security-Policy"]
    assert [one.status_code for one in answers()] == [200] * 4
    assert "crowdvote.pages.views: the database is away: unable to open database file" in server.output


@contextmanager
def opened(server: Server, **headers: str) -> Iterator[ClientConnection]:
    with connect(
        f"ws://127.0.0.1:{server.port}/graphql/",
        subprotocols=[Subprotocol("graphql-transport-ws")],
        additional_headers=headers,
    ) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv(PATIENCE)) == {"type": "connection_ack"}
        yield socket


def asked(socket: ClientConnection, operation: str) -> dict[str, Any]:
    """Return the first answer to an operation."""
    socket.send(json.dumps({"id": operation, "type": "subscribe", "payload": {"query": STATUS}}))
    while (message := json.loads(socket.recv(PATIENCE)))["id"] != operation:
        pass
    return message


def test_a_websocket_is_refused_for_now_and_an_open_one_answers_with_an_error(server: Server, token: str) -> None:
    with opened(server) as visitor, opened(server, **bearing(token)) as person:
        with away(server.directory):
            for socket in (visitor, person):
                message = asked(socket, "a")
                payload = message["payload"]
                (error,) = payload if message["type"] == "error" else payload["errors"]
                assert (error["message"], error["extensions"]) == (SORRY, {"code": "INTERNAL"})
            with pytest.raises(ConnectionClosed) as closed, opened(server, **bearing(token)):
                pass
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
            with pytest.raises(InvalidStatus) as refused, opened(server, Cookie="sessionid=" + "x" * 32):
                pass
            assert refused.value.response.status_code == 503
        for socket in (visitor, person):
            assert asked(socket, "b")["payload"]["data"]["calculationStatus"] == {"isFinal": False}
    with opened(server, **bearing(token)) as socket:
        assert asked(socket, "c")["type"] == "next"


def test_a_subscription_over_http_answers_with_an_error(server: Server) -> None:
    with away(server.directory):
        query = urlencode({"query": STATUS})
        answer = server.http.get(f"/graphql/?{query}", headers={"Accept": "text/event-stream"})
    assert SORRY in answer.text


def test_a_pages_stream_ends_so_that_the_page_comes_back(server: Server) -> None:
    with httpx.stream("GET", f"{server.url}{PAGE}events/", timeout=PATIENCE) as stream:
        events = stream.iter_text()
        assert "event: result" in next(events)
        with away(server.directory):
            assert "event: end" not in "".join(events)
    with httpx.stream("GET", f"{server.url}{PAGE}events/", timeout=PATIENCE) as stream:
        assert "event: result" in next(stream.iter_text())
