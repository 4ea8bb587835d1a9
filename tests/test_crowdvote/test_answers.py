"""Rules for every request and answer: nothing personal stays in caches, nonsense is refused in words."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django import Settings

from accounts import services as accounts
from democracy.models import Community
from tests import factories
from tests.test_views.browsing import as_

pytestmark = pytest.mark.django_db


def caching(response: Any) -> set[str]:
    return {part.strip() for part in response.headers.get("Cache-Control", "").split(",")} - {""}


@pytest.fixture(scope="module")
def written(module_rows: None) -> dict[str, Any]:
    community, members = factories.community("ann", visibility=Community.Visibility.PUBLIC)
    decision = factories.decision(community, members["manager"].user)
    return {
        "community_id": community.pk,
        "decision_id": decision.pk,
        "membership_id": members["ann"].pk,
        "viewer": members["manager"].user,
    }


@pytest.fixture
def scene(written: dict[str, Any], db: None, settings: Settings) -> dict[str, Any]:
    settings.PASSKEYS = True
    return copy.deepcopy(written)


def pages(scene: dict[str, Any], **more: Any) -> list[str]:
    """Return the address of every page, with the scene's numbers in it."""
    names: dict[str, Any] = (
        scene | {"application_id": 1, "token_id": 1, "passkey_id": 1, "token": "wrong", "key": "m1"} | more
    )
    found = []
    for one in get_resolver().url_patterns:
        # The administration's are Django's own.
        is_admin = isinstance(one, URLResolver) and one.namespace
        inner = [] if is_admin else one.url_patterns if isinstance(one, URLResolver) else [one]
        for pattern in inner:
            if isinstance(pattern, URLPattern) and pattern.name:
                wanted = pattern.pattern.converters
                if wanted.keys() <= names.keys():
                    found.append(reverse(pattern.name, kwargs={name: names[name] for name in wanted}))
    assert len(found) > 40
    return [path for path in found if not path.endswith("/events/")]


class TestCaching:
    def test_no_cache_keeps_a_page_of_somebody_who_is_signed_in(self, scene) -> None:
        client = as_(scene["viewer"])
        kept = {path for path in pages(scene) if not {"private", "no-store"} <= caching(client.get(path))}
        numbers = [scene["community_id"], scene["decision_id"]]
        # These take no notice of who asks.
        assert kept == {reverse(name, args=numbers) for name in ("decision-embed", "decision-picture")}
        for path in kept:
            answers = [one.get(path) for one in (client, Client())]
            assert answers[0].content == answers[1].content
            assert [dict(one.cookies) for one in answers] == [{}, {}]

    def test_nor_what_a_program_asks_for(self, scene) -> None:
        _, raw = accounts.create_api_token(scene["viewer"], "script")
        program = Client(headers={"authorization": f"Bearer {raw}"})
        query = json.dumps({"query": "{ me { handle } }"})
        for answer in (
            program.post("/graphql/", query, content_type="application/json"),
            program.get("/graphql/", {"query": "{ me { handle } }"}),
            Client().get("/graphql/", {"query": "{ me { handle } }"}),
            program.get("/communities/"),
        ):
            assert caching(answer) == {"private", "no-store"}

    def test_nor_a_fragment(self, scene) -> None:
        fragment = Client().get(reverse("communities"), headers={"HX-Request": "true", "HX-Target": "community-list"})
        assert caching(fragment) == {"private", "no-store"}

    def test_a_visitors_page_is_everybodys(self, scene) -> None:
        assert caching(Client().get(reverse("docs"))) == set()


class TestNonsense:
    """Every page refuses numbers that are none, texts that are none, and anything out of proportion."""

    @pytest.mark.parametrize("number", [10**18, 10**30, int("7" * 4_000)], ids=["quintillion", "nonillion", "digits"])
    def test_a_number_that_no_row_has(self, scene, number: int, caplog) -> None:
        ids = [name for name in (*scene, "application_id", "token_id", "passkey_id") if name.endswith("_id")]
        client = as_(scene["viewer"])
        client.raise_request_exception = False
        statuses = set()
        for name in ids:
            for path in pages(scene, **{name: number}):
                if str(number) in path:
                    for response in (client.get(path), client.post(path)):
                        statuses.add(response.status_code)
                        assert response.status_code < 500, (path[:100], name)
        assert statuses <= {302, 400, 403, 404, 405}
        assert [record for record in caplog.records if record.exc_info] == []

    @pytest.mark.parametrize("digits", [5_000])
    def test_an_address_of_thousands_of_digits(self, scene, digits: int) -> None:
        assert Client().get(f"/communities/{'7' * digits}/").status_code == 400

    def test_what_follows_the_question_mark(self, scene, caplog) -> None:
        client = as_(scene["viewer"])
        client.raise_request_exception = False
        names = ("page", "q", "seen", "place", "sort", "kind", "tag", "next", "search", "role", "handle", "key")
        values = ("7" * 5_000, "-1", "9" * 30, "\udcff", "٣", "\x1b[2J", "%ff", "[" * 2_000)
        # Each page gets three of them, and each of them goes to three pages of eight.
        for (number, path), further in itertools.product(enumerate(pages(scene)), (0, 1, 3)):
            value = values[(number + further) % len(values)]
            response = client.get(path, dict.fromkeys(names, value.encode("utf-8", "surrogatepass")))
            assert response.status_code < 500, (path, value[:20])
        assert [record for record in caplog.records if record.exc_info] == []

    def test_u_0000_is_refused_wherever_it_stands(self, scene, caplog) -> None:
        client = as_(scene["viewer"])
        assert client.get("/communities/", {"q": "a\0b"}).status_code == 400
        assert client.get("/sign-in/a%00b/").status_code == 400
        assert client.get("/communities/", headers={"cookie": 'sessionid="' + "\\000" * 40 + '"'}).status_code == 400
        for name in ("sign-in", "demo-sign-in", "welcome", "profile", "create-token"):
            response = client.post(reverse(name), dict.fromkeys(("email", "handle", "name", "token_name"), "a\0b"))
            assert response.status_code in {200, 302, 400, 404}, name
        assert [record for record in caplog.records if record.exc_info] == []

    def test_forms_of_nonsense(self, scene, caplog) -> None:
        client = as_(scene["viewer"])
        client.raise_request_exception = False
        names = (
            "title",
            "name",
            "description",
            "tags",
            "comment",
            "message",
            "role",
            "order",
            "do",
            "next",
            "place",
            "choices-0-id",
            "choices-0-title",
            "closes_at",
            "opens_at",
            "following",
            "membership",
            "confirmed",
        )
        for path, value in itertools.product(pages(scene), ("7" * 5_000, "a\0b")):
            if "sign-out" not in path:
                response = client.post(path, dict.fromkeys(names, value))
                assert response.status_code < 500, (path, value[:20])
        assert [record for record in caplog.records if record.exc_info] == []
