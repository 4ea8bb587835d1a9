"""The promises of docs/privacy.md: each was broken once by an ordinary client; and its relatives."""

from __future__ import annotations

import copy
import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from strawberry import Schema

from accounts.api import node_id
from accounts.models import User
from crowdvote.api.schema import schema
from democracy import access, eventlog, services
from democracy.models import Community, Decision, DecisionSnapshot, Membership, Notice
from democracy.notices.sending import notice_changes
from democracy.presenting.audiences import audiences
from democracy.presenting.explanations import drawn_followings, explain_own
from democracy.reading import ballots as reading_ballots
from democracy.reading import decisions
from democracy.reading.ballots import ballot_rows, ballots_shown, read_rows, turnouts
from democracy.reading.own_ballots import own_ballot, own_ballots
from democracy.reading.staged_ballots import columns_of, members_under_pseudonyms
from democracy.recalculation import audits, recalculate_community
from democracy.recalculation.staging import forget_everything
from democracy.recalculation.storing import record_failure
from tests import factories, rules
from tests.staged import stored
from tests.test_graphql.api import ask, client_of, id_of, post

pytestmark = pytest.mark.django_db


class Town:
    """Ann and Abe are anonymous; Bea, Bob and the manager are not. Everybody may read it."""

    def __init__(self, **decision: Any) -> None:
        self.community, self.members = rules.new_community("ann", "abe", "bea", "bob")
        self.manager = self.members["manager"].user
        self.update(visibility=Community.Visibility.PUBLIC, joining="open")
        for name in ("ann", "abe"):
            services.set_anonymity(self[name].user, self.community.pk, anonymous=True)
            self[name].refresh_from_db()
        self.decision = factories.decision(self.community, self.manager, **decision)

    def update(self, **fields: Any) -> None:
        services.update_community(self.manager, self.community.pk, **fields)

    def __getitem__(self, name: str) -> Membership:
        return self.members[name]

    def vote(self, name: str, tags: list[str] | None = None, **stars: int) -> None:
        factories.vote(self[name], self.decision, tags, **stars)

    def calculate(self) -> None:
        recalculate_community(self.community.pk)
        self.decision.refresh_from_db()

    def close(self) -> None:
        self.decision = factories.close(self.decision)
        forget_everything()
        self.calculate()

    def listed(self, viewer: Any = None) -> dict[str, tuple[str, tuple[int, ...], tuple[str, ...]]]:
        """The page of ballots: kind, microstars and tags by name."""
        columns = columns_of(self.decision, self.decision.choices.count())
        rows = read_rows(viewer or AnonymousUser(), self.decision, columns, ballot_rows(self.decision, columns))
        return {row.owner.handle or row.owner.name: (row.kind, row.microstars, row.tags) for row in rows}

    def shown(self) -> dict[str, Any]:
        result: dict[str, Any] = decisions.newest_snapshots([self.decision.pk])[0].result
        return result

    def pseudonym(self, name: str, kind: str = "cast") -> str:
        return access.pseudonym(self.decision.pk, self[name].pk, kind=kind)


@pytest.fixture(scope="module")
def written(module_rows: None) -> Town:
    return Town()


@pytest.fixture
def town(written: Town, db: None) -> Town:
    return copy.deepcopy(written)


