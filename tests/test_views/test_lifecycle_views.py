"""Pages for the life of a decision: its end, its copy, its pin, its topics, its words, and finding it again."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from democracy import services
from democracy.models import Ballot, Community, Decision, ExtraReminder, Invitation
from democracy.recalculation import recalculate_community
from democracy.services import Invitee
from tests import factories
from tests.rules import Clock
from tests.test_views.browsing import as_, nothing_written, queries, text, told
from tests.towns import Town, new_town

pytestmark = pytest.mark.django_db
WHY = "The roof is mended."


@pytest.fixture
def town(db: None) -> Town:
    return new_town("ada", "ben")


def address(name: str, decision: Decision) -> str:
    return reverse(name, args=[decision.community_id, decision.pk])


def page(viewer: object, name: str, decision: Decision) -> str:
    response = as_(viewer).get(address(name, decision))  # type: ignore[arg-type]
    assert response.status_code == 200, name
    return text(response)


def test_a_manager_deletes_a_draft_after_being_asked(town: Town) -> None:
    draft = factories.draft(town.community, town.manager)
    client, delete = as_(town.manager), address("decision-delete", draft)
    assert delete in page(town.manager, "decision-preview", draft)
    with nothing_written():
        assert as_(town.ada.user).post(delete).status_code == 403
        assert "Delete this draft?" in text(client.get(delete))
    response = client.post(delete)
    assert (response.status_code, response["Location"]) == (302, reverse("community", args=[town.community.pk]))
    assert not Decision.objects.filter(pk=draft.pk).exists()
    published = client.get(address("decision-delete", town.decision))
    assert (published.status_code, published["Location"]) == (302, address("decision", town.decision))


def test_a_manager_calls_a_decision_off_with_a_reason(town: Town) -> None:
    one, client = town.decision, as_(town.manager)
    factories.vote(town.ada, one, Ash=5)
    recalculate_community(town.community.pk)
    call_off = address("decision-call-off", one)
    assert call_off in page(town.manager, "decision", one)
    assert address("decision-calendar", one) in page(town.manager, "decision", one)
    assert call_off not in page(town.ada.user, "decision", one)
    with nothing_written():
        assert as_(town.ada.user).post(call_off, {"reason": WHY}).status_code == 403
        assert client.post(call_off, {"reason": " "}).status_code == 400
        assert "call off" in text(client.get(call_off)).lower()
    client.post(call_off, {"reason": WHY})
    for viewer in (town.ada.user, town.ben.user, town.manager):
        for name in ("decision", "decision-results", "decision-ballots", "decision-network", "decision-history"):
            shown = page(viewer, name, one)
            assert WHY in shown, name
            assert "Called off" in shown
            assert not re.search(
                r"Cast my ballot|It is being calculated|Not shown yet|is ahead|after voting has closed", shown
            )
    assert "Ash" in page(town.ada.user, "decision", one)
    assert call_off not in page(town.manager, "decision", one)
    assert address("decision-calendar", one) not in page(town.manager, "decision", one)
    assert "Called off" in text(as_(town.ada.user).get(reverse("community", args=[town.community.pk])))
    late = as_(town.ben.user).post(address("vote_submit", one), {f"choice-{one.choices.all()[0].pk}": "5"})
    assert "This decision was called off." in text(late)
    assert Ballot.objects.filter(decision=one).count() == 1
    edit = client.get(address("decision-edit", one))
    assert told(edit)[-1:] == ["It was called off; nothing of this decision can change any more."]


@pytest.mark.parametrize("visibility", ["live", "batched", "after_close"])
def test_in_the_last_minute_of_hidden_ballots_nothing_is_called_off(
    town: Town, monkeypatch: pytest.MonkeyPatch, visibility: str
) -> None:
    clock = Clock(monkeypatch)
    one, client = factories.decision(town.community, town.manager, results_visibility=visibility), as_(town.manager)
    call_off, is_hidden = address("decision-call-off", one), visibility != "live"
    refusal = "Voting is about to end: this decision can"
    clock.set(one.closes_at - timedelta(seconds=61))
    assert call_off in page(town.manager, "decision", one)
    assert ("In the last minute before the closing" in page(town.manager, "decision-call-off", one)) == is_hidden
    clock.set(one.closes_at - timedelta(seconds=60))
    assert (call_off in page(town.manager, "decision", one)) != is_hidden
    with nothing_written():
        # On the way since before, or with a page that was open.
        answer = client.get(call_off, follow=True)
        assert (refusal in text(answer)) == is_hidden
        if is_hidden:
            assert answer.redirect_chain == [(address("decision", one), 302)]
            late = client.post(call_off, {"reason": WHY})
            assert (late.status_code, refusal in text(late)) == (400, True)
    if not is_hidden:
        client.post(call_off, {"reason": WHY})
    one.refresh_from_db()
    assert (one.called_off_at is None) == is_hidden


def test_a_copy_opens_for_editing(town: Town) -> None:
    with nothing_written():
        assert as_(town.ada.user).post(address("decision-copy", town.decision)).status_code == 403
    response = as_(town.manager).post(address("decision-copy", town.decision))
    copy = Decision.objects.drafts().get(community=town.community)
    assert response["Location"] == address("decision-edit", copy)
    assert 'value="Cedar"' in text(as_(town.manager).get(response["Location"]))


def test_a_manager_has_people_reminded_and_is_not_told_whom(town: Town) -> None:
    one, client = town.decision, as_(town.manager)
    remind = address("decision-remind", one)
    assert remind in page(town.manager, "decision", one)
    assert remind not in page(town.ada.user, "decision", one)
    with nothing_written():
        assert as_(town.ada.user).post(remind).status_code == 403
    assert client.post(remind)["Location"] == address("decision", one)
    assert told(client.get(address("decision", one))) == [
        "Whoever has not voted themselves is reminded. Nobody is told who they are."
    ]
    assert "within the last 24 hours" in text(client.post(remind, follow=True))
    assert ExtraReminder.objects.count() == 1


def test_a_reminder_says_how_many_invited_people_it_can_not_reach(town: Town) -> None:
    people = [Invitee(f"{name}@x.org") for name in ("a", "b", "c")]
    services.invite(town.manager, town.community.pk, people, send=False)
    services.revoke_invitation(town.manager, Invitation.objects.get(address="c@x.org").pk)
    said = told(as_(town.manager).post(address("decision-remind", town.decision)))[-1]
    where = reverse("community-invitations", args=[town.community.pk])
    assert said.startswith("2 invited people have not joined and got no reminder.")
    assert f'href="{where}#invited-title"' in said


def test_a_choice_that_is_there_twice_is_named(town: Town) -> None:
    draft = factories.draft(town.community, town.manager)
    edit = address("decision-edit", draft)
    titles = {"title": "Which tree?", "choices-title": ["Ash", "Elm", "elm"]}
    with nothing_written():
        shown = text(as_(town.manager).post(edit, titles | {"results_visibility": "live"}))
    assert "Each choice needs a title of its own; “elm” is there twice." in shown
    assert '<span class="optional">' not in shown.partition('id="id_closes_at"')[0].rpartition("<label")[2]


def test_the_hours_of_the_reminder_are_set_on_a_draft_and_while_people_vote(town: Town) -> None:
    client = as_(town.manager)
    for one in (factories.draft(town.community, town.manager), town.decision):
        edit = address("decision-edit", one)
        form = client.get(edit).context["form"]
        given = {name: form[name].value() or "" for name in form.fields if name != "choices"}
        moment = one.closes_at.strftime("%Y-%m-%dT%H:%M:%S.%f")
        wrong = client.post(edit, given | {"closes_at": moment, "reminder_hours": "721"})
        assert "less than or equal to 720" in text(wrong)
        client.post(edit, given | {"closes_at": moment, "reminder_hours": "48"})
        one.refresh_from_db()
        assert one.reminder_hours == 48
        client.post(edit, given | {"closes_at": moment, "reminder_hours": ""})
        one.refresh_from_db()
        assert one.reminder_hours == 48, "left empty, they stay"


def test_pinned_decisions_stand_at_the_top_once(town: Town) -> None:
    closed = factories.close(factories.decision(town.community, town.manager, title="Once and for all"))
    community = reverse("community", args=[town.community.pk])
    as_(town.manager).post(address("decision-pin", closed), {"pinned": "1"})
    shown = text(as_(town.ada.user).get(community))
    assert shown.count("Once and for all") == 1
    assert shown.index("Once and for all") < shown.index("Open now")
    as_(town.manager).post(address("decision-pin", closed), {"pinned": "0"})
    assert text(as_(town.ada.user).get(community)).index("Once and for all") > shown.index("Open now")


@pytest.mark.parametrize(
    ("visibility", "said", "in_short"),
    [
        ("live", "6 ballots have been cast.", "6 voted"),
        ("after_close", "At least 5 ballots have been cast.", "at least 5 voted"),
    ],
)
def test_everybody_sees_the_turnout(visibility: str, said: str, in_short: str) -> None:
    community, members = factories.community(*"abcdef", visibility=Community.Visibility.PUBLIC)
    one = factories.decision(community, members["manager"].user, results_visibility=visibility)
    for name in "abcdef":
        factories.vote(members[name], one, Ash=5)
    assert said in page(None, "decision", one)
    assert f"· {in_short}" in text(as_(None).get(reverse("community", args=[community.pk])))


def test_topics_stand_in_the_form_of_a_first_ballot_and_can_be_taken_out(town: Town) -> None:
    one = factories.decision(town.community, town.manager, topics=["parks", "roads"])
    assert 'name="tags" value="parks, roads"' in page(town.ada.user, "decision", one)
    ash = f"choice-{one.choices.all()[0].pk}"
    as_(town.ada.user).post(address("vote_submit", one), {ash: "5", "tags": ""})
    assert Ballot.objects.get(decision=one).tags == []
    assert 'name="tags" value=""' in page(town.ada.user, "decision", one)


def test_a_draft_is_made_of_lines_put_in_order_and_given_topics(town: Town) -> None:
    client, create = as_(town.manager), reverse("decision-create", args=[town.community.pk])
    typed = {"title": "Which?", "topics": "Roads, parks", "results_visibility": "live"}

    def titles(response: object) -> list[str]:
        return re.findall(r'name="choices-title" value="([^"]*)"', text(response))

    with nothing_written():
        pasted = client.post(
            create, typed | {"choices-title": ["", ""], "do": "paste", "pasted": "- Ash\n\n2. Birch\told\nElm"}
        )
        assert titles(pasted) == ["Ash", "Birch", "Elm"]
        assert re.search(r'name="choices-description"[^>]*>old</textarea>', text(pasted))
        rows = {"choices-id": ["", "", ""], "choices-title": titles(pasted), "choices-description": ["", "old", ""]}
        for what, after in (
            ("down:0", ["Birch", "Ash", "Elm"]),
            ("down:2", ["Ash", "Birch", "Elm"]),
            ("move:2:0", ["Elm", "Ash", "Birch"]),
            ("move:0:9", ["Ash", "Birch", "Elm"]),
        ):
            assert titles(client.post(create, typed | rows | {"do": what})) == after, what
        assert len(titles(client.post(create, typed | rows | {"do": "paste", "pasted": "x\n" * 60}))) == 50
    client.post(create, typed | rows)
    made = Decision.objects.drafts().get(community=town.community)
    assert (made.topics, list(made.choices.values_list("title", flat=True))) == (
        ["parks", "roads"],
        ["Ash", "Birch", "Elm"],
    )
    assert 'name="topics" value="parks, roads"' in page(town.manager, "decision-edit", made)


def test_words_are_shown_with_links_and_lists_and_lists_of_communities_have_the_words_alone(town: Town) -> None:
    services.update_community(town.manager, town.community.pk, description="**We** live here")
    one = factories.decision(town.community, town.manager, description="- a\n- https://e.org")
    assert "<li>a</li>" in page(town.ada.user, "decision", one)
    assert "<strong>We</strong>" in text(as_(town.ada.user).get(reverse("community", args=[town.community.pk])))
    assert "We live here" in text(as_(None).get(reverse("communities")))


class TestSearch:
    def test_each_viewer_finds_what_they_may_see(self, town: Town) -> None:
        public, members = factories.community("ann", visibility=Community.Visibility.PUBLIC, name="Roofers")
        factories.decision(public, members["manager"].user, "Slate", "Tin", title="A new roof")
        factories.decision(town.community, town.manager, title="The old roof", description="Of slate")
        factories.draft(town.community, town.manager, title="Draft of a roof, slate")
        found = {
            name: re.findall(r"A new roof|The old roof|Draft of a roof", text(as_(who).get("/search/?q=roof+SLATE")))
            for name, who in (("visitor", None), ("member", town.ada.user), ("manager", town.manager))
        }
        assert {name: set(titles) for name, titles in found.items()} == {
            "visitor": {"A new roof"},
            "member": {"A new roof", "The old roof"},
            "manager": {"A new roof", "The old roof", "Draft of a roof"},
        }
        assert "Roofers" in text(as_(None).get("/search/?q=roofers"))
        alone = text(as_(town.ada.user).get(f"/search/?q=roof&community={town.community.pk}"))
        assert "The old roof" in alone
        assert "A new roof" not in alone
        assert as_(None).get(f"/search/?q=roof&community={town.community.pk}").status_code == 302
        assert "Nothing found" in text(as_(None).get("/search/?q=nowhere"))
        assert as_(None).get("/search/").status_code == 200

    def test_it_costs_as_many_queries_for_many_as_for_one(self, town: Town) -> None:
        client = as_(town.ada.user)
        few = queries(client, "/search/?q=decision")
        for _ in range(4):
            factories.decision(town.community, town.manager)
        assert queries(client, "/search/?q=decision") == few
