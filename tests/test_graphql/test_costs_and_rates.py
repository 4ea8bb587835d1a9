"""Answers tell of an operation's cost, and of how many operations remain in a minute."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client

from accounts import services as accounts
from accounts.models import User
from crowdvote.api import limits
from democracy import services
from democracy.notices import outbox
from democracy.notices.kinds import Kind
from tests import factories
from tests.test_graphql.api import JSON, URL, client_of, codes, post
from tests.test_graphql.test_subscriptions import opened

ME = "{ me { handle } }"
TWENTY = "{ communities(first: 20) { edges { node { name } } } }"
# A page of 100, each with a page of 100.
TOO_MUCH = "{ communities(first: 100) { edges { node { members(first: 100) { edges { node { name } } } } } } }"
POLICY = '"operations";q=2;w=60'


def asked(viewer: User | Client | None, query: str = ME, **headers: str) -> Any:
    client = viewer if isinstance(viewer, Client) else client_of(viewer)
    return client.post(URL, json.dumps({"query": query}), content_type=JSON, headers=headers)


def rate_of(response: Any) -> tuple[int, str | None, str | None]:
    return response.status_code, response.headers.get("RateLimit-Policy"), response.headers.get("RateLimit")


@pytest.fixture
def clock(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    if "locmem" not in settings.CACHES["default"]["BACKEND"]:
        pytest.skip("the clock of another process can't be moved")
    now = [1_800_000_000.5]
    monkeypatch.setattr("time.time", lambda: now[0])
    return now


@pytest.mark.django_db
class TestCost:
    @pytest.mark.parametrize(("query", "cost"), [(ME, 1), (TWENTY, 41), ("{ __typename }", 0)])
    def test_an_answer_tells_what_its_operation_costs_and_what_it_may(self, query: str, cost: int) -> None:
        assert post(None, query)["extensions"] == {"cost": {"requested": cost, "limit": limits.MAX_COST}}

    def test_it_is_that_of_the_operation_that_is_meant(self) -> None:
        found = []
        for name in "AB":
            body = {"query": f"query A {ME} query B {TWENTY}", "operationName": name}
            answer = Client().post(URL, json.dumps(body), content_type=JSON).json()
            found.append(answer["extensions"]["cost"]["requested"])
        assert found == [1, 41]

    def test_what_costs_too_much_is_told_how_much_and_what_was_not_measured_nothing(self) -> None:
        answer = post(None, TOO_MUCH)
        assert codes(answer) == ["TOO_LARGE"]
        assert answer["extensions"] == {"cost": {"requested": 20_301, "limit": limits.MAX_COST}}
        assert "extensions" not in post(None, "{")

    @pytest.mark.django_db(transaction=True)
    async def test_the_first_event_of_a_subscription_tells_it_and_no_other(self) -> None:
        user = await sync_to_async(factories.person)()
        socket = await opened(user)
        await socket.start("a", "subscription { notices { unread } }")
        first = (await socket.next())["payload"]
        assert first["extensions"] == {"cost": {"requested": 1, "limit": limits.MAX_EVENT_COST}}
        await sync_to_async(outbox.add)(Kind.NEW_FOLLOWER, "x", person_id=user.pk)
        await sync_to_async(services.mark_notices_read)(user)
        assert "extensions" not in (await socket.next())["payload"]
        await socket.communicator.disconnect()


@pytest.mark.django_db
class TestRate:
    @pytest.fixture(autouse=True)
    def _two_a_minute(self, settings: Any) -> None:
        settings.OPERATIONS_PER_MINUTE = 2

    def test_an_account_is_told_its_own_rate_wherever_it_asks_from(self, clock: list[float]) -> None:
        ann, ben = factories.person("ann"), factories.person("ben")
        _, raw = accounts.create_api_token(ann, "script")
        assert rate_of(asked(ann)) == (200, POLICY, '"operations";r=1;t=60')
        clock[0] += 10
        assert rate_of(asked(ben)) == (200, POLICY, '"operations";r=1;t=60')
        by_token = asked(None, authorization=f"Bearer {raw}")
        assert rate_of(by_token) == (200, POLICY, '"operations";r=0;t=50')
        clock[0] += 30
        refused = asked(ann)
        assert rate_of(refused) == (429, POLICY, '"operations";r=0;t=20')
        assert (refused.headers["Retry-After"], codes(refused.json())) == ("20", ["TOO_MANY_REQUESTS"])
        clock[0] += 21
        assert rate_of(asked(ann)) == (200, POLICY, '"operations";r=1;t=60')

    def test_a_visitor_is_not_told_what_others_at_the_address_leave(self, clock: list[float]) -> None:
        assert rate_of(asked(None)) == (200, POLICY, None)
        asked(None)
        refused = asked(None)
        assert rate_of(refused) == (429, POLICY, '"operations";r=0;t=60')
        assert refused.headers["Retry-After"] == "60"
        assert rate_of(asked(factories.person()))[2] == '"operations";r=1;t=60'

    def test_refusals_tell_it_too_if_they_counted(self, clock: list[float]) -> None:
        client = client_of(factories.person())
        assert rate_of(asked(client, "{")) == (200, POLICY, '"operations";r=1;t=60')
        by_get = client.get(URL, {"query": "mutation { signOut { errors { code } } }"})
        assert rate_of(by_get) == (405, POLICY, '"operations";r=0;t=60')
        assert rate_of(client.put(URL, "{}", content_type=JSON)) == (405, None, None)

    async def test_a_stream_of_events_tells_it_at_its_head(self) -> None:
        response = await AsyncClient().post(
            URL, json.dumps({"query": ME}), content_type=JSON, headers={"accept": "text/event-stream"}
        )
        assert (response.streaming, response.headers["RateLimit-Policy"]) == (True, POLICY)

    def test_without_a_limit_there_is_nothing_to_tell(self, settings: Any) -> None:
        settings.OPERATIONS_PER_MINUTE = 0
        assert rate_of(asked(factories.person())) == (200, None, None)


@pytest.mark.django_db
def test_whoever_guesses_tokens_is_told_when_to_come_back(settings: Any) -> None:
    settings.FAILURES_PER_CLIENT = 1
    responses = [asked(None, authorization="Bearer wrong") for _ in range(2)]
    assert [response.status_code for response in responses] == [401, 429]
    assert "Retry-After" not in responses[0].headers
    assert 0 < int(responses[1].headers["Retry-After"]) <= settings.RATE_LIMIT_SECONDS