class TestHiddenBallots:
    @pytest.fixture(params=["after_close", "batched"])
    def town(self, request: Any, db: None) -> Town:
        return Town(results_visibility=request.param)

    def test_nobody_reads_a_hidden_ballot_by_following_its_caster(self, town: Town) -> None:
        town.vote("bea", ["parks"], Ash=5, Birch=1)
        factories.follow(town["bob"], town["bea"])
        town.calculate()
        assert stored(town.decision)[town["bob"].pk].kind == "inherited"
        bob, pk = town["bob"].user, town.decision.pk
        choices = list(town.decision.choices.all())
        assert own_ballot(town["bob"], town.decision, choices).kind == "none"
        assert own_ballots(bob, [town.decision]) == {}
        assert explain_own(bob, town.decision) is None
        query = "query($id: ID!) { decision(id: $id) { myBallot { kind } tags influence { edges { cursor } } } }"
        assert ask(bob, query, id=id_of(town.decision)) == {
            "decision": {"myBallot": None, "tags": None, "influence": None}
        }
        for name in ("decision", "decision-sources", "decision-results"):
            page = client_of(bob).get(reverse(name, args=[town.community.pk, pk])).content.decode()
            assert "parks" not in page
            assert town["bea"].user.handle not in page
        assert own_ballots(town["bea"].user, [town.decision])[pk].kind == "cast"
        town.close()
        assert own_ballots(bob, [town.decision])[pk].kind == "inherited"

    def test_no_counter_time_or_event_tells_whether_somebody_has_voted(self, town: Town) -> None:
        query = """query($id: ID!) { decision(id: $id) { turnout calculation {
            status inputRevision calculatedRevision lastCalculated isFinal isCalculating error } } }"""
        nothing = {
            "turnout": 0,
            "calculation": {
                "status": "CURRENT",
                "inputRevision": None,
                "calculatedRevision": None,
                "lastCalculated": None,
                "isFinal": False,
                "isCalculating": False,
                "error": None,
            },
        }
        told = []
        for _ in range(2):
            told.append(ask(town.manager, query, id=id_of(town.decision))["decision"])
            town.vote("bea", Ash=5)
            told.append(ask(town.manager, query, id=id_of(town.decision))["decision"])
            town.calculate()
            told.append(ask(town.manager, query, id=id_of(town.decision))["decision"])
        record_failure(town.decision, rules.revision(town.community), "Bea gave five stars")
        told.append(ask(town.manager, query, id=id_of(town.decision))["decision"])
        assert told == [nothing] * 7

    def test_whoever_follows_somebody_makes_every_hidden_decision_stale_whoever_has_voted(self, town: Town) -> None:
        town.vote("bob", ["parks"], Ash=1)
        town.calculate()
        for follower in ("bob", "bea"):
            factories.follow(town[follower], town["manager"], "roads")
            town.decision.refresh_from_db()
            assert town.decision.input_revision == rules.revision(town.community)

    def test_turnout_is_told_in_steps_and_by_nobodys_leaving(self, town: Town) -> None:
        for name in ("ann", "abe", "bea", "bob"):
            town.vote(name, Ash=5)
        assert turnouts([town.decision]) == {town.decision.pk: 0}
        town.vote("manager", Ash=5)
        assert turnouts([town.decision]) == {town.decision.pk: 5}
        services.remove_member(town.manager, town["bea"].pk)
        assert turnouts([town.decision]) == {town.decision.pk: 5}
        page = client_of(None).get(reverse("decision", args=[town.community.pk, town.decision.pk])).content.decode()
        assert "At least 5 ballots have been cast." in page

    def test_an_interim_result_tells_neither_its_revision_nor_its_minute(self, town: Town) -> None:
        for name in ("ann", "abe", "bea", "bob", "manager"):
            town.vote(name, Ash=5)
        town.calculate()
        query = "query($id: ID!) { decision(id: $id) { result { revision calculatedAt } } }"
        result = ask(None, query, id=id_of(town.decision))["decision"]["result"]
        if town.decision.results_visibility == "after_close":
            assert result is None
        else:
            assert result["revision"] is None
            assert re.search(r"T\d\d:00:00\+", result["calculatedAt"])

    def test_the_log_has_nothing_of_a_vote(
        self, town: Town, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
    ) -> None:
        with caplog.at_level("INFO", "crowdvote.events"):
            with django_capture_on_commit_callbacks(execute=True):
                town.vote("bea", Ash=5)
                town.calculate()
                services.withdraw_ballot(town["bea"].user, town.decision.pk)
            assert [record.event for record in caplog.records] == []  # type: ignore[attr-defined]
            shown = factories.decision(town.community, town.manager)
            caplog.clear()
            with django_capture_on_commit_callbacks(execute=True):
                factories.vote(town["bea"], shown, Ash=5)
        assert [record.event for record in caplog.records] == ["VOTE_CAST"]  # type: ignore[attr-defined]


