"""A decision's page: voting, one's own ballot in words, and for managers drafting, publishing and prolonging."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from democracy import services
from democracy.models import Ballot, Decision, LedgerEntry, Membership
from democracy.recalculation import recalculate_community
from tests import factories
from tests.moments import BEYOND_THE_CALENDAR
from tests.test_views.browsing import as_, nothing_written, queries, text, told

pytestmark = pytest.mark.django_db

RECORDED = (
    "Vote recorded! Results are being recalculated - watch the live stats panel for updates. Watch for the spinning "
    "indicator beside a result while it is recalculated; this can take 30-60 seconds for large communities."
)


class Scene:
    """A public community with an open decision between Ash, Birch and Cedar."""

    def __init__(self) -> None:
        self.community, self.members = factories.community("ada", "ben", "cleo", visibility="public")
        self.manager = self.members["manager"].user
        self.decision = factories.decision(self.community, self.manager)
        self.choices = factories.choices(self.decision)

    def address(self, name: str, of: Decision | None = None, *more: object) -> str:
        return reverse(name, args=(self.community.pk, (of or self.decision).pk, *more))

    def stars(self, **stars: int | str) -> dict[str, str]:
        return {f"choice-{self.choices[title].pk}": str(given) for title, given in stars.items()}

    def user(self, who: str) -> User:
        return self.members[who].user

    def calculate(self) -> None:
        recalculate_community(self.community.pk)


@pytest.fixture(scope="module")
def written(module_rows: None) -> Scene:
    return Scene()


@pytest.fixture
def scene(written: Scene) -> Scene:
    return copy.deepcopy(written)


def cast(decision: Decision, member: Membership) -> dict[str, object] | None:
    ballot = Ballot.objects.filter(decision=decision, membership=member).first()
    if ballot is None:
        return None
    stars = {vote.choice.title: vote.stars for vote in ballot.votes.select_related("choice")}
    return {"stars": stars, "tags": ballot.tags, "comment": ballot.comment, "abstain": ballot.abstain}


# --- Voting -----------------------------------------------------------------------------------------------------------


def test_a_vote_is_recorded_and_its_result_is_to_be_calculated(scene: Scene) -> None:
    scene.calculate()
    response = as_(scene.user("ada")).post(
        scene.address("vote_submit"),
        {**scene.stars(Ash=5, Birch=0, Cedar=""), "tags": "Budget,  roads ", "comment": "The oldest."},
    )
    assert (response.status_code, response["Location"], told(response)) == (302, scene.address("decision"), [RECORDED])
    assert cast(scene.decision, scene.members["ada"]) == {
        "stars": {"Ash": 5, "Birch": 0},
        "tags": ["budget", "roads"],
        "comment": "The oldest.",
        "abstain": False,
    }
    scene.decision.refresh_from_db()
    assert scene.decision.is_stale


def test_htmx_gets_only_the_own_ballot_the_message_and_a_word_for_the_panel(scene: Scene) -> None:
    response = as_(scene.user("ada")).post(
        scene.address("vote_submit"), scene.stars(Ash=4), headers={"HX-Request": "true", "HX-Target": "voting"}
    )
    page = text(response)
    assert (response.status_code, response["HX-Trigger"]) == (200, "voted")
    assert page.startswith('<div class="stack loose" id="voting"')
    assert f">{RECORDED}</p>" in page
    assert "You voted" in page


def test_a_ballot_can_be_changed_and_cleared_choice_by_choice(scene: Scene) -> None:
    client = as_(scene.user("ada"))
    client.post(scene.address("vote_submit"), {**scene.stars(Ash=5, Birch=3), "tags": "", "comment": ""})
    client.post(scene.address("vote_submit"), {**scene.stars(Ash="", Birch=1), "tags": "trees", "comment": ""})
    assert cast(scene.decision, scene.members["ada"]) == {
        "stars": {"Birch": 1},
        "tags": ["trees"],
        "comment": "",
        "abstain": False,
    }


def test_the_form_shows_the_ballot_as_it_stands(scene: Scene) -> None:
    factories.vote(scene.members["ada"], scene.decision, tags=["roads", "budget"], Ash=5, Birch=0)
    form = as_(scene.user("ada")).get(scene.address("decision")).context["form"]
    assert [(row["choice"].title, row["value"]) for row in form.ratings()] == [
        ("Ash", 5),
        ("Birch", 0),
        ("Cedar", None),
    ]
    assert form["tags"].value() == "budget, roads"


def test_abstaining_is_a_button_and_ignores_the_stars(scene: Scene) -> None:
    client = as_(scene.user("ada"))
    client.post(scene.address("vote_submit"), {**scene.stars(Ash=5), "abstain": "1"})
    assert cast(scene.decision, scene.members["ada"]) == {"stars": {}, "tags": [], "comment": "", "abstain": True}
    assert "You abstain" in text(client.get(scene.address("decision")))


def test_withdrawing_goes_back_to_inheriting(scene: Scene) -> None:
    factories.vote(scene.members["ada"], scene.decision, Ash=5)
    response = as_(scene.user("ada")).post(scene.address("vote-withdraw"))
    assert (response["Location"], len(told(response))) == (scene.address("decision"), 1)
    assert cast(scene.decision, scene.members["ada"]) is None


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, None),
        ({"tags": "a,b"}, None),
        ({"Ash": "6"}, "Ash"),
        ({"Ash": "-1"}, "Ash"),
        ({"Ash": "five"}, "Ash"),
        ({"Ash": "1", "tags": "x" * 51}, "tags"),
        ({"Ash": "1", "comment": "x" * 2_001}, "comment"),
    ],
)
def test_a_ballot_that_makes_no_sense_is_refused_beside_its_field(scene: Scene, data: dict, field: str | None) -> None:
    sent = {f"choice-{scene.choices[k].pk}" if k in scene.choices else k: v for k, v in data.items()}
    client = as_(scene.user("ada"))
    with nothing_written():
        response = client.post(scene.address("vote_submit"), sent)
    name = f"choice-{scene.choices[field].pk}" if field in scene.choices else field or "__all__"
    assert (response.status_code, list(response.context["form"].errors)) == (400, [name])


def test_what_was_typed_is_still_there_after_an_error(scene: Scene) -> None:
    response = as_(scene.user("ada")).post(
        scene.address("vote_submit"),
        {**scene.stars(Ash=3), "tags": "x" * 51, "comment": "Mine."},
        headers={"HX-Request": "true", "HX-Target": "voting"},
    )
    form = response.context["form"]
    assert (response.status_code, form.ratings()[0]["value"], form["comment"].value()) == (400, 3, "Mine.")


@pytest.mark.parametrize("action", ["vote_submit", "vote-withdraw"])
@pytest.mark.parametrize("who", ["stranger", "gone"])
def test_whoever_is_no_member_cannot_vote(scene: Scene, action: str, who: str) -> None:
    if who == "gone":
        services.leave_community(scene.user("ada"), scene.community.pk)
    client = as_(scene.user("ada") if who == "gone" else factories.person("sue"))
    with nothing_written():
        assert client.post(scene.address(action), scene.stars(Ash=5)).status_code == 404


def test_a_visitor_is_asked_to_sign_in_and_comes_back_to_the_decision(scene: Scene) -> None:
    with nothing_written():
        response = as_(None).post(scene.address("vote_submit"), scene.stars(Ash=5))
    assert response["Location"].startswith(reverse("sign-in"))
    page = text(as_(None).get(scene.address("decision")))
    assert f'href="{reverse("sign-in")}?next={scene.address("decision")}"' in page


def test_after_closing_nothing_is_recorded_and_the_page_offers_no_form(scene: Scene) -> None:
    factories.close(scene.decision)
    client = as_(scene.user("ada"))
    with nothing_written():
        client.post(scene.address("vote_submit"), scene.stars(Ash=5))
        page = text(client.get(scene.address("decision")))
    assert "Cast my ballot" not in page
    assert "Voting closed" in page


def test_a_decision_is_found_only_in_its_own_community(scene: Scene) -> None:
    other, _ = factories.community(visibility="public")
    assert as_(scene.user("ada")).get(reverse("decision", args=(other.pk, scene.decision.pk))).status_code == 404


def test_the_receipt_is_the_hash_of_the_newest_entry_about_the_ballot(scene: Scene) -> None:
    factories.vote(scene.members["ada"], scene.decision, Ash=5)
    receipt = factories.vote(scene.members["ada"], scene.decision, Ash=4).entry_hash
    assert LedgerEntry.objects.filter(hash=receipt).exists()
    assert f'<code class="hash" id="receipt-hash">{receipt}</code>' in text(
        as_(scene.user("ada")).get(scene.address("decision"))
    )
    assert receipt not in text(as_(scene.user("ben")).get(scene.address("decision")))


# --- What if ----------------------------------------------------------------------------------------------------------


def test_what_a_ballot_would_change_is_told_and_nothing_saved(scene: Scene) -> None:
    factories.vote(scene.members["ada"], scene.decision, Ash=5)
    factories.follow(scene.members["cleo"], scene.members["ben"])
    scene.calculate()
    client = as_(scene.user("ben"))
    headers = {"HX-Request": "true", "HX-Target": "what-if"}
    with nothing_written():
        page = text(client.post(scene.address("vote-what-if"), scene.stars(Birch=5), headers=headers))
    assert page.startswith('<div id="what-if" role="status">')
    assert "“Birch” would be ahead instead of “Ash”." in page
    assert "1 other ballot would change, too: it inherits from yours." in page
    assert "Nothing is saved yet." in page


def test_without_scripts_the_typed_ballot_is_still_there_beside_the_answer(scene: Scene) -> None:
    factories.vote(scene.members["ada"], scene.decision, Ash=5)
    with nothing_written():
        response = as_(scene.user("ben")).post(scene.address("vote-what-if"), scene.stars(Ash=2))
    assert "“Ash” would stay ahead." in text(response)
    assert response.context["form"].ratings()[0]["value"] == 2


def test_an_own_ballot_that_is_asked_for_again_comes_with_its_sources(scene: Scene) -> None:
    factories.vote(scene.members["ada"], scene.decision, Ash=5)
    factories.follow(scene.members["ben"], scene.members["ada"])
    scene.calculate()
    client, address = as_(scene.user("ben")), scene.address("decision")
    page = text(client.get(address))
    fragment = text(client.get(address, headers={"HX-Request": "true", "HX-Target": "own-ballot"}))
    # The page asks for them later; the fragment in whose place it comes has them, so nothing below may move.
    assert ["5: all from Ada" in shown for shown in (page, fragment)] == [False, True]


def test_a_refused_ballot_says_why_once(scene: Scene) -> None:
    refused = as_(scene.user("ben")).post(scene.address("vote_submit"), {})
    assert text(refused).count("Rate at least one choice, or abstain.") == 1


def test_an_empty_ballot_changes_nothing_and_says_why(scene: Scene) -> None:
    with nothing_written():
        response = as_(scene.user("ben")).post(scene.address("vote-what-if"), {})
    assert list(response.context["form"].errors) == ["__all__"]


def test_where_ballots_are_hidden_nobody_can_try_out_changes(scene: Scene) -> None:
    hidden = factories.decision(scene.community, scene.manager, results_visibility="after_close")
    client = as_(scene.user("ben"))
    assert "What would this change?" not in text(client.get(scene.address("decision", hidden)))
    ids = {f"choice-{choice.pk}": "5" for choice in hidden.choices.all()}
    with nothing_written():
        response = client.post(scene.address("vote-what-if", hidden), ids)
    assert ("what_if" in response.context, len(response.context["form"].non_field_errors())) == (False, 1)


@pytest.mark.parametrize("who", ["stranger", "visitor"])
def test_only_members_ask_what_if(scene: Scene, who: str) -> None:
    client = as_(factories.person("sue") if who == "stranger" else None)
    answer = client.post(scene.address("vote-what-if"), scene.stars(Ash=5))
    assert answer.status_code == (404 if who == "stranger" else 302)


# --- One's own ballot -------------------------------------------------------------------------------------------------


def test_an_inherited_ballot_is_shown_with_its_sources_in_words_and_as_a_tree(scene: Scene) -> None:
    members = scene.members
    factories.vote(members["ada"], scene.decision, tags=["budget"], Ash=5, Birch=1)
    factories.vote(members["ben"], scene.decision, Ash=0, Birch=1)
    factories.follow(members["cleo"], members["ada"], "budget")
    factories.follow(members["cleo"], members["ben"])
    factories.follow(members["manager"], members["cleo"])
    scene.calculate()
    client = as_(scene.user("manager"))
    own = client.get(scene.address("decision")).context["own"]
    assert (own.kind, [(choice.title, microstars) for choice, microstars in own.stars]) == (
        "inherited",
        [("Ash", 2_500_000), ("Birch", 1_000_000), ("Cedar", 0)],
    )
    ada, ben, cleo = (scene.user(who).name for who in ("ada", "ben", "cleo"))
    explanation = client.get(scene.address("decision-sources")).context["explanation"]
    assert [line.sentence for line in explanation.choices] == [
        f"2.5: half from {ada} through {cleo} (5), half from {ben} through {cleo} (0)",
        f"1: half from {ada} through {cleo} (1), half from {ben} through {cleo} (1)",
        f"0: half from {ada} through {cleo} (0), half from {ben} through {cleo} (0)",
    ]
    (root,) = explanation.tree
    (through,) = root.children
    assert (root.name, through.name, [(node.share, node.name) for node in through.children]) == (
        "You",
        cleo,
        [("half", ada), ("half", ben)],
    )
    direct = as_(scene.user("cleo")).get(scene.address("decision-sources")).context["explanation"]
    assert direct.choices[0].sentence == f"2.5: half from {ada} (5), on budget, half from {ben} (0)"


def test_htmx_gets_only_the_sources(scene: Scene) -> None:
    factories.vote(scene.members["ada"], scene.decision, Ash=5)
    factories.follow(scene.members["ben"], scene.members["ada"])
    scene.calculate()
    headers = {"HX-Request": "true", "HX-Target": "own-sources"}
    page = text(as_(scene.user("ben")).get(scene.address("decision-sources"), headers=headers))
    assert page.startswith('<div class="stack" id="own-sources">')


def test_where_ballots_are_hidden_nobody_is_told_what_they_inherit(scene: Scene) -> None:
    hidden = factories.decision(scene.community, scene.manager, results_visibility="after_close")
    factories.vote(scene.members["ada"], hidden, Ash=5)
    factories.follow(scene.members["ben"], scene.members["ada"])
    scene.calculate()
    for name in ("decision", "decision-sources"):
        response = as_(scene.user("ben")).get(scene.address(name, hidden))
        assert "told after voting has closed" in text(response)
        assert scene.user("ada").name not in text(response)


def test_a_lobbyist_is_told_that_their_ballot_is_not_counted(scene: Scene) -> None:
    services.update_membership(scene.manager, scene.members["ada"].pk, role=Membership.Role.LOBBYIST)
    factories.vote(scene.members["ada"], scene.decision, Ash=5)
    assert "it is not counted" in text(as_(scene.user("ada")).get(scene.address("decision")))
    assert "it is not counted" not in text(as_(scene.user("ben")).get(scene.address("decision")))


def test_what_people_write_is_escaped(scene: Scene) -> None:
    evil = "<script>alert(1)</script>"
    decision = factories.decision(scene.community, scene.manager, evil, "Other", title=evil, description=evil)
    choices = factories.choices(decision)
    services.cast_ballot(
        scene.user("ada"), decision.pk, stars={choices[evil].pk: 5}, tags=[evil], comment=evil, abstain=False
    )
    scene.calculate()
    client = as_(scene.user("ada"))
    for name in ("decision", "decision-results", "decision-ballots", "decision-history", "decision-sources"):
        page = text(client.get(scene.address(name, decision)))
        assert ("<script>alert" in page, "&lt;script&gt;alert(1)&lt;/script&gt;" in page) == (False, True), name


def test_a_page_costs_the_same_queries_for_two_choices_and_for_fifty(scene: Scene) -> None:
    few = factories.decision(scene.community, scene.manager, "A", "B")
    many = factories.decision(scene.community, scene.manager, *(f"Choice {number}" for number in range(50)))
    for decision in (few, many):
        services.cast_ballot(
            scene.user("ada"), decision.pk, stars={one.pk: 3 for one in decision.choices.all()}, tags=["a"]
        )
    scene.calculate()
    client = as_(scene.user("ada"))
    client.get(scene.address("decision", few))
    for name in ("decision", "decision-results", "decision-ballots", "decision-history", "decision-status"):
        counts = [queries(client, scene.address(name, decision)) for decision in (few, many)]
        assert counts[0] == counts[1], name


def test_a_draft_costs_the_same_queries_for_two_choices_and_for_fifty(scene: Scene) -> None:
    few = factories.draft(scene.community, scene.manager, "A", "B")
    many = factories.draft(scene.community, scene.manager, *(f"Choice {number}" for number in range(50)))
    client = as_(scene.manager)
    client.get(scene.address("decision-preview", few))
    for name in ("decision-edit", "decision-preview"):
        counts = [queries(client, scene.address(name, decision)) for decision in (few, many)]
        assert counts[0] == counts[1], name


# --- Managers ---------------------------------------------------------------------------------------------------------


def form(**fields: object) -> dict[str, object]:
    return {
        "title": "Which tree?",
        "description": "For the yard.",
        "opens_at": "",
        "closes_at": "2099-01-02T03:04",
        "results_visibility": "live",
        "choices-id": ["", ""],
        "choices-title": ["Ash", "Birch"],
        "choices-description": ["Tall", ""],
        **fields,
    }


def drafted(decision: Decision) -> dict[str, object]:
    decision.refresh_from_db()
    return {
        "title": decision.title,
        "description": decision.description,
        "closes_at": decision.closes_at,
        "visibility": decision.results_visibility,
        "choices": [(choice.title, choice.description) for choice in decision.choices.all()],
    }


def test_a_manager_drafts_previews_and_publishes(scene: Scene) -> None:
    client = as_(scene.manager)
    create = reverse("decision-create", args=(scene.community.pk,))
    response = client.post(create, form(results_visibility="batched"))
    decision = Decision.objects.latest("pk")
    assert response["Location"] == scene.address("decision-preview", decision)
    assert drafted(decision) == {
        "title": "Which tree?",
        "description": "For the yard.",
        "closes_at": datetime(2099, 1, 2, 3, 4, tzinfo=UTC),
        "visibility": "batched",
        "choices": [("Ash", "Tall"), ("Birch", "")],
    }
    assert "Publish" in text(client.get(scene.address("decision-preview", decision)))
    assert client.get(scene.address("decision", decision))["Location"] == scene.address("decision-preview", decision)
    published = client.post(scene.address("decision-publish", decision))
    decision.refresh_from_db()
    assert (published["Location"], decision.status) == (scene.address("decision", decision), Decision.Status.OPEN)


def test_a_preview_says_what_is_missing(scene: Scene) -> None:
    client = as_(scene.manager)
    data = form(closes_at="", **{"choices-title": ["Ash", ""], "choices-description": ["", ""]})
    client.post(reverse("decision-create", args=(scene.community.pk,)), data)
    decision = Decision.objects.latest("pk")
    assert client.get(scene.address("decision-preview", decision)).context["missing"] == [
        "It needs at least 2 choices.",
        "Say when voting closes.",
    ]
    with nothing_written():
        client.post(scene.address("decision-publish", decision))


def test_a_preview_says_that_the_closing_is_over(scene: Scene) -> None:
    client = as_(scene.manager)
    client.post(reverse("decision-create", args=(scene.community.pk,)), form(closes_at="2020-01-02T03:04"))
    preview = client.get(scene.address("decision-preview", Decision.objects.latest("pk")))
    assert preview.context["missing"] == ["Voting would be over already: choose a later closing."]
    assert "Publish" not in text(preview)


def rows(response) -> list[tuple[str, str, str]]:
    return [(row["id"], row["title"], row["description"]) for row in response.context["form"]["choices"].value()]


@pytest.mark.parametrize(
    ("do", "left"),
    [
        ("add", [("", "Ash", "Tall"), ("", "Birch", ""), ("", "", "")]),
        ("remove:0", [("", "Birch", "")]),
        ("up:1", [("", "Birch", ""), ("", "Ash", "Tall")]),
        ("up:0", [("", "Ash", "Tall"), ("", "Birch", "")]),
        ("remove:7", [("", "Ash", "Tall"), ("", "Birch", "")]),
        ("nonsense", [("", "Ash", "Tall"), ("", "Birch", "")]),
    ],
)
def test_choices_are_added_removed_and_moved_without_loss(scene: Scene, do: str, left: list) -> None:
    client = as_(scene.manager)
    with nothing_written():
        response = client.post(reverse("decision-create", args=(scene.community.pk,)), form(do=do, title="Half a"))
    assert (response.status_code, rows(response)) == (200, left)
    assert (response.context["form"]["title"].value(), response.context["form"]["closes_at"].value()) == (
        "Half a",
        "2099-01-02T03:04",
    )


@pytest.mark.parametrize(("number", "more"), [(49, True), (50, False)])
def test_no_choice_can_be_added_to_fifty(scene: Scene, number: int, more: bool) -> None:
    decision = factories.draft(scene.community, scene.manager, *(f"Choice {one}" for one in range(number)))
    page = text(as_(scene.manager).get(scene.address("decision-edit", decision)))
    assert ("Add a choice" in page, "there can't be more" in page) == (more, not more)


def test_a_form_that_is_not_saved_says_so_before_its_fields(scene: Scene) -> None:
    create = reverse("decision-create", args=(scene.community.pk,))
    client = as_(scene.manager)
    said = "Nothing is saved yet. Look at what is marked below."
    with nothing_written():
        refused = client.post(create, form(title=""))
    assert (said in text(refused), said in text(client.get(create))) == (True, False)


def test_htmx_replaces_only_the_choices(scene: Scene) -> None:
    response = as_(scene.manager).post(
        reverse("decision-create", args=(scene.community.pk,)),
        form(do="add"),
        headers={"HX-Request": "true", "HX-Target": "choices"},
    )
    assert text(response).startswith('<fieldset class="field" id="choices">')


def test_choices_that_stay_in_a_draft_keep_their_identity(scene: Scene) -> None:
    decision = factories.draft(scene.community, scene.manager, "Ash", "Birch")
    ash, birch = decision.choices.all()
    client = as_(scene.manager)
    shown = rows(client.get(scene.address("decision-edit", decision)))
    assert shown == [(str(ash.pk), "Ash", ""), (str(birch.pk), "Birch", "")]
    data = form(
        **{
            "choices-id": [str(birch.pk), "", str(ash.pk)],
            "choices-title": ["Birch", "Cedar", "Ash tree"],
            "choices-description": ["", "", ""],
        }
    )
    client.post(scene.address("decision-edit", decision), data)
    assert [(one.pk, one.title) for one in decision.choices.all()][0::2] == [(birch.pk, "Birch"), (ash.pk, "Ash tree")]
    assert [one.title for one in decision.choices.all()] == ["Birch", "Cedar", "Ash tree"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"closes_at": "tomorrow"}, "closes_at"),
        ({"opens_at": "2099-01-02T03:04"}, "closes_at"),
        ({"results_visibility": "never"}, "results_visibility"),
        ({"choices-title": ["Ash", "ash"], "choices-description": ["", ""]}, "choices"),
        ({"choices-title": ["Ash", ""], "choices-description": ["", "Nameless"]}, "choices"),
        ({"choices-id": ["999999", ""]}, "choices"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused_beside_its_field(scene: Scene, fields: dict, field: str) -> None:
    client = as_(scene.manager)
    with nothing_written():
        response = client.post(reverse("decision-create", args=(scene.community.pk,)), form(**fields))
    assert (response.status_code, list(response.context["form"].errors)) == (400, [field])


@pytest.mark.parametrize("moment", ["0001-01-01T00:00", "1899-12-31T23:59", "9000-01-01T00:01", *BEYOND_THE_CALENDAR])
def test_a_time_at_the_ends_of_the_calendar_is_refused_beside_its_field(scene: Scene, moment: str) -> None:
    client, draft = as_(scene.manager), factories.draft(scene.community, scene.manager)
    create = reverse("decision-create", args=(scene.community.pk,))
    with nothing_written():
        answers = [
            client.post(create, form(opens_at=moment)),
            client.post(create, form(closes_at=moment)),
            client.post(scene.address("decision-edit", draft), form(closes_at=moment)),
            client.post(scene.address("decision-edit"), {"title": "New", "closes_at": moment}),
        ]
    assert [list(answer.context["form"].errors) for answer in answers] == [["opens_at"], *[["closes_at"]] * 3]


def test_an_open_decision_can_only_be_closed_later(scene: Scene) -> None:
    client, asked = as_(scene.manager), scene.decision.title
    shown = client.get(scene.address("decision-edit")).context["form"]
    assert list(shown.fields) == ["closes_at", "reminder_hours"]
    later = scene.decision.closes_at + timedelta(days=1)
    client.post(scene.address("decision-edit"), {"title": "New", "description": "", "closes_at": later.isoformat()})
    scene.decision.refresh_from_db()
    assert (scene.decision.title, scene.decision.closes_at) == (asked, later)
    sooner = (timezone.now() + timedelta(hours=1)).isoformat()
    with nothing_written():
        response = client.post(scene.address("decision-edit"), {"closes_at": sooner})
    assert list(response.context["form"].errors) == ["closes_at"]


def test_before_it_opens_a_published_decision_can_be_reworded(scene: Scene) -> None:
    opens = timezone.now() + timedelta(hours=1)
    decision = factories.decision(scene.community, scene.manager, opens_at=opens)
    client, page = as_(scene.manager), scene.address("decision-edit", decision)
    assert list(client.get(page).context["form"].fields) == [
        "title",
        "description",
        "topics",
        "closes_at",
        "reminder_hours",
    ]
    client.post(page, {"title": "New", "description": "", "closes_at": decision.closes_at.isoformat()})
    decision.refresh_from_db()
    assert decision.title == "New"


def test_a_clarification_stands_beside_the_question_for_everybody(scene: Scene) -> None:
    client, page = as_(scene.manager), scene.address("decision-clarify")
    with nothing_written():
        refused = client.post(page, {"text": " "})
        assert as_(scene.user("ada")).post(page, {"text": "Mine"}).status_code == 403
        assert client.get(page).status_code == 405
    assert (refused.status_code, list(refused.context["clarifying"].errors)) == (400, ["text"])
    # A phone shows it: the form is the second one of its page.
    assert '<div class="form-errors" role="alert" tabindex="-1" autofocus><p>Nothing is added yet.' in text(refused)
    assert client.post(page, {"text": "Both sides\nof the street."})["Location"] == scene.address("decision")
    for name in ("decision", "decision-results"):
        shown = text(as_(scene.user("ada")).get(scene.address(name)))
        assert '<dd class="written"><p>Both sides<br> of the street.</p>' in shown


def test_a_receipt_is_a_file_for_its_owner_alone(scene: Scene) -> None:
    factories.vote(scene.members["ada"], scene.decision, Ash=4)
    page = scene.address("decision-receipt")
    response = as_(scene.user("ada")).get(page)
    assert response["Content-Disposition"] == f'attachment; filename="receipt-{scene.decision.pk}.json"'
    assert "no-store" in response["Cache-Control"]
    assert response.json()["content"]["membership"] == scene.members["ada"].pk
    assert as_(scene.user("ben")).get(page).status_code == 302
    assert as_(None).get(page).status_code == 302


def test_where_there_are_anonymous_voters_the_form_says_why_not_live(scene: Scene) -> None:
    client, create = as_(scene.manager), reverse("decision-create", args=(scene.community.pk,))
    assert "anonymous voters" not in text(client.get(create))
    services.set_anonymity(scene.user("ada"), scene.community.pk, anonymous=True)
    assert "This community has anonymous voters. With live results" in text(client.get(create))


@pytest.mark.parametrize("who", ["ada", "stranger"])
def test_only_managers_draft_edit_preview_and_publish(scene: Scene, who: str) -> None:
    draft = factories.draft(scene.community, scene.manager)
    client = as_(factories.person("sue") if who == "stranger" else scene.user(who))
    create = reverse("decision-create", args=(scene.community.pk,))
    edit, preview, publish = (scene.address(f"decision-{name}", draft) for name in ("edit", "preview", "publish"))
    with nothing_written():
        assert [
            client.get(create).status_code,
            client.post(create, form()).status_code,
            client.get(edit).status_code,
            client.post(edit, form()).status_code,
            client.get(preview).status_code,
            client.post(publish).status_code,
            client.get(scene.address("decision", draft)).status_code,
        ] == [403, 403, 403, 403, 403, 403, 404]


def test_members_only_decisions_are_not_shown_to_others() -> None:
    community, members = factories.community("ada")
    decision = factories.decision(community, members["manager"].user)
    names = [
        "",
        "-results",
        "-ballots",
        "-network",
        "-network-data",
        "-history",
        "-status",
        "-sources",
        "-influence",
        "-margin",
    ]
    names += ["-export", "-csv"]
    client, insider = as_(factories.person("sue")), as_(members["ada"].user)
    recalculate_community(community.pk)
    for name in names:
        address = reverse(f"decision{name}", args=(community.pk, decision.pk))
        shown, door = client.get(address), reverse("community", args=(community.pk,))
        # A page leads to the door; what is no page is not there.
        assert shown.status_code == 404 or shown["Location"].startswith(f"{door}?next="), name
        assert insider.get(address).status_code == 200, name


def shown_fields(page: str) -> dict[str, str]:
    """The fields that the page's form sends when nothing is touched."""
    closes_at = re.search(r'name="closes_at" value="([^"]*)"', page)
    assert closes_at is not None
    return {"closes_at": closes_at[1]}


