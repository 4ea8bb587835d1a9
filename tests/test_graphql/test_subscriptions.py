"""Subscriptions, over WebSocket and as server-sent events: the present value, then what is newer, while one may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.test import AsyncClient, Client
from django.utils import timezone
from strawberry.channels.testing import GraphQLWebsocketCommunicator

from accounts import services as accounts
from accounts.models import ApiToken, User
from crowdvote.asgi import application
from democracy import recalculation, services
from democracy.live import grants, publishing
from democracy.live.hub import hub, result_topic
from democracy.models import Community, DecisionSnapshot, Membership
from democracy.notices import outbox
from democracy.notices.kinds import Kind
from democracy.recalculation.staging import forget_everything
from tests import factories
from tests.test_graphql.api import JSON, URL, id_of

pytestmark = [pytest.mark.django_db(transaction=True)]

PATIENCE = 10.0
HEADERS = [(b"host", b"localhost:8000"), (b"origin", b"http://localhost:8000")]
STREAM = {"accept": "text/event-stream"}
RESULT = """subscription($d: ID!) { decisionResult(decisionId: $d) {
  revision isFinal winner { title } scores { choice { title } score } participation { cast } } }"""
STATUS = "subscription($d: ID!) { calculationStatus(decisionId: $d) { status inputRevision calculatedRevision } }"
ACTIVITY = "subscription($c: ID!) { communityActivity(communityId: $c) { revision communityId } }"


class Socket:
    """A client's WebSocket: operations by id, and what comes back for each."""

    def __init__(self, communicator: GraphQLWebsocketCommunicator) -> None:
        self.communicator = communicator

    async def start(self, operation: str, query: str, **variables: Any) -> None:
        payload = {"query": query, "variables": variables}
        await self.communicator.send_json_to({"id": operation, "type": "subscribe", "payload": payload})

    async def next(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.communicator.receive_json_from(timeout=PATIENCE)
        return message

    async def data(self, field: str) -> Any:
        message = await self.next()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"][field]


async def cookies_of(user: User) -> dict[str, str]:
    client = Client()
    await sync_to_async(client.force_login)(user, backend="accounts.backends.SignInLinkBackend")
    return {name: morsel.value for name, morsel in client.cookies.items()}


async def opened(
    user: User | None = None,
    *,
    cookies: dict[str, str] | None = None,
    params: dict[str, Any] | None = None,
    origin: str = "http://localhost:8000",
) -> Socket:
    if user is not None:
        cookies = await cookies_of(user)
    text = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    headers = [(b"host", b"localhost:8000"), (b"origin", origin.encode())]
    headers += [(b"cookie", text.encode())] if text else []
    communicator = GraphQLWebsocketCommunicator(application, URL, headers=headers, connection_params=params)
    await communicator.gql_init()
    return Socket(communicator)


class Scene:
    def __init__(self, visibility: str = Community.Visibility.MEMBERS) -> None:
        forget_everything()
        publishing._told.clear()
        self.community, self.members = factories.community("ann", "ben", visibility=visibility)
        self.decision = factories.decision(self.community, self.members["manager"].user)

    def vote(self, name: str, **stars: int) -> None:
        factories.vote(self.members[name], self.decision, **stars)

    def calculate(self) -> None:
        recalculation.recalculate_community(self.community.pk)

    def vote_and_calculate(self, name: str, **stars: int) -> None:
        self.vote(name, **stars)
        self.calculate()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = await sync_to_async(Scene)()
    yield made
    forget_everything()


class TestValues:
    async def test_a_client_goes_on_after_what_it_has_seen(self, scene: Scene) -> None:
        await sync_to_async(scene.vote_and_calculate)("ann", Ash=5)
        snapshot = await sync_to_async(DecisionSnapshot.objects.get)()
        seen = snapshot.revision
        of_decision, of_community = {"d": id_of(scene.decision)}, {"c": id_of(scene.community)}
        watched = {
            "decisionResult": ("decisionId: $d", "$d: ID!", of_decision),
            "calculationStatus": ("decisionId: $d", "$d: ID!", of_decision),
            "communityActivity": ("communityId: $c", "$c: ID!", of_community),
        }
        for name, (asked, declared, variables) in watched.items():
            query = f"subscription({declared}, $after: BigInt) {{ {name}({asked}, after: $after) {{ __typename }} }}"
            knowing, behind = await opened(scene.members["ben"].user), await opened(scene.members["ben"].user)
            await behind.start("a", query, **variables, after=seen - 1)
            assert await behind.data(name), name
            await knowing.start("a", query, **variables, after=seen)
            assert await knowing.communicator.receive_nothing(timeout=0.2), name
            await sync_to_async(scene.vote_and_calculate)("ann", Ash=(seen := seen + 1) % 5)
            assert await knowing.data(name), name
            seen = (await sync_to_async(DecisionSnapshot.objects.latest)("pk")).revision
            for socket in (knowing, behind):
                await socket.communicator.disconnect()

    async def test_a_final_result_comes_even_if_its_revision_has_been_seen(self, scene: Scene) -> None:
        await sync_to_async(scene.vote_and_calculate)("ann", Ash=5)
        seen = (await sync_to_async(DecisionSnapshot.objects.get)()).revision
        await sync_to_async(factories.close)(scene.decision)
        await sync_to_async(scene.calculate)()
        socket = await opened(scene.members["ben"].user)
        query = "subscription($d: ID!, $after: BigInt) { decisionResult(decisionId: $d, after: $after) { isFinal } }"
        await socket.start("a", query, d=id_of(scene.decision), after=seen + 9)
        assert await socket.data("decisionResult") == {"isFinal": True}
        await socket.communicator.disconnect()

    async def test_an_event_carries_its_decision_and_says_what_changed(self, scene: Scene) -> None:
        socket = await opened(scene.members["ben"].user)
        query = """subscription($d: ID!) { decisionResult(decisionId: $d) {
          cause { kinds ballots } decision { id result { revision } calculation { decision { id } } } revision } }"""
        await socket.start("a", query, d=id_of(scene.decision))
        assert await socket.data("decisionResult") is None
        await sync_to_async(scene.vote_and_calculate)("ann", Ash=5)
        first = await socket.data("decisionResult")
        assert first["decision"] == {
            "id": id_of(scene.decision),
            "result": {"revision": first["revision"]},
            "calculation": {"decision": {"id": id_of(scene.decision)}},
        }
        assert {"BALLOT", "DECISION", "MEMBERSHIP"} <= {*first["cause"]["kinds"]}
        assert first["cause"]["ballots"] == 1
        await sync_to_async(factories.follow)(scene.members["ben"], scene.members["ann"])
        await sync_to_async(scene.calculate)()
        assert (await socket.data("decisionResult"))["cause"] == {"kinds": ["FOLLOWING"], "ballots": 0}
        await socket.communicator.disconnect()

    async def test_one_hears_of_ones_own_notices_when_one_gets_or_reads_them(self, scene: Scene) -> None:
        ann, ben = (scene.members[name].user for name in ("ann", "ben"))
        socket = await opened(ann)
        await socket.start("a", "subscription { notices { unread } }")
        assert await socket.data("notices") == {"unread": 0}
        for person in (ben, ann):
            await sync_to_async(outbox.add)(
                Kind.NEW_FOLLOWER, "x", person_id=person.pk, community_id=scene.community.pk
            )
        assert await socket.data("notices") == {"unread": 1}
        await sync_to_async(services.mark_notices_read)(ann)
        assert await socket.data("notices") == {"unread": 0}

    async def test_a_result_comes_at_first_and_with_every_change(self, scene: Scene) -> None:
        socket = await opened(scene.members["ann"].user)
        await socket.start("a", RESULT, d=id_of(scene.decision))
        assert await socket.data("decisionResult") is None
        await sync_to_async(scene.vote_and_calculate)("ben", Ash=5)
        first = await socket.data("decisionResult")
        assert (first["winner"], first["participation"]) == ({"title": "Ash"}, {"cast": 1})
        await sync_to_async(scene.vote_and_calculate)("ben", Birch=5)
        second = await socket.data("decisionResult")
        assert second["winner"] == {"title": "Birch"}
        assert second["revision"] > first["revision"]
        await socket.communicator.disconnect()

    async def test_the_status_is_stale_calculating_current(self, scene: Scene) -> None:
        socket = await opened(scene.members["ann"].user)
        await sync_to_async(scene.calculate)()
        await socket.start("a", STATUS, d=id_of(scene.decision))
        assert (await socket.data("calculationStatus"))["status"] == "CURRENT"
        await sync_to_async(scene.vote)("ben", Ash=5)
        assert (await socket.data("calculationStatus"))["status"] == "STALE"
        await sync_to_async(scene.calculate)()
        seen = []
        while not seen or seen[-1] != "CURRENT":
            seen.append((await socket.data("calculationStatus"))["status"])
        # Whoever is slow misses what is between.
        assert seen in (["CALCULATING", "CURRENT"], ["CURRENT"])
        await socket.communicator.disconnect()

    async def test_activity_is_the_newest_revision(self, scene: Scene) -> None:
        socket = await opened(scene.members["ann"].user)
        await socket.start("a", ACTIVITY, c=id_of(scene.community))
        first = (await socket.data("communityActivity"))["revision"]
        await sync_to_async(scene.vote)("ben", Ash=5)
        second = await socket.data("communityActivity")
        assert second == {"revision": first + 1, "communityId": id_of(scene.community)}
        await socket.communicator.disconnect()

    async def test_an_older_or_equal_result_is_not_told_again(self, scene: Scene) -> None:
        await sync_to_async(scene.vote_and_calculate)("ben", Ash=5)
        old = await DecisionSnapshot.objects.alatest("revision")
        await sync_to_async(scene.vote_and_calculate)("ben", Birch=5)
        socket = await opened(scene.members["ann"].user)
        await socket.start("a", RESULT, d=id_of(scene.decision))
        assert (await socket.data("decisionResult"))["winner"] == {"title": "Birch"}
        topic = result_topic(scene.decision.pk)
        hub.publish(topic, old)
        hub.publish(topic, await DecisionSnapshot.objects.alatest("revision"))
        await sync_to_async(scene.vote_and_calculate)("ben", Cedar=5)
        assert (await socket.data("decisionResult"))["winner"] == {"title": "Cedar"}
        await socket.communicator.disconnect()

    async def test_what_is_told_costs_no_query(self, scene: Scene) -> None:
        """A thousand who watch one decision share what the hub carries."""
        await sync_to_async(scene.vote_and_calculate)("ben", Ash=5)
        sockets = [await opened(scene.members["ann"].user) for _ in range(3)]
        for socket in sockets:
            await socket.start("a", RESULT, d=id_of(scene.decision))
            await socket.data("decisionResult")
        snapshot = await DecisionSnapshot.objects.alatest("revision")
        asked: list[str] = []

        def count(execute: Any, sql: str, *rest: Any) -> Any:
            asked.append(sql)
            return execute(sql, *rest)

        newer = DecisionSnapshot(
            decision=scene.decision,
            revision=snapshot.revision + 1,
            calculated_at=snapshot.calculated_at,
            result=snapshot.result,
        )
        with connection.execute_wrapper(count):
            hub.publish(result_topic(scene.decision.pk), newer)
            told = [(await socket.data("decisionResult"))["revision"] for socket in sockets]
        assert (told, asked) == ([newer.revision] * 3, [])
        for socket in sockets:
            await socket.communicator.disconnect()

    async def test_whoever_goes_is_forgotten(self, scene: Scene) -> None:
        socket = await opened(scene.members["ann"].user)
        await socket.start("a", RESULT, d=id_of(scene.decision))
        await socket.start("b", STATUS, d=id_of(scene.decision))
        for _ in range(2):
            assert (await socket.next())["type"] == "next"
        assert result_topic(scene.decision.pk) in hub.topics("")
        await socket.communicator.send_json_to({"id": "a", "type": "complete"})
        await socket.communicator.disconnect()
        assert hub.topics("") == []

    async def test_queries_and_mutations_work_over_the_socket_too(self, scene: Scene) -> None:
        socket = await opened(scene.members["ann"].user)
        await socket.start("q", "{ me { handle } }")
        assert (await socket.data("me"))["handle"] == scene.members["ann"].user.handle
        assert (await socket.next())["type"] == "complete"
        await socket.start("m", 'mutation { updateProfile(input: {name: "Ann B"}) { account { name } } }')
        assert (await socket.data("updateProfile")) == {"account": {"name": "Ann B"}}
        assert (await socket.next())["type"] == "complete"
        await socket.start("o", "mutation { signOut { errors { code } } }")
        assert (await socket.data("signOut")) == {"errors": [{"code": "ONLY_OVER_HTTP"}]}
        await socket.communicator.disconnect()


class TestConnections:
    """A database has fewer connections than a page has watchers: an open socket holds none."""

    @pytest.fixture
    async def opened_since(self) -> AsyncIterator[list[Any]]:
        """The database connections that were opened since, except by the test itself."""
        found: list[Any] = []
        own = await sync_to_async(lambda: connections["default"])()

        def note(connection: Any, **kwargs: Any) -> None:
            if connection is not own:
                found.append(connection)

        connection_created.connect(note)
        yield found
        connection_created.disconnect(note)

    def held(self, connections: list[Any]) -> list[Any]:
        return [one for one in connections if one.connection is not None]

    async def test_whoever_watches_or_has_asked_holds_none(self, scene: Scene, opened_since: list[Any]) -> None:
        _, raw = await sync_to_async(accounts.create_api_token)(scene.members["ann"].user, "script")
        socket = await opened(params={"authorization": f"Bearer {raw}"})
        # Who somebody is was looked up already.
        assert (len(opened_since) > 0, self.held(opened_since)) == (True, [])
        await socket.start("a", RESULT, d=id_of(scene.decision))
        await socket.start("b", STATUS, d=id_of(scene.decision))
        for _ in range(2):
            assert (await socket.next())["type"] == "next"
        assert self.held(opened_since) == []
        await socket.start("m", 'mutation { updateProfile(input: {name: "Ann B"}) { account { name } } }')
        assert await socket.data("updateProfile") == {"account": {"name": "Ann B"}}
        assert (await socket.next())["type"] == "complete"
        assert self.held(opened_since) == []
        await socket.communicator.disconnect()
        assert self.held(opened_since) == []


class TestWhoMay:
    async def refusal(self, socket: Socket) -> str:
        """The code with which an operation ends; nothing comes after it."""
        message = await socket.next()
        errors = message["payload"]["errors"] if message["type"] == "next" else message["payload"]
        if message["type"] == "next":
            assert (await socket.next())["type"] == "complete"
        assert "data" not in message["payload"] or message["payload"]["data"] is None
        code: str = errors[0]["extensions"]["code"]
        return code

    @pytest.mark.parametrize("query", [RESULT, STATUS, ACTIVITY], ids=["result", "status", "activity"])
    async def test_strangers_and_visitors_are_refused(self, scene: Scene, query: str) -> None:
        variables = {"c": id_of(scene.community)} if query is ACTIVITY else {"d": id_of(scene.decision)}
        for user in (None, await sync_to_async(factories.person)()):
            socket = await opened(user)
            await socket.start("a", query, **variables)
            assert await self.refusal(socket) == "PERMISSION_DENIED"
            await socket.communicator.disconnect()

    async def test_a_public_community_is_watched_by_everybody(self) -> None:
        scene = await sync_to_async(Scene)(Community.Visibility.PUBLIC)
        socket = await opened()
        await socket.start("a", RESULT, d=id_of(scene.decision))
        assert await socket.data("decisionResult") is None
        manager = scene.members["manager"].user
        await sync_to_async(services.update_community)(manager, scene.community.pk, visibility="members")
        assert await self.refusal(socket) == "PERMISSION_DENIED"
        await socket.communicator.disconnect()

    async def test_a_bearer_token_opens_a_socket(self, scene: Scene) -> None:
        _, raw = await sync_to_async(accounts.create_api_token)(scene.members["ann"].user, "script")
        socket = await opened(params={"authorization": f"Bearer {raw}"})
        await socket.start("a", RESULT, d=id_of(scene.decision))
        assert await socket.data("decisionResult") is None
        await socket.communicator.disconnect()

    async def test_a_wrong_bearer_token_does_not(self, scene: Scene) -> None:
        communicator = GraphQLWebsocketCommunicator(application, URL, headers=HEADERS)
        await communicator.connect()
        await communicator.send_json_to({"type": "connection_init", "payload": {"authorization": "Bearer nonsense"}})
        assert (await communicator.receive_output(PATIENCE))["code"] == 4403

    async def test_somebody_who_leaves_is_told_no_more(self, scene: Scene) -> None:
        socket, bystander = [await opened(scene.members[name].user) for name in ("ann", "ben")]
        for one in (socket, bystander):
            await one.start("a", RESULT, d=id_of(scene.decision))
            assert await one.data("decisionResult") is None
        await sync_to_async(services.leave_community)(scene.members["ann"].user, scene.community.pk)
        assert await self.refusal(socket) == "PERMISSION_DENIED"
        await sync_to_async(scene.vote_and_calculate)("ben", Ash=5)
        assert (await bystander.data("decisionResult"))["winner"] == {"title": "Ash"}
        assert await socket.communicator.receive_nothing(timeout=0.05)
        for one in (socket, bystander):
            await one.communicator.disconnect()

    async def test_signing_out_ends_what_the_session_watches(self, scene: Scene) -> None:
        cookies = await cookies_of(scene.members["ann"].user)
        socket = await opened(cookies=cookies)
        await socket.start("a", RESULT, d=id_of(scene.decision))
        assert await socket.data("decisionResult") is None
        client = AsyncClient()
        client.cookies.load(cookies)
        body = json.dumps({"query": "mutation { signOut { errors { code } } }"})
        answer = await client.post(URL, body, content_type=JSON)
        assert answer.json()["data"] == {"signOut": {"errors": []}}
        assert await self.refusal(socket) == "SIGN_IN"
        await socket.start("b", "{ me { handle } }")
        assert await socket.data("me") is None
        await socket.communicator.disconnect()

    async def test_what_nobody_tells_is_looked_at_again_in_time(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A token that was revoked past all that tells of it, say."""
        monkeypatch.setattr(grants, "RECHECK", 0.05)
        ann = scene.members["ann"].user
        token, raw = await sync_to_async(accounts.create_api_token)(ann, "script")
        socket = await opened(params={"authorization": f"Bearer {raw}"})
        await socket.start("a", RESULT, d=id_of(scene.decision))
        assert await socket.data("decisionResult") is None
        await sync_to_async(ApiToken.objects.filter(pk=token.pk).update)(revoked_at=timezone.now())
        assert await self.refusal(socket) == "SIGN_IN"
        await socket.communicator.disconnect()

    async def test_a_token_ends_its_subscriptions_when_it_is_revoked(self, scene: Scene) -> None:
        ann = scene.members["ann"].user
        token, raw = await sync_to_async(accounts.create_api_token)(ann, "script")
        socket = await opened(params={"authorization": f"Bearer {raw}"})
        await socket.start("a", RESULT, d=id_of(scene.decision))
        assert await socket.data("decisionResult") is None
        await sync_to_async(accounts.revoke_api_token)(ann, token.pk)
        assert await self.refusal(socket) == "SIGN_IN"
        await socket.communicator.disconnect()


class TestServerSentEvents:
    async def events(self, response: Any) -> AsyncIterator[tuple[str, Any]]:
        text = ""
        async for chunk in response.streaming_content:
            text += chunk.decode()
            while "\n\n" in text:
                event, _, text = text.partition("\n\n")
                if not event.startswith(":"):
                    lines = dict(line.split(": ", 1) if ": " in line else (line, "") for line in event.split("\n"))
                    yield lines["event"], json.loads(lines["data"]) if lines.get("data") else None

    @pytest.mark.parametrize("method", ["get", "post"])
    async def test_a_subscription_comes_as_events(self, scene: Scene, method: str) -> None:
        client = AsyncClient()
        client.cookies.load(await cookies_of(scene.members["ann"].user))
        variables = {"d": id_of(scene.decision)}
        if method == "get":
            response = await client.get(URL, {"query": RESULT, "variables": json.dumps(variables)}, headers=STREAM)
        else:
            body = json.dumps({"query": RESULT, "variables": variables})
            response = await client.post(URL, body, content_type=JSON, headers=STREAM)
        assert response.headers["Content-Type"] == "text/event-stream"
        events = self.events(response)
        event, payload = await anext(events)
        assert (event, payload["data"]) == ("next", {"decisionResult": None})
        await sync_to_async(scene.vote_and_calculate)("ben", Ash=5)
        event, payload = await asyncio.wait_for(anext(events), PATIENCE)
        assert (event, payload["data"]["decisionResult"]["winner"]) == ("next", {"title": "Ash"})
        await sync_to_async(services.leave_community)(scene.members["ann"].user, scene.community.pk)
        event, payload = await asyncio.wait_for(anext(events), PATIENCE)
        assert payload["errors"][0]["extensions"]["code"] == "PERMISSION_DENIED"
        assert [event async for event in events] == [("complete", None)]

    async def test_a_query_comes_as_one_event(self, scene: Scene) -> None:
        client = AsyncClient()
        response = await client.post(URL, json.dumps({"query": "{ me { handle } }"}), content_type=JSON, headers=STREAM)
        (event, payload), end = [event async for event in self.events(response)]
        assert (event, payload["data"], end) == ("next", {"me": None}, ("complete", None))

    async def test_by_get_no_mutation_is_run(self, scene: Scene) -> None:
        client = AsyncClient()
        client.cookies.load(await cookies_of(scene.members["ann"].user))
        before = await Membership.objects.filter(left_at=None).acount()
        leave = f'mutation {{ leaveCommunity(communityId: "{id_of(scene.community)}") {{ errors {{ code }} }} }}'
        response = await client.get(URL, {"query": leave}, headers=STREAM)
        events = [event async for event in self.events(response)]
        assert "errors" in events[0][1]
        assert await Membership.objects.filter(left_at=None).acount() == before

    async def test_without_the_header_a_subscription_is_refused(self, scene: Scene) -> None:
        client = AsyncClient()
        client.cookies.load(await cookies_of(scene.members["ann"].user))
        body = json.dumps({"query": RESULT, "variables": {"d": id_of(scene.decision)}})
        refused = await client.post(URL, body, content_type=JSON)
        (error,) = refused.json()["errors"]
        assert refused.status_code == 400
        assert "`Accept: text/event-stream`" in error["message"]
        assert "WebSocket" in error["message"]
