"""WebSockets: messages that are none of the protocol, operations that cannot be read, and pages of other origins."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from strawberry.channels.testing import GraphQLWebsocketCommunicator

from accounts import services as accounts
from crowdvote.asgi import application
from tests import factories
from tests.test_graphql.api import URL
from tests.test_graphql.test_http import UNREAD
from tests.test_graphql.test_subscriptions import PATIENCE, cookies_of, opened

pytestmark = [pytest.mark.django_db(transaction=True)]

ELSEWHERE = "https://wall.example.org"
ME = {"query": "{ me { handle } }"}


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        {"type": 7},
        {"type": "start"},
        {"type": "ping", "payload": 7},
        {"type": "complete"},
        {"type": "subscribe", "payload": ME},
        {"type": "subscribe", "id": 7, "payload": ME},
        {"type": "subscribe", "id": "", "payload": ME},
        {"type": "subscribe", "id": "a"},
        {"type": "subscribe", "id": "a", "payload": [ME]},
        {"type": "subscribe", "id": "a", "payload": {}},
        {"type": "subscribe", "id": "a", "payload": {"query": 7}},
        {"type": "subscribe", "id": "a", "payload": ME | {"variables": []}},
        {"type": "subscribe", "id": "a", "payload": ME | {"operationName": {}}},
    ],
    ids=str,
)
async def test_a_message_that_is_none_of_the_protocol_closes_its_socket(
    message: Any, caplog: pytest.LogCaptureFixture
) -> None:
    socket = await opened()
    with caplog.at_level(logging.ERROR):
        await socket.communicator.send_json_to(message)
        closed = await socket.communicator.receive_output(timeout=PATIENCE)
    assert (closed["type"], closed["code"]) == ("websocket.close", 4400)
    assert caplog.records == []


async def test_an_operation_that_cannot_be_read_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    socket = await opened()
    with caplog.at_level(logging.ERROR):
        for body, words in UNREAD:
            await socket.communicator.send_json_to({"id": "a", "type": "subscribe", "payload": body})
            answer = await socket.next()
            # A variable is looked at when the operation is carried out.
            errors = answer["payload"] if answer["type"] == "error" else answer["payload"]["errors"]
            assert (answer["id"], words in errors[0]["message"]) == ("a", True)
            if answer["type"] == "next":
                assert (await socket.next())["type"] == "complete"
    await socket.start("b", ME["query"])
    assert await socket.data("me") is None
    await socket.communicator.disconnect()
    assert caplog.records == []


class TestOtherOrigins:
    """A page of another origin has nothing but its token. Cookies of its reader do not count."""

    async def test_an_allowed_one_acts_by_its_token_alone(self, settings: Any) -> None:
        settings.CORS_ALLOWED_ORIGINS = [ELSEWHERE]
        user = await sync_to_async(factories.person)()
        _, raw = await sync_to_async(accounts.create_api_token)(user, "wall")
        cookies = await cookies_of(user)
        for params, me in (({}, None), ({"Authorization": f"Bearer {raw}"}, {"handle": user.handle})):
            socket = await opened(cookies=cookies, params=params, origin=ELSEWHERE)
            await socket.start("a", ME["query"])
            assert await socket.data("me") == me
            await socket.communicator.disconnect()

    async def test_any_other_is_refused(self) -> None:
        headers = [(b"host", b"localhost:8000"), (b"origin", ELSEWHERE.encode())]
        communicator = GraphQLWebsocketCommunicator(application, URL, headers=headers)
        accepted, _ = await communicator.connect()
        assert not accepted