class TestTheUrn:
    @pytest.fixture
    def town(self, town: Town) -> Town:
        town.vote("ann", Ash=5)
        town.vote("abe", Birch=3)
        town.vote("bea", Cedar=4)
        town.calculate()
        return town

    @pytest.mark.parametrize("afresh", [False, True], ids=["incrementally", "from scratch"])
    @pytest.mark.parametrize("end", ["leaves", "is removed"])
    def test_the_ballot_of_an_anonymous_member_stays_when_its_caster_goes(
        self, town: Town, end: str, afresh: bool
    ) -> None:
        before = town.listed(), town.shown()
        if end == "leaves":
            services.leave_community(town["ann"].user, town.community.pk)
        else:
            services.remove_member(town.manager, town["ann"].pk)
        if afresh:
            forget_everything()
        town.calculate()
        assert (town.listed(), town.shown()) == before
        town.close()
        assert (town.listed(), town.shown()) == before

    def test_a_named_ballot_goes_with_its_caster(self, town: Town) -> None:
        services.leave_community(town["bea"].user, town.community.pk)
        town.calculate()
        assert set(town.listed()) == {town.pseudonym("ann"), town.pseudonym("abe")}
        assert town.shown()["participation"]["eligible"] == 4

    def test_its_caster_is_eligible_in_the_decisions_they_voted_in_alone(self, town: Town) -> None:
        other = factories.decision(town.community, town.manager)
        services.leave_community(town["ann"].user, town.community.pk)
        town.calculate()
        assert town.shown()["participation"]["eligible"] == 5
        assert decisions.newest_snapshots([other.pk])[0].result["participation"]["eligible"] == 4

    def test_whoever_comes_back_has_their_ballot_again(self, town: Town) -> None:
        before = town.shown()
        services.leave_community(town["ann"].user, town.community.pk)
        town.calculate()
        services.apply_to_community(town["ann"].user, town.community.pk)
        town.calculate()
        assert town.shown() == before
        town.vote("ann", Cedar=1)
        town.calculate()
        assert town.listed()[town.pseudonym("ann")][1] == (0, 0, 1_000_000)

    def test_no_role_and_no_name_given_later_changes_it_and_nobody_inherits_it(self, town: Town) -> None:
        before = town.listed(), town.shown()
        services.set_anonymity(town["ann"].user, town.community.pk, anonymous=False)
        services.update_membership(town.manager, town["ann"].pk, role=Membership.Role.LOBBYIST)
        factories.follow(town["bob"], town["ann"])
        town.calculate()
        assert (town.listed(), town.shown()) == before

    def test_the_pages_that_ask_before_somebody_goes_say_so(self, town: Town) -> None:
        leaving = client_of(town["ann"].user).get(reverse("community-leave", args=[town.community.pk]))
        removing = client_of(town.manager).get(reverse("member-remove", args=[town.community.pk, town["ann"].pk]))
        for page in (leaving, removing):
            assert "under a pseudonym stay in their decisions" in page.content.decode()


