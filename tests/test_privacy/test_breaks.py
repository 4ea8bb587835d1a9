"""Ways in which the law was once broken, each by an ordinary client's doings.

The numbers are those of their report.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from accounts.api import node_id
from accounts.models import User
from democracy import access, errors, eventlog, services
from democracy.models import Ballot, Community, DecisionSnapshot
from democracy.recalculation.storing import record_failure
from tests.test_privacy import operations, processes, surfaces
from tests.test_privacy.worlds import HELPERS, HIDDEN, START, Cast, Content, Town, World, again, committing, kept

pytestmark = pytest.mark.django_db

SECRET = "a secret that is long enough for everybody who looks at it"
BALLOT = Content((5, 0, 3), ("roads",), "Mine.")
FOLLOWINGS = (*((helper, "ann", ()) for helper in HELPERS), ("xena", "ann", ("roads",)), ("yuri", "ben", ()))


@pytest.fixture(scope="module")
def written(module_rows: None) -> World:
    """Write a town in which Xena, Yuri and Zoe have just become anonymous."""
    return kept(Town(SECRET, "public", FOLLOWINGS), is_anonymous=True)


@pytest.fixture
def town(written: World, db: None) -> Iterator[World]:
    with again(written) as one:
        yield one


# 1
@pytest.mark.parametrize("title", HIDDEN)
def test_following_somebody_tells_nothing_of_a_ballot_that_is_hidden(town: World, title: str) -> None:
    town.cast(Cast("ben", title, BALLOT))
    town.calculate()
    before = surfaces.told_of(town, title, "eve", "myBallot { kind stars { stars } tags }")
    town.do(services.follow, "eve", town.members["ben"].pk)
    after = surfaces.told_of(town, title, "eve", "myBallot { kind stars { stars } tags }")
    assert before == after == {"myBallot": None}


# 1
@pytest.mark.parametrize("title", HIDDEN)
def test_the_form_suggests_no_tag_of_a_ballot_that_is_hidden(town: World, title: str) -> None:
    town.cast(Cast("ben", title, Content((5, 0, 3), ("meadow",))))
    town.cast(Cast("ben", "live", Content((5, 0, 3), ("forest",))))
    for form in ("live", title):
        shown = surfaces.page(town, "decision", form, "eve")
        assert ("forest" in shown, "meadow" in shown) == (True, False)


# 2
def test_a_batch_is_published_when_five_different_members_have_voted_themselves(town: World) -> None:
    for number, who in enumerate(("ann", "ann", "xena", "ben", "cleo"), start=1):
        town.cast(Cast(who, "batched", Content((number, 0, 0))))
        town.calculate()
        assert not DecisionSnapshot.objects.filter(decision=town.decisions["batched"]).exists(), who
    town.cast(Cast("mia", "batched", BALLOT))
    town.calculate()
    assert DecisionSnapshot.objects.filter(decision=town.decisions["batched"]).count() == 1


# 3
@pytest.mark.parametrize("how", ["removed", "left"])
def test_whoever_leaves_takes_no_anonymous_ballot_out_of_the_list(town: World, how: str) -> None:
    for who in ("ann", "xena", "yuri"):
        town.cast(Cast(who, "live", BALLOT))
    town.calculate()
    before = surfaces.page(town, "decision-csv", "live")
    if how == "removed":
        town.do(services.remove_member, "mia", town.members["xena"].pk)
    else:
        town.do(services.leave_community, "xena", town.community.pk)
    assert surfaces.page(town, "decision-csv", "live") == before


# 4
def test_no_pseudonym_has_followings_anywhere(town: World) -> None:
    town.cast(Cast("ann", "live", BALLOT))
    town.cast(Cast("ben", "live", BALLOT))
    town.calculate()
    graph = surfaces.told_of(
        town, "live", "eve", "delegationGraph { nodes { voter { isAnonymous } } edges { follower followee } }"
    )["delegationGraph"]
    anonymous = {at for at, node in enumerate(graph["nodes"]) if node["voter"]["isAnonymous"]}
    assert not [edge for edge in graph["edges"] if anonymous & {edge["follower"], edge["followee"]}]
    bundle = json.loads(surfaces.page(town, "decision-export", "live"))
    hidden = {member["id"] for member in bundle["members"] if member.get("anonymous")}
    assert not [row for row in bundle["followings"] if hidden & {row["follower"], row["followee"]}]
    data = surfaces.page(town, "decision-network-data", "live")
    assert "nonymous" not in data


# 4
def test_no_past_ballot_bears_a_pseudonym(town: World) -> None:
    for who in ("ann", "xena"):
        town.cast(Cast(who, "live", BALLOT))
    town.calculate()
    decision = town.decisions["live"]
    revision = DecisionSnapshot.objects.filter(decision=decision).latest("revision").revision
    asked = operations.pasts(node_id("Decision", decision.pk), range(revision - surfaces.PASTS + 1, revision + 1))
    for who in ("visitor", "eve", "mia", "xena"):
        answer = surfaces.ask(town.client(who), asked)
        assert "errors" not in answer
        past = answer["data"]["decision"][f"r{revision}"]
        names = [edge["node"]["member"]["name"] for edge in past["ballots"]["edges"]]
        assert (past["result"]["participation"]["cast"], past["ballots"]["totalCount"]) == (2, len(names))
        assert "ann" in names
        assert not {"xena", "yuri"}.intersection(names)
        assert "nonymous" not in "".join(names)


# 4
def test_no_entry_of_the_ledger_bears_a_pseudonym_or_what_an_anonymous_ballot_says(town: World) -> None:
    town.cast(Cast("xena", "live", Content((5, 0, 3), ("roads",), "A comment of Xena's")))
    community = node_id("Community", town.community.pk)
    fields = "edges { node { actor summary before after time } }"
    query = f'query {{ ledger(communityId: "{community}", kind: BALLOT, first: 50) {{ {fields} }} }}'
    for who in ("visitor", "eve", "mia"):
        (entry,) = (edge["node"] for edge in surfaces.ask(town.client(who), query)["data"]["ledger"]["edges"])
        assert (entry["before"], entry["after"]) == (None, None)
        assert not re.search("[0-9a-f]{12}", entry["actor"] + entry["summary"])
        assert entry["time"].endswith(":00:00+00:00")


# 2
@pytest.mark.parametrize("title", HIDDEN)
def test_ballots_are_shown_with_the_final_result_and_not_before(town: World, title: str) -> None:
    for who in ("xena", "yuri"):
        town.cast(Cast(who, title, BALLOT))
    town.calculate()
    decision = town.decisions[title]
    town.clock.now = decision.closes_at - timedelta(seconds=1)
    town.cast(Cast("xena", title, None, after=0))
    town.clock.now = decision.closes_at + timedelta(seconds=1)
    csv = reverse("decision-csv", args=(town.community.pk, decision.pk))
    asked = "status ballots(first: 9) { totalCount } tags turnout influence { totalCount }"
    told = surfaces.told_of(town, title, "mia", asked)
    assert (told["status"], told["ballots"], told["tags"], told["influence"]) == ("CLOSED", None, None, None)
    assert town.client("mia").get(csv).status_code == 404
    shown = Ballot.objects.filter(access.decisions_that_show_ballots("decision__"), decision=decision)
    assert not shown.exists()
    town.calculate()
    assert surfaces.told_of(town, title, "mia", asked)["ballots"] is not None
    assert town.client("mia").get(csv).status_code == 200


# 2
@pytest.mark.parametrize("title", HIDDEN)
def test_the_end_of_voting_does_not_move_once_it_may_have_been_seen(town: World, title: str) -> None:
    decision = town.decisions[title]
    town.clock.now = decision.closes_at - timedelta(seconds=1)
    later = decision.closes_at + timedelta(days=1)
    with pytest.raises(errors.DecisionClosed, match="about to end"):
        town.do(services.update_decision, "mia", decision.pk, closes_at=later)
    with pytest.raises(errors.DecisionClosed, match="about to end"):
        town.do(services.call_off, "mia", decision.pk, reason="The trees fell.")
    town.clock.now = decision.closes_at - timedelta(minutes=2)
    town.do(services.update_decision, "mia", decision.pk, closes_at=later)
    town.do(services.call_off, "mia", decision.pk, reason="The trees fell.")


# 5
@pytest.mark.parametrize("title", HIDDEN)
def test_nothing_about_the_calculation_of_a_decision_that_hides_ballots_moves(town: World, title: str) -> None:
    fields = "calculation { status inputRevision calculatedRevision lastCalculated isCalculating }"
    town.do(services.follow, "eve", town.members["ben"].pk, tags=["roads"])
    before = surfaces.told_of(town, title, "eve", fields)
    town.cast(Cast("ben", title, BALLOT))
    between = surfaces.told_of(town, title, "eve", fields)
    town.calculate()
    town.do(services.follow, "eve", town.members["ben"].pk, tags=["budget"])
    assert before == between == surfaces.told_of(town, title, "eve", fields)


# 5
@pytest.mark.parametrize("title", HIDDEN)
def test_no_page_of_a_decision_moves_when_a_hidden_ballot_is_cast_calculated_or_fails(town: World, title: str) -> None:
    decision = town.decisions[title]
    names = ("decision", "decision-status", "decision-results", "decision-history")
    admin = [reverse("admin:democracy_decision_changelist")]
    admin.append(reverse("admin:democracy_decision_change", args=[decision.pk]))

    def seen() -> dict[str, str]:
        of_members = [("mia", reverse(name, args=[town.community.pk, decision.pk])) for name in names]
        pages = [*of_members, *(("root", address) for address in admin)]
        return {address: surfaces.answer(town.client(who).get(address)).text for who, address in pages}

    before = seen()
    town.cast(Cast("ben", title, BALLOT))
    assert seen() == before, "once it is cast"
    town.calculate()
    assert seen() == before, "once it is calculated"
    record_failure(decision, Community.objects.get(pk=town.community.pk).revision, "Ben gave five stars")
    assert seen() == before, "once it has failed"


# 6
def test_the_administration_takes_no_lookup_that_is_not_written_down(town: World) -> None:
    town.cast(Cast("xena", "hidden", BALLOT))
    xena = town.members["xena"]
    asked = [f"actor={xena.user_id}", f"membership={xena.pk}", f"subject=ballot:4:{xena.pk}"]
    asked += ["salt__startswith=a", "after__icontains=stars"]
    listed = reverse("admin:democracy_ledgerentry_changelist")
    answers = {lookup: town.client("root").get(f"{listed}?{lookup}").status_code for lookup in asked}
    assert not {lookup: status for lookup, status in answers.items() if status not in {302, 400}}, "answered"


# 6
def test_the_question_for_deleting_a_person_tells_nothing_of_what_they_hide(town: World) -> None:
    town.cast(Cast("xena", "live", BALLOT))

    def question(who: str) -> str:
        text = town.client("root").get(reverse("admin:accounts_user_delete", args=[town.people[who].pk])).text
        words = " ".join(re.sub(r"<script.*?</script>|<[^>]*>", " ", text, flags=re.DOTALL).split())
        return re.sub(rf"\b({who}|{who.title()})\b", "(who)", words)

    assert question("xena") == question("stranger")


# 6
def test_the_administration_names_no_anonymous_manager_and_gives_nobodys_address_away(town: World) -> None:
    community, root = town.community, town.client("root")
    services.update_membership(town.people["mia"], town.members["xena"].pk, is_manager=True)
    services.update_community(town.people["mia"], community.pk, joining="request")
    application = services.apply_to_community(town.people["stranger"], community.pk)
    services.decide_application(town.people["xena"], application.pk, approve=True)
    pages = [reverse("admin:democracy_application_changelist")]
    pages.append(reverse("admin:democracy_application_change", args=[application.pk]))
    for address in pages:
        shown = root.get(address).text
        assert "stranger" in shown
        assert "xena" not in shown
    xena = reverse("admin:accounts_user_change", args=[town.people["xena"].pk])
    fields = {"email": "spy@example.org", "name": "Xena", "handle": "xena", "is_active": "on"}
    assert root.post(xena, fields).status_code == 302
    town.people["xena"].refresh_from_db()
    assert town.people["xena"].email == "xena@example.org"


# 6
def test_the_administrations_own_history_names_no_anonymous_manager(town: World) -> None:
    services.update_membership(town.people["mia"], town.members["xena"].pk, is_manager=True)
    User.objects.filter(handle="xena").update(is_staff=True, is_superuser=True)
    edited = reverse("admin:democracy_community_change", args=[town.community.pk])
    fields = {"name": "Town", "description": "Another", "visibility": "public", "joining": "open"}
    assert town.client("xena").post(edited, fields).status_code == 302
    assert Community.objects.get(pk=town.community.pk).description == "Another"
    history = reverse("admin:democracy_community_history", args=[town.community.pk])
    assert "xena" not in town.client("root").get(history).text.lower()


# 7
def test_no_name_in_the_log_is_that_of_a_ballot(town: World, tmp_path: Any) -> None:
    with surfaces.log(tmp_path) as lines:
        for who in ("xena", "yuri"):
            town.cast(Cast(who, "live", BALLOT))
    town.calculate()
    names = set(re.findall(r"nonymous ([0-9a-f]+)", surfaces.page(town, "decision-ballots", "live")))
    assert names
    assert not [line for line in lines for name in names if name in line]


# 7
def test_anonymous_votes_of_an_hour_are_logged_when_it_is_over_with_one_time_and_in_no_order(tmp_path: Path) -> None:
    clock = processes.Clock(START)
    with clock.ruling(), surfaces.log(tmp_path) as lines:
        for number in range(30):
            eventlog.vote_cast(eventlog.ANONYMOUS_MEMBER, f"No. {number}")
            clock.now += timedelta(minutes=1)
        eventlog.login("ann")
        assert "No. " not in "".join(lines)
        clock.now = START.replace(hour=START.hour + 1, minute=0)
        eventlog.login("ben")
    found = [re.fullmatch(r"\[(.*?)\] .*'No. (\d+)'", line) for line in lines[::2]]
    told = [(line[1], int(line[2])) for line in found if line is not None]
    assert {time for time, _ in told} == {f"{clock.now:%Y-%m-%d %H:%M:%S}"}
    # Chance gives this order once in 10^32 times.
    numbers = [number for _, number in told]
    assert sorted(numbers) == [*range(30)] != numbers


# 8
def test_a_visitor_is_answered_alike_whether_a_thing_exists_or_not(town: World) -> None:
    kinds = {"Community": town.community.pk, "Decision": town.decisions["live"].pk, "Member": town.members["ann"].pk}
    kinds["Choice"] = town.choices["live"][0].pk
    there = {kind: [node_id(kind, pk)] for kind, pk in kinds.items()}
    nowhere = {kind: [node_id(kind, 999_999)] for kind in kinds}
    pairs = itertools.zip_longest(operations.changes(there), operations.changes(nowhere))
    told_apart = []
    for (name, asked), (_, asked_of_nothing) in pairs:
        if not name.startswith(("signIn", "signOut", "requestSignInLink")):
            with committing():
                answers = [surfaces.ask(town.client("visitor"), one) for one in (asked, asked_of_nothing)]
            if answers[0] != answers[1]:
                told_apart.append(name.partition("(")[0])
    assert told_apart == []


# 9
@pytest.mark.parametrize(("who", "told"), [("ben", "name"), ("xena", "pseudonym")])
def test_a_voter_is_told_before_voting_who_will_see_the_ballot(town: World, who: str, told: str) -> None:
    text = " ".join(surfaces.page(town, "decision", "live", who).split()).lower()
    form = text.partition('id="voting"')[2]
    assert "see" in form
    assert told in re.sub(r"<[^>]*>", " ", form)
    assert re.search(r"\b(everybody|everyone|anybody|anyone)\b", re.sub(r"<[^>]*>", " ", form))
