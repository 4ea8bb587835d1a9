"""The administration: everything can be read, nothing can be written but by command; the event log."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from crowdvote.operations.log_viewer import Event
from democracy import services
from democracy.models import (
    Application,
    Ballot,
    CalculationClaim,
    Choice,
    Community,
    Decision,
    DecisionSnapshot,
    Following,
    LedgerEntry,
    Membership,
    Moderation,
)
from democracy.recalculation import recalculate_community
from tests import factories, rules
from tests.staged import forge, stored

pytestmark = pytest.mark.django_db

# Ballots and claims have no pages of their own.
LISTS_ALONE = [Ballot, Following, CalculationClaim]
REGISTERED = [
    Community,
    Membership,
    Application,
    Following,
    Decision,
    Ballot,
    LedgerEntry,
    DecisionSnapshot,
    CalculationClaim,
    Moderation,
]


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root@example.org", name="Root", handle="root")


def entering(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(model: type[Any], what: str, *args: object) -> str:
    return reverse(f"admin:democracy_{model._meta.model_name}_{what}", args=args)


def told(client: Client, model: type[Any]) -> list[Any]:
    """The rows of a list in the administration."""
    return list(client.get(address(model, "changelist")).context["cl"].result_list)


@pytest.fixture(scope="module")
def written(module_rows: None) -> tuple[Community, dict[str, Membership], Decision]:
    """Ann voted, Bea follows her, Cid voted too; an application waits; a title was hidden; everything is calculated."""
    community, members = factories.community("ann", "bea")
    members["cid"] = factories.join(community, factories.person())
    decision = factories.decision(community, members["manager"].user)
    factories.vote(members["ann"], decision, ["budget"], Ash=5)
    factories.vote(members["cid"], decision, Birch=3)
    factories.follow(members["bea"], members["ann"])
    services.update_community(members["manager"].user, community.pk, joining="request")
    services.apply_to_community(factories.person(), community.pk)
    operator = User.objects.create_superuser("moderator@example.org", name="Moderator", handle="moderator")
    hidden = services.hide_decision_text(operator, decision.pk, place="title", reason="It is rude.")
    services.show_again(operator, hidden.pk)
    recalculate_community(community.pk)
    return community, members, decision


@pytest.fixture
def town(
    written: tuple[Community, dict[str, Membership], Decision],
) -> tuple[Community, dict[str, Membership], Decision]:
    return copy.deepcopy(written)


class TestReading:
    def test_every_kind_of_row_has_its_list_and_its_page(self, root, town):
        client = entering(root)
        for model in REGISTERED:
            rows = told(client, model)
            assert rows, model
            if model not in LISTS_ALONE:
                assert client.get(address(model, "change", rows[0].pk)).status_code == 200, model

    def test_no_row_of_a_ballot_has_an_address_whose_number_counts_those_that_are_hidden(self, root, town):
        listed = address(Ballot, "changelist")
        page, row = entering(root).get(listed).text, Ballot.objects.order_by("pk")[0]
        assert re.findall(rf'{listed}[^"?]', page) == []
        assert entering(root).get(f"{listed}{row.pk}/change/").status_code == 404

    def test_votes_are_read_with_their_ballot_and_choices_with_their_decision(self, root, town):
        _, _, decision = town
        client = entering(root)
        assert "Ash: 5" in client.get(address(Ballot, "changelist")).text
        assert "Cedar" in client.get(address(Decision, "change", decision.pk)).text

    def test_staged_ballots_are_told_in_microstars_on_the_page_of_their_decision(self, root, town):
        _, members, decision = town
        page = entering(root).get(address(Decision, "change", decision.pk)).text
        assert re.findall(r"\w+: (?:cast|inherited)[^<]*", page) == [
            f"{members['ann'].user.handle}: cast; 5,000,000, 0, 0; budget; counted",
            f"{members['bea'].user.handle}: inherited; 5,000,000, 0, 0; budget; counted",
            f"{members['cid'].user.handle}: cast; 0, 3,000,000, 0; -; counted",
        ]

    def test_staged_ballots_are_told_to_operators_with_the_right_to_see_them_and_no_others(self, town):
        _, _, decision = town
        clerk = factories.person(is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="view_decision"))
        page = address(Decision, "change", decision.pk)
        assert "5,000,000" not in entering(clerk).get(page).text
        clerk.user_permissions.add(Permission.objects.get(codename="view_stagedblock"))
        assert "5,000,000" in entering(clerk).get(page).text

    def test_staged_ballots_that_are_hidden_are_not_told(self, root, town):
        community, members, _ = town
        hidden = factories.decision(community, members["manager"].user, results_visibility="after_close")
        factories.vote(members["ann"], hidden, Ash=5)
        recalculate_community(community.pk)
        assert stored(hidden).keys() == {members["ann"].pk, members["bea"].pk}
        assert "5,000,000" not in entering(root).get(address(Decision, "change", hidden.pk)).text

    def test_tags_are_told_as_words_and_times_as_on_the_pages(self, root, town):
        _, members, _ = town
        ballot = Ballot.objects.get(membership=members["ann"])
        page = entering(root).get(address(Ballot, "changelist")).text
        assert ("budget" in page, "[&quot;" in page) == (True, False)
        assert f"{ballot.cast_at:%-d %b %Y, %H:%M} UTC" in page

    def test_a_list_of_communities_says_in_a_word_who_reads_them(self, root):
        for visibility in Community.Visibility:
            factories.community(name=f"For {visibility}", visibility=visibility)
        page = entering(root).get(address(Community, "changelist")).text
        told = re.findall(r"For (\w+)</a></th><td class=\"field-readers\">(\w+)<", page)
        assert told == [("members", "Members"), ("public", "Everybody")]

    @pytest.mark.parametrize(
        ("model", "column"), [(Decision, "closes_at"), (DecisionSnapshot, "calculated_at"), (LedgerEntry, "time")]
    )
    def test_a_year_at_the_ends_of_the_calendar_is_no_failure(self, root, town, model, column):
        client = entering(root)
        for year in ("9999", "10000", "0", "-1", "9" * 30, "9" * 5_000, "\uff12026", "x"):
            answer = client.get(address(model, "changelist"), {f"{column}__year": year})
            assert answer.status_code == 400, year
        for year in ("1", "2026", "9998"):
            assert client.get(address(model, "changelist"), {f"{column}__year": year}).status_code == 200, year

    def test_memberships_that_ended_and_calculations_that_failed_are_found(self, root, town):
        community, members, decision = town
        services.leave_community(members["cid"].user, community.pk)
        Decision.objects.filter(pk=decision.pk).update(calculation_error="ValueError: the reason")
        other = factories.decision(community, members["manager"].user)
        client = entering(root)

        def found(model: type[Any], **query: str) -> list[Any]:
            return sorted(row.pk for row in client.get(address(model, "changelist"), query).context["cl"].result_list)

        current = sorted(member.pk for who, member in members.items() if who != "cid")
        assert (found(Membership, stay="former"), found(Membership, stay="now")) == ([members["cid"].pk], current)
        assert found(Decision, calculation="failed") == [decision.pk]
        assert found(Decision) == sorted([decision.pk, other.pk])
        assert "ValueError: the reason" in client.get(address(Decision, "change", decision.pk)).text

    @pytest.mark.parametrize("model", [Membership, Ballot, LedgerEntry, Decision, Following])
    def test_a_longer_list_takes_no_more_queries(self, root, town, model):
        community, members, decision = town
        client = entering(root)
        # Of a decision, the list of its staged ballots.
        page = address(model, "changelist") if model is not Decision else address(model, "change", decision.pk)

        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                client.get(page)
            return len(captured)

        queries()
        few = queries()
        services.update_community(members["manager"].user, community.pk, joining="open")
        for number in range(10):
            newcomer = factories.join(community, factories.person())
            if number % 2:
                factories.vote(newcomer, decision, Cedar=1)
            else:
                factories.follow(newcomer, members["ann"])
        recalculate_community(community.pk)
        assert queries() == few

    def test_names_are_escaped(self, root):
        community, _ = factories.community(name="<script>alert(1)</script>")
        page = entering(root).get(address(Community, "changelist")).text
        assert community.name not in page
        assert "&lt;script&gt;alert(1)" in page

    @pytest.mark.parametrize("model", REGISTERED)
    def test_who_administers_nothing_reads_nothing(self, model):
        assert entering(factories.person()).get(address(model, "changelist")).status_code in (302, 403)
        clerk = factories.person(is_staff=True)
        assert entering(clerk).get(address(model, "changelist")).status_code == 403


class TestAnonymousMembers:
    def test_no_row_names_them_or_ties_their_ballots_together(self, root, town):
        community, members, decision = town
        services.set_anonymity(members["cid"].user, community.pk, anonymous=True)
        # As if they had been anonymous when they voted: what was cast by name keeps it.
        Ballot.objects.filter(membership=members["cid"]).update(is_anonymous=True)
        forge(decision, members["cid"], lambda ballot: replace(ballot, is_anonymous=True))
        factories.follow(members["cid"], members["ann"])
        client = entering(root)
        cid = members["cid"]
        hidden = {
            Membership: cid.pk,
            Application: Application.objects.get(user=cid.user).pk,
            Following: Following.objects.get(follower=cid).pk,
            Ballot: Ballot.objects.get(membership=cid).pk,
        }
        for model, pk in hidden.items():
            assert pk not in [row.pk for row in told(client, model)], model
            if model not in LISTS_ALONE:
                assert client.get(address(model, "change", pk)).status_code == 302, model
        for model in REGISTERED:
            assert cid.user.handle not in client.get(address(model, "changelist")).text, model
        assert [row.membership for row in told(client, Ballot)] == [members["ann"]]
        page = client.get(address(Decision, "change", decision.pk)).text
        assert (page.count("5,000,000"), "3,000,000" in page, cid.user.handle in page) == (2, False, False)

    def test_the_ledger_is_a_chain_without_contents(self, root, town):
        community, members, _ = town
        client = entering(root)
        for entry in rules.entries(community):
            page = client.get(address(LedgerEntry, "change", entry.pk)).text
            assert entry.hash in page
            assert entry.salt not in page
            assert members["ann"].user.handle not in page

    def test_the_ledger_tells_the_hour_of_what_people_did(self, root, town):
        """In its list and on its pages; the minute of what is the community's alone."""
        community, _, _ = town
        moment = timezone.now().replace(hour=9, minute=47, second=0, microsecond=0) - timedelta(days=1)
        LedgerEntry.objects.filter(community=community).update(time=moment)
        client, of_the_community = entering(root), {"community", "decision", "recalculation", "moderation"}
        exact, hour = " 09:47", " 09:00"
        assert {entry.kind for entry in rules.entries(community)} > {"ballot", "membership", "following", "decision"}
        for entry in rules.entries(community):
            page = client.get(address(LedgerEntry, "change", entry.pk)).text
            is_exact = entry.kind in of_the_community
            assert (exact in page, hour in page) == (is_exact, not is_exact), entry.kind
        for kind in ("ballot", "decision"):
            listed = client.get(f"{address(LedgerEntry, 'changelist')}?kind__exact={kind}").text
            assert (exact in listed, hour in listed) == (kind == "decision", kind != "decision")