class TestNamesOfBallots:
    def test_a_ballot_keeps_the_pseudonym_it_was_cast_under(self, town: Town) -> None:
        town.vote("ann", Ash=5)
        services.set_anonymity(town["ann"].user, town.community.pk, anonymous=False)
        town.vote("ann", Ash=4)
        town.calculate()
        assert set(town.listed()) == {town.pseudonym("ann")}
        services.withdraw_ballot(town["ann"].user, town.decision.pk)
        town.vote("ann", Ash=3)
        town.calculate()
        assert set(town.listed()) == {town.pseudonym("ann")}

    def test_a_ballot_cast_by_name_keeps_it_when_its_caster_becomes_anonymous(self, town: Town) -> None:
        town.vote("bea", Ash=5)
        services.set_anonymity(town["bea"].user, town.community.pk, anonymous=True)
        services.withdraw_ballot(town["bea"].user, town.decision.pk)
        town.vote("bea", Ash=3)
        town.calculate()
        assert set(town.listed()) == {town["bea"].user.handle}
        assert "with your name" in audiences(town["bea"].user, [town.decision])[town.decision.pk].sentence

    @pytest.mark.parametrize("closed", [False, True])
    def test_whoever_becomes_anonymous_is_named_beside_nothing_that_they_inherit(
        self, town: Town, closed: bool
    ) -> None:
        factories.follow(town["bob"], town["bea"])
        town.vote("bea", ["parks"], Ash=5)
        town.calculate()
        if closed:
            town.close()
        assert town.listed()[town["bob"].user.handle][2] == ("parks",)
        services.set_anonymity(town["bob"].user, town.community.pk, anonymous=True)
        unnamed = town.pseudonym("bob", "inherited")
        assert set(town.listed()) == {town["bea"].user.handle, unnamed}
        assert town.listed()[unnamed][2] == ()
        # Lists, searches and addresses ask the same question of all ballots at once.
        hidden = members_under_pseudonyms([town.decision])[town.decision.pk]
        assert stored(town.decision).keys() - hidden.keys() == {town["bea"].pk}
        ballot, bob = stored(town.decision)[town["bob"].pk], Membership.objects.get(pk=town["bob"].pk)
        assert access.bears_pseudonym(bob, kind=ballot.kind, is_anonymous=ballot.is_anonymous)

    def test_whoever_becomes_anonymous_is_not_named_on_the_way_to_what_others_inherit(self, town: Town) -> None:
        factories.follow(town["bob"], town["bea"])
        factories.follow(town["bea"], town["manager"])
        town.vote("manager", Ash=5)
        town.calculate()
        town.close()
        services.set_anonymity(town["bea"].user, town.community.pk, anonymous=True, confirmed=True)
        town.calculate()
        bob, manager = town["bob"].user, town["manager"].user
        query = """query($id: ID!) { decision(id: $id) {
            myBallot { sources { path { name isAnonymous member { handle } } } } } }"""
        (source,) = ask(bob, query, id=id_of(town.decision))["decision"]["myBallot"]["sources"]
        assert source["path"] == [
            {"name": bob.handle, "isAnonymous": False, "member": {"handle": bob.handle}},
            {"name": access.ANONYMOUS, "isAnonymous": True, "member": None},
            {"name": manager.handle, "isAnonymous": False, "member": {"handle": manager.handle}},
        ]
        explanation = explain_own(bob, town.decision)
        assert explanation is not None
        (line,) = explanation.sources
        assert [(one.name, one.key, one.handle) for one in line.via] == [(access.ANONYMOUS, "", "")]

    def test_whoever_is_known_by_what_they_inherit_is_not_found_by_what_they_cast(self, town: Town) -> None:
        factories.follow(town["bob"], town["bea"])
        town.vote("bea", Ash=5)
        town.calculate()
        # Everybody has seen what he inherits, under his name.
        assert town.listed()[town["bob"].user.handle][1] == (5_000_000, 0, 0)
        services.set_anonymity(town["bob"].user, town.community.pk, anonymous=True)
        town.calculate()
        known = set(town.listed())
        town.vote("bob", Birch=4)
        town.vote("abe", Cedar=1)
        town.calculate()
        assert set(town.listed()) & known == {town["bea"].user.handle}

    def test_whoever_gives_anonymity_up_and_withdraws_inherits_under_a_pseudonym(self, town: Town) -> None:
        factories.follow(town["ann"], town["bea"])
        town.vote("bea", Ash=5)
        town.vote("ann", Cedar=2)
        town.calculate()
        services.set_anonymity(town["ann"].user, town.community.pk, anonymous=False)
        services.withdraw_ballot(town["ann"].user, town.decision.pk)
        town.calculate()
        expected = {town["bea"].user.handle, town.pseudonym("ann", "inherited")}
        assert set(town.listed()) == expected
        # Nor does it change for a process that begins anew, or once voting is over.
        forget_everything()
        services.request_recalculation(town.manager, town.decision.pk)
        town.calculate()
        assert set(town.listed()) == expected
        assert list(audits.faults(Community.objects.get(pk=town.community.pk))) == []
        town.close()
        assert set(town.listed()) == expected

    def test_whoever_is_removed_and_comes_back_is_not_found_by_what_vanished(self, town: Town) -> None:
        factories.follow(town["ann"], town["bea"])
        town.vote("bea", Ash=5)
        town.calculate()
        before = set(town.listed())
        services.remove_member(town.manager, town["ann"].pk)
        town.calculate()
        vanished = before - set(town.listed())
        assert vanished == {town.pseudonym("ann", "inherited")}
        application = services.apply_to_community(town["ann"].user, town.community.pk)
        services.decide_application(town.manager, application.pk, approve=True)
        town.vote("ann", Birch=3)
        town.calculate()
        assert not vanished & set(town.listed())


