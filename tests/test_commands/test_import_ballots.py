"""Ballots of a STAR election from CSV."""

from __future__ import annotations

import codecs
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from democracy import ledger, services
from democracy.models import Ballot, Community, Decision, Membership
from democracy.services.decisions import lots_drawn
from tests import factories
from tests.rules import written
from tests.test_commands.running import exported, refused, run, said, town_of, write

pytestmark = pytest.mark.django_db

HEADER = 'voterID,voteTime,pollID,"Ash","Birch &quot;B&quot;"\n'


def made(lines: list[str]) -> Decision:
    word, pk = lines[0].split()
    assert word == "decision"
    return Decision.objects.get(pk=pk)


def cast(on: Decision) -> dict[str, tuple[dict[str, int], list[str], bool]]:
    return {
        ballot.membership.file_id: (
            {vote.choice.title: vote.stars for vote in ballot.votes.select_related("choice")},
            ballot.tags,
            ballot.abstain,
        )
        for ballot in Ballot.objects.filter(decision=on).select_related("membership")
    }


def test_ballots_go_to_the_members_in_order_of_their_ids_only_where_that_is_asked_for(tmp_path):
    run("import_followings", write(tmp_path, "10 9\n"), "--community", "V")
    file = write(tmp_path, HEADER + "x,t,p,5,0\ny,t,p,1,2\nz,t,p,0,0\n")
    tags = ["budget", "roads"]
    options = ("--community", "V", "--title", "Trees", "--tags", "Budget, roads")
    ballots = [
        ({"Ash": 5, 'Birch "B"': 0}, tags, False),
        ({"Ash": 1, 'Birch "B"': 2}, tags, False),
        ({"Ash": 0, 'Birch "B"': 0}, tags, False),
    ]
    decision = made(run("import_ballots", file, *options))
    assert cast(decision) == dict(zip("xyz", ballots, strict=True))
    Membership.objects.filter(file_id__in="xyz").delete()
    decision = made(run("import_ballots", file, *options, "--in-order"))
    assert cast(decision) == dict(zip(("9", "10", "z"), ballots, strict=True))


def test_the_ledger_has_no_fault(tmp_path):
    run("import_followings", write(tmp_path, "x 9\n"), "--community", "V")
    file = write(tmp_path, HEADER + "x,t,p,5,0\ny,t,p,,\n")
    run("import_ballots", file, "--community", "V", "--title", "Trees")
    assert list(ledger.faults(Community.objects.get(name="V"))) == []


def test_ballots_go_to_the_members_with_those_ids_handles_or_addresses_and_others_become_members(tmp_path):
    town, members = town_of("ann", "bob", "cyd")
    Membership.objects.filter(pk=members["ann"].pk).update(file_id="m-1")
    rows = "m-1,t,p,1,1\n@Bob,t,p,2,2\nCYD@example.org,t,p,3,3\ndan,t,p,4,4\neve@example.org,t,p,5,5\n"
    decision = made(run("import_ballots", write(tmp_path, HEADER + rows), "--community", town.name, "--title", "T"))
    ballots = Ballot.objects.filter(decision=decision).select_related("membership__user")
    found = {ballot.votes.all()[0].stars: ballot.membership for ballot in ballots}
    assert [found[1], found[2], found[3]] == [members["ann"], members["bob"], members["cyd"]]
    assert (found[4].file_id, found[4].user.name) == ("dan", "dan")
    # The address is shown to nobody, and nobody can sign in by it.
    assert (found[5].file_id, found[5].user.name, found[5].user.email) == ("ballot-1", "Ballot 1", None)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("bob,t,p,1,1\n@bob,t,p,2,2\n", "line 3: '@bob' is the member that 'bob' on line 2 is."),
        ("bob,t,p,1,1\nbob@example.org,t,p,2,2\n", "line 3: 'bob@example.org' is the member that 'bob'"),
        ("M-1,t,p,1,1\n", "line 2: 'M-1' is nearly the id of a member"),
        ("cyd,t,p,1,1\n", "line 2: 'cyd' has left the community."),
    ],
)
def test_a_ballot_that_may_be_somebody_elses_is_refused(tmp_path, rows, message):
    town, members = town_of("ann", "bob", "cyd")
    Membership.objects.filter(pk=members["ann"].pk).update(file_id="m-1")
    services.leave_community(members["cyd"].user, town.pk)
    for dry in ((), ("--dry-run",)):
        with refused(message):
            run("import_ballots", write(tmp_path, HEADER + rows), "--community", town.name, "--title", "T", *dry)


