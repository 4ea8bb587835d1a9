"""Results for reading: the winner in words, everything about how it came about, ballots, downloads, and what is hidden
from whom.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.services import update_profile
from democracy import access, services
from democracy.files.csv_tables import safe_cell
from democracy.ledger import signing
from democracy.models import Ballot, Decision, DecisionSnapshot, Membership
from democracy.recalculation import recalculate_community
from democracy.recalculation.staging import forget_everything
from tests import factories
from tests.test_views.browsing import as_, queries, text

pytestmark = pytest.mark.django_db

VERIFIER = Path(__file__).resolve().parents[2] / "verify" / "crowdvote_verify.py"
# Every page and file that is made of single ballots.
OF_BALLOTS = [
    "decision-ballots",
    "decision-network",
    "decision-network-data",
    "decision-influence",
    "decision-margin",
    "decision-csv",
]
EVERYWHERE = ["decision", "decision-results", "decision-history", "decision-status", "decision-export", *OF_BALLOTS]


class Scene:
    def __init__(self, *handles: str, **fields: Any) -> None:
        self.community, self.members = factories.community(*handles, visibility="public")
        self.manager = self.members["manager"].user
        self.decision = factories.decision(self.community, self.manager, **fields)

    def address(self, name: str, *more: object) -> str:
        return reverse(name, args=(self.community.pk, self.decision.pk, *more))

    def page(self, name: str, who: str | None = None, **query: str) -> Any:
        return as_(self.members[who].user if who else None).get(self.address(name), query)

    def calculate(self) -> None:
        recalculate_community(self.community.pk)
        self.decision.refresh_from_db()

    def close(self) -> None:
        factories.close(self.decision, at=timezone.now() + timedelta(microseconds=1))
        self.calculate()


@pytest.fixture(scope="module")
def written(module_rows: None) -> Scene:
    """Ada and Ben vote, Cleo inherits from Ada, Dan abstains, Eve has nothing, Lou the lobbyist votes."""
    scene = Scene("ada", "ben", "cleo", "dan", "eve", "lou")
    members = scene.members
    services.update_membership(scene.manager, members["lou"].pk, role=Membership.Role.LOBBYIST)
    factories.vote(members["ada"], scene.decision, tags=["yard"], Ash=5, Birch=3)
    factories.vote(members["ben"], scene.decision, Birch=5)
    factories.follow(members["cleo"], members["ada"])
    factories.vote(members["dan"], scene.decision)
    factories.vote(members["lou"], scene.decision, Cedar=5)
    scene.calculate()
    return scene


@pytest.fixture
def scene(written: Scene) -> Scene:
    return copy.deepcopy(written)


# --- The result -------------------------------------------------------------------------------------------------------


def test_an_interim_result_says_so_and_a_final_one_says_final(scene: Scene) -> None:
    interim = text(scene.page("decision-results"))
    assert ('<span class="badge interim">Interim</span>' in interim, "This is an interim result" in interim) == (
        True,
        True,
    )
    assert "FINAL" not in interim
    scene.close()
    final = text(scene.page("decision-results"))
    assert '<span class="badge final result">FINAL RESULT</span>' in final
    assert ("Interim" in final, "interim" in final) == (False, False)


def test_without_a_counted_ballot_the_page_claims_no_leader() -> None:
    scene = Scene()
    scene.calculate()
    page = text(scene.page("decision-results"))
    assert "No winner yet" in page
    assert [part in page for part in ("ahead", "With and without", "How many stars", "runoff")] == [False] * 4


def test_before_voting_opens_there_is_no_result_to_show_or_to_check() -> None:
    scene = Scene(opens_at=timezone.now() + timedelta(days=1))
    scene.calculate()
    page = text(scene.page("decision-results"))
    assert "Voting has not opened yet." in page
    assert [part in page for part in ("Interim", "Last calculated", "Save two files")] == [False] * 3


def test_the_outcome_is_told_in_words_and_numbers(scene: Scene) -> None:
    context = scene.page("decision-results").context
    outcome = context["outcome"]
    # Ash: 5 + 5, Birch: 3 + 5 + 3.
    assert (outcome.title, outcome.counted) == ("Ahead right now: Ash", 3)
    assert outcome.explanation == "Between the two best rated, 2 ballots prefer “Ash” and 1 prefers “Birch”."
    assert outcome.upset.startswith("“Birch” has more stars in all (11 against 10).")
    assert context["margin"] == "If 1 ballot of the 3 had been different, “Birch” could have won."
    assert [(row.choice.title, row.score, row.average, row.rank) for row in outcome.rows] == [
        ("Ash", 10_000_000, 3_333_333, 2),
        ("Birch", 11_000_000, 3_666_667, 1),
        ("Cedar", 0, 0, 3),
    ]
    assert [[cell.count if cell else None for cell in row.beats] for row in outcome.rows] == [
        [None, 2, 2],
        [1, None, 3],
        [0, 0, None],
    ]


def test_the_score_round_is_in_the_order_of_stars_and_every_choice_has_one_colour(scene: Scene) -> None:
    scene.calculate()
    response = scene.page("decision-results")
    # Birch has most stars, Ash is preferred: 2 to 1.
    scores = re.search(r'id="result-scores".*?</section>', text(response))
    assert scores is not None
    assert re.findall(r'class="bar-row([^"]*)"><span class="bar-label">(\w+)', scores[0]) == [
        (" is-finalist series-2", "Birch"),
        (" is-winner is-finalist series-1", "Ash"),
        (" series-3", "Cedar"),
    ]
    runoff = re.search(r'id="result-runoff".*?</section>', text(response))
    assert runoff is not None
    assert re.findall(r'class="side-([ab]) (series-\d)"', runoff[0]) == [("a", "series-1"), ("b", "series-2")]
    assert re.findall(r'<figure class="distribution (series-\d)"><figcaption>(\w+)', text(response)) == [
        ("series-1", "Ash"),
        ("series-2", "Birch"),
        ("series-3", "Cedar"),
    ]
    factories.vote(scene.members["eve"], scene.decision, Cedar=5)
    scene.calculate()
    chart = scene.page("decision-results").context["chart"]
    assert {line.name: line.number for line in chart.lines} == {"Ash": 1, "Birch": 2, "Cedar": 3}


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"Ash": 4}, {"Birch": 3}, ""),
        ({"Ash": 4, "Birch": 3}, {"Ash": 4, "Birch": 5}, "1 ballot prefers “Ash” and 1 prefers “Birch”"),
        ({"Ash": 4, "Birch": 5}, {"Ash": 4, "Birch": 3}, "five-star"),
    ],
)
def test_whoever_is_ahead_with_as_many_stars_is_so_for_a_reason_that_is_told(
    first: dict[str, int], second: dict[str, int], words: str
) -> None:
    scene = Scene("ada", "ben")
    factories.vote(scene.members["ada"], scene.decision, **first)
    factories.vote(scene.members["ben"], scene.decision, **second)
    scene.calculate()
    panel = text(scene.page("decision-status"))
    assert ("Between the two best rated" in panel) == bool(words)


def test_everything_that_belongs_to_a_result_is_on_the_page(scene: Scene) -> None:
    page = text(scene.page("decision-results"))
    for heading in (
        "Ahead right now: Ash",
        "1. Add up the stars",
        "2. The runoff between the best two",
        "Who took part",
        "With and without inherited ballots",
        "How many stars each choice got",
        "Every choice against every other",
        "How close it is",
        "Whose ballots carry most",
        '<a href="#verify">Check it yourself</a>',
        '<h2 id="verify-title">Check it yourself</h2>',
    ):
        assert heading in page, heading
    assert "5 voters in all" not in page
    assert "6 voters in all; 50% of them are counted. Besides, 1 lobbyist voted." in page


def test_the_result_of_cast_ballots_alone_stands_beside_it(scene: Scene) -> None:
    context = scene.page("decision-results").context
    direct = context["direct"]
    assert (direct.counted, [(row.choice.title, row.average) for row in direct.rows][:2]) == (
        2,
        [("Birch", 4_000_000), ("Ash", 2_500_000)],
    )
    assert "Without inheritance <strong>Birch</strong> would be ahead." in text(scene.page("decision-results"))


def test_where_nobody_inherits_there_is_nothing_to_compare() -> None:
    scene = Scene("ada")
    factories.vote(scene.members["ada"], scene.decision, Ash=5)
    scene.calculate()
    page = text(scene.page("decision-results"))
    assert ("so there is no difference" in page, "Average of all" in page) == (True, False)


def test_the_distribution_counts_each_counted_ballot_once_for_each_choice(scene: Scene) -> None:
    found = scene.page("decision-results").context["distributions"]
    assert {one.choice.title: one.counts for one in found} == {
        "Ash": (1, 0, 0, 0, 0, 2),
        "Birch": (0, 0, 0, 2, 0, 1),
        "Cedar": (3, 0, 0, 0, 0, 0),
    }


def test_what_only_a_reader_of_the_screen_is_told_is_true_as_well(scene: Scene) -> None:
    page = text(scene.page("decision-results"))
    assert ("(ahead)" in page, "(winner)" in page, ", 1 star: 0" in page, ", 1 stars" in page) == (
        True,
        False,
        True,
        False,
    )
    scene.close()
    page = text(scene.page("decision-results"))
    assert ("(ahead)" in page, "(winner)" in page) == (False, True)


def test_tie_breaks_are_told_step_by_step() -> None:
    scene = Scene("ada", "ben")
    factories.vote(scene.members["ada"], scene.decision, Ash=5, Birch=3)
    factories.vote(scene.members["ben"], scene.decision, Ash=3, Birch=5)
    scene.calculate()
    context = scene.page("decision-results").context
    first = min(scene.decision.choices.exclude(title="Cedar"), key=lambda choice: choice.lot)
    (step,) = context["outcome"].tie_breaks
    assert step.endswith(f"so “{first.title}” wins.")
    assert "The lot decides" in step
    page = text(scene.page("decision-results"))
    assert ("There was a tie." in page, "How ties were broken" in page) == (True, True)


def test_without_ballots_the_page_says_so() -> None:
    scene = Scene("ada")
    scene.calculate()
    page = text(scene.page("decision-results"))
    assert "No winner yet" in page
    assert "Nobody has rated the choices yet." in page
    scene.close()
    assert "Nobody rated the choices, so nothing was decided." in text(scene.page("decision-results"))


def test_the_margin_is_worked_out_from_the_ballots(scene: Scene) -> None:
    response = scene.page("decision-margin")
    assert response.context["margin"] == "If 1 ballot of the 3 had been different, “Birch” could have won."
    assert "How close it is" in text(response)


def test_without_a_ballot_there_is_no_margin(scene: Scene) -> None:
    scene.decision.ballots.all().delete()
    scene.calculate()
    assert "Without a winner there is no margin." in text(scene.page("decision-margin"))


def test_influence_counts_the_ballots_that_each_cast_ballot_carries(scene: Scene) -> None:
    found = scene.page("decision-influence").context["influential"]
    ada = scene.members["ada"].user
    assert [(one.owner.name, one.owner.handle, one.ballots) for one in found] == [(ada.name, ada.handle, 2.0)]


def test_the_network_shows_who_passes_a_ballot_on_in_this_decision(scene: Scene) -> None:
    data = json.loads(scene.page("decision-network-data", "cleo").content)
    names = [member[1] for member in data["members"]]
    ada, cleo = (scene.members[who].user.handle for who in ("ada", "cleo"))
    assert sorted(names) == sorted([ada, cleo])
    assert data["followings"] == [[names.index(cleo), names.index(ada), 0]]
    assert (data["me"], data["topics"]) == (names.index(cleo), [[]])


# --- History ----------------------------------------------------------------------------------------------------------


def test_every_calculation_is_listed_and_drawn(scene: Scene) -> None:
    factories.vote(scene.members["eve"], scene.decision, Birch=5)
    scene.calculate()
    scene.close()
    context = scene.page("decision-history").context
    assert [(row.is_final, row.winner.title, row.counted) for row in context["rows"]] == [
        (True, "Birch", 4),
        (False, "Birch", 4),
        (False, "Ash", 3),
    ]
    chart = context["chart"]
    assert [line.name for line in chart.lines] == ["Birch", "Ash", "Cedar"]
    assert (chart.first, chart.last) == (context["rows"][2].calculated_at, context["rows"][0].calculated_at)


def test_results_without_a_counted_ballot_are_listed_and_not_drawn() -> None:
    scene = Scene("ada")
    scene.calculate()
    scene.close()
    context = scene.page("decision-history").context
    assert ([row.counted for row in context["rows"]], context["chart"]) == ([0, 0], None)


def test_a_result_that_keeps_its_ballots_leads_to_them(scene: Scene) -> None:
    first = scene.decision.calculated_revision
    factories.vote(scene.members["ada"], scene.decision, tags=["yard"], Cedar=1)
    scene.calculate()
    address = scene.address("decision-past", first)
    rows = text(scene.page("decision-history")).partition("<tbody>")[2]
    # The second followed at once, and keeps none.
    assert re.findall(r'<a href="([^"]*history/[^"]*)"', rows) == [address]
    page = text(as_(None).get(address))
    assert "Winner or leader: Ash. Counted ballots: 3." in page
    found = re.findall(r'<td>(Cast|Abstained|Inherited)</td>|data-choice="Ash">\s*(?:<span[^>]*>)?([^<\s]*)', page)
    names = [scene.members[name].user.name for name in ("ada", "ben", "cleo", "dan", "lou")]
    assert [name for name in names if name in page] == names
    assert [kind or stars for kind, stars in found] == [
        *("Cast", "5", "Cast", "0", "Inherited", "5", "Abstained", "–", "Cast", "0")
    ]
    unkept = scene.address("decision-past", scene.decision.calculated_revision)
    assert as_(scene.members["ada"].user).get(unkept).status_code == 404


def test_past_ballots_are_not_for_whoever_may_not_see_the_decision(scene: Scene) -> None:
    services.update_community(scene.manager, scene.community.pk, visibility="members")
    address = scene.address("decision-past", scene.decision.calculated_revision)
    assert as_(None).get(address).status_code != 200
    assert as_(scene.members["eve"].user).get(address).status_code == 200


def test_one_and_fifty_calculations_cost_the_same_queries(scene: Scene) -> None:
    client = as_(scene.members["ada"].user)
    names = ("decision", "decision-results", "decision-history", "decision-status")
    for name in names:
        client.get(scene.address(name))
    counts = [queries(client, scene.address(name)) for name in names]
    snapshot = DecisionSnapshot.objects.get(decision=scene.decision)
    for revision in range(50):
        DecisionSnapshot.objects.create(
            decision=scene.decision, revision=10_000 + revision, calculated_at=timezone.now(), result=snapshot.result
        )
    more = [queries(client, scene.address(name)) for name in names]
    assert more == counts


# --- Ballots ----------------------------------------------------------------------------------------------------------


def listed(response: Any) -> list[tuple[str, str, tuple[float, ...]]]:
    return [
        (row.owner.name, row.kind, tuple(microstars / 1_000_000 for microstars in row.microstars))
        for row in response.context["rows"]
    ]


def test_all_ballots_are_listed_by_name(scene: Scene) -> None:
    names = {who: member.user.name for who, member in scene.members.items()}
    assert listed(scene.page("decision-ballots")) == [
        (names["ada"], "cast", (5, 3, 0)),
        (names["ben"], "cast", (0, 5, 0)),
        (names["cleo"], "inherited", (5, 3, 0)),
        (names["dan"], "abstained", (0, 0, 0)),
        (names["lou"], "cast", (0, 0, 5)),
    ]


def test_each_number_names_its_choice_for_where_columns_have_no_heads(scene: Scene) -> None:
    page = text(scene.page("decision-ballots", q="ben"))
    assert [f'data-choice="{title}">{stars}<' in page for title, stars in (("Ash", 0), ("Birch", 5), ("Cedar", 0))] == [
        True,
        True,
        True,
    ]


def test_a_search_that_finds_no_ballot_says_so_and_is_still_there(scene: Scene) -> None:
    page = text(scene.page("decision-ballots", q="nobody"))
    assert ("Nothing found" in page, "No ballots yet" in page) == (True, False)
    assert 'name="q" value="nobody"' in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"kind": "inherited"}, ["cleo"]),
        ({"kind": "cast"}, ["ada", "ben"]),
        ({"kind": "lobbyist"}, ["lou"]),
        ({"q": "BEN"}, ["ben"]),
        ({"tag": "yard"}, ["ada", "cleo"]),
        ({"sort": "-2"}, ["ben", "ada", "cleo", "dan", "lou"]),
        ({"sort": "1"}, ["ben", "dan", "lou", "ada", "cleo"]),
        ({"sort": "-name"}, ["lou", "dan", "cleo", "ben", "ada"]),
        ({"sort": "membership_id", "kind": "evil", "page": "x"}, ["ada", "ben", "cleo", "dan", "lou"]),
        ({"sort": "99"}, ["ada", "ben", "cleo", "dan", "lou"]),
        ({"q": "nobody at all"}, []),
    ],
)
def test_ballots_are_searched_and_sorted(scene: Scene, query: dict[str, str], found: list[str]) -> None:
    names = {member.user.name: who for who, member in scene.members.items()}
    assert [names[name] for name, _, _ in listed(scene.page("decision-ballots", **query))] == found


def test_an_inherited_ballot_says_where_it_comes_from(scene: Scene) -> None:
    key = next(row.owner.key for row in scene.page("decision-ballots").context["rows"] if row.kind == "inherited")
    explanation = as_(None).get(scene.address("decision-ballot", key)).context["explanation"]
    ada = scene.members["ada"].user.name
    assert [line.sentence for line in explanation.choices] == [
        f"5: all from {ada} (5)",
        f"3: all from {ada} (3)",
        f"0: all from {ada} (0)",
    ]


NAMES = ("Zoe", "zoe", "Émile", "straße", "STRASSE B", "Ärger", "_under", "9 lives", "İpek", "anna", "Anna", "ann a")


@pytest.fixture
def many_names() -> Scene:
    """Everybody inherits from the manager, whose name is Abe; the last two members are anonymous."""
    scene = Scene(*(f"member_{number}" for number in range(len(NAMES) + 2)))
    update_profile(scene.manager, name="Abe")
    members = [member for name, member in scene.members.items() if name != "manager"]
    factories.vote(scene.members["manager"], scene.decision, Ash=5)
    for member, name in zip(members, (*NAMES, "Hidden One", "Hidden Two"), strict=True):
        update_profile(member.user, name=name)
        factories.follow(member, scene.members["manager"])
    for member in members[-2:]:
        services.set_anonymity(member.user, scene.community.pk, anonymous=True)
    scene.calculate()
    return scene


def people_listed(scene: Scene, **query: str) -> list[tuple[str, str]]:
    """Names and handles on the page of ballots, in order."""
    return [(row.owner.name, row.owner.handle) for row in scene.page("decision-ballots", **query).context["rows"]]


def test_ballots_are_in_the_order_of_names_whatever_their_case_and_the_anonymous_come_last(many_names: Scene) -> None:
    found = people_listed(many_names)
    known = [(name, handle) for name, handle in found if handle]
    assert {name for name, _ in known} == {*NAMES, "Abe"}
    assert known == sorted(known, key=lambda one: (one[0].casefold(), one[1]))
    hidden = found[len(known) :]
    assert hidden == sorted((name, "") for name, _ in hidden)
    assert [name.split()[0] for name, _ in hidden] == ["Anonymous"] * 2
    assert people_listed(many_names, sort="-name") == found[::-1]
    # All ballots are alike: then they stay in the order of names.
    assert people_listed(many_names, sort="1") == found
    assert [name for name, _ in people_listed(many_names, q="hidden")] == []
    assert [name for name, _ in people_listed(many_names, q="STRASSE")] == ["straße", "STRASSE B"]
    assert {name for name, _ in people_listed(many_names, q="nn A")} == {"ann a", "anna", "Anna"}
    assert people_listed(many_names, q=hidden[0][0].split()[1][:6]) == hidden[:1]


@pytest.mark.parametrize("key", ["m-999999", "m-", "a-000000000000", "x", "m-١", "m--1", "9" * 18, "m-" + "9" * 40])
def test_a_key_of_no_ballot_is_not_found(scene: Scene, key: str) -> None:
    assert as_(scene.manager).get(scene.address("decision-ballot", key)).status_code == 404


def test_one_and_fifty_ballots_cost_the_same_queries() -> None:
    few, many = Scene("ada"), Scene(*(f"voter_{number}" for number in range(50)))
    for scene in (few, many):
        for member in scene.members.values():
            factories.vote(member, scene.decision, tags=["a"], Ash=3)
        scene.calculate()
    names = ["decision-results", *OF_BALLOTS]
    client = as_(factories.person("sue"))
    client.get(few.address("decision"))
    assert [queries(client, few.address(name)) for name in names] == [
        queries(client, many.address(name)) for name in names
    ]


def test_a_ballot_from_one_and_from_fifty_people_costs_the_same_queries() -> None:
    few, many = Scene("ada", "zoe"), Scene("zoe", *(f"voter_{number}" for number in range(50)))
    for scene in (few, many):
        zoe = scene.members["zoe"]
        for handle, member in scene.members.items():
            if handle not in ("zoe", "manager"):
                factories.vote(member, scene.decision, tags=["a"], Ash=3)
                factories.follow(zoe, member, "a")
        scene.calculate()
    names = ["decision", "decision-results", "decision-sources", *OF_BALLOTS]

    def counts(scene: Scene) -> list[int]:
        zoe = scene.members["zoe"]
        client = as_(zoe.user)
        client.get(scene.address("decision"))
        addresses = [*map(scene.address, names), scene.address("decision-ballot", f"m-{zoe.pk}")]
        return [queries(client, address) for address in addresses]

    assert counts(few) == counts(many)


# --- What is hidden ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("visibility", ["after_close", "batched"])
def test_while_results_are_hidden_no_page_shows_a_single_ballot(visibility: str) -> None:
    scene = Scene("ada", "ben", results_visibility=visibility)
    factories.vote(scene.members["ada"], scene.decision, tags=["secret-tag"], Ash=5)
    scene.calculate()
    manager = as_(scene.manager)
    statuses = {name: manager.get(scene.address(name)).status_code for name in EVERYWHERE}
    assert statuses == {
        **dict.fromkeys(("decision", "decision-results", "decision-history", "decision-status"), 200),
        **dict.fromkeys(("decision-ballots", "decision-network"), 200),
        **dict.fromkeys(("decision-network-data", "decision-influence", "decision-margin", "decision-csv"), 404),
        "decision-export": 302,
    }
    for name in EVERYWHERE:
        page = text(manager.get(scene.address(name)))
        assert "secret-tag" not in page, name
        assert scene.members["ada"].user.handle not in page, name
        assert "is ahead" not in page, name
    scene.close()
    assert scene.members["ada"].user.name in text(manager.get(scene.address("decision-ballots")))


def test_when_a_step_was_calculated_is_said_to_the_hour_and_not_as_a_minute() -> None:
    voters = ("ada", "ben", "cleo", "dora", "emil")
    for visibility, told in (("batched", ":… UTC</time>"), ("live", 'data-time="datetime"')):
        scene = Scene(*voters, results_visibility=visibility)
        for name in voters:
            factories.vote(scene.members[name], scene.decision, Ash=5)
        scene.calculate()
        rows = text(scene.page("decision-history")).partition("<tbody>")[2]
        assert told in rows.partition("</tbody>")[0]


def test_an_anonymous_member_has_a_pseudonym_on_every_page_for_everybody_else(scene: Scene) -> None:
    services.set_anonymity(scene.members["ben"].user, scene.community.pk, anonymous=True)
    # As if it had been cast so: what was cast by name keeps it.
    Ballot.objects.filter(membership=scene.members["ben"]).update(is_anonymous=True)
    forget_everything()
    factories.follow(scene.members["ben"], scene.members["ada"])
    scene.calculate()
    ben = scene.members["ben"]
    name = access.pseudonym(scene.decision.pk, ben.pk)
    lines = {}
    for viewer in (None, scene.members["ada"].user, scene.manager):
        client = as_(viewer)
        for page in EVERYWHERE:
            shown = text(client.get(scene.address(page)))
            for secret in (ben.user.handle, ben.user.name, ben.user.email, f"m-{ben.pk}"):
                assert secret not in shown, (page, secret)
        lines[viewer] = listed(client.get(scene.address("decision-ballots")))
        assert lines[viewer][-1][0] == name
        key = "a-" + name.rsplit(" ", 1)[-1]
        # A visitor is asked to sign in, whatever there is.
        for guess in (key, f"m-{ben.pk}"):
            refused = client.get(scene.address("decision-ballot", guess)).status_code
            assert refused == (302 if viewer is None else 404), guess
        assert listed(client.get(scene.address("decision-ballots"), {"q": ben.user.name})) == []
    own = as_(ben.user)
    assert [row.owner.is_self for row in own.get(scene.address("decision-ballots")).context["rows"]].count(True) == 1
    assert own.get(scene.address("decision-ballot", "a-" + name.rsplit(" ", 1)[-1])).status_code == 200


# --- To take away -----------------------------------------------------------------------------------------------------


def test_the_export_is_accepted_by_the_verifier(scene: Scene, tmp_path: Path) -> None:
    scene.close()
    response = scene.page("decision-export")
    assert response["Content-Disposition"] == f'attachment; filename="decision-{scene.decision.pk}.json"'
    file = tmp_path / "decision.json"
    file.write_bytes(response.content)
    found = subprocess.run([sys.executable, VERIFIER, file], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_the_ballots_are_a_table_for_spreadsheets(scene: Scene) -> None:
    content = scene.page("decision-csv").content.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(content)))
    ada = scene.members["ada"].user
    assert rows[0] == ["name", "handle", "kind", "role", "counted", "tags", "comment", "Ash", "Birch", "Cedar"]
    assert rows[1] == [ada.name, ada.handle, "cast", "voter", "yes", "yard", "", "5.000000", "3.000000", "0.000000"]
    assert len(rows) == 6


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", " ="])
def test_no_cell_is_taken_for_a_formula(start: str) -> None:
    assert safe_cell(f"{start}cmd()") == f"'{start}cmd()"


def test_names_comments_tags_and_titles_are_made_safe_in_the_table() -> None:
    scene = Scene("ada")
    evil = "=1+1"
    User.objects.filter(pk=scene.members["ada"].user_id).update(name=evil)
    decision = factories.decision(scene.community, scene.manager, evil, "Other")
    ids = {choice.title: choice.pk for choice in decision.choices.all()}
    services.cast_ballot(scene.members["ada"].user, decision.pk, stars={ids[evil]: 5}, tags=[evil], comment=evil)
    recalculate_community(scene.community.pk)
    scene.decision = Decision.objects.get(pk=decision.pk)
    rows = list(csv.reader(io.StringIO(scene.page("decision-csv").content.decode("utf-8-sig"))))
    assert (rows[0][7], rows[1][0], rows[1][5], rows[1][6]) == ("'=1+1", "'=1+1", "'=1+1", "'=1+1")


def test_ordinary_cells_stay_as_they_are() -> None:
    assert [safe_cell(text) for text in ("Ann", "", "3-4", "a=b")] == ["Ann", "", "3-4", "a=b"]


def test_the_command_that_checks_a_result_names_the_sites_key() -> None:
    scene = Scene("ann")
    scene.calculate()
    page = text(scene.page("decision-results"))
    assert f"--key {signing.public_key()}</code>" in page
    assert "NOTE says what the program" in page