class TestBallotsThatNobodyMaySee:
    @pytest.mark.parametrize("visibility", [Decision.Visibility.AFTER_CLOSE, Decision.Visibility.BATCHED])
    def test_they_are_listed_once_the_decision_is_over(self, root, visibility):
        community, members = factories.community("ann")
        decision = factories.decision(community, members["manager"].user, results_visibility=visibility)
        factories.vote(members["ann"], decision, Ash=5)
        client = entering(root)

        def listed() -> list[Membership]:
            return [row.membership for row in told(client, Ballot) if row.decision_id == decision.pk]

        assert listed() == []
        factories.close(decision)
        assert listed() == [members["ann"]]


class TestWriting:
    @pytest.mark.parametrize("model", REGISTERED)
    def test_nothing_is_added_changed_or_deleted(self, root, town, model):
        client, row = entering(root), model.objects.order_by("pk").first()
        before = rules.written()
        listed, refused = address(model, "changelist"), 404 if model in LISTS_ALONE else 403
        assert client.post(f"{listed}add/", {}).status_code == refused
        assert client.post(f"{listed}{row.pk}/change/", {"name": "Mine"}).status_code == refused
        assert client.post(f"{listed}{row.pk}/delete/", {"post": "yes"}).status_code == refused
        client.post(address(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk]})
        assert rules.written() == before

    def test_people_with_memberships_are_not_deleted(self, root, town):
        _, members, _ = town
        before = rules.written()
        user = members["ann"].user
        response = entering(root).post(reverse("admin:accounts_user_delete", args=[user.pk]), {"post": "yes"})
        assert response.status_code == 403
        assert User.objects.filter(pk=user.pk).exists()
        assert rules.written() == before


