"""The edge of the API: answers as the specification of GraphQL over HTTP has them, whoever asks and from where."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.conf import settings
from django.http import StreamingHttpResponse
from django.test import AsyncClient, Client
from graphql import validate

from accounts import services as accounts
from crowdvote.api import documents, limits
from tests import factories
from tests.test_graphql.api import JSON, URL, client_of, codes

pytestmark = pytest.mark.django_db

STRICT = "application/graphql-response+json"
ME = "{ me { handle } }"
TWO = "query A { __typename } mutation B { signOut { message } }"
# Requests that fail before anything is resolved, and words of their messages.
UNREAD: list[tuple[dict[str, Any], str]] = [
    ({"query": "{"}, "Syntax Error"),
    ({"query": "{ secrets }"}, "secrets"),
    ({"query": "query($d: ID!) { decision(id: $d) { id } }"}, "$d"),
    ({"query": TWO}, "Must provide operation name"),
    ({"query": TWO, "operationName": "C"}, '"C"'),
    ({"query": "fragment F on Query { __typename }"}, "operation"),
    ({"query": "{" + " __typename" * limits.MAX_TOKENS + "}"}, "token"),
]


def posted(client: Client, body: Any, **headers: str) -> Any:
    return client.post(URL, json.dumps(body), content_type=JSON, headers=headers)


async def asked_for_events(body: Any, accept: str = "text/event-stream") -> Any:
    return await AsyncClient().post(URL, json.dumps(body), content_type=JSON, headers={"accept": accept})


async def whole(response: StreamingHttpResponse) -> str:
    return b"".join([chunk async for chunk in response]).decode()


class TestTypesAndStatuses:
    @pytest.mark.parametrize(
        ("accept", "answered"),
        [
            ("", JSON),
            ("*/*", JSON),
            ("text/plain", JSON),
            (JSON, JSON),
            (STRICT, STRICT),
            (f"{STRICT}, {JSON};q=0.9", STRICT),
            (f"{JSON};q=0.9, {STRICT}", STRICT),
            (f"{STRICT};q=0.1, {JSON}", JSON),
            # As urql sends it with every operation.
            (f"{STRICT}, application/graphql+json, {JSON}, text/event-stream, multipart/mixed", STRICT),
        ],
    )
    def test_the_client_chooses_which_json(self, accept: str, answered: str) -> None:
        response = posted(Client(), {"query": ME}, **({"accept": accept} if accept else {}))
        assert (response.status_code, response.headers["Content-Type"]) == (200, f"{answered}; charset=utf-8")
        assert response.json()["data"] == {"me": None}

    @pytest.mark.parametrize(("body", "words"), UNREAD)
    def test_what_was_not_executed_has_no_data_and_strict_clients_see_it_by_the_status(
        self, body: dict[str, Any], words: str
    ) -> None:
        for accept, status in ((JSON, 200), (STRICT, 400)):
            response = posted(Client(), body, accept=accept)
            assert (response.status_code, "data" in response.json()) == (status, False)
            assert words in response.json()["errors"][0]["message"]

    def test_a_field_that_fails_leaves_the_data(self) -> None:
        query = 'query { me { handle } decision(id: "x") { id } }'
        response = posted(Client(), {"query": query}, accept=STRICT)
        assert (response.status_code, response.json()["data"]) == (200, {"me": None, "decision": None})
        assert codes(response.json()) == ["INVALID_ID"]

    @pytest.mark.parametrize(
        "body", [{}, {"query": None}, {"query": 7}, {"query": ME, "variables": []}, {"query": ME, "operationName": 7}]
    )
    def test_a_request_without_an_operation_is_refused_in_json(self, body: Any) -> None:
        response = posted(Client(), body, accept=STRICT)
        assert (response.status_code, response.headers["Content-Type"]) == (400, f"{STRICT}; charset=utf-8")
        assert codes(response.json()) == ["BAD_REQUEST"]

    def test_so_are_other_methods_bodies_and_addresses(self) -> None:
        client = Client()
        put = client.put(URL, "{}", content_type=JSON)
        assert (put.status_code, put.headers["Allow"], codes(put.json())) == (405, "GET, POST", ["METHOD_NOT_ALLOWED"])
        changing = client.get(URL, {"query": TWO, "operationName": "B"})
        assert (changing.status_code, changing.headers["Allow"]) == (405, "POST")
        assert codes(changing.json()) == ["METHOD_NOT_ALLOWED"]
        form = client.post(URL, {"query": ME})
        assert (form.status_code, codes(form.json())) == (400, ["BAD_REQUEST"])
        nul = client.get(URL + "?query=%00")
        assert (nul.status_code, codes(nul.json())) == (400, ["BAD_REQUEST"])

    def test_with_and_without_the_slash(self) -> None:
        for address in ("/graphql", "/graphql/"):
            answer = Client().post(address, json.dumps({"query": ME}), content_type=JSON)
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-store")
            assert Client().get(address, {"query": ME}).json()["data"] == {"me": None}

    def test_a_failure_of_the_server_is_told_in_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: Any) -> None:
            raise RuntimeError("swordfish")

        monkeypatch.setattr("crowdvote.api.views.RequestContext", fail)
        client = Client(raise_request_exception=False)
        for address in ("/graphql", "/graphql/"):
            response = client.post(address, json.dumps({"query": ME}), content_type=JSON)
            assert (response.status_code, codes(response.json())) == (500, ["INTERNAL"])


class TestTokensOfForms:
    """Asked for where a session cookie comes along, because a browser adds that by itself."""

    def test_visitors_and_bearers_need_none(self) -> None:
        person = factories.person()
        _, raw = accounts.create_api_token(person, "script")
        for headers, handle in (({}, None), ({"authorization": f"Bearer {raw}"}, person.handle)):
            answer = posted(Client(enforce_csrf_checks=True), {"query": ME}, **headers).json()
            assert (answer["data"]["me"] or {}).get("handle") == handle

    def test_a_session_without_one_is_refused_in_json_and_with_one_served(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(factories.person(), backend="accounts.backends.SignInLinkBackend")
        refused = posted(client, {"query": ME})
        assert (refused.status_code, refused.headers["Content-Type"]) == (403, f"{JSON}; charset=utf-8")
        assert codes(refused.json()) == ["CSRF_FAILED"]
        client.get(URL, headers={"accept": "text/html"})
        served = posted(client, {"query": ME}, **{"x-csrftoken": client.cookies["csrftoken"].value})
        assert served.json()["data"]["me"] is not None

    def test_an_ended_session_still_needs_one(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.cookies[settings.SESSION_COOKIE_NAME] = "of nobody"
        assert posted(client, {"query": ME}).status_code == 403

    def test_a_form_on_a_page_is_refused_by_a_page(self) -> None:
        response = Client(enforce_csrf_checks=True).post("/sign-in/")
        assert (response.status_code, "Please try again" in response.text) == (403, True)


class TestEvents:
    async def test_a_query_comes_as_an_event_only_to_whoever_takes_nothing_else(self) -> None:
        for accept, answered in (
            (f"text/event-stream, {JSON}", f"{JSON}; charset=utf-8"),
            ("text/event-stream", "text/event-stream"),
        ):
            response = await asked_for_events({"query": ME}, accept)
            assert (response.status_code, response.headers["Content-Type"]) == (200, answered)
            if response.streaming:
                text = await whole(response)
                cost = f'"extensions":{{"cost":{{"requested":1,"limit":{limits.MAX_COST}}}}}'
                assert text == f'event: next\ndata: {{"data":{{"me":null}},{cost}}}\n\nevent: complete\ndata: \n\n'

    async def test_an_unreadable_operation_is_told_as_one(self) -> None:
        for body, words in UNREAD:
            text = await whole(await asked_for_events(body))
            answer = json.loads(text.splitlines()[1].removeprefix("data: "))
            assert ("data" in answer, words in answer["errors"][0]["message"]) == (False, True)


class TestOtherOrigins:
    PAGE = "https://wall.example.org"

    @pytest.fixture(autouse=True)
    def _allowed(self, settings: Any) -> None:
        settings.CORS_ALLOWED_ORIGINS = [self.PAGE]

    def preflight(self, origin: str) -> Any:
        asked = {
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        }
        return Client().options(URL, headers={"origin": origin, **asked})

    def test_an_allowed_one_may_ask_with_a_token_and_never_with_cookies(self) -> None:
        allowed = self.preflight(self.PAGE).headers
        assert allowed["Access-Control-Allow-Origin"] == self.PAGE
        assert {"authorization", "content-type"} <= {*allowed["Access-Control-Allow-Headers"].split(", ")}
        assert "Access-Control-Allow-Credentials" not in allowed
        answer = posted(Client(), {"query": ME}, origin=self.PAGE)
        assert answer.headers["Access-Control-Allow-Origin"] == self.PAGE
        client = client_of(factories.person())
        client.handler.enforce_csrf_checks = True
        assert posted(client, {"query": ME}, origin=self.PAGE).status_code == 403

    def test_no_other_may_and_no_page_is_given_away(self) -> None:
        assert "Access-Control-Allow-Origin" not in self.preflight("https://elsewhere.example.org").headers
        home = Client().get("/", headers={"origin": self.PAGE})
        assert "Access-Control-Allow-Origin" not in home.headers

    def test_refusals_can_be_read_there_too(self) -> None:
        exposed = "RateLimit, RateLimit-Policy, Retry-After"
        for headers, status in (({"authorization": "Bearer wrong"}, 401), ({}, 400)):
            body = {"query": ME} if headers else {}
            response = posted(Client(), body, origin=self.PAGE, **headers)
            assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (status, self.PAGE)
            assert response.headers["Access-Control-Expose-Headers"] == exposed


class TestDocuments:
    def test_a_document_is_read_once_and_a_long_one_or_a_faulty_one_not_kept(self) -> None:
        assert documents.read(ME) is documents.read(ME)
        long = ME + " " * documents._KEPT_CHARACTERS
        assert documents.read(long) is not documents.read(long)
        answers = [posted(Client(), {"query": "{"}).json() for _ in range(2)]
        assert answers[0] == answers[1]

    def test_it_is_validated_once_and_not_at_all_beyond_the_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        validated: list[Any] = []

        def note(schema: Any, document: Any) -> list[Any]:
            validated.append(document)
            return validate(schema, document)

        monkeypatch.setattr(documents, "validate", note)
        documents._kept_faults.cache_clear()
        for query in (ME, "{ secrets }"):
            answers = [posted(Client(), {"query": query}).json() for _ in range(2)]
            assert answers[0] == answers[1]
        assert len(validated) == 2
        aliases = " ".join(f"a{n}: __typename" for n in range(limits.MAX_ALIASES + 1))
        for _ in range(2):
            assert codes(posted(Client(), {"query": f"{{ {aliases} }}"}).json()) == ["TOO_LARGE"]
        assert len(validated) == 2

    def test_what_clients_do_wrong_is_logged_nowhere_as_an_error(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            for body, _ in UNREAD:
                posted(Client(), body, accept=STRICT)
        assert [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info] == []
