"""Lists of documents, of an operator who lets nothing else run, whoever asks and however."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from graphql import get_introspection_query

from crowdvote.api import documents, limits
from tests import factories, processes
from tests.processes import Ended
from tests.servers import environment
from tests.test_crowdvote.test_settings import settings_with
from tests.test_graphql.api import URL, client_of, codes, everything_written
from tests.test_graphql.test_http import STRICT
from tests.test_graphql.test_persisted import ACTIVITY, CREATE, ME, by_hash, named, posted, sha256_of, teach
from tests.test_graphql.test_subscriptions import opened

LISTED = {sha256_of(text): text for text in (ME, CREATE)}
REFUSED = ["DOCUMENT_NOT_ALLOWED"]


@pytest.fixture(autouse=True)
def _listed(settings: Any) -> None:
    settings.API_DOCUMENTS = LISTED


@pytest.mark.django_db
class TestListed:
    def test_one_is_run_by_its_hash_by_its_text_and_by_both(self) -> None:
        person = factories.person()
        client = client_of(person)
        for answer in (by_hash(ME, client), posted({"query": ME}, client), teach(ME, client)):
            assert answer.json()["data"] == {"me": {"handle": person.handle}}
        assert client.get(URL, {"extensions": json.dumps(named(ME))}).status_code == 200
        assert posted({"documentId": sha256_of(ME)}, client).json()["data"] == {"me": {"handle": person.handle}}
        assert codes(posted({"documentId": sha256_of("{ me { name } }")}, client).json()) == REFUSED
        given = json.dumps({"i": {"name": "Elm Street"}})
        before = everything_written()
        assert client.get(URL, {"extensions": json.dumps(named(CREATE)), "variables": given}).status_code == 405
        assert everything_written() == before

    @pytest.mark.parametrize("text", [ME + " ", "{ me { name } }", "{", CREATE + "#", get_introspection_query()])
    def test_no_other_is_for_anybody_and_it_is_not_even_read(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        operator = client_of(factories.person(is_staff=True, is_superuser=True))
        before = everything_written()
        read: list[str] = []
        monkeypatch.setattr(documents, "read", read.append)
        for client in (operator, Client()):
            for send in (by_hash, teach, lambda text, client: posted({"query": text}, client)):
                response = send(text, client)
                assert (response.status_code, codes(response.json())) == (200, REFUSED)
            by_get = client.get(URL, {"query": text})
            assert (by_get.status_code, codes(by_get.json())) == (200, REFUSED)
            assert posted({"query": text}, client, accept=STRICT).status_code == 400
        assert read == []
        assert everything_written() == before

    def test_what_was_kept_before_there_was_a_list_is_not_run(self, settings: Any) -> None:
        settings.API_DOCUMENTS = None
        other = "{ me { name } }"
        teach(other)
        settings.API_DOCUMENTS = LISTED
        assert codes(by_hash(other).json()) == REFUSED

    def test_a_hash_of_something_else_and_no_document_at_all_are_refused_as_ever(self) -> None:
        assert codes(posted({"query": ME, "extensions": named(CREATE)}).json()) == ["BAD_REQUEST"]
        assert codes(posted({}).json()) == ["BAD_REQUEST"]

    def test_the_rate_comes_first(self, settings: Any) -> None:
        settings.OPERATIONS_PER_MINUTE = 1
        assert codes(posted({"query": "{ me { name } }"}).json()) == REFUSED
        assert posted({"query": ME}).status_code == 429

    def test_a_listed_one_meets_the_limits(self, settings: Any) -> None:
        large = "query($n: Int) { communities(first: $n) { edges { node { name } } } }"
        settings.API_DOCUMENTS = {sha256_of(large): large}
        assert codes(by_hash(large, variables={"n": 100_000}).json()) == ["TOO_LARGE"]
        assert "errors" not in by_hash(large, variables={"n": 1}).json()


@pytest.mark.django_db(transaction=True)
async def test_over_a_websocket_too() -> None:
    socket = await opened()
    for number, text in (("a", ACTIVITY), ("b", "{ me { name } }")):
        for payload in ({"query": text}, {"extensions": named(text)}, {"query": text, "extensions": named(text)}):
            await socket.communicator.send_json_to({"id": number, "type": "subscribe", "payload": payload})
            message = await socket.next()
            assert (message["type"], codes({"errors": message["payload"]})) == ("error", REFUSED)
    await socket.communicator.send_json_to({"id": "c", "type": "subscribe", "payload": {"extensions": named(ME)}})
    assert await socket.data("me") is None
    await socket.communicator.disconnect()


class TestTheFile:
    def read(self, tmp_path: Path, content: str | bytes | None) -> Any:
        file = tmp_path / "documents.json"
        if content is not None:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return settings_with(tmp_path / "data", "settings.API_DOCUMENTS", CROWDVOTE_API_DOCUMENTS=str(file))

    def test_it_is_read_at_the_start(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, json.dumps(LISTED)).output == str(LISTED)
        assert settings_with(tmp_path / "data", "settings.API_DOCUMENTS").output == "None"

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "No such file"),
            ("{", "a file in JSON"),
            (b"\xff", "a file in JSON"),
            ("[]", "one JSON object"),
            ("{}", "one JSON object"),
            (json.dumps({next(iter(LISTED)): 7}), "one JSON object"),
            (json.dumps({"titles": ME}), "'titles' is not the SHA-256"),
            (json.dumps({name.upper(): text for name, text in LISTED.items()}), "small hexadecimal digits"),
        ],
    )
    def test_a_missing_or_wrong_one_stops_the_start(
        self, tmp_path: Path, content: str | bytes | None, words: str
    ) -> None:
        read = self.read(tmp_path, content)
        assert (read.code, read.output) == (1, "")
        last = read.errors.splitlines()[-1]
        assert ("CROWDVOTE_API_DOCUMENTS" in last, words in last) == (True, True), last


class TestTheStart:
    def start(self, tmp_path: Path, *texts: str) -> Ended:
        """Import what every server imports."""
        file = tmp_path / "documents.json"
        file.write_text(json.dumps({sha256_of(text): text for text in texts}))
        more = {"CROWDVOTE_API_DOCUMENTS": str(file)} if texts else {}
        return processes.run("import crowdvote.asgi", environment(tmp_path / "data", **more))

    def test_what_the_schema_has_is_no_obstacle(self, tmp_path: Path) -> None:
        assert self.start(tmp_path).code == 0
        assert self.start(tmp_path, ME, CREATE, ACTIVITY).code == 0

    def test_what_it_has_not_stops_it_and_file_and_documents_are_named(self, tmp_path: Path) -> None:
        unknown = "query Titles {\n  communities { edges { node { title } } }\n}\nquery Mine { me { name } }"
        wrong = {
            unknown: " (Titles, Mine), line 2: Cannot query field 'title' on type 'Community'.",
            "{ me { name }": ", line 1: Syntax Error: Expected Name, found <EOF>.",
            "fragment Names on Me { name }": ": It has no operation.",
            "mutation Cast($v: Int) { castVote(input: $v) { receipt } }": " (Cast), line 1: ",
            "{ me { name } }" + " " * limits.MAX_CHARACTERS: ": ",
        }
        ended = self.start(tmp_path, ME, *wrong)
        assert ended.code == 1
        head, _, told = ended.errors.partition("CROWDVOTE_API_DOCUMENTS: ")
        assert head.endswith("ImproperlyConfigured: ")
        said, *lines = told.rstrip("\n").split("\n")
        assert said == f"of the documents in '{tmp_path / 'documents.json'}', the API cannot run"
        assert len(lines) == len(wrong)
        for line, (text, fault) in zip(lines, wrong.items(), strict=True):
            assert line.startswith(f"  {sha256_of(text)}{fault}"), line
