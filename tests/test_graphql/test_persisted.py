"""Documents by their hash: sent once with it, found by it, and nobody's."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.cache import caches
from django.test import AsyncClient, Client

from crowdvote.api import documents, limits, persisted
from democracy.models import Community
from tests import factories
from tests.test_graphql.api import JSON, URL, client_of, codes, everything_written, id_of
from tests.test_graphql.test_http import STRICT
from tests.test_graphql.test_subscriptions import opened

ME = "{ me { handle } }"
ACTIVITY = "subscription($c: ID!) { communityActivity(communityId: $c) { communityId } }"
CREATE = "mutation($i: CreateCommunityInput!) { createCommunity(input: $i) { errors { code } } }"


def sha256_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def named(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256_of(text)}}


def posted(body: dict[str, Any], client: Client | None = None, **headers: str) -> Any:
    return (client or Client()).post(URL, json.dumps(body), content_type=JSON, headers=headers)


def by_hash(text: str, client: Client | None = None, **others: Any) -> Any:
    return posted({"extensions": named(text), **others}, client)


def teach(text: str, client: Client | None = None, **others: Any) -> Any:
    return posted({"query": text, "extensions": named(text), **others}, client)


def is_known(text: str) -> bool:
    errors = by_hash(text).json().get("errors", [])
    return [error["message"] for error in errors] != ["PersistedQueryNotFound"]


@pytest.mark.django_db
class TestByHash:
    def test_an_unknown_one_is_asked_for_once_and_then_found_by_everybody(self) -> None:
        for accept in (JSON, STRICT):
            response = posted({"extensions": named(ME)}, accept=accept)
            assert (response.status_code, "data" in response.json()) == (200, False)
            (error,) = response.json()["errors"]
            assert (error["message"], error["extensions"]["code"]) == (
                "PersistedQueryNotFound",
                "PERSISTED_QUERY_NOT_FOUND",
            )
        assert teach(ME).json()["data"] == {"me": None}
        person = factories.person()
        for body in ({}, {"query": None}, {"query": ""}):
            assert by_hash(ME, client_of(person), **body).json()["data"] == {"me": {"handle": person.handle}}

    def test_by_get_too_but_no_mutation(self) -> None:
        client = client_of(factories.person())
        given = {"i": {"name": "Elm Street"}}
        assert teach(CREATE, client, variables=given).json()["data"] == {"createCommunity": {"errors": []}}
        before = everything_written()
        given["i"]["name"] = "Oak Street"
        sent = {"extensions": json.dumps(named(CREATE)), "variables": json.dumps(given)}
        refused = client.get(URL, sent)
        assert (refused.status_code, codes(refused.json())) == (405, ["METHOD_NOT_ALLOWED"])
        assert everything_written() == before
        teach(ME)
        assert Client().get(URL, {"extensions": json.dumps(named(ME))}).json()["data"] == {"me": None}

    @pytest.mark.parametrize(
        "sent",
        [
            named("{ __typename }")["persistedQuery"],
            {"version": 2, "sha256Hash": named(ME)["persistedQuery"]["sha256Hash"]},
            {"version": 1, "sha256Hash": named(ME)["persistedQuery"]["sha256Hash"].upper()},
            {"version": 1, "sha256Hash": 7},
            {"version": 1},
            [],
            "abc",
        ],
    )
    def test_a_wrong_hash_is_refused_and_nothing_is_run_or_kept(self, sent: Any) -> None:
        client = client_of(factories.person())
        before = everything_written()
        given = {"i": {"name": "Elm Street"}}
        response = posted({"query": CREATE, "variables": given, "extensions": {"persistedQuery": sent}}, client)
        assert (response.status_code, codes(response.json())) == (400, ["BAD_REQUEST"])
        assert everything_written() == before
        assert not is_known(CREATE)
        assert not is_known("{ __typename }")

    def test_other_extensions_are_left_alone(self) -> None:
        assert posted({"query": ME, "extensions": {"trace": 7, "persistedQuery": None}}).json()["data"] == {"me": None}
        refused = posted({"extensions": {"trace": 7}})
        assert (refused.status_code, codes(refused.json())) == (400, ["BAD_REQUEST"])


@pytest.mark.django_db
class TestByDocumentId:
    @pytest.mark.parametrize("prefix", ["sha256:", ""])
    def test_a_kept_one_is_found_by_post_and_by_get(self, prefix: str) -> None:
        person = factories.person()
        client = client_of(person)
        name = prefix + sha256_of(ME)
        assert codes(posted({"documentId": name}).json()) == ["PERSISTED_QUERY_NOT_FOUND"]
        teach(ME)
        for answer in (posted({"documentId": name}, client), client.get(URL, {"documentId": name})):
            assert (answer.status_code, answer.json()["data"]) == (200, {"me": {"handle": person.handle}})

    def test_no_mutation_by_get(self) -> None:
        client = client_of(factories.person())
        teach(CREATE, client, variables={"i": {"name": "Elm Street"}})
        before = everything_written()
        sent = {"documentId": sha256_of(CREATE), "variables": json.dumps({"i": {"name": "Oak Street"}})}
        assert client.get(URL, sent).status_code == 405
        assert everything_written() == before
        del sent["variables"]
        done = posted(sent | {"variables": {"i": {"name": "Oak Street"}}}, client).json()
        assert done["data"] == {"createCommunity": {"errors": []}}
        assert everything_written() != before

    @pytest.mark.parametrize("name", ["", "sha256:", "sha1:" + "a" * 40, "x-ours:" + "a" * 64, "A" * 64, 7, [], {}])
    def test_what_is_no_hash_is_refused_and_the_field_is_named(self, name: object) -> None:
        (error,) = posted({"documentId": name}).json()["errors"]
        assert (error["extensions"]["code"], "`documentId`" in error["message"]) == ("BAD_REQUEST", True)

    def test_a_variable_of_this_name_is_a_variable(self) -> None:
        text = "query($documentId: Int) { communities(first: $documentId) { totalCount } }"
        given = json.dumps({"documentId": 1})
        assert Client().get(URL, {"query": text, "variables": given}).json()["data"] == {
            "communities": {"totalCount": 0}
        }


@pytest.mark.django_db
class TestKeeping:
    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "{ secrets }",
            "{ communities(first: 100) { edges { node { members(first: 100) { edges { node { name } } } } } } }",
            'query A { community(id: "Q29tbXVuaXR5OjE=") { name } }',
            "{ me { handle } }" + " " * persisted._KEPT_CHARACTERS,
        ],
        ids=["unreadable", "invalid", "too costly", "somebody's", "long"],
    )
    def test_what_was_refused_or_has_values_of_its_own_or_is_long_is_not_kept(self, text: str) -> None:
        answer = teach(text).json()
        assert answer != by_hash(text).json()
        assert not is_known(text)

    def test_a_kept_one_meets_the_limits_anew(self) -> None:
        paged = "query($n: Int!) { communities(first: $n) { edges { node { members(first: $n) { totalCount } } } } }"
        teach(paged, variables={"n": 1})
        assert codes(by_hash(paged, variables={"n": 100_000}).json()) == ["TOO_LARGE"]
        assert "errors" not in by_hash(paged, variables={"n": 1}).json()

    def test_the_rate_comes_first(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.OPERATIONS_PER_MINUTE = 1
        teach(ME)
        looked_for: list[str] = []
        monkeypatch.setattr(persisted, "_kept", looked_for.append)
        monkeypatch.setattr(documents, "read", looked_for.append)
        for accept in (JSON, f"{JSON}, text/event-stream"):
            for body in ({"extensions": named(ME)}, {"query": ME}):
                response = posted(body, accept=accept)
                assert (response.status_code, codes(response.json())) == (429, ["TOO_MANY_REQUESTS"])
        assert looked_for == []

    def test_for_a_day(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if "locmem" not in settings.CACHES["default"]["BACKEND"]:
            pytest.skip("the clock of another process can't be moved")
        now = [1_800_000_000.0]
        monkeypatch.setattr("time.time", lambda: now[0])
        teach(ME)
        now[0] += persisted._KEPT_SECONDS - 1
        assert is_known(ME)
        now[0] += 2
        assert not is_known(ME)

    def test_newer_ones_take_the_place_of_older_ones_on_a_shelf(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(persisted, "_SHELVES", 1)
        texts = [f"{{ me {{ handle {'name ' * n}}} }}" for n in range(persisted._PER_SHELF + 1)]
        for text in texts:
            teach(text)
        assert [is_known(text) for text in texts] == [False] + [True] * persisted._PER_SHELF
        assert len(caches["default"].get("documents:0")) == persisted._PER_SHELF

    def test_half_a_character_does_not_put_one_document_in_the_place_of_another(self) -> None:
        """A hash of its replacement would name both."""
        text = "{ me { handle } } # \ud800"
        response = posted({"query": text, "extensions": named("{ me { handle } } # ?")})
        assert response.status_code == 400

    def test_a_text_too_long_to_be_read_is_refused_as_one(self) -> None:
        text = ME + " " * limits.MAX_CHARACTERS
        assert codes(posted({"query": text, "extensions": named("other")}).json()) == ["TOO_LARGE"]


@pytest.mark.django_db(transaction=True)
class TestSubscriptions:
    async def test_over_a_websocket(self) -> None:
        community, _ = await sync_to_async(factories.community)(visibility=Community.Visibility.PUBLIC)
        socket = await opened()
        payload: dict[str, Any] = {"variables": {"c": id_of(community)}, "extensions": named(ACTIVITY)}

        async def begin(number: str, **others: Any) -> dict[str, Any]:
            message = {"id": number, "type": "subscribe", "payload": payload | others}
            await socket.communicator.send_json_to(message)
            return await socket.next()

        unknown = await begin("a")
        assert (unknown["type"], unknown["payload"][0]["message"]) == ("error", "PersistedQueryNotFound")
        by_name: dict[str, Any] = {"extensions": None, "documentId": f"sha256:{sha256_of(ACTIVITY)}"}
        for number, others in (("b", {"query": ACTIVITY}), ("c", {}), ("d", {"query": ""}), ("n", by_name)):
            event = await begin(number, **others)
            assert event["payload"]["data"] == {"communityActivity": {"communityId": id_of(community)}}
        # The next one brings no hash.
        await socket.start("e", ME)
        assert await socket.data("me") is None
        await socket.communicator.disconnect()

    async def test_as_events_where_the_client_takes_json_too(self) -> None:
        community, _ = await sync_to_async(factories.community)(visibility=Community.Visibility.PUBLIC)
        for text, types in ((ACTIVITY, ["text/event-stream"] * 2), (ME, [f"{STRICT}; charset=utf-8"] * 2)):
            body: dict[str, Any] = {"variables": {"c": id_of(community)}, "extensions": named(text)}
            found = []
            for sent in (body | {"query": text}, body):
                headers = {"accept": f"{STRICT}, text/event-stream"}
                response: Any = await AsyncClient().post(URL, json.dumps(sent), content_type=JSON, headers=headers)
                found.append(response.headers["Content-Type"])
                if response.streaming:
                    events = aiter(response.streaming_content)
                    assert b"communityActivity" in await anext(events)
                    await events.aclose()
            assert found == types

    async def test_each_of_them_is_counted_once(self, settings: Any) -> None:
        settings.OPERATIONS_PER_MINUTE = 2
        user = await sync_to_async(factories.person)()
        client = AsyncClient()
        await client.aforce_login(user, backend="accounts.backends.SignInLinkBackend")
        headers = {"accept": f"{STRICT}, text/event-stream"}
        for text, rate in ((ME, '"operations";r=1;t='), ("subscription { notices { unread } }", '"operations";r=0;t=')):
            response: Any = await client.post(URL, json.dumps({"query": text}), content_type=JSON, headers=headers)
            assert (response.status_code, response.headers["RateLimit"][:19]) == (200, rate)
            if response.streaming:
                await aiter(response.streaming_content).aclose()