class TestCommunitySettings:
    def settings(self, **changed: str) -> dict[str, str]:
        return {"name": "Maple Court", "description": "", "visibility": "members", "joining": "request", **changed}

    def test_a_manager_who_is_staff_changes_them_by_the_command(self, town):
        community, members, _ = town
        manager = members["manager"].user
        manager.is_staff = True
        manager.save()
        manager.user_permissions.set(Permission.objects.filter(codename__in=["change_community", "view_community"]))
        revision = rules.revision(community)
        client = entering(manager)
        response = client.post(address(Community, "change", community.pk), self.settings(visibility="public"))
        assert response.status_code == 302
        community.refresh_from_db()
        assert (community.name, community.visibility) == ("Maple Court", "public")
        [entry] = rules.entries(community, after=revision)
        assert (entry.kind, entry.actor_id, entry.after["name"]) == ("community", manager.pk, "Maple Court")

    def test_a_superuser_who_does_not_manage_it_changes_nothing(self, root, town):
        community, _, _ = town
        before = rules.written()
        assert entering(root).post(address(Community, "change", community.pk), self.settings()).status_code == 403
        assert rules.written() == before

    @pytest.mark.parametrize(
        ("name", "refusal"),
        [("SPRINGFIELD", "There is a community named"), ("Maple\aCourt", "This must not have control characters.")],
    )
    def test_what_the_command_refuses_is_said_and_not_written(self, town, name, refusal):
        community, members, _ = town
        factories.community(name="Springfield")
        User.objects.filter(pk=members["manager"].user.pk).update(is_staff=True, is_superuser=True)
        client = entering(User.objects.get(pk=members["manager"].user.pk))
        before = rules.written()
        page = client.post(address(Community, "change", community.pk), self.settings(name=name), follow=True)
        assert refusal in page.text
        assert rules.written() == before


