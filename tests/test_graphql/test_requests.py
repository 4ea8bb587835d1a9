"""The API over HTTP: methods, CSRF, tokens, limits, and errors that tell a client what to do and nothing else."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.utils import timezone
from graphql import GraphQLObjectType, get_named_type
from strawberry.printer import print_schema

from accounts import services as accounts
from accounts.api import node_id
from crowdvote.api import limits
from crowdvote.api.schema import schema
from democracy import services
from democracy.models import Community
from democracy.reading import communities
from tests import factories
from tests.moments import BEYOND_THE_CALENDAR
from tests.test_accounts.mailbox import token_in
from tests.test_graphql.api import JSON, URL, ask, client_of, codes, everything_written, id_of, post

pytestmark = pytest.mark.django_db

ME = "{ me { handle } }"
CREATE = 'mutation { createCommunity(input: {name: "Ours"}) { community { name } errors { code } } }'


def test_the_exported_schema_is_what_the_code_says() -> None:
    assert (Path(settings.BASE_DIR) / "schema.graphql").read_text() == print_schema(schema)


class TestMethods:
    def test_a_query_may_come_by_get(self) -> None:
        person = factories.person()
        answer = client_of(person).get(URL, {"query": ME}).json()
        assert answer["data"] == {"me": {"handle": person.handle}}

    def test_a_mutation_may_not(self) -> None:
        response = client_of(factories.person()).get(URL, {"query": CREATE})
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")
        assert not Community.objects.exists()

    def test_the_explorer_comes_to_browsers(self) -> None:
        response = Client().get(URL, headers={"accept": "text/html"})
        assert response.headers["Content-Type"].startswith("text/html")
        assert "csrftoken" in response.cookies

    def test_batches_are_refused(self) -> None:
        assert Client().post(URL, json.dumps([{"query": ME}] * 2), content_type=JSON).status_code == 400

    @pytest.mark.parametrize("body", ["", "{", "null", "7", '{"query": 7}', '{"variables": []}', "{}"])
    def test_what_is_no_operation_is_a_bad_request(self, body: str) -> None:
        assert Client().post(URL, body, content_type=JSON).status_code == 400


class TestWhoAsks:
    def test_a_session_needs_a_csrf_token_to_post(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(factories.person(), backend="accounts.backends.SignInLinkBackend")
        body = json.dumps({"query": CREATE})
        assert client.post(URL, body, content_type=JSON).status_code == 403
        assert not Community.objects.exists()
        client.get(URL, headers={"accept": "text/html"})
        token = client.cookies["csrftoken"].value
        answer = client.post(URL, body, content_type=JSON, headers={"x-csrftoken": token}).json()
        assert answer["data"]["createCommunity"]["community"] == {"name": "Ours"}

    def test_a_bearer_token_needs_none(self) -> None:
        _, raw = accounts.create_api_token(factories.person(), "script")
        client = Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {raw}"})
        answer = client.post(URL, json.dumps({"query": CREATE}), content_type=JSON).json()
        assert answer["data"]["createCommunity"]["community"] == {"name": "Ours"}

    def test_a_wrong_bearer_token_is_nobody_and_no_visitor(self) -> None:
        response = Client(headers={"authorization": "Bearer nonsense"}).post(
            URL, json.dumps({"query": ME}), content_type=JSON
        )
        assert (response.status_code, codes(response.json())) == (401, ["INVALID_TOKEN"])

    def test_signing_in_and_out_over_the_api(self, mailoutbox: list[Any]) -> None:
        client = Client()
        request = "mutation($e: String!) { requestSignInLink(email: $e) { message errors { code } } }"
        assert ask(client, request, e="new@example.org")["requestSignInLink"]["errors"] == []
        token = token_in(mailoutbox[0])
        sign_in = "mutation($t: String!) { signIn(token: $t) { account { email handle } errors { code field } } }"
        account = ask(client, sign_in, t=token)["signIn"]["account"]
        assert account["email"] == "new@example.org"
        assert ask(client, ME) == {"me": {"handle": account["handle"]}}
        assert ask(Client(), sign_in, t=token)["signIn"] == {
            "account": None,
            "errors": [{"code": "INVALID_LINK", "field": "token"}],
        }
        assert ask(client, "mutation { signOut { errors { code } } }")["signOut"]["errors"] == []
        assert ask(client, ME) == {"me": None}

    def test_a_token_is_shown_once_works_and_is_revoked(self) -> None:
        person = factories.person()
        made = ask(
            person, 'mutation { createApiToken(name: "script") { token apiToken { id name } errors { code } } }'
        )["createApiToken"]
        program = Client(headers={"authorization": f"Bearer {made['token']}"})
        tokens = ask(program, "{ me { apiTokens { id name } } }")["me"]["apiTokens"]
        assert tokens == [made["apiToken"]]
        ask(person, "mutation($i: ID!) { revokeApiToken(id: $i) { message } }", i=made["apiToken"]["id"])
        assert codes(post(program, ME)) == ["INVALID_TOKEN"]

    def test_an_address_is_told_to_its_owner_and_to_managers_where_they_have_to_know_it(self) -> None:
        """Managers know the addresses of people who apply, and those they invited. No other field would tell one."""
        types = {name: kind for name, kind in schema._schema.type_map.items() if isinstance(kind, GraphQLObjectType)}
        told = {name for name, kind in types.items() if kind.fields.keys() & {"email", "address"}}
        # That of a published result is no person's.
        assert told - {"PublishResultPayload"} == {"Account", "Me", "Person", "Invitation"}
        leading = {
            f"{name}.{field}"
            for name, kind in types.items()
            for field, one in kind.fields.items()
            if get_named_type(one.type).name == "Person"
        }
        assert leading == {"Application.applicant"}


class TestLimits:
    def refused(self, query: str, **variables: Any) -> str:
        answer = post(None, query, **variables)
        assert codes(answer) == ["TOO_LARGE"]
        message: str = answer["errors"][0]["message"]
        return message

    def test_depth(self) -> None:
        nested = "community { decisions(first: 1) { edges { node { "
        query = "{ communities(first: 1) { edges { node { " + "decisions(first: 1) { edges { node { " + nested * 3
        assert "levels deep" in self.refused(query + "id" + " }" * query.count("{"))

    def test_depth_through_fragments(self) -> None:
        chain = " ".join(
            f"fragment F{n} on Decision {{ community {{ decisions(first: 1) {{ edges {{ node {{ ...F{n + 1} }} }}"
            " } } }"
            for n in range(4)
        )
        query = f"query($d: ID!) {{ decision(id: $d) {{ ...F0 }} }} {chain} fragment F4 on Decision {{ id }}"
        assert "levels deep" in self.refused(query, d=node_id("Decision", 1))

    def test_aliases(self) -> None:
        aliases = " ".join(f"a{n}: __typename" for n in range(limits.MAX_ALIASES))
        assert "errors" not in post(None, f"{{ {aliases} }}")
        assert "aliases" in self.refused(f"{{ {aliases} b: __typename }}")

    def test_aliases_that_fragments_multiply_are_counted_in_a_moment(self) -> None:
        """Two to the power of fifty of them; measuring each fragment once takes as long as reading it."""
        doubling = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(50))
        assert "aliases" in self.refused(f"{{ ...F0 }} {doubling} fragment F50 on Query {{ a: __typename }}")

    def test_cost_multiplies_pages(self) -> None:
        query = """query($n: Int) { communities(first: 100) { edges { node {
          decisions(first: $n) { edges { node { result { winner { title } } } } } } } } }"""
        assert "full pages" in self.refused(query, n=100)
        assert "errors" not in post(None, query, n=5)

    def test_explanations_cost_more_than_rows(self) -> None:
        """A page of 20 ballots with what they rest on is the most."""
        query = """query($d: ID!, $n: Int = 20) { decision(id: $d) {
          ballots(first: $n) { edges { node { sources { weight } } } } } }"""
        decision = node_id("Decision", 1)
        assert ask(None, query, d=decision, n=20) == {"decision": None}
        assert "full pages" in self.refused(query, d=decision, n=23)

    def test_tokens(self) -> None:
        answer = post(None, "{" + " __typename" * limits.MAX_TOKENS + "}")
        assert "token" in answer["errors"][0]["message"].lower()

    @pytest.mark.parametrize("first", [0, -1, 101, 2_000_000_000])
    def test_a_page_has_1_to_100_nodes(self, first: int) -> None:
        answer = post(None, "query($n: Int!) { communities(first: $n) { totalCount } }", n=first)
        assert [(error["extensions"]["code"], error["extensions"]["field"]) for error in answer["errors"]] == [
            ("INVALID", "first")
        ]

    def test_a_fragment_in_itself_is_refused(self) -> None:
        answer = post(None, "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }")
        assert "itself" in answer["errors"][0]["message"]

    def test_the_explorer_may_ask_for_the_whole_schema(self) -> None:
        from graphql import get_introspection_query

        assert ask(None, get_introspection_query())["__schema"]["queryType"]["name"] == "Query"


# Ids and cursors that nobody was given.
GARBAGE: list[str] = ["", "x", "RGVjaXNpb24", "RGVjaXNpb246", "::", "\u0000", "Décision:1", "a" * 5_000]
FOREIGN: list[str] = [
    node_id("Community", 1),
    node_id("User", 1),
    node_id("Decision", -1),
    node_id("Decision", 0),
    node_id("Decision", 1, 2),
    node_id("Decision", 2**63),
    node_id("Decision", 10**30),
    node_id("../Decision", 1),
]


class TestIds:
    @pytest.mark.parametrize("text", GARBAGE + FOREIGN)
    def test_what_is_no_id_of_a_decision_is_said_to_be_none(self, text: str) -> None:
        answer = post(None, "query($i: ID!) { decision(id: $i) { id } }", i=text)
        message = "This is not the id of a thing of type Decision."
        assert [(error["message"], error["extensions"]) for error in answer["errors"]] == [
            (message, {"code": "INVALID_ID", "field": "id"})
        ]

    @pytest.mark.parametrize("text", GARBAGE + FOREIGN)
    def test_in_a_mutation_too(self, text: str) -> None:
        query = "mutation($i: ID!) { withdrawVote(decisionId: $i) { errors { code field } } }"
        answer = ask(factories.person(), query, i=text)
        assert answer["withdrawVote"]["errors"] == [{"code": "INVALID_ID", "field": "decisionId"}]

    @pytest.mark.parametrize("text", [node_id(kind, 1) for kind in ("User", "Ballot", "Vote", "LedgerEntry", "Me")])
    def test_what_has_no_id_is_no_node(self, text: str) -> None:
        assert ask(factories.person(), "query($i: ID!) { node(id: $i) { id } }", i=text) == {"node": None}

    @pytest.mark.parametrize("text", [node_id("Decision", 1, 2), node_id("Following", 1), node_id("Following", 1, 2)])
    def test_an_id_of_other_parts_is_of_nothing(self, text: str) -> None:
        assert ask(factories.person(), "query($i: ID!) { node(id: $i) { id } }", i=text) == {"node": None}

    def test_the_id_of_a_following_does_not_count_those_of_anonymous_members(self) -> None:
        """It is the same whatever was written before it."""
        community, members = factories.community("ann", "ben", "cat", visibility=Community.Visibility.PUBLIC)
        services.set_anonymity(members["cat"].user, community.pk, anonymous=True)
        query = "query($i: ID!) { node(id: $i) { ... on Member { followings { edges { node { id } } } } } }"

        def told() -> object:
            factories.follow(members["ann"], members["ben"])
            found = ask(None, query, i=id_of(members["ann"]))
            services.unfollow(members["ann"].user, members["ben"].pk)
            return found

        before = told()
        factories.follow(members["cat"], members["ben"])
        assert told() == before

    def test_a_node_is_what_its_viewer_may_see(self) -> None:
        community, members = factories.community("ann", visibility=Community.Visibility.MEMBERS)
        decision = factories.decision(community, members["manager"].user)
        following = factories.follow(members["ann"], members["manager"])
        rows = [community, decision, following, members["ann"]]
        query = "query($i: ID!) { node(id: $i) { id } }"
        seen = {
            name: [ask(viewer, query, i=id_of(row))["node"] is not None for row in rows]
            for name, viewer in {"member": members["ann"].user, "stranger": factories.person()}.items()
        }
        assert seen == {"member": [True] * 4, "stranger": [True, False, False, False]}

    @pytest.mark.parametrize("text", [*GARBAGE[1:], "cGxhY2U6LTE=", "cGxhY2U6OTk5OTk5OTk5OTk5OTk5OTk5OTk="])
    def test_a_malformed_cursor_is_said_to_be_one(self, text: str) -> None:
        answer = post(None, "query($a: String) { communities(after: $a) { totalCount } }", a=text)
        assert [error["extensions"] for error in answer["errors"]] == [{"code": "INVALID_CURSOR", "field": "after"}]


class TestErrors:
    def test_what_was_not_foreseen_is_told_to_the_log_only(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        community, _ = factories.community()

        def fail(*args: Any) -> None:
            raise ImproperlyConfigured("the password is swordfish")

        monkeypatch.setattr(communities, "readable_community", fail)
        with caplog.at_level(logging.ERROR, "crowdvote.api.schema"):
            answer = post(None, "query($i: ID!) { ledger(communityId: $i) { totalCount } }", i=id_of(community))
        assert answer["data"] == {"ledger": None}
        assert answer["errors"][0]["message"] == "Internal error"
        assert answer["errors"][0]["extensions"] == {"code": "INTERNAL"}
        assert "swordfish" not in json.dumps(answer)
        assert "Traceback" not in json.dumps(answer)
        assert "swordfish" in caplog.text

    @pytest.mark.parametrize("error", [OperationalError, InterfaceError])
    def test_a_database_that_is_away_is_worth_asking_again(
        self, error: type[Exception], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        community, _ = factories.community()

        def fail(*args: Any) -> None:
            raise error("the server swordfish refuses")

        monkeypatch.setattr(communities, "readable_community", fail)
        query = "query($i: ID!) { communities { totalCount } ledger(communityId: $i) { totalCount } }"
        body = {"query": query, "variables": {"i": id_of(community)}}
        with caplog.at_level(logging.ERROR, "crowdvote.api.schema"):
            response = Client().post(URL, json.dumps(body), content_type=JSON)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert [one["extensions"] for one in response.json()["errors"]] == [{"code": "INTERNAL"}]
        assert "swordfish" not in response.text
        assert "Traceback" not in caplog.text
        body["query"] = "{ communities { totalCount } }"
        assert Client().post(URL, json.dumps(body), content_type=JSON).status_code == 200

    def test_an_unknown_field_is_named(self) -> None:
        assert "secrets" in post(None, "{ me { secrets } }")["errors"][0]["message"]

    def test_what_clients_do_wrong_is_not_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            post(None, "{ me { secrets } }")
            post(None, '{ decision(id: "x") { id } }')
            post(None, "{")
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


CAST = """mutation($d: ID!, $stars: [StarsInput!]!, $tags: [String!], $abstain: Boolean! = false, $comment: String) {
  castVote(input: {decisionId: $d, stars: $stars, tags: $tags, abstain: $abstain, comment: $comment}) {
    receipt errors { field code } } }"""


class TestBadInput:
    @pytest.mark.parametrize(
        ("stars", "more", "error"),
        [
            ([6], {}, ("stars", "INVALID_STARS")),
            ([-1], {}, ("stars", "INVALID_STARS")),
            ([], {}, ("stars", "EMPTY_BALLOT")),
            ([3], {"abstain": True}, ("stars", "INVALID_STARS")),
            ([3, 3], {}, ("stars", "INVALID_STARS")),
            ([3] * 5_000, {}, ("stars", "INVALID_STARS")),
            ([3], {"tags": ["a,b"]}, ("tags", "INVALID_TAG")),
            ([3], {"tags": [""]}, ("tags", "INVALID_TAG")),
            ([3], {"tags": ["a" * 51]}, ("tags", "INVALID_TAG")),
            ([3], {"tags": [str(n) for n in range(21)]}, ("tags", "INVALID_TAG")),
            ([3], {"comment": "a" * 2_001}, ("comment", "INVALID")),
            ([3], {"comment": "a\u0000b"}, ("comment", "INVALID")),
        ],
    )
    def test_a_ballot_that_is_none(self, stars: list[int], more: dict[str, Any], error: tuple[str, str]) -> None:
        community, members = factories.community("ann")
        decision = factories.decision(community, members["manager"].user)
        client = client_of(members["ann"].user)
        before = everything_written()
        choice = id_of(decision.choices.all()[0])
        rated = [{"choiceId": choice, "stars": number} for number in stars]
        answer = ask(client, CAST, d=id_of(decision), stars=rated, **more)["castVote"]
        assert answer == {"receipt": None, "errors": [{"field": error[0], "code": error[1]}]}
        assert everything_written() == before
        allowed = ask(client, CAST, d=id_of(decision), stars=[{"choiceId": choice, "stars": 5}])["castVote"]
        assert allowed["errors"] == []

    @pytest.mark.parametrize("stars", ['"5"', "2.5", "true", "null", "99999999999"])
    def test_stars_of_another_type_are_refused_by_the_schema(self, stars: str) -> None:
        community, members = factories.community("ann")
        decision = factories.decision(community, members["manager"].user)
        client = client_of(members["ann"].user)
        before = everything_written()
        rating = f'{{choiceId: "{id_of(decision.choices.all()[0])}", stars: {stars}}}'
        answer = post(
            client,
            f'mutation {{ castVote(input: {{decisionId: "{id_of(decision)}", stars: [{rating}]}}) {{ receipt }} }}',
        )
        assert "data" not in answer
        assert everything_written() == before

    def test_there_is_no_way_to_set_what_is_not_an_input(self) -> None:
        _, members = factories.community("ann")
        query = 'mutation { updateProfile(input: {name: "Ann", email: "x@example.org"}) { account { name } } }'
        assert "email" in post(members["ann"].user, query)["errors"][0]["message"]

    def test_a_time_without_its_zone_could_be_mistaken(self) -> None:
        community, members = factories.community()
        query = """mutation($c: ID!, $t: DateTime!) {
          createDecision(input: {communityId: $c, title: "When?", closesAt: $t}) { errors { field code } } }"""
        manager = members["manager"].user
        answer = ask(manager, query, c=id_of(community), t="2031-01-01T12:00:00")
        assert answer["createDecision"]["errors"] == [{"field": "closesAt", "code": "INVALID"}]
        answer = ask(manager, query, c=id_of(community), t="2031-01-01T12:00:00Z")
        assert answer["createDecision"]["errors"] == []

    def test_a_time_of_a_draft_that_is_null_is_taken_away_and_one_left_out_stays(self) -> None:
        community, members = factories.community()
        manager, opens = members["manager"].user, timezone.now() + timedelta(days=1)
        draft = factories.draft(community, manager, opens_at=opens, closes_at=opens + timedelta(days=1))
        query = """mutation($d: ID!) {
          updateDecision(input: {decisionId: $d, opensAt: null, title: "When?"}) { decision { opensAt closesAt } } }"""
        answer = ask(manager, query, d=id_of(draft))
        times = {"opensAt": None, "closesAt": (opens + timedelta(days=1)).isoformat()}
        assert answer == {"updateDecision": {"decision": times}}

    @pytest.mark.parametrize("moment", BEYOND_THE_CALENDAR)
    @pytest.mark.parametrize("field", ["opensAt", "closesAt"])
    def test_a_time_at_the_ends_of_the_calendar_is_refused_at_its_field(self, moment: str, field: str) -> None:
        community, members = factories.community()
        manager, change = members["manager"].user, "errors { field code } }"
        draft, decision = factories.draft(community, manager), factories.decision(community, manager)
        client = client_of(manager)
        before = everything_written()
        query = f"""mutation($c: ID!, $d: ID!, $p: ID!, $t: DateTime!) {{
          made: createDecision(input: {{communityId: $c, title: "When?", {field}: $t}}) {{ {change}
          draft: updateDecision(input: {{decisionId: $d, {field}: $t}}) {{ {change}
          published: updateDecision(input: {{decisionId: $p, {field}: $t}}) {{ {change} }}"""
        answer = ask(client, query, c=id_of(community), d=id_of(draft), p=id_of(decision), t=moment)
        fault = {"errors": [{"field": field, "code": "INVALID"}]}
        assert answer == {"made": fault, "draft": fault, "published": fault}
        assert everything_written() == before

    @pytest.mark.parametrize(
        "moment", ["9999-12-31T24:00:00Z", "10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00+24:00"]
    )
    def test_what_is_no_time_is_refused_by_the_schema(self, moment: str) -> None:
        community, members = factories.community()
        query = """mutation($c: ID!, $t: DateTime!) {
          createDecision(input: {communityId: $c, title: "When?", closesAt: $t}) { errors { field } } }"""
        [error] = post(members["manager"].user, query, c=id_of(community), t=moment)["errors"]
        assert "Value cannot represent a DateTime" in error["message"]

    @pytest.mark.parametrize("changes", [[{}], [{"withdraw": True, "vote": {"abstain": True}}]])
    def test_a_change_is_one_of_several(self, changes: list[dict[str, Any]]) -> None:
        community, members = factories.community()
        decision = factories.decision(community, members["manager"].user)
        query = "query($d: ID!, $c: [ChangeInput!]!) { whatIf(decisionId: $d, changes: $c) { othersChanged } }"
        assert "data" not in post(members["manager"].user, query, d=id_of(decision), c=changes)
        allowed = ask(members["manager"].user, query, d=id_of(decision), c=[{"withdraw": True}])
        assert allowed == {"whatIf": {"othersChanged": 0}}


def test_make_schema_writes_what_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "schema.graphql"
    call_command("export_schema", "crowdvote.api.schema", "--path", str(path))
    assert path.read_text() == print_schema(schema)