def test_a_closing_that_nobody_touched_stays_as_it_is_to_the_microsecond(scene: Scene) -> None:
    """Imports and programs give seconds; the field shows minutes."""
    closing = timezone.now().replace(second=41, microsecond=123_456) + timedelta(days=2)
    opening = timezone.now() + timedelta(days=1)
    decision = factories.decision(scene.community, scene.manager, opens_at=opening, closes_at=closing)
    client, edit = as_(scene.manager), scene.address("decision-edit", decision)
    fields = shown_fields(text(client.get(edit)))
    response = client.post(edit, {"title": "A better question?", "description": "", **fields})
    assert response.status_code == 302
    decision.refresh_from_db()
    assert (decision.title, decision.closes_at) == ("A better question?", closing)
    # One that is touched is what was typed, and still moves later only.
    sooner = (closing - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M")
    refused = client.post(edit, {"title": "New", "description": "", "closes_at": sooner})
    assert (refused.status_code, "closes_at" in refused.context["form"].errors) == (400, True)


@pytest.mark.parametrize(
    ("visibility", "then"),
    [
        ("batched", "A result is shown whenever five members have voted or changed their vote."),
        ("after_close", "Results are shown only after voting has closed."),
    ],
)
def test_where_ballots_are_hidden_nobody_is_told_to_watch_results(scene: Scene, visibility: str, then: str) -> None:
    Decision.objects.update(results_visibility=visibility)
    ada = as_(scene.user("ada"))
    voted = ada.post(scene.address("vote_submit"), scene.stars(Ash=5))
    withdrawn = ada.post(scene.address("vote-withdraw"))
    inherited = "Your ballot is withdrawn. If you follow somebody who votes, you inherit again."
    assert told(withdrawn)[-2:] == [f"Vote recorded! {then}", f"{inherited} {then}"]
    assert voted.status_code == 302


def test_times_of_a_draft_that_nobody_touched_stay_as_they_are(scene: Scene) -> None:
    opening = timezone.now().replace(second=7, microsecond=1) + timedelta(days=1)
    draft = factories.draft(scene.community, scene.manager, opens_at=opening, closes_at=opening + timedelta(days=1))
    client, edit = as_(scene.manager), scene.address("decision-edit", draft)
    shown = client.get(edit).context["form"]
    times = {name: shown[name].value().strftime("%Y-%m-%dT%H:%M") for name in ("opens_at", "closes_at")}
    assert client.post(edit, form(**times)).status_code == 302
    draft.refresh_from_db()
    assert (draft.opens_at, draft.closes_at) == (opening, opening + timedelta(days=1))


def test_a_time_of_a_draft_that_is_emptied_is_gone(scene: Scene) -> None:
    opening = timezone.now() + timedelta(days=1)
    draft = factories.draft(scene.community, scene.manager, opens_at=opening, closes_at=opening + timedelta(days=1))
    client, edit = as_(scene.manager), scene.address("decision-edit", draft)
    assert client.post(edit, form(opens_at="", closes_at="")).status_code == 302
    draft.refresh_from_db()
    assert (draft.opens_at, draft.closes_at) == (None, None)
    # That of a published decision can't be.
    published = factories.decision(scene.community, scene.manager)
    with nothing_written():
        refused = client.post(scene.address("decision-edit", published), {"closes_at": ""})
    assert (refused.status_code, list(refused.context["form"].errors)) == (400, ["closes_at"])


def test_a_closed_decision_has_no_form_to_edit_it(scene: Scene) -> None:
    client, edit = as_(scene.manager), scene.address("decision-edit")
    assert client.get(edit).status_code == 200
    factories.close(scene.decision)
    response = client.get(edit)
    assert (response.status_code, response["Location"]) == (302, scene.address("decision"))
    assert told(response) == ["Voting has closed; nothing of this decision can change any more."]


def test_edit_and_recalculate_are_no_longer_offered_once_voting_has_closed(scene: Scene) -> None:
    """Each is a fragment that asks again when the phase changes."""
    client, decision = as_(scene.manager), scene.address("decision")
    for target, offered in (("decision-phase", scene.address("decision-edit")), ("recalculate", "Recalculate")):
        headers = {"HX-Request": "true", "HX-Target": target}
        before = text(client.get(decision, headers=headers))
        with_closed = Decision.objects.filter(pk=scene.decision.pk)
        was = with_closed.values("opens_at", "closes_at").get()
        factories.close(scene.decision)
        after = text(client.get(decision, headers=headers))
        with_closed.update(**was)
        assert (f'id="{target}"' in before, offered in before, f'id="{target}"' in after, offered in after) == (
            True,
            True,
            True,
            False,
        )