def test_a_dry_run_says_how_the_file_is_read_and_writes_nothing(tmp_path):
    town, _ = town_of("ann")
    text = "ballot_id;precinct;Mayor!!Ash;Mayor!!Birch;Park!!Yes;Park!!No\nann;;5;4;0;3\nb2;;;;0;3\n"
    options = (write(tmp_path, text), "--community", town.name, "--title", "May")
    before = (written(), User.objects.count())
    told = [
        "layout: BetterVoting",
        "separated by semicolons; encoding UTF-8",
        "voters: column 'ballot_id'",
        "Mayor: 2 choices: Ash, Birch",
        "1 of the ballots rate nothing and are abstentions",
        "Park: 2 choices: Yes, No",
        "2 ballots: 1 of members, 1 of people who become members",
        "passed over: column 'precinct'",
    ]
    assert run("import_ballots", *options, "--dry-run") == told
    assert (written(), User.objects.count()) == before
    assert said("import_ballots", *options).splitlines()[: len(told)] == told


def test_each_race_is_a_decision_of_its_own(tmp_path):
    text = "ballot_id,precinct,Mayor!!Ann,Mayor!!Bob,Council!!Cyd,Council!!Dee\nb1,,5,4,0,3\nb2,,5,4,,\n"
    lines = run("import_ballots", write(tmp_path, text), "--community", "V", "--title", "May")
    mayor, council = (Decision.objects.get(pk=line.removeprefix("decision ")) for line in lines)
    assert (mayor.title, council.title) == ("May: Mayor", "May: Council")
    assert cast(mayor) == {"b1": ({"Ann": 5, "Bob": 4}, [], False), "b2": ({"Ann": 5, "Bob": 4}, [], False)}
    assert cast(council) == {"b1": ({"Cyd": 0, "Dee": 3}, [], False), "b2": ({}, [], True)}
    run("recalculate")
    results = [exported(decision)["decisions"][0]["result"] for decision in (mayor, council)]
    assert [list(result["scores"].values()) for result in results] == [[10_000_000, 8_000_000], [0, 3_000_000]]


ROWS = "v1,t,p,5,4,0\nv2,t,p,5,4,0\nv3,t,p,5,4,1\nv4,t,p,0,3,5\nv5,t,p,0,2,5\n"
AS_SAVED = {
    "plain": ("Voter,Time,Poll,Ann,Bob,Cyd\n" + ROWS).encode(),
    "blank": ("Voter,Time,Poll,Ann,Bob,Cyd\n" + ROWS.replace("0", "")).encode(),
    "semicolons": ("Voter,Time,Poll,Ann,Bob,Cyd\n" + ROWS).replace(",", ";").encode(),
    "sep": ("sep=;\r\nVoter,Time,Poll,Ann,Bob,Cyd\n" + ROWS).replace(",", ";").encode(),
    "UTF-16": codecs.BOM_UTF16_LE + ("Voter,Time,Poll,Ann,Bob,Cyd\n" + ROWS).replace(",", "\t").encode("utf-16-le"),
    "5.0": ("Voter,Time,Poll,Ann,Bob,Cyd\n" + ROWS).replace("5,", "5.0,").encode(),
    "5,0": ("Voter,Time,Poll,Ann,Bob,Cyd\n" + ROWS).replace(",", ";").replace(";5;", ";5,0;").encode(),
    "trailing": ("Voter,Time,Poll,Ann,Bob,Cyd\n" + ROWS).replace("\n", ",,\n").encode() + b",,,,,,,\n",
    "Mac": ("Voter,Time,Poll,Ann,Bob,Cyd\n" + ROWS).replace("\n", "\r").encode(),
    "BetterVoting": ("ballot_id,precinct,Ann,Bob,Cyd\n" + ROWS.replace(",t,p,", ",,")).encode(),
    "older BetterVoting": ("ballot_id,Race!!Ann,Race!!Bob,Race!!Cyd\n" + ROWS.replace(",t,p,", ",")).encode(),
    "forms": (
        "Timestamp,Rate them [Ann],Rate them [Bob],Rate them [Cyd]\n" + re.sub("v.,t,p", "2026/05/01", ROWS)
    ).encode(),
    "compact": b"Ann,Bob,Cyd\n2:5,4,0\n5,4,1\n1: 0,3,5\n1:0,2,5\n",
}


