"""The server's entry point: who may open a WebSocket, where, and what starts with the server."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.testing import WebsocketCommunicator

from crowdvote.asgi import application
from democracy import recalculation
from democracy.recalculation.interpreter import SWITCH_INTERVAL

PROTOCOL = "graphql-transport-ws"
OURS = [(b"host", b"localhost:8000"), (b"origin", b"http://localhost:8000")]


async def opened(path: str, headers: list[tuple[bytes, bytes]], protocol: str = PROTOCOL) -> tuple[bool, object]:
    """Open a WebSocket. Returns whether it is accepted, and its subprotocol or closing code."""
    socket = WebsocketCommunicator(application, path, headers=headers, subprotocols=[protocol])
    answer = await socket.connect()
    await socket.disconnect()
    return answer


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/graphql/", "/graphql"])
async def test_our_own_pages_may_open_a_websocket_to_graphql(path: str) -> None:
    assert await opened(path, OURS) == (True, PROTOCOL)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "headers",
    [
        [(b"host", b"localhost:8000"), (b"origin", b"http://evil.example")],
        [(b"host", b"localhost:8000"), (b"origin", b"http://localhost:9999")],
        [(b"host", b"evil.example"), (b"origin", b"http://evil.example")],
    ],
    ids=["another site", "another port", "another name for us"],
)
async def test_no_other_page_may(headers: list[tuple[bytes, bytes]]) -> None:
    accepted, _ = await opened("/graphql/", headers)
    assert not accepted


@pytest.mark.django_db(transaction=True)
async def test_a_program_which_names_no_origin_may() -> None:
    assert await opened("/graphql/", [(b"host", b"localhost:8000")]) == (True, PROTOCOL)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/", "/graphql-anything", "/graphql/more"])
async def test_there_is_no_websocket_anywhere_else(path: str) -> None:
    accepted, _ = await opened(path, OURS)
    assert not accepted


@pytest.mark.django_db(transaction=True)
async def test_the_legacy_protocol_is_refused() -> None:
    socket = WebsocketCommunicator(application, "/graphql/", headers=OURS, subprotocols=["graphql-ws"])
    accepted, _ = await socket.connect()
    closed = await socket.receive_output() if accepted else {"type": "websocket.close"}
    assert closed["type"] == "websocket.close"


@pytest.fixture
def interpreter_as_before() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)
    gc.unfreeze()


@pytest.mark.django_db(transaction=True)
async def test_the_scheduler_starts_and_stops_with_the_server(settings, interpreter_as_before: None) -> None:
    settings.CROWDVOTE_EXECUTOR = "threads"
    server = ApplicationCommunicator(application, {"type": "lifespan", "asgi": {"version": "3.0"}})
    assert not scheduler_runs()
    await server.send_input({"type": "lifespan.startup"})
    assert await server.receive_output() == {"type": "lifespan.startup.complete"}
    assert scheduler_runs()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert gc.get_freeze_count() > 0
    await server.send_input({"type": "lifespan.shutdown"})
    assert await server.receive_output(timeout=10) == {"type": "lifespan.shutdown.complete"}
    assert not scheduler_runs()


def scheduler_runs() -> bool:
    return recalculation.scheduler._thread is not None
