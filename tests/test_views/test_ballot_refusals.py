"""Ballots never change silently: pages say what is refused, dropped or no longer handed on, and it can be undone."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from democracy import services
from democracy.models import Ballot, Decision
from tests import factories
from tests.test_views.browsing import as_, nothing_written, text, told
from tests.test_views.test_democracy_views import Scene, cast

pytestmark = pytest.mark.django_db

VOTING = {"HX-Request": "true", "HX-Target": "voting"}


@pytest.fixture(scope="module")
def written(module_rows: None) -> Scene:
    return Scene()


@pytest.fixture
def scene(written: Scene, db: None) -> Scene:
    return copy.deepcopy(written)


def undo(client: Client, response: Any, **headers: str) -> Any:
    """Press the button that takes it back."""
    offered = response.context["undo"]
    community, decision = response.context["community"].pk, response.context["decision"].pk
    return client.post(reverse(offered.does, args=(community, decision)), dict(offered.fields), headers=headers)


# --- Refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, VOTING], ids=["page", "fragment"])
@pytest.mark.parametrize("when", ["closed", "before it opens"])
def test_a_ballot_out_of_time_is_refused_in_words_and_what_was_typed_can_be_read(
    scene: Scene, headers: dict[str, str], when: str
) -> None:
    if when == "closed":
        factories.close(scene.decision)
    else:
        Decision.objects.update(opens_at=timezone.now() + timedelta(days=1))
    typed = {**scene.stars(Ash=5), "tags": "roads", "comment": "I walked all day to say this."}
    with nothing_written():
        response = as_(scene.user("ada")).post(scene.address("vote_submit"), typed, headers=headers)
    page = text(response)
    why = "Voting has closed; the result is final." if when == "closed" else "Voting opens at "
    assert (response.status_code, why in page, "Your ballot was not saved" in page) == (409, True, True)
    assert "<li><span>Ash</span> <b>5 stars</b></li>" in page
    assert ("roads" in page, "I walked all day to say this." in page) == (True, True)
    assert 'role="alert" tabindex="-1" autofocus' in page


def test_a_question_that_comes_too_late_is_answered_in_words(scene: Scene) -> None:
    factories.close(scene.decision)
    headers = {"HX-Request": "true", "HX-Target": "what-if"}
    response = as_(scene.user("ada")).post(scene.address("vote-what-if"), scene.stars(Ash=5), headers=headers)
    assert (response.status_code, "Voting has closed" in text(response)) == (409, True)


def test_a_refused_ballot_says_why_beside_the_buttons_with_the_focus_on_it(scene: Scene) -> None:
    response = as_(scene.user("ada")).post(scene.address("vote_submit"), {}, headers=VOTING)
    page = text(response)
    alert = page.index('<div class="form-errors" role="alert" tabindex="-1" autofocus>')
    assert response.status_code == 400
    assert page.index('class="ratings"') < alert < page.index('id="vote-cast"')


@pytest.mark.parametrize("action", ["vote-withdraw", "recalculate_results"])
def test_what_is_refused_to_htmx_is_a_message_and_replaces_nothing_else(scene: Scene, action: str) -> None:
    factories.vote(scene.members["manager"], scene.decision, Ash=5)
    factories.close(scene.decision)
    with nothing_written():
        response = as_(scene.manager).post(scene.address(action), headers=VOTING)
    assert (response.status_code, response["HX-Retarget"], response["HX-Reswap"]) == (409, "#messages", "innerHTML")
    page = text(response)
    assert page.startswith('<div class="message error" tabindex="-1" autofocus>')
    assert "closed" in page


# --- Closed on somebody who is writing --------------------------------------------------------------------------------

LATE = "Voting closed while you were writing."


def test_a_page_that_learns_that_voting_closed_says_what_was_not_saved(scene: Scene) -> None:
    ada = as_(scene.user("ada"))
    factories.vote(scene.members["ada"], scene.decision, ["roads"], Ash=3)
    page = text(ada.get(scene.address("decision")))
    asks = f'id="voting" data-quiet hx-post="{scene.address("vote-typed")}" hx-include="#vote form"'
    assert asks in page
    factories.close(scene.decision)
    stored = {**scene.stars(Ash=3), "tags": "roads", "comment": ""}
    with nothing_written():
        untouched = ada.post(scene.address("vote-typed"), stored, headers=VOTING)
        touched = ada.post(scene.address("vote-typed"), {**stored, "comment": "I am still writing"}, headers=VOTING)
    assert (untouched.status_code, LATE in text(untouched), "Your ballot was not saved" in text(untouched)) == (
        *(200, False, False),
    )
    page = text(touched)
    assert (touched.status_code, LATE in page, "I am still writing" in page) == (200, True, True)
    assert 'role="alert" tabindex="-1" autofocus' in page
    # There is nothing to write any more.
    assert "hx-post" not in page


def test_an_abstention_left_as_it_is_is_not_said_to_be_lost_when_voting_closes(scene: Scene) -> None:
    factories.vote(scene.members["ada"], scene.decision)
    factories.close(scene.decision)
    response = as_(scene.user("ada")).post(scene.address("vote-typed"), {"tags": "", "comment": ""}, headers=VOTING)
    assert (response.status_code, LATE in text(response)) == (200, False)


def test_while_voting_is_open_what_is_typed_stays_in_the_form(scene: Scene) -> None:
    typed = {**scene.stars(Ash=4), "tags": "roads", "comment": "Half a sent"}
    with nothing_written():
        response = as_(scene.user("ada")).post(scene.address("vote-typed"), typed, headers=VOTING)
    page = text(response)
    assert (response.status_code, LATE in page, ">Half a sent</textarea>" in page) == (200, False, True)
    assert response.context["form"].ratings()[0]["value"] == 4
    assert 'role="alert"' not in page


# --- Taken back -------------------------------------------------------------------------------------------------------


def test_abstaining_says_so_and_what_was_typed_stays_in_the_form(scene: Scene) -> None:
    client = as_(scene.user("ada"))
    response = client.post(scene.address("vote_submit"), {**scene.stars(Ash=5), "abstain": "1"}, headers=VOTING)
    page = text(response)
    assert ("You abstained." in page, "Vote recorded" in page) == (True, False)
    assert [row["value"] for row in response.context["form"].ratings()] == [5, None, None]
    undone = undo(client, response, **VOTING)
    assert cast(scene.decision, scene.members["ada"]) is None
    assert [row["value"] for row in undone.context["form"].ratings()] == [5, None, None]


@pytest.mark.parametrize("headers", [{}, VOTING], ids=["page", "fragment"])
def test_what_is_being_written_stays_in_the_form_when_a_ballot_is_withdrawn(
    scene: Scene, headers: dict[str, str]
) -> None:
    factories.vote(scene.members["ada"], scene.decision, Ash=1)
    client, typed = as_(scene.user("ada")), {**scene.stars(Birch=4), "comment": "Half a sent"}
    response = client.post(scene.address("vote-withdraw"), {"typed": urlencode(typed)}, headers=headers)
    if not headers:
        response = client.get(response["Location"])
    assert cast(scene.decision, scene.members["ada"]) is None
    form = response.context["form"]
    assert ([row["value"] for row in form.ratings()], form["comment"].value()) == ([None, 4, None], "Half a sent")


@pytest.mark.parametrize("headers", [{}, VOTING], ids=["page", "fragment"])
@pytest.mark.parametrize("act", ["abstain", "withdraw"])
def test_a_ballot_that_was_dropped_by_one_press_is_cast_again_as_it_was(
    scene: Scene, headers: dict[str, str], act: str
) -> None:
    client, before = as_(scene.user("ada")), {**scene.stars(Ash=5, Birch=0), "tags": "roads", "comment": "Old."}
    client.post(scene.address("vote_submit"), before)
    was = cast(scene.decision, scene.members["ada"])
    if act == "abstain":
        data = {**scene.stars(Ash=1), "abstain": "1"}
        response = client.post(scene.address("vote_submit"), data, headers=headers)
    else:
        response = client.post(scene.address("vote-withdraw"), headers=headers)
    assert cast(scene.decision, scene.members["ada"]) != was
    if not headers:
        response = client.get(response["Location"])
        assert text(client.get(scene.address("decision"))).count('id="undo"') == 0
    assert ">Undo</button>" in text(response)
    undo(client, response, **headers)
    assert cast(scene.decision, scene.members["ada"]) == was


def test_an_abstention_that_is_withdrawn_can_be_taken_back(scene: Scene) -> None:
    client = as_(scene.user("ada"))
    client.post(scene.address("vote_submit"), {"abstain": "1"})
    undo(client, client.post(scene.address("vote-withdraw"), headers=VOTING))
    assert Ballot.objects.get(membership=scene.members["ada"]).abstain


def test_what_was_dropped_in_one_decision_is_not_offered_in_another(scene: Scene) -> None:
    other, client = factories.decision(scene.community, scene.manager), as_(scene.user("ada"))
    client.post(scene.address("vote_submit"), {"abstain": "1"})
    assert client.get(scene.address("decision", other)).context["undo"] is None


# --- Handed on --------------------------------------------------------------------------------------------------------


@pytest.fixture
def followed(scene: Scene) -> Client:
    """Ada's browser. Ben follows her on roads, Cleo on roads and parks, the manager on everything; she voted on
    roads.
    """
    members = scene.members
    factories.vote(members["ada"], scene.decision, tags=["roads"], Ash=5)
    factories.follow(members["ben"], members["ada"], "roads")
    factories.follow(members["cleo"], members["ada"], "roads", "parks")
    factories.follow(members["manager"], members["ada"])
    return as_(scene.user("ada"))


@pytest.mark.parametrize("visibility", ["live", "after_close"])
@pytest.mark.parametrize(
    ("tags", "left_out"), [("", "2 members follow"), ("parks", "1 member follows"), ("roads, x", ""), ("Roads", "")]
)
def test_a_recast_says_how_many_it_leaves_out_before_it_is_cast(
    scene: Scene, followed: Client, tags: str, left_out: str, visibility: str
) -> None:
    Decision.objects.update(results_visibility=visibility)
    data = {**scene.stars(Ash=1), "tags": tags}
    was = cast(scene.decision, scene.members["ada"])
    response = followed.post(scene.address("vote_submit"), data, headers=VOTING)
    if not left_out:
        assert (response.status_code, cast(scene.decision, scene.members["ada"]) != was) == (200, True)
        return
    page = text(response)
    assert (response.status_code, cast(scene.decision, scene.members["ada"])) == (400, was)
    assert f"{left_out} you on topics that your ballot would no longer bear (“roads”)" in page
    assert '<button type="submit" id="vote-cast" name="confirmed" value="1">Save it all the same</button>' in page
    followed.post(scene.address("vote_submit"), {**data, "confirmed": "1"})
    assert cast(scene.decision, scene.members["ada"]) != was


def test_whoever_voted_themselves_is_not_left_out(scene: Scene, followed: Client) -> None:
    factories.vote(scene.members["ben"], scene.decision, Birch=5)
    page = text(followed.post(scene.address("vote_submit"), scene.stars(Ash=1)))
    assert "1 member follows you" in page


@pytest.mark.parametrize("visibility", ["after_close", "batched"])
def test_while_ballots_are_hidden_the_number_left_out_does_not_tell_who_voted(
    scene: Scene, followed: Client, visibility: str
) -> None:
    Decision.objects.update(results_visibility=visibility)
    factories.vote(scene.members["ben"], scene.decision, Birch=5)
    page = text(followed.post(scene.address("vote_submit"), scene.stars(Ash=1)))
    assert "2 members follow you" in page


def test_whom_one_does_not_know_to_follow_is_not_counted(scene: Scene, followed: Client) -> None:
    services.set_anonymity(scene.user("ben"), scene.community.pk, anonymous=True, confirmed=True)
    page = text(followed.post(scene.address("vote_submit"), scene.stars(Ash=1)))
    assert "1 member follows you" in page


def test_whoever_hands_nothing_on_is_not_asked(scene: Scene, followed: Client) -> None:
    for data in ({**scene.stars(Ash=1), "tags": "x"}, scene.stars(Ash=2)):
        assert told(as_(scene.user("cleo")).post(scene.address("vote_submit"), data))