@pytest.mark.parametrize("kind", AS_SAVED)
def test_the_same_ballots_elect_the_same_winner_whoever_saved_them(tmp_path, kind):
    file = tmp_path / "input"
    file.write_bytes(AS_SAVED[kind])
    decision = made(run("import_ballots", file, "--community", "V", "--title", "T"))
    run("recalculate")
    [told] = exported(decision)["decisions"]
    titles = {choice["id"]: choice["title"] for choice in told["choices"]}
    result = told["result"]
    scores = {titles[choice]: score // 1_000_000 for choice, score in result["scores"].items()}
    assert (scores, titles[result["winner"]]) == ({"Ann": 15, "Bob": 17, "Cyd": 11}, "Ann")
    assert {titles[choice]: count for choice, count in result["runoff"]["for"].items()} == {"Ann": 3, "Bob": 2}
    assert (result["participation"]["cast"], result["participation"]["eligible"]) == (5, 5)


def test_what_is_exported_as_csv_can_be_imported_with_its_tags_comments_and_roles(tmp_path):
    town, members = town_of("ann", "bob", "cyd", "dan")
    decision = factories.decision(town, members["manager"].user, "Ash", "=1+1")
    ash, plus = decision.choices.all()
    services.cast_ballot(
        members["ann"].user, decision.pk, stars={ash.pk: 5}, tags=["roads", "budget"], comment="-1, or\nso"
    )
    services.cast_ballot(members["bob"].user, decision.pk, stars={ash.pk: 0, plus.pk: 3})
    services.cast_ballot(members["cyd"].user, decision.pk, stars={}, abstain=True)
    services.update_membership(members["manager"].user, members["bob"].pk, role="lobbyist")
    services.follow(members["dan"].user, members["ann"].pk)
    run("recalculate")
    client = Client()
    client.force_login(members["ann"].user, backend="accounts.backends.SignInLinkBackend")
    response = client.get(reverse("decision-csv", args=(town.pk, decision.pk)))
    file = tmp_path / "ballots.csv"
    file.write_bytes(b"".join(response) if response.streaming else response.content)

    again = made(run("import_ballots", file, "--community", town.name, "--title", "Again"))
    new = made(run("import_ballots", file, "--community", "Elsewhere", "--title", "Again"))
    ballots = [
        ({"Ash": 5, "=1+1": 0}, ["budget", "roads"], False),
        ({"Ash": 0, "=1+1": 3}, [], False),
        ({}, [], True),
    ]
    assert list(cast(new).items()) == list(zip(("ann", "bob", "cyd"), ballots, strict=True))
    assert Ballot.objects.get(decision=new, membership__file_id="ann").comment == "-1, or\nso"
    assert Membership.objects.get(community__name="Elsewhere", file_id="bob").role == "lobbyist"
    voters = Ballot.objects.filter(decision=again).values_list("membership", flat=True)
    assert set(voters) == {members[name].pk for name in ("ann", "bob", "cyd")}
    told = run("import_ballots", file, "--community", "Third", "--title", "Again", "--dry-run")
    assert told[-1] == "passed over: 1 inherited ballots"


def test_the_decision_is_published_open_for_a_week_with_its_lots_drawn(tmp_path):
    decision = made(run("import_ballots", write(tmp_path, HEADER), "--community", "V", "--title", "Trees"))
    assert decision.status == Decision.Status.OPEN
    assert decision.closes_at - decision.opens_at == timedelta(days=7)
    lots = dict(decision.choices.values_list("pk", "lot"))
    assert lots == lots_drawn(decision.lot_seed, list(lots))


def test_how_long_it_is_open_can_be_said(tmp_path):
    file = write(tmp_path, HEADER)
    decision = made(run("import_ballots", file, "--community", "V", "--title", "Trees", "--days", 30))
    assert decision.closes_at - decision.opens_at == timedelta(days=30)


def test_a_ballot_of_zeros_is_counted_as_a_ballot(tmp_path):
    file = write(tmp_path, HEADER + "x,t,p,5,0\nz,t,p,0,0\n")
    decision = made(run("import_ballots", file, "--community", "V", "--title", "Trees"))
    run("recalculate", "--decision", decision.pk)
    participation = exported(decision)["decisions"][0]["result"]["participation"]
    assert (participation["cast"], participation["abstained"]) == (2, 0)


def test_in_order_a_voter_whose_id_a_former_member_bears_gets_another(tmp_path):
    run("import_followings", write(tmp_path, "a b\n"), "--community", "V")
    Membership.objects.filter(file_id="b").update(left_at="2026-01-01T00:00:00Z")
    file = write(tmp_path, HEADER + "x,t,p,5,0\nb,t,p,1,2\n")
    decision = made(run("import_ballots", file, "--community", "V", "--title", "Trees", "--in-order"))
    assert sorted(cast(decision)) == ["a", "b-2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There is no header line."),
        ("voter,time,poll,A\n", "line 1: there are 1 choices; a decision has 2 to 50."),
        ("voter,time,poll," + ",".join(f"c{n}" for n in range(51)), "there are 51 choices"),
        ("voter,time,poll,A,,B\nx,t,p,1,1,2\n", "line 1, column 5: this column has cells and no title"),
        ("voter,time,poll,A,\u200b\n", "line 1, column 5: a choice needs a title"),
        ("voter,time,poll,A,a \n", "line 1, column 5: there is a choice 'a' already."),
        (f"voter,time,poll,A,{'b' * 201}\n", "line 1, column 5: a title has at most 200"),
        (HEADER + "x,t,p,5\n", "line 2: 4 cells, not 5"),
        (
            HEADER + "x,t,p,5,1\ny,t,p,5,6\n",
            "line 3, column 'Birch \"B\"': stars are whole numbers from 0 to 5, not '6'",
        ),
        (HEADER + "x,t,p,-1,0\n", "line 2, column 'Ash'"),
        (HEADER + "x,t,p,-,0\n", "line 2, column 'Ash'"),
        (HEADER + "x,t,p,4.5,0\n", "line 2, column 'Ash'"),
        (HEADER + "x,t,p,\u0665,0\n", "line 2, column 'Ash'"),
        (HEADER + ",t,p,5,0\n", "line 2, column 1: a voter id has"),
        (HEADER + "x,t,p,5,0\nx,t,p,5,0\n", "line 3: 'x' has a ballot already, on line 2."),
        (HEADER + 'x,t,p,"5,0\n', "this is not CSV"),
    ],
)
def test_what_cannot_be_read_is_named_by_line_and_column_and_nothing_is_written(tmp_path, text, message):
    with refused(message):
        run("import_ballots", write(tmp_path, text), "--community", "V", "--title", "Trees")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--title", ""), "title: "),
        (("--title", "x" * 201), "title: "),
        (("--title", "T", "--tags", "a,,b"), "tags: "),
        (("--title", "T", "--tags", "x" * 51), "tags: "),
        (("--title", "T", "--choices", "Ash,Oak"), "line 1: no column is called 'Oak', which --choices names."),
        (("--title", "T", "--exclude", "Total"), "There is no column and no row 'Total' to exclude."),
        (("--title", "T", "--days", "0"), "days are a whole number"),
        (("--title", "T", "--days", "many"), "days are a whole number"),
    ],
)
def test_what_is_asked_for_must_fit_the_rules(tmp_path, options, message):
    with refused(message):
        run("import_ballots", write(tmp_path, HEADER + "x,t,p,5,0\n"), "--community", "V", *options)