class TestCalculating:
    def ask(self, user: User, *decisions: Decision) -> Any:
        chosen = {"action": "calculate_from_scratch", "_selected_action": [decision.pk for decision in decisions]}
        return entering(user).post(address(Decision, "changelist"), chosen, follow=True)

    def test_a_superuser_asks_and_the_ledger_says_who(self, root, town):
        community, _, decision = town
        revision = rules.revision(community)
        page = self.ask(root, decision)
        assert f"{decision.title}: Recalculation started - results will update shortly" in page.text
        [entry] = rules.entries(community, after=revision)
        assert (entry.kind, entry.actor_id, entry.decision_id) == ("recalculation", root.pk, decision.pk)
        decision.refresh_from_db()
        assert decision.is_stale

    def test_final_results_and_drafts_stay_as_they_are(self, root, town):
        community, members, decision = town
        draft = factories.draft(community, members["manager"].user)
        factories.close(decision)
        before = rules.written()
        page = self.ask(root, decision, draft)
        assert f"{decision.title}: This decision is closed; its result is final." in page.text
        assert f"{draft.title}: A draft has no result to calculate." in page.text
        assert rules.written() == before

    def test_staff_who_may_only_look_cannot_ask(self, town):
        _, _, decision = town
        clerk = factories.person(is_staff=True)
        clerk.user_permissions.set(Permission.objects.filter(codename="view_decision"))
        before = rules.written()
        self.ask(clerk, decision)
        assert rules.written() == before


@pytest.fixture
def log(tmp_path: Path, settings: Any) -> Callable[..., Path]:
    """Writes a file of the log, by default the one being written."""
    settings.LOG_DIR = tmp_path

    def write(*lines: str, name: str = "crowdvote.log") -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


def line(message: str, *, level: str = "INFO", event: str = "VOTE_CAST", actor: str = "alice") -> str:
    return f"[2026-11-24 14:30:25] [{level}] [{event}] [{actor}] - {message}"


