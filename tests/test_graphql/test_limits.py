"""Limits on the cost, the time and the number of operations: every list counts, nothing blocks."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError, connection, transaction
from django.test import Client
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
    validate,
)

from accounts.api import RequestContext, node_id
from accounts.models import User
from crowdvote.api import concurrency, limits
from crowdvote.api.deadlines import Deadline, DeadlineExceeded
from crowdvote.api.schema import schema
from democracy.models import Community
from democracy.reading import communities
from tests import factories
from tests.test_graphql.api import JSON, URL, ask, codes, post

SCHEMA = schema._schema
# A query that would not end in a test's life, whatever the database.
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000000000) SELECT count(*) FROM n"


def cost(query: str, **variables: Any) -> int:
    document = parse(query)
    assert validate(SCHEMA, document) == []
    return limits._Measuring(SCHEMA, document, variables).operation(document.definitions[0]).cost


def lists() -> Iterator[tuple[Any, str, Any]]:
    for kind in SCHEMA.type_map.values():
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and not kind.name.startswith("__"):
            for name, field in kind.fields.items():
                if is_list_type(get_nullable_type(field.type)):
                    yield kind, name, field


class TestCost:
    def test_every_list_has_a_length(self) -> None:
        """Its page's, or one that is declared; and no length is declared for a list that there is not."""
        declared = {f"{kind.name}.{name}" for kind, name, _ in lists() if not limits.is_page(kind) and name != "errors"}
        assert declared == limits.LENGTHS.keys()

    def test_what_stands_below_a_list_costs_more_than_without_it(self) -> None:
        """For each of them: the types' own measure, whatever the list is called."""
        for kind, name, field in lists():
            inner = get_named_type(field.type)
            length = limits.length(kind, name)
            assert length > 1 or limits.is_page(kind), f"{kind.name}.{name} of {inner}"

    def test_a_page_multiplies_whatever_it_is_called(self) -> None:
        query = "query($d: ID!, $n: Int!) {{ decision(id: $d) {{ {} }} }}"
        network = query.format("delegationGraph(first: $n) { nodes { voter { name } } }")
        assert cost(network, d="x", n=1_000) - cost(network, d="x", n=1) == 999 * 2
        ballots = query.format("ballots(first: $n) { edges { node { stars { choice { title } } } } }")
        assert cost(ballots, d="x", n=100) - cost(ballots, d="x", n=1) == 99 * (3 + limits.LENGTHS["Ballot.stars"])

    def test_a_whole_number_with_a_point_is_the_same_number(self) -> None:
        query = "query($n: Int!) { decision(id: 1) { delegationGraph(first: $n) { nodes { kind } } } }"
        assert cost(query, n=1_000.0) == cost(query, n=1_000)

    def test_the_default_of_a_page_is_what_the_schema_says(self) -> None:
        query = "{ decision(id: 1) { delegationGraph%s { nodes { kind } } } }"
        assert cost(query % "") == cost(query % "(first: 200)")
        assert cost("query($n: Int = 900) " + query % "(first: $n)") == cost(query % "(first: 900)")

    @pytest.mark.django_db
    @pytest.mark.parametrize(
        "query",
        [
            "delegationGraph(first: 1000) { nodes { voter { member { followings { edges { node { followee {"
            " followers { totalCount } } } } } } } } }",
            "ballots(first: 100) { edges { node { stars { choice { title } } sources { path { name } } } } }",
            "history(first: 100) { edges { node { preferences { choice { title } counts { over { title } } } } } }",
            "influence(first: 100) { edges { node { voter { member { followers(first: 100) { edges { node { tags } } } "
            "} } } } }",
        ],
    )
    def test_nested_lists_are_refused(self, query: str) -> None:
        answer = post(None, f"query($d: ID!) {{ decision(id: $d) {{ {query} }} }}", d=node_id("Decision", 1))
        assert codes(answer) == ["TOO_LARGE"]

    def test_an_event_of_a_subscription_costs_less_than_a_query_may(self) -> None:
        result = "result { scores { choice { title } } preferences { choice { title } } }"
        document = parse(f"subscription($d: ID!) {{ decisionResult(decisionId: $d) {{ {result[9:-2]} }} }}")
        assert limits.exceeded_limit(limits.measured(SCHEMA, document, {})) is None
        many = " ".join(f"a{n}: preferences {{ counts {{ over {{ title }} }} }}" for n in range(10))
        document = parse(f"subscription($d: ID!) {{ decisionResult(decisionId: $d) {{ {many} }} }}")
        assert "full pages" in limits.exceeded_limit(limits.measured(SCHEMA, document, {}))

    @pytest.mark.django_db
    def test_fields_side_by_side(self) -> None:
        """Each is compared with each."""
        half = "id " * (limits.MAX_SELECTIONS // 2 + 1)
        query = f"{{ me {{ {half} ...F }} }} fragment F on Me {{ ... {{ {half} }} }}"
        assert codes(post(None, query)) == ["TOO_LARGE"]


@pytest.mark.django_db
class TestMalformed:
    @pytest.mark.parametrize(
        "query",
        [
            "{ me " * 150 + "{ id }" + " }" * 150,
            "{ communities(search: " + "[" * 900 + "]" * 900 + ") { totalCount } }",
            "query($a: " + "[" * 500 + "Int" + "]" * 500 + ") { me { id } }",
        ],
        ids=["selections", "values", "types"],
    )
    def test_what_is_nested_deeper_than_the_stack_is_refused(self, query: str, caplog) -> None:
        assert codes(post(None, query)) == ["TOO_LARGE"]
        assert caplog.text == ""

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 50_000,
            b'{"query": "{ me { id } }", "variables": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
            b'{"query": "{ me { id } }", "variables": {"a": ' + b"7" * 5_000 + b"}}",
            b'{"query": "\xff\xfe"}',
            b"\x80",
        ],
        ids=["deep", "deep variables", "digits", "no UTF-8", "a byte"],
    )
    def test_what_is_no_json_is_a_bad_request(self, body: bytes, caplog) -> None:
        response = Client().post(URL, body, content_type=JSON)
        assert response.status_code == 400
        assert [record for record in caplog.records if record.exc_info] == []

    @pytest.mark.parametrize("variables", ["[" * 50_000, "7" * 5_000, '{"a": ' + "7" * 5_000 + "}"])
    def test_in_an_address_neither(self, variables: str, caplog) -> None:
        response = Client().get(URL, {"query": "{ me { id } }", "variables": variables})
        assert response.status_code == 400
        assert "Traceback" not in caplog.text

    @pytest.mark.parametrize("first", ["7" * 5_000, "-" + "7" * 5_000])
    def test_a_number_of_thousands_of_digits_is_too_large(self, first: str, caplog) -> None:
        answer = post(None, f"{{ communities(first: {first}) {{ totalCount }} }}")
        assert codes(answer) == ["TOO_LARGE"]
        assert [record for record in caplog.records if record.exc_info] == []

    @pytest.mark.parametrize("filling", ["#{}\n", "{}", '{{ communities(search: "{}") {{ totalCount }} }}'])
    def test_a_document_that_takes_long_to_read_is_too_large(self, filling: str) -> None:
        """However few its words are: a comment is read character by character, too."""
        filled = filling.format(" " * limits.MAX_CHARACTERS)
        assert codes(post(None, filled + "{ me { id } }")) == ["TOO_LARGE"]
        assert "errors" not in post(None, "query($s: String!) { communities(search: $s) { totalCount } }", s=filled)

    @pytest.mark.parametrize("text", ["a" * 60_000, " ".join(f"w{number}" for number in range(3_000))])
    def test_a_search_for_more_than_anybody_types(self, text: str, caplog) -> None:
        """As long as it may be, and of as many words: the database would refuse it, or take half a minute."""
        community, _ = factories.community("ann", visibility=Community.Visibility.PUBLIC)
        query = """query($s: String!, $c: ID!) { communities(search: $s) { totalCount }
          community(id: $c) { members(search: $s) { totalCount } } }"""
        answer = ask(None, query, s=text, c=node_id("Community", community.pk))
        assert answer == {"communities": {"totalCount": 0}, "community": {"members": {"totalCount": 0}}}
        assert "database is away" not in caplog.text

    @pytest.mark.parametrize("text", ["\0", "\ud800", "a\0b \udfff", "\x1b[2J"])
    def test_a_search_for_what_no_row_has(self, text: str, caplog) -> None:
        factories.community(visibility=Community.Visibility.PUBLIC)
        query = """query($s: String!) { communities(search: $s) { edges { node { members(search: $s) {
          edges { node { handle } } } } } } }"""
        assert "errors" not in post(factories.person(), query, s=text)

    @pytest.mark.parametrize("text", ["\0", "\ud800"])
    def test_a_text_that_cannot_be_kept_is_named_and_nothing_is_written(self, text: str, caplog) -> None:
        community, members = factories.community("ann")
        decision = factories.decision(community, members["manager"].user)
        ids = {"c": node_id("Community", community.pk), "d": node_id("Decision", decision.pk), "t": text}
        query = """mutation($c: ID!, $d: ID!, $t: String!) {
          a: createCommunity(input: {name: $t}) { errors { field } }
          b: createCommunity(input: {name: "Ours", description: $t}) { errors { field } }
          c: updateCommunity(input: {communityId: $c, name: $t}) { errors { field } }
          d: createDecision(input: {communityId: $c, title: $t}) { errors { field } }
          e: createDecision(input: {communityId: $c, title: "T", choices: [{title: $t}]}) { errors { field } }
          f: castVote(input: {decisionId: $d, abstain: true, comment: $t}) { errors { field } }
          g: castVote(input: {decisionId: $d, abstain: true, tags: [$t]}) { errors { field } }
          h: createApiToken(name: $t) { errors { field } }
          i: requestSignInLink(email: $t) { errors { field } }
          j: signIn(token: $t) { errors { field } }
        }"""
        answer = ask(members["manager"].user, query, **ids)
        assert {name: [error["field"] for error in one["errors"]] for name, one in answer.items() if name != "h"} == {
            "a": ["name"],
            "b": ["description"],
            "c": ["name"],
            "d": ["title"],
            "e": ["choices"],
            "f": ["comment"],
            "g": ["tags"],
            "i": ["email"],
            "j": ["token"],
        }
        assert Community.objects.count() == 1
        assert [record for record in caplog.records if record.exc_info] == []


