"""The demo communities."""

from __future__ import annotations

import json
from contextlib import contextmanager
from itertools import pairwise

import pytest
from django.utils import timezone

from accounts.api import read_id
from accounts.models import User
from democracy import demo, ledger
from democracy.demo import riverside
from democracy.demo.captions import captions
from democracy.models import (
    Application,
    Clarification,
    Community,
    Decision,
    DecisionSnapshot,
    Membership,
    Notice,
    PublishedResult,
)
from democracy.recalculation.inputs import current_inputs
from tests.rules import written
from tests.test_commands.running import exported, run
from tests.test_documents.reading import PROJECT, blocks
from tests.test_graphql.api import ask
from tests.test_verify.bundles import differences

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def written_demo(module_rows):
    """Load the demo, with a small Riverside."""
    with small_riverside():
        return run("load_demo")


@pytest.fixture
def loaded(written_demo):
    with small_riverside():
        yield written_demo


@contextmanager
def small_riverside():
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, number in (("MEMBERS", 60), ("FOLLOWINGS", 200), ("BALLOTS", 20)):
            monkeypatch.setattr(riverside, name, number)
        yield


def test_the_demo_is_lively_calculated_and_safe_to_load_again(loaded):
    springfield = Community.objects.get(name="Springfield")
    example = f"CROWDVOTE_EXAMPLE_COMMUNITY={springfield.pk}"
    assert loaded == [
        "made Maple Court: 14 members",
        "made Springfield: 40 members",
        "made Riverside Assembly: 62 members",
        example,
    ]
    assert springfield.visibility == Community.Visibility.PUBLIC
    decisions = Decision.objects.filter(community=springfield)
    assert {d.status for d in decisions} == {"draft", "open", "closed"}
    assert {d.results_visibility for d in decisions if d.status == "open"} == {"live", "batched", "after_close"}
    for decision in Decision.objects.exclude(published_at=None):
        assert decision.calculation_status == "current"
        shown = DecisionSnapshot.objects.filter(decision=decision, is_final=decision.status == "closed").count()
        assert shown == (decision.results_visibility != "after_close")
    members = Membership.objects.filter(community=springfield)
    assert members.filter(is_anonymous=True).count() == 3
    assert members.filter(role="lobbyist").count() == 2
    assert Application.objects.get().community == springfield
    for community in Community.objects.all():
        assert list(ledger.faults(community)) == []

    before = (written(), User.objects.count(), DecisionSnapshot.objects.count())
    assert run("load_demo") == [*(f"{one.name} is there already" for one in demo.COMMUNITIES), example]
    assert (written(), User.objects.count(), DecisionSnapshot.objects.count()) == before


def test_a_few_people_can_be_entered_as_and_nobody_has_an_address(loaded):
    accounts = User.objects.filter(is_demo=True)
    assert 5 <= accounts.count() <= 8
    assert not User.objects.exclude(email=None).exists()
    roles = {(m.role, m.is_manager, m.is_anonymous) for m in Membership.objects.filter(user__is_demo=True)}
    assert roles == {
        ("voter", True, False),
        ("voter", False, False),
        ("voter", False, True),
        ("lobbyist", False, False),
    }


def test_every_result_that_may_be_seen_is_accepted_by_the_verifier(loaded):
    seen = [d for d in Decision.objects.exclude(published_at=None) if d.results_visibility == "live"]
    assert len(seen) == 8
    for decision in seen:
        assert differences(exported(decision)) == []


def test_springfield_has_a_chain_of_four_and_a_loop(loaded):
    springfield = Community.objects.get(name="Springfield")
    names = {m.pk: m.file_id for m in Membership.objects.filter(community=springfield)}
    pairs = {(names[a], names[b]) for a, b in current_inputs(springfield.pk, []).followings}
    chain = ["theo_lindqvist", "nadia_benali", "oskar_jensen", "mei_tanaka", "amara_okafor"]
    loop = ["lucía_romero", "piotr_wrona", "hana_sato", "lucía_romero"]
    for path in (chain, loop):
        assert set(pairwise(path)) <= pairs


def test_a_load_that_was_cut_off_is_made_up_for(loaded):
    community = Community.objects.get(name="Maple Court")
    # Django's own cascade would write ledger entries for what it deletes.
    DecisionSnapshot.objects.filter(decision__community=community).delete()
    Decision.objects.filter(community=community).update(calculated_revision=0, has_final_result=False)
    run("load_demo")
    for decision in Decision.objects.filter(community=community):
        assert decision.calculation_status == "current"
        assert decision.snapshots.count() == 1


def test_the_large_community_is_as_large_as_it_says():
    content = riverside.community(timezone.now())
    assert (len(content.members), len(content.followings)) == (2_002, 10_001)
    assert [len(decision.ballots) for decision in content.decisions] == [400, 200]


def test_the_readme_shows_what_the_demo_answers(loaded):
    (query,), (answer,) = (blocks(PROJECT / "README.md", language) for language in ("graphql", "json"))
    (springfield,) = ask(None, query)["communities"]["edges"]
    shown, told = json.loads(answer), springfield["node"]["decisions"]["edges"][2]["node"]
    # Its number depends on what was made before.
    assert read_id(shown["id"])[0] == read_id(told["id"])[0] == "Decision"
    assert told | {"id": shown["id"]} == shown


def test_the_demo_shows_invitations_a_published_result_a_clarification_and_topics(loaded):
    court = Community.objects.get(name="Maple Court")
    assert [invitation.state for invitation in court.invitations.all()] == ["listed"]
    assert court.invitation_links.get().is_usable
    assert not Notice.objects.filter(kind=Notice.Kind.INVITED).exists(), "no mail leaves"
    assert PublishedResult.objects.get().decision.community == court
    assert Clarification.objects.get().decision.topics == ["repairs", "budget"]


def test_each_person_of_the_demo_has_a_caption_that_tells_nothing_hidden(loaded):
    people = User.objects.filter(is_demo=True)
    said = {people.get(pk=pk).handle: text for pk, text in captions(people).items()}
    assert said["mei_tanaka"].startswith("Manages Maple Court")
    assert said["rosa_delgado"].startswith("Manages Riverside Assembly and Springfield")
    assert said["gideon_marsh"].startswith("Speaks for an interest in Springfield")
    assert said["theo_lindqvist"].startswith("Has not voted on “")
    # She is anonymous in Springfield; the others are decisions that hide who voted.
    assert "Springfield" not in said.get("ines_carvalho", "")
    assert "surplus" not in said.get("ines_carvalho", "")
    assert not any("bus 7" in text or "library council" in text for text in said.values())