class TestEventLog:
    def messages(self, client: Client, **query: object) -> list[str]:
        return [event.message for event in client.get(reverse("event-log"), query).context["events"]]

    def test_the_newest_event_is_first(self, root, log):
        log(line("one"), line("two"), line("three"))
        assert self.messages(entering(root)) == ["three", "two", "one"]

    def test_it_is_filtered_by_level_event_actor_and_text(self, root, log):
        log(
            line("Vote cast on 'Roof'"),
            line("Signed in", event="LOGIN", actor="bob"),
            line("It broke", level="ERROR", event="THREAD_ERROR", actor="system"),
        )
        client = entering(root)
        assert self.messages(client, level="ERROR") == ["It broke"]
        assert self.messages(client, event="login") == ["Signed in"]
        assert self.messages(client, actor="ALICE") == ["Vote cast on 'Roof'"]
        assert self.messages(client, text="roof") == ["Vote cast on 'Roof'"]
        assert self.messages(client, text="roof", level="ERROR") == []

    def test_a_day_is_chosen_among_the_files_of_the_log(self, root, log):
        log(line("today"))
        log(line("then"), name="crowdvote.log.2026-11-20")
        log(line("then again"), name="crowdvote.log.2026-11-20.1")
        client = entering(root)
        assert self.messages(client) == ["today"]
        assert self.messages(client, day="2026-11-20") == ["then"]
        assert self.messages(client, day="2026-11-20.1") == ["then again"]

    @pytest.mark.parametrize(
        "day", ["../secret", "/etc/passwd", "secret", "crowdvote.log", "2026-11-20/../secret", "2026-11-21", "\x00"]
    )
    def test_no_other_file_is_read(self, root, log, tmp_path, day):
        log(line("today"))
        log("the secret", name="secret")
        (tmp_path / "crowdvote.log.2026-11-21").symlink_to(tmp_path / "secret")
        response = entering(root).get(reverse("event-log"), {"day": day})
        assert response.status_code == 400
        assert "\0" in day or response.context["events"] == []
        assert "the secret" not in response.text

    def test_it_comes_a_page_at_a_time(self, root, log):
        log(*(line(f"event {number}") for number in range(250)))
        client = entering(root)
        pages = [self.messages(client, page=page) for page in (1, 2, 3, 4)]
        assert [len(page) for page in pages] == [100, 100, 50, 0]
        assert [message for page in pages for message in page] == [f"event {number}" for number in reversed(range(250))]
        page = client.get(reverse("event-log"), {"page": 2, "actor": "alice"}).text
        assert "?page=1&amp;actor=alice" in page
        assert "?page=3&amp;actor=alice" in page

    def test_a_long_file_is_read_from_its_end_without_losing_a_line(self, root, log):
        log(*(line(f"{number} " + "ü" * 900) for number in range(300)))
        client = entering(root)
        numbers = [message.split()[0] for page in (1, 2, 3) for message in self.messages(client, page=page)]
        assert numbers == [str(number) for number in reversed(range(300))]

    def test_lines_that_no_event_wrote_are_shown_as_they_are(self, root, log):
        log("torn li", line("whole"), "")
        assert self.messages(entering(root)) == ["whole", "torn li"]

    def test_a_file_may_have_events_in_either_form(self, root, log):
        events = [
            {"time": "2026-11-24T14:30:26.007Z", "level": "WARNING", "event": "LOGIN_FAILED", "actor": "anonymous"}
            | {"message": "Invalid magic link attempted"},
            {"time": 7, "level": "INFO", "event": "E", "actor": "a", "message": "no event of ours"},
            {"message": "nor this"},
        ]
        log(line("text"), *map(json.dumps, events), "{" * 9_000, "[1]")
        client = entering(root)
        shown = client.get(reverse("event-log"), {"level": "WARNING"}).context["events"]
        assert shown == [
            Event("Invalid magic link attempted", "2026-11-24 14:30:26", "WARNING", "LOGIN_FAILED", "anonymous")
        ]
        assert self.messages(client)[-2:] == ["Invalid magic link attempted", "text"]
        assert len(self.messages(client)) == 6

    def test_it_says_where_events_go_when_they_go_to_no_file(self, root, log, settings):
        said = "This process writes events to its standard output"
        assert said not in entering(root).get(reverse("event-log")).text
        settings.LOG_TO = "stdout"
        assert said in entering(root).get(reverse("event-log")).text

    def test_what_people_wrote_is_escaped(self, root, log):
        log(line("<script>alert(1)</script>", actor="<b>x</b>"))
        page = entering(root).get(reverse("event-log"), {"text": "<script>"}).text
        assert "<script>alert" not in page
        assert "<b>x</b>" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page

    def test_without_a_file_there_are_no_events(self, root, settings, tmp_path):
        settings.LOG_DIR = tmp_path / "nowhere"
        response = entering(root).get(reverse("event-log"))
        assert (response.status_code, response.context["events"]) == (200, [])

    def test_only_superusers_read_it(self, log):
        log(line("secret thing"))
        visitor, member, clerk = Client(), entering(factories.person()), entering(factories.person(is_staff=True))
        assert visitor.get(reverse("event-log")).status_code == 302
        assert member.get(reverse("event-log")).status_code == 302
        assert clerk.get(reverse("event-log")).status_code == 403

    def test_it_is_linked_from_the_start_for_those_who_may_read_it(self, root):
        assert reverse("event-log") in entering(root).get(reverse("admin:index")).text
        assert reverse("event-log") not in entering(factories.person(is_staff=True)).get(reverse("admin:index")).text


def test_every_table_is_registered_but_the_parts_of_others():
    models = {model for model in admin.site._registry if model._meta.app_label == "democracy"}
    assert models == set(REGISTERED)
    assert Choice not in models
