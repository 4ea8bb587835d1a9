"""Ballots of a STAR election from CSV."""

from __future__ import annotations

from datetime import timedelta

import pytest

from democracy import ledger
from democracy.models import Ballot, Community, Decision, Membership
from democracy.services.decisions import lots_drawn
from tests.test_commands.running import exported, refused, run, write

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


def test_ballots_go_to_the_members_in_order_of_their_ids_then_to_new_ones(tmp_path):
    run("import_followings", write(tmp_path, "10 9\n"), "--community", "V")
    file = write(tmp_path, HEADER + "x,t,p,5,0\ny,t,p,1,2\nz,t,p,0,0\n")
    decision = made(run("import_ballots", file, "--community", "V", "--title", "Trees", "--tags", "Budget, roads"))
    tags = ["budget", "roads"]
    assert cast(decision) == {
        "9": ({"Ash": 5, 'Birch "B"': 0}, tags, False),
        "10": ({"Ash": 1, 'Birch "B"': 2}, tags, False),
        "z": ({"Ash": 0, 'Birch "B"': 0}, tags, False),
    }
    assert list(ledger.faults(Community.objects.get(name="V"))) == []


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


def test_a_voter_whose_id_a_former_member_bears_gets_another(tmp_path):
    run("import_followings", write(tmp_path, "a b\n"), "--community", "V")
    Membership.objects.filter(file_id="b").update(left_at="2026-01-01T00:00:00Z")
    file = write(tmp_path, HEADER + "x,t,p,5,0\nb,t,p,1,2\n")
    decision = made(run("import_ballots", file, "--community", "V", "--title", "Trees"))
    assert sorted(cast(decision)) == ["a", "b-2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "There is no header line."),
        ("voter,time,poll,A\n", "line 1: after voter, time and poll there are 2 to 50 choices, not 1."),
        ("voter,time,poll," + ",".join(f"c{n}" for n in range(51)), "not 51."),
        ("voter,time,poll,A,\n", "line 1, column 5: a choice needs a title"),
        ("voter,time,poll,A,a \n", "line 1, column 5: there is a choice 'a' already."),
        (f"voter,time,poll,A,{'b' * 201}\n", "line 1, column 5: a title has at most 200"),
        (HEADER + "x,t,p,5\n", "line 2: 4 cells, not 5"),
        (
            HEADER + "x,t,p,5,1\ny,t,p,5,6\n",
            "line 3, column 'Birch \"B\"': stars are whole numbers from 0 to 5, not '6'",
        ),
        (HEADER + "x,t,p,-1,0\n", "line 2, column 'Ash'"),
        (HEADER + "x,t,p,,0\n", "line 2, column 'Ash'"),
        (HEADER + "x,t,p,4.5,0\n", "line 2, column 'Ash'"),
        (HEADER + "x,t,p,\u0665,0\n", "line 2, column 'Ash'"),
        (HEADER + ",t,p,5,0\n", "line 2, column 1: a voter id has"),
        (HEADER + "x,t,p,5,0\nx,t,p,5,0\n", "line 3, column 1: 'x' has a ballot already."),
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
        (("--title", "T", "--days", "0"), "days are a whole number"),
        (("--title", "T", "--days", "many"), "days are a whole number"),
    ],
)
def test_what_is_asked_for_must_fit_the_rules(tmp_path, options, message):
    with refused(message):
        run("import_ballots", write(tmp_path, HEADER + "x,t,p,5,0\n"), "--community", "V", *options)