def request_context(viewer: Any = None, client: str = "192.0.2.1") -> RequestContext:
    return RequestContext(viewer or AnonymousUser(), scope={"client": (client, 1)})


async def codes_of_stream(query: str) -> list[str]:
    results: list[Any] = [one async for one in await schema.stream(query, context_value=request_context())]
    return [error.extensions["code"] for result in results for error in result.errors or () if error.extensions]


@pytest.mark.django_db(transaction=True)
class TestRunning:
    async def test_an_operation_runs_off_the_event_loop(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its fields, parsing and validating, too: the loop of the server only waits."""
        ran_in: set[int] = set()
        exceeded_limit = limits.exceeded_limit

        def note(*args: Any) -> str | None:
            ran_in.add(threading.get_ident())
            return exceeded_limit(*args)

        monkeypatch.setattr(limits, "exceeded_limit", note)
        found = await schema.execute("{ communities { totalCount } }", context_value=request_context())
        assert found.errors is None
        assert ran_in
        assert threading.get_ident() not in ran_in

    async def test_others_are_answered_meanwhile(self) -> None:
        """While an operation holds its thread, the loop goes on."""
        may_go_on = threading.Event()

        async def busy() -> str:
            return "done" if may_go_on.wait(10) else "blocked"

        running = asyncio.create_task(concurrency.run(busy, request_context()))
        await asyncio.sleep(0)
        assert await concurrency.run(lambda: _soon("other"), request_context()) == "other"
        may_go_on.set()
        assert await running == "done"

    async def test_one_viewer_has_so_many_at_once_and_others_are_not_refused(self, settings) -> None:
        settings.OPERATIONS_AT_ONCE = 2
        go_on = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def waiting() -> str:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), loop))
            return "done"

        running = [asyncio.create_task(concurrency.run(waiting, request_context())) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await schema.execute("{ me { id } }", context_value=request_context())
        assert [error.extensions["code"] for error in refused.errors] == ["TOO_MANY_REQUESTS"]
        somebody_else = await schema.execute("{ me { id } }", context_value=request_context(client="192.0.2.2"))
        assert somebody_else.errors is None
        go_on.set()
        assert await asyncio.gather(*running) == ["done", "done"]
        assert (await schema.execute("{ me { id } }", context_value=request_context())).errors is None
        assert not concurrency.running_operations._counts

    async def test_an_address_has_so_many_at_once_whoever_asks_there(self, settings) -> None:
        settings.OPERATIONS_AT_ONCE_PER_ADDRESS = 0
        refused = await schema.execute("{ me { id } }", context_value=request_context())
        assert [error.extensions["code"] for error in refused.errors] == ["TOO_MANY_REQUESTS"]

    async def test_a_viewer_has_so_many_in_a_minute(self, settings) -> None:
        settings.OPERATIONS_PER_MINUTE = 3
        found = [await schema.execute("{ me { id } }", context_value=request_context()) for _ in range(4)]
        assert [one.errors is None for one in found] == [True, True, True, False]
        assert found[3].errors[0].extensions["code"] == "TOO_MANY_REQUESTS"
        assert "1 minute." in found[3].errors[0].message
        assert (await schema.execute("{ me { id } }", context_value=request_context(client="192.0.2.9"))).errors is None

    async def test_subscriptions_are_counted_with_them_and_nothing_of_one_too_many_is_read(
        self, settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.OPERATIONS_PER_MINUTE = 2
        watched = "subscription { communityActivity(communityId: 1) { revision } }"
        for query in (watched, "{ me { id } }"):
            assert await codes_of_stream(query) != ["TOO_MANY_REQUESTS"]
        read: list[str] = []
        monkeypatch.setattr(limits, "unreadable", read.append)
        for query in (watched, "{ me { id } }"):
            assert await codes_of_stream(query) == ["TOO_MANY_REQUESTS"]
        assert read == []

    async def test_an_address_has_so_many_subscriptions_open(self, settings) -> None:
        settings.SUBSCRIPTIONS_PER_ADDRESS = 1
        community, _ = await sync_to_async(factories.community)(visibility=Community.Visibility.PUBLIC)
        query = "subscription($c: ID!) { communityActivity(communityId: $c) { revision } }"

        async def watch(client: str) -> Any:
            given = {"c": node_id("Community", community.pk)}
            return await schema.stream(query, variable_values=given, context_value=request_context(client=client))

        async with aclosing(await watch("192.0.2.1")) as first, aclosing(await watch("192.0.2.2")) as elsewhere:
            assert (await anext(first)).errors is None
            assert (await anext(elsewhere)).errors is None
            (refused,) = [one async for one in await watch("192.0.2.1")]
            assert [error.extensions["code"] for error in refused.errors] == ["TOO_MANY_REQUESTS"]
        async with aclosing(await watch("192.0.2.1")) as again:
            assert (await anext(again)).errors is None
        assert not concurrency.running_operations._counts

    def test_over_http_that_is_429(self, settings) -> None:
        settings.OPERATIONS_PER_MINUTE = 1
        assert "errors" not in post(None, "{ me { id } }")
        response = Client().post(URL, json.dumps({"query": "{ me { id } }"}), content_type=JSON)
        assert (response.status_code, codes(response.json())) == (429, ["TOO_MANY_REQUESTS"])
        assert response.headers["Retry-After"]


async def _soon(value: str) -> str:
    return value


def read_for_ever(*args: Any, **kwargs: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(ENDLESS)
        cursor.fetchall()


@transaction.atomic
def write_and_read_for_ever() -> None:
    factories.person("ann")
    read_for_ever()


@pytest.mark.django_db(transaction=True)
class TestDeadline:
    async def test_an_operation_that_takes_too_long_is_given_up(
        self, settings, monkeypatch: pytest.MonkeyPatch, caplog
    ) -> None:
        """It would read for ever; that it ends, and nothing goes on holding a thread, is the test."""
        settings.OPERATION_SECONDS = 0.3
        ended = threading.Event()

        def read(*args: Any, **kwargs: Any) -> None:
            try:
                read_for_ever()
            finally:
                ended.set()

        monkeypatch.setattr(communities, "readable_community", read)
        query = "query($i: ID!) { ledger(communityId: $i) { totalCount } }"
        found = await schema.execute(
            query, variable_values={"i": node_id("Community", 1)}, context_value=request_context(client="192.0.2.3")
        )
        assert [error.extensions["code"] for error in found.errors] == ["DEADLINE_EXCEEDED"]
        assert await asyncio.to_thread(ended.wait, 10)
        assert "Traceback" not in caplog.text
        assert not concurrency.running_operations._counts

    async def test_what_computes_is_answered_for_and_counts_until_it_ends(self, settings) -> None:
        """Python has no safe way to stop it."""
        settings.OPERATION_SECONDS = 0.1
        go_on = threading.Event()

        async def computing() -> None:
            go_on.wait(10)

        with pytest.raises(concurrency.DeadlineReached):
            await concurrency.run(computing, request_context())
        assert concurrency.running_operations._counts
        go_on.set()
        while concurrency.running_operations._counts:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def test_a_query_is_stopped_and_what_it_wrote_undone(self) -> None:
        deadline = Deadline(0.2)
        timer = threading.Timer(0.4, deadline.stop)
        timer.start()
        with deadline():
            with pytest.raises(OperationalError, match=r"interrupted|cancel"):
                write_and_read_for_ever()
            with pytest.raises(DeadlineExceeded), connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        timer.join()
        assert not User.objects.exists()

    def test_whatever_has_no_deadline_is_not_stopped(self) -> None:
        with Deadline(0)():
            pass
        with connection.cursor() as cursor:
            cursor.execute(ENDLESS.replace("9000000000", "300000"))
            assert cursor.fetchone() == (300_000,)