class TestFingerprints:
    @pytest.fixture
    def town(self, town: Town) -> Town:
        factories.follow(town["ann"], town["bea"], "parks")
        factories.follow(town["bob"], town["bea"])
        town.vote("bea", ["parks"], Ash=5)
        town.calculate()
        return town

    def test_no_following_of_a_pseudonym_is_shown(self, town: Town) -> None:
        bob, bea = town["bob"].user, town["bea"].user
        graph = """query($id: ID!) { decision(id: $id) {
            delegationGraph { nodes { voter { name } } edges { follower followee tags } isComplete }
            influence { totalCount edges { node { ballots voter { name } } } }
            ballots(first: 9) { edges { node { kind tags voter { name member { id } } sources { weight } } } } } }"""
        found = ask(bob, graph, id=id_of(town.decision))["decision"]
        assert [one["voter"]["name"] for one in found["delegationGraph"]["nodes"]] == sorted([bea.handle, bob.handle])
        assert len(found["delegationGraph"]["edges"]) == 1
        assert found["influence"]["edges"] == [{"node": {"ballots": 2.0, "voter": {"name": bea.handle}}}]
        hidden = [edge["node"] for edge in found["ballots"]["edges"]][-1]
        assert hidden == {
            "kind": "INHERITED",
            "tags": [],
            "voter": {"name": town.pseudonym("ann", "inherited"), "member": None},
            "sources": None,
        }
        assert len(drawn_followings(bob, town.decision)["members"]) == 2

    def test_no_search_finds_a_pseudonym_by_what_it_inherits(self, town: Town) -> None:
        columns = columns_of(town.decision, 3)
        found = [columns.members[row] for row in ballot_rows(town.decision, columns, tag="parks")]
        assert sorted(found) == sorted([town["bea"].pk, town["bob"].pk])
        assert ballot_rows(town.decision, columns, search=town["ann"].user.handle) == []

    def test_what_if_counts_no_anonymous_follower(self, town: Town) -> None:
        query = """query($id: ID!, $choice: ID!) { whatIf(decisionId: $id,
            changes: [{vote: {stars: [{choiceId: $choice, stars: 1}], tags: ["parks"]}}]) { othersChanged } }"""
        choice = id_of(factories.choices(town.decision)["Ash"])
        answer = ask(town["bea"].user, query, id=id_of(town.decision), choice=choice)
        assert answer == {"whatIf": {"othersChanged": 1}}

    def test_their_owner_sees_their_own_sources(self, town: Town) -> None:
        query = "query($id: ID!) { decision(id: $id) { myBallot { tags sources { member { name } } } } }"
        assert ask(town["ann"].user, query, id=id_of(town.decision))["decision"]["myBallot"] == {
            "tags": ["parks"],
            "sources": [{"member": {"name": town["bea"].user.handle}}],
        }


