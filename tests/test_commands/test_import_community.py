"""Communities from bundles."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from democracy import ledger
from democracy.models import Ballot, Community, Decision, Following, Membership
from tests import factories
from tests.moments import BEYOND_THE_CALENDAR, JUST_WITHIN
from tests.rules import entries
from tests.test_commands.running import exported, made_community, made_decisions, refused, run, write

pytestmark = pytest.mark.django_db

VILLAGE: dict[str, Any] = {
    "format": "crowdvote-bundle",
    "version": 1,
    "community": {"name": "Village"},
    "members": [
        {"id": "m1", "name": "Ann", "role": "voter", "manager": False, "anonymous": True},
        {"id": "m2", "name": "Bob", "role": "voter", "manager": False, "anonymous": False},
        {"id": "m3", "name": "Cat", "role": "lobbyist"},
        {"id": "m4", "name": "Dan"},
    ],
    "followings": [
        {"follower": "m1", "followee": "m2", "tags": [" Budget"], "order": 3},
        {"follower": "m4", "followee": "m1x", "tags": []},
    ],
    "decisions": [
        {
            "id": "d1",
            "title": "Trees",
            "choices": [{"id": "c1", "title": "Ash", "lot": 2}, {"id": "c2", "title": "Birch", "lot": 1}],
            "ballots": [
                {"member": "m2", "stars": {"c1": 5}, "tags": ["budget"], "abstain": False},
                {"member": "m4", "stars": {}, "abstain": True},
            ],
        },
    ],
}
VILLAGE["followings"][1]["followee"] = "m3"


def village(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(VILLAGE), **changes}


def closed(**times: str) -> dict[str, Any]:
    bundle = village()
    bundle["decisions"][0].update(times or {"opens_at": "2026-01-01T00:00:00Z", "closes_at": "2026-01-08T00:00:00Z"})
    return bundle


def test_everything_in_the_file_is_there_with_its_ids(tmp_path):
    lines = run("import_community", write(tmp_path, village()))
    made, decisions = made_community(lines), made_decisions(lines)
    members = Membership.objects.filter(community=made).select_related("user").order_by("pk")
    assert [(m.file_id, m.user.name, m.role, m.is_manager, m.is_anonymous, m.user.email) for m in members] == [
        ("m1", "Ann", "voter", False, True, None),
        ("m2", "Bob", "voter", True, False, None),
        ("m3", "Cat", "lobbyist", False, False, None),
        ("m4", "Dan", "voter", False, False, None),
    ]
    followings = Following.objects.filter(follower__community=made).order_by("pk")
    assert [(f.follower.file_id, f.followee.file_id, f.tags, f.order) for f in followings] == [
        ("m1", "m2", ["budget"], 3),
        ("m4", "m3", [], 1),
    ]
    trees = decisions["d1"]
    assert [(c.file_id, c.title, c.lot) for c in trees.choices.all()] == [("c1", "Ash", 2), ("c2", "Birch", 1)]
    assert (trees.status, trees.closes_at - trees.opens_at) == (Decision.Status.OPEN, timedelta(days=7))
    ballots = Ballot.objects.filter(decision=trees).order_by("membership")
    assert [
        (b.membership.file_id, list(b.votes.values_list("stars", flat=True)), b.tags, b.abstain) for b in ballots
    ] == [
        ("m2", [5], ["budget"], False),
        ("m4", [], [], True),
    ]
    assert list(ledger.faults(made)) == []


def test_managers_of_the_file_are_the_managers(tmp_path):
    bundle = village()
    bundle["members"][3]["manager"] = True
    made = made_community(run("import_community", write(tmp_path, bundle)))
    assert [m.file_id for m in Membership.objects.filter(community=made, is_manager=True)] == ["m4"]


def test_a_decision_that_closed_in_the_past_gets_its_final_result_from_its_ballots(tmp_path):
    lines = run("import_community", write(tmp_path, closed()))
    trees = made_decisions(lines)["d1"]
    run("recalculate", "--community", made_community(lines).pk)
    bundle = exported(trees)
    [decision] = bundle["decisions"]
    assert (decision["status"], decision["result"]["final"], decision["result"]["winner"]) == ("closed", True, "c1")
    assert decision["result"]["participation"] == {
        "eligible": 3,
        "cast": 1,
        "inherited": 1,
        "abstained": 1,
        "none": 0,
        "lobbyists": 0,
        "counted": 2,
    }


def test_the_ledger_carries_the_times_of_the_file_in_order(tmp_path):
    made = made_community(run("import_community", write(tmp_path, closed())))
    times = [entry.time.isoformat() for entry in entries(made)]
    assert times[0] == "2026-01-01T00:00:00+00:00"
    assert times[-1] == "2026-01-07T23:59:59.999999+00:00"
    assert times == sorted(times)
    assert list(ledger.faults(made)) == []


def test_closing_alone_opens_a_week_before(tmp_path):
    bundle = closed(closes_at="2026-01-08T00:00:00Z")
    trees = made_decisions(run("import_community", write(tmp_path, bundle)))["d1"]
    assert trees.opens_at.isoformat() == "2026-01-01T00:00:00+00:00"


def test_open_and_closed_decisions_come_together(tmp_path):
    bundle = closed()
    bundle["decisions"].append({**copy.deepcopy(VILLAGE["decisions"][0]), "id": "d2"})
    lines = run("import_community", write(tmp_path, bundle))
    decisions = made_decisions(lines)
    assert [decisions[name].status for name in ("d1", "d2")] == ["closed", "open"]
    run("recalculate")
    for decision in decisions.values():
        assert exported(decision)["decisions"][0]["result"]["participation"]["cast"] == 1


def test_a_name_that_is_taken_is_refused_and_another_can_be_given(tmp_path):
    file = write(tmp_path, village())
    run("import_community", file)
    with refused("There is a community named “Village” already."):
        run("import_community", file)
    made = made_community(run("import_community", file, "--name", "Hamlet"))
    assert made.name == "Hamlet"
    handles = Membership.objects.filter(community=made).order_by("pk").values_list("user__handle", flat=True)
    assert list(handles) == ["ann_2", "bob_2", "cat_2", "dan_2"]


def test_an_import_leaves_other_communities_alone(tmp_path):
    bystander, _ = factories.community("eve")
    before = entries(bystander)
    run("import_community", write(tmp_path, village()))
    assert entries(bystander) == before


def _set(path: str, value: Any) -> Any:
    """Set the value at a path like members.0.name; `...` removes it."""

    def change(bundle: dict[str, Any]) -> None:
        place: Any = bundle
        *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
        for step in way:
            place = place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value

    return change


_SECOND_BALLOT = {"member": "m2", "stars": {"c1": 1}}
_SELF = {"follower": "m1", "followee": "m1"}
_AGAIN = {"follower": "m1", "followee": "m2"}
_ANONYMOUS = {"follower": "m2", "followee": "m1"}


@pytest.mark.parametrize("moment", BEYOND_THE_CALENDAR)
@pytest.mark.parametrize("field", ["opens_at", "closes_at"])
def test_a_time_at_the_ends_of_the_calendar_is_refused_as_everywhere(tmp_path, moment, field):
    bundle = village()
    _set(f"decisions.0.{field}", moment)(bundle)
    with refused(f"decisions[0].{field}: This must be a time between the years 1900 and 9000."):
        run("import_community", write(tmp_path, bundle))


@pytest.mark.parametrize("moment", JUST_WITHIN)
def test_a_time_just_within_the_calendar_is_kept(tmp_path, moment):
    bundle = village()
    _set("decisions.0.opens_at", "1900-01-01T00:00:00Z")(bundle)
    _set("decisions.0.closes_at", "9000-01-01T00:00:00Z" if moment < "1901" else moment)(bundle)
    decisions = made_decisions(run("import_community", write(tmp_path, bundle)))
    assert (decisions["d1"].opens_at.year, decisions["d1"].closes_at.year) == (1900, 9000)


def test_a_decision_without_a_closing_must_leave_a_week_to_the_end_of_the_calendar(tmp_path):
    bundle = village()
    _set("decisions.0.opens_at", "8999-12-30T00:00:00Z")(bundle)
    _set("decisions.0.closes_at", None)(bundle)
    with refused("decisions[0].opens_at: is too late to be open for a week."):
        run("import_community", write(tmp_path, bundle))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "other", "format: must be 'crowdvote-bundle'."),
        ("format", ..., "format: must be"),
        ("version", 3, "version: only the versions 1 and 2"),
        ("version", True, "version: must be a whole number."),
        ("community", ..., "community: is missing."),
        ("community", [], "community: must be an object."),
        ("community.name", "", "community.name: "),
        ("community.name", "x" * 121, "community.name: has more than 120"),
        ("community.name", 5, "community.name: must be text."),
        ("community.visibility", "secret", "community.visibility: must be one of public, members."),
        ("members", {}, "members: must be a list."),
        ("members", [], "members: a community has at least one member."),
        ("members.1", "m2", "members[1]: must be an object."),
        ("members.1.id", "m1", "members[1].id: 'm1' is there twice."),
        ("members.1.id", "", "members[1].id: must be 1 to 80"),
        ("members.1.id", 7, "members[1].id: must be text."),
        ("members.1.name", "a\x07b", "members[1].name: "),
        ("members.1.role", "king", "members[1].role: must be one of"),
        ("members.1.manager", "yes", "members[1].manager: must be true or false."),
        ("members.0.role", "lobbyist", "members[0].anonymous: only voters"),
        ("followings.0.follower", "m9", "followings[0].follower: no such member: 'm9'."),
        ("followings.0", _SELF, "followings[0].followee: nobody follows themselves."),
        ("followings.1", _AGAIN, "followings[1]: 'm1' follows 'm2' twice."),
        ("followings.0", _ANONYMOUS, "followings[0].followee: an anonymous member cannot be followed."),
        ("followings.0.tags", "budget", "followings[0].tags: must be a list."),
        ("followings.0.tags", [1], "followings[0].tags[0]: must be text."),
        ("followings.0.tags", ["a,b"], "followings[0].tags: "),
        ("followings.0.tags", [f"t{n}" for n in range(21)], "followings[0].tags: At most 20"),
        ("followings.0.order", -1, "followings[0].order: must be a number"),
        ("decisions.0.title", ..., "decisions[0].title: is missing."),
        ("decisions.0.choices", [], "decisions[0].choices: a decision has 2 to 50 choices, not 0."),
        ("decisions.0.choices.1.id", "c1", "decisions[0].choices[1].id: 'c1' is there twice."),
        ("decisions.0.choices.1.title", "ASH", "decisions[0].choices[1].title: there is a choice"),
        ("decisions.0.choices.1.lot", 2, "decisions[0].choices: either no choice has a lot"),
        ("decisions.0.choices.1.lot", None, "decisions[0].choices: either no choice has a lot"),
        ("decisions.0.opens_at", "tomorrow", "decisions[0].opens_at: must be a time with its zone"),
        ("decisions.0.opens_at", "2026-01-01T00:00:00", "decisions[0].opens_at: must be a time with its zone"),
        ("decisions.0.opens_at", 5, "decisions[0].opens_at: must be text."),
        ("decisions.0.results_visibility", "never", "decisions[0].results_visibility: must be one of"),
        ("decisions.0.ballots.0.member", "m9", "decisions[0].ballots[0].member: no such member"),
        ("decisions.0.ballots.1", _SECOND_BALLOT, "decisions[0].ballots[1].member: 'm2' has a ballot already."),
        ("decisions.0.ballots.0.stars", {"c9": 1}, "decisions[0].ballots[0].stars.c9: no such choice."),
        ("decisions.0.ballots.0.stars.c1", 6, "decisions[0].ballots[0].stars.c1: stars are whole numbers"),
        ("decisions.0.ballots.0.stars.c1", True, "decisions[0].ballots[0].stars.c1: must be a whole number."),
        ("decisions.0.ballots.0.stars.c1", 2.0, "decisions[0].ballots[0].stars.c1: must be a whole number."),
        ("decisions.0.ballots.0.stars", {}, "decisions[0].ballots[0].stars: rate at least one choice"),
        ("decisions.0.ballots.1.stars", {"c1": 1}, "decisions[0].ballots[1].stars: rate at least one choice"),
    ],
)
def test_what_is_wrong_is_named_by_its_path_and_nothing_is_written(tmp_path, path, value, message):
    bundle = village()
    _set(path, value)(bundle)
    with refused(message):
        run("import_community", write(tmp_path, bundle))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1, column 2: this is not JSON"),
        ("[]", "A bundle is a JSON object."),
        ('{"format": 1, "format": 2}', "An object has the key 'format' twice."),
        ('{"version": NaN}', "NaN is no number of JSON."),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_bundle_is_refused(tmp_path, text, message):
    with refused(message):
        run("import_community", write(tmp_path, text))


def test_a_decision_closes_after_it_opens(tmp_path):
    with refused("decisions[0].closes_at: a decision closes after it opens."):
        run(
            "import_community",
            write(tmp_path, closed(opens_at="2026-01-08T00:00:00Z", closes_at="2026-01-08T00:00:00Z")),
        )


def test_a_thousand_followings_are_the_most(tmp_path):
    members = [{"id": f"m{n}", "name": f"Member {n}"} for n in range(1_002)]
    followings = [{"follower": "m0", "followee": f"m{n}"} for n in range(1, 1_002)]
    with refused("followings[1000].follower: nobody follows more than 1,000 members."):
        run("import_community", write(tmp_path, village(members=members, followings=followings, decisions=[])))
    run("import_community", write(tmp_path, village(members=members, followings=followings[:-1], decisions=[])))
    assert Following.objects.filter(follower__community__name="Village").count() == 1_000


def test_the_result_in_a_file_is_not_believed(tmp_path):
    bundle = closed()
    bundle["decisions"][0]["result"] = {"winner": "c2"}
    bundle["decisions"][0]["staged"] = [{"nonsense": True}]
    decision = made_decisions(run("import_community", write(tmp_path, bundle)))["d1"]
    run("recalculate")
    assert exported(decision)["decisions"][0]["result"]["winner"] == "c1"


def test_nothing_is_scheduled_by_an_import_of_a_decision_still_to_open(tmp_path):
    opens = timezone.now() + timedelta(days=1)
    decision = made_decisions(run("import_community", write(tmp_path, closed(opens_at=opens.isoformat()))))["d1"]
    assert (decision.status, decision.closes_at - opens) == (Decision.Status.SCHEDULED, timedelta(days=7))


@pytest.mark.parametrize("bundle", [village(), closed()], ids=["open", "closed"])
def test_export_and_import_again_gives_the_same_result_and_staged_ballots(tmp_path, bundle):
    bundle["members"][0]["anonymous"] = False  # pseudonyms are another decision's in the copy
    first = made_decisions(run("import_community", write(tmp_path, bundle)))["d1"]
    run("recalculate")
    once = exported(first)
    second = made_decisions(run("import_community", write(tmp_path, json.dumps(once)), "--name", "Copy"))["d1"]
    run("recalculate")
    twice = exported(second)
    assert Community.objects.count() == 2
    told = ("id", "title", "choices", "ballots", "staged", "status", "closes_at")
    assert {key: twice["decisions"][0][key] for key in told} == {key: once["decisions"][0][key] for key in told}
    assert (twice["members"], twice["followings"]) == (once["members"], once["followings"])
    results = [{**one["decisions"][0]["result"], "revision": None} for one in (once, twice)]
    assert results[0] == results[1]