class TestTheLog:
    def test_a_line_by_name_stands_beside_no_line_of_an_anonymous_voter(
        self, db: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        town, clock = Town(), rules.Clock(monkeypatch)
        clock.set(clock.now.replace(hour=14, minute=7))
        # What other tests left waiting is not of this one.
        monkeypatch.setattr(eventlog, "_held", eventlog._Held())
        eventlog.connect()
        with caplog.at_level("INFO", "crowdvote.events"), pytest.MonkeyPatch.context() as immediately:
            immediately.setattr("django.db.transaction.on_commit", lambda run, **options: run())
            eventlog.login(town["ann"].user.handle)
            town.vote("ann", Ash=5)
            factories.follow(town["ann"], town["bea"], "parks")
            town.vote("bea", Ash=5)
            assert [record.event for record in caplog.records] == ["LOGIN", "VOTE_CAST"]  # type: ignore[attr-defined]
            clock.advance(hours=2)
            eventlog.login(town["bob"].user.handle)
        lines = [(record.event, record.actor) for record in caplog.records]  # type: ignore[attr-defined]
        assert lines[2:] == [("VOTE_CAST", "Anonymous"), ("LOGIN", town["bob"].user.handle)]
        held = caplog.records[2]
        assert (held.created % 3600, held.msecs) == (0, 0)
        assert held.created < clock.now.timestamp()
        assert town.pseudonym("ann") not in caplog.text


class TestTheAdmin:
    @pytest.fixture
    def operator(self, db: None) -> Client:
        return client_of(factories.person("operator", is_staff=True, is_superuser=True))

    @pytest.mark.parametrize("model", admin.site._registry)
    def test_no_list_takes_a_lookup_that_is_not_written_down(self, operator: Client, model: Any) -> None:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert operator.get(address).status_code == 200
        written_down = admin.site._registry[model]._written_down(None)  # type: ignore[attr-defined]
        fields = [field.name for field in model._meta.get_fields()]
        for field in fields:
            for lookup in (field, f"{field}__in", f"{field}__isnull", f"{field}__gte", f"{field}__startswith"):
                if lookup not in written_down:
                    assert operator.get(address, {lookup: "1"}).status_code == 400, lookup

    def test_what_a_decision_hides_is_hidden_here(self, operator: Client) -> None:
        town = Town(results_visibility="after_close")
        town.vote("bea", ["parks"], Ash=5)
        town.calculate()
        page = operator.get(reverse("admin:democracy_decision_change", args=[town.decision.pk])).content.decode()
        assert f"{town.decision.calculated_revision} /" not in page
        assert "hidden" in page
        listed = operator.get(reverse("admin:democracy_ballot_changelist")).content.decode()
        assert (town["bea"].user.handle in listed, town["bea"].user.handle in page) == (False, False)

    def test_a_ballot_under_a_pseudonym_is_not_listed_whoever_cast_it_is_now(self, operator: Client) -> None:
        town = Town()
        town.vote("ann", Ash=5)
        town.calculate()
        services.set_anonymity(town["ann"].user, town.community.pk, anonymous=False)
        listed = operator.get(reverse("admin:democracy_ballot_changelist")).content.decode()
        page = operator.get(reverse("admin:democracy_decision_change", args=[town.decision.pk])).content.decode()
        assert (town["ann"].user.handle in listed, town["ann"].user.handle in page) == (False, False)

    def test_nobody_is_deleted_which_would_list_what_hangs_on_them(self, operator: Client) -> None:
        town = Town()
        assert operator.get(reverse("admin:accounts_user_delete", args=[town["ann"].user_id])).status_code == 403
        assert User.objects.filter(pk=town["ann"].user_id).exists()


class TestVisitors:
    def mutations(self) -> dict[str, Any]:
        made: Schema = schema
        assert made._schema.mutation_type is not None
        return dict(made._schema.mutation_type.fields)

    def test_every_mutation_answers_a_visitor_the_same_whether_it_exists_or_not(self, town: Town) -> None:
        town.update(visibility=Community.Visibility.MEMBERS, joining="request")
        application = services.apply_to_community(factories.person(), town.community.pk)
        there = {
            "community": town.community.pk,
            "decision": town.decision.pk,
            "member": town["bea"].pk,
            "application": application.pk,
        }
        asked = 0
        for name, field in self.mutations().items():
            inputs = _inputs(field)
            kinds = {argument: _kind(argument) for argument in inputs if _kind(argument) in there}
            if not kinds:
                continue
            answers = []
            for pks in (there, dict.fromkeys(there, 10**9)):
                ids = {argument: node_id(kind.capitalize(), pks[kind]) for argument, kind in kinds.items()}
                answers.append(post(None, _call(name, field, ids)))
            assert answers[0] == answers[1], name
            assert answers[0]["data"][name]["errors"][0]["message"] == "Sign in first.", name
            asked += 1
        assert asked >= 14


def _inputs(field: Any) -> list[str]:
    names = list(field.args)
    return list(_type(field.args["input"].type).fields) if names == ["input"] else names


def _type(of: Any) -> Any:
    return of.of_type if hasattr(of, "of_type") else of


def _kind(argument: str) -> str:
    return argument.removesuffix("Id").lower() if argument.endswith("Id") else ""


_OTHERS = {
    "message": '"x"',
    "text": '"x"',
    "approve": "true",
    "anonymous": "true",
    "title": '"x"',
    "tags": "[]",
    "stars": "[]",
    "reason": '"x"',
    "pinned": "true",
    "preferences": "[]",
    "url": '"https://example.org/"',
    "events": "[DECISION_RESULT]",
}


def _call(name: str, field: Any, ids: dict[str, str]) -> str:
    given = {argument: f'"{value}"' for argument, value in ids.items()}
    given |= {argument: _OTHERS[argument] for argument in _inputs(field) if argument in _OTHERS}
    arguments = ", ".join(f"{argument}: {value}" for argument, value in given.items())
    inner = f"input: {{{arguments}}}" if list(field.args) == ["input"] else arguments
    return f"mutation {{ {name}({inner}) {{ errors {{ code message }} }} }}"


class TestAudience:
    @pytest.mark.parametrize(
        ("visibility", "results", "name", "expected"),
        [
            (
                "public",
                "live",
                "bea",
                r"Everybody, signed in or not, .* with your name\. They see them as soon as you vote\.",
            ),
            (
                "members",
                "live",
                "bea",
                r"All members of .*, and those who run this site, will see .* with your name\. "
                r"They see them as soon as you vote\.",
            ),
            ("public", "after_close", "bea", r"Everybody.* with your name\. They see them once voting has closed"),
            ("members", "live", "ann", r"All members of .* under a pseudonym.* may guess"),
            (
                "members",
                "batched",
                "ann",
                r"All members of .* under a pseudonym.*\. They see them once voting has closed",
            ),
        ],
    )
    def test_voters_are_told_before_voting_who_will_see_their_stars_with_which_name(
        self, db: None, visibility: str, results: str, name: str, expected: str
    ) -> None:
        town = Town(results_visibility=results)
        town.update(visibility=visibility)
        query = "query($id: ID!) { decision(id: $id) { ballotAudience } }"
        sentence = ask(town[name].user, query, id=id_of(town.decision))["decision"]["ballotAudience"]
        assert re.match(expected, sentence)
        page = client_of(town[name].user).get(reverse("decision", args=[town.community.pk, town.decision.pk]))
        assert sentence in page.content.decode()

    def test_a_manager_is_told_what_live_results_give_away(self, town: Town) -> None:
        query = (
            """mutation($input: CreateDecisionInput!) { createDecision(input: $input) { warning errors { code } } }"""
        )
        given = {"communityId": id_of(town.community), "title": "Roof?"}
        assert "anonymous voters" in ask(town.manager, query, input=given)["createDecision"]["warning"]
        later = given | {"resultsVisibility": "AFTER_CLOSE"}
        assert ask(town.manager, query, input=later)["createDecision"]["warning"] is None


def test_becoming_anonymous_warns_of_named_followers_and_tells_of_no_anonymous_one(town: Town) -> None:
    for follower in ("ann", "bob"):
        factories.follow(town[follower], town["bea"])
    query = (
        """mutation($input: SetAnonymityInput!) { setAnonymity(input: $input) { message errors { code message } } }"""
    )
    given = {"communityId": id_of(town.community), "anonymous": True}
    answer = ask(town["bea"].user, query, input=given)["setAnonymity"]
    assert answer["errors"][0]["code"] == "ANONYMITY_NEEDS_CONFIRMATION"
    assert answer["errors"][0]["message"].startswith("1 member follows you")
    confirmed = ask(town["bea"].user, query, input=given | {"confirmed": True})["setAnonymity"]
    assert (confirmed["errors"], "keep your name" in confirmed["message"]) == ([], True)
    assert not town["bea"].followers.exists()


def test_a_receipt_of_an_anonymous_ballot_comes_with_a_warning(town: Town) -> None:
    town.vote("ann", Ash=5)
    town.vote("bea", Ash=5)
    pages = {
        name: client_of(town[name].user)
        .get(reverse("decision", args=[town.community.pk, town.decision.pk]))
        .content.decode()
        for name in ("ann", "bea")
    }
    assert "whoever you show it to knows how you voted" in pages["ann"]
    assert "whoever you show it to" not in pages["bea"]


def test_a_member_who_gave_up_anonymity_shows_no_anonymous_ballot_on_their_page(town: Town) -> None:
    town.vote("ann", ["parks"], Ash=5)
    services.set_anonymity(town["ann"].user, town.community.pk, anonymous=False)
    page = client_of(town["bob"].user).get(reverse("member", args=[town.community.pk, town["ann"].pk]))
    assert "parks" not in page.content.decode()


def test_final_results_tell_their_revision_and_time(db: None) -> None:
    town = Town(results_visibility="batched")
    town.vote("ann", Ash=5)
    town.close()
    snapshot = DecisionSnapshot.objects.select_related("decision").get(decision=town.decision, is_final=True)
    assert access.shown_revision(snapshot) == snapshot.revision
    assert access.shown_time(snapshot) == snapshot.calculated_at
    assert Decision.objects.get(pk=town.decision.pk).closes_at - timedelta(days=2) < snapshot.calculated_at  # type: ignore[operator]


def test_nobody_hides_among_voters_who_are_removed(db: None) -> None:
    town = Town(results_visibility="batched")
    gone = [factories.join(town.community, factories.person()) for _ in range(4)]
    for member in gone:
        factories.vote(member, town.decision, Ash=5)
    for member in gone:
        services.remove_member(town.manager, member.pk)
    town.vote("bea", Birch=4)
    town.calculate()
    assert decisions.newest_snapshots([town.decision.pk]) == []


def test_a_comment_stands_beside_the_ballot_that_it_was_written_on_alone(town: Town) -> None:
    factories.follow(town["ann"], town["bea"])
    town.vote("bea", Ash=5)
    town.calculate()
    services.cast_ballot(town["ann"].user, town.decision.pk, stars={}, abstain=True, comment="secret words")
    columns = columns_of(town.decision, town.decision.choices.count())
    rows = list(read_rows(AnonymousUser(), town.decision, columns, ballot_rows(town.decision, columns)))
    # What she cast is not calculated yet: it stands as inherited.
    assert ([row.kind for row in rows].count("inherited"), [row.comment for row in rows]) == (1, ["", ""])


def test_the_topics_of_a_member_do_not_tell_of_hidden_ballots(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ballots, "_BALLOTS_FOR_TAGS", 1)
    town.vote("bea", ["parks"], Ash=5)
    hidden = factories.decision(town.community, town.manager, results_visibility="after_close")
    factories.vote(town["bea"], hidden, ["secret"], Ash=5)
    told = ballots_shown(AnonymousUser(), town["bea"])
    assert [ballot.decision for ballot in told] == [town.decision]


@pytest.mark.parametrize(("model", "field"), [("vote", "ballot"), ("ballot", "decision")])
def test_the_administration_completes_no_ballot(db: None, model: str, field: str) -> None:
    client = client_of(factories.person(is_staff=True, is_superuser=True))
    asked = {"term": "", "app_label": "democracy", "model_name": model, "field_name": field}
    answer = client.get(reverse("admin:autocomplete"), asked)
    assert (answer.status_code, b"ballot " in answer.content) in {(404, False), (403, False), (200, False)}


def test_no_claim_counts_or_times_the_runs_of_hidden_decisions(db: None) -> None:
    town = Town(results_visibility="after_close")
    town.vote("bea", Ash=5)
    town.calculate()
    client = client_of(factories.person(is_staff=True, is_superuser=True))
    before = client.get(reverse("admin:democracy_calculationclaim_changelist")).content
    town.vote("bea", Ash=1)
    town.calculate()
    after = client.get(reverse("admin:democracy_calculationclaim_changelist")).content
    rows = [re.findall(rb'<td class="field-[^<]*<', page) for page in (before, after)]
    assert rows[0] == rows[1] != []


@pytest.mark.parametrize("voters", [(), ("ann", "abe")])
def test_what_one_is_told_does_not_number_those_who_have_not_voted(db: None, voters: tuple[str, ...]) -> None:
    town = Town(results_visibility="after_close")
    for name in voters:
        town.vote(name, Ash=5)
    pk = town.decision.pk
    Decision.objects.filter(pk=pk).update(opens_at=timezone.now() - timedelta(days=9))
    Decision.objects.filter(pk=pk).update(closes_at=timezone.now() + timedelta(hours=1))
    notice_changes()
    told = list(Notice.objects.filter(kind=Notice.Kind.CLOSES_SOON).order_by("pk"))
    assert len(told) == 5 - len(voters)
    query = "{ me { notices(first: 9) { edges { node { id } } } } }"
    shown = ask(town["bob"].user, query)["me"]["notices"]["edges"]
    own = Notice.objects.filter(person=town["bob"].user).order_by("-pk")
    assert [edge["node"]["id"] for edge in shown] == [node_id("Notice", one.key) for one in own]
    # Drawn, so that they are in no order, and no two are neighbours.
    assert min(abs(one.key - other.key) for one, other in pairwise(told)) > len(told)
    page = client_of(town["bob"].user).get(reverse("notices")).content.decode()
    assert {int(key) for key in re.findall(r"/notices/(\d+)/", page)} == {one.key for one in own}
