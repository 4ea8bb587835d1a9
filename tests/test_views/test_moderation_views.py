"""Hiding in the administration, and what members and others see of what is hidden on the pages and in the API."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from accounts.models import User
from democracy import access, services
from democracy.models import Choice, Community, Decision, Moderation, Notice
from democracy.notices import sending
from democracy.notices.wording import words
from democracy.reading.notices import shown_notices
from democracy.recalculation import recalculate_community
from tests import factories, rules
from tests.test_graphql.api import ask, id_of
from tests.test_views.browsing import as_

pytestmark = pytest.mark.django_db
BAD, WHY = "Zounds", "It insults a neighbour."
NOTICE = f"Hidden by the site's operator: {WHY}"


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root@example.org", name="Root", handle="root")


class Scene:
    """A public community; Ada voted by name, and Dan, who is anonymous, both with a comment."""

    def __init__(self) -> None:
        self.community, self.members = factories.community("ada", "dan", visibility="public", name="Larch Lane")
        self.manager = self.members["manager"].user
        services.set_anonymity(self.members["dan"].user, self.community.pk, anonymous=True)
        self.decision = factories.decision(self.community, self.manager, title=f"{BAD} trees")
        stars = {Choice.objects.filter(decision=self.decision)[0].pk: 5}
        for name in ("ada", "dan"):
            services.cast_ballot(self.members[name].user, self.decision.pk, stars=stars, comment=f"{BAD}, says {name}")
        recalculate_community(self.community.pk)
        sending.notice_changes()

    def hide(self, client: Client, row: Community | Decision, **fields: str) -> Any:
        name = f"admin:democracy_{row._meta.model_name}_hide"
        return client.post(reverse(name, args=[row.pk]), {"reason": WHY, **fields})

    def page(self, who: User | None, name: str = "decision-ballots") -> Any:
        return as_(who).get(reverse(name, args=[self.community.pk, self.decision.pk]))

    def told(self) -> dict[str, tuple[str, str, bool]]:
        """Notices since the last call: title, text and whether a mail leaves, by the start of the handle."""
        before = set(Notice.objects.values_list("pk", flat=True))
        sending.notice_changes()
        found = {}
        for notice in Notice.objects.exclude(pk__in=before).select_related("person", "community", "decision"):
            said = words(notice)
            found[notice.person.handle.partition("_")[0]] = (said.title, said.text, notice.due_at is not None)
        return found


@pytest.fixture(scope="module")
def written(module_rows: None) -> Scene:
    return Scene()


@pytest.fixture
def scene(written: Scene, db: None) -> Scene:
    return copy.deepcopy(written)


def test_an_operator_hides_a_question_and_shows_it_again(scene: Scene, root: User) -> None:
    client = as_(root)
    changing = client.get(reverse("admin:democracy_decision_change", args=[scene.decision.pk])).text
    address = reverse("admin:democracy_decision_hide", args=[scene.decision.pk])
    assert address in changing
    assert f"Question: {BAD} trees" in client.get(address).text
    response = scene.hide(client, scene.decision, what="title")
    assert (response.status_code, response.url) == (302, reverse("admin:democracy_moderation_changelist"))
    assert LogEntry.objects.get().get_change_message() == f"Hid title: {WHY}"
    for who in (None, scene.members["ada"].user, scene.manager):
        page = scene.page(who, "decision").text
        assert f"{BAD} trees" not in page
        assert WHY in page
    answer = ask(None, "query($id: ID!) { decision(id: $id) { title } }", id=id_of(scene.decision))
    assert answer["decision"]["title"] == NOTICE
    made = Moderation.objects.get()
    fields = {"action": "show_again", "_selected_action": [made.pk]}
    client.post(reverse("admin:democracy_moderation_changelist"), fields)
    assert f"{BAD} trees" in scene.page(None, "decision").text


def test_comments_are_hidden_by_the_name_under_which_they_are_shown(scene: Scene, root: User) -> None:
    client, pseudonym = as_(root), access.pseudonym(scene.decision.pk, scene.members["dan"].pk)
    for name in (scene.members["ada"].user.handle, pseudonym):
        assert scene.hide(client, scene.decision, what="comment", by=name).status_code == 302
    for who in (None, scene.members["ada"].user, scene.manager):
        page = scene.page(who).text
        assert (page.count(WHY), f"{BAD}, says" in page) == (2, False)
    listed = client.get(reverse("admin:democracy_moderation_changelist")).text
    assert pseudonym.replace(" ", "-") in listed
    assert f"ballot:{scene.decision.pk}:{scene.members['dan'].pk} " not in listed


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"what": "title", "reason": ""}, "This field is required."),
        ({"what": "title", "reason": "x" * 501}, "at most 500 characters"),
        ({"what": "lots"}, "lots is not one of the available choices."),
        ({}, "This field is required."),
        ({"what": "comment"}, "Say whose comment."),
        ({"what": "comment", "by": "nobody"}, "No comment is shown under this name in this decision."),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(scene: Scene, root: User, fields: dict[str, str], said: str) -> None:
    before = rules.written()
    response = scene.hide(as_(root), scene.decision, **fields)
    assert (response.status_code, said in response.text) == (400, True)
    assert rules.written() == before


def test_only_operators_who_may_reach_the_page(scene: Scene, root: User) -> None:
    address = reverse("admin:democracy_decision_hide", args=[scene.decision.pk])
    staff = factories.person(is_staff=True)
    assert [as_(who).get(address).status_code for who in (None, scene.manager, staff, root)] == [302, 302, 403, 200]
    draft = factories.draft(scene.community, scene.manager)
    for pk in (draft.pk, 10**6):
        assert as_(root).get(reverse("admin:democracy_decision_hide", args=[pk])).status_code == 404
    assert "/hide/" not in as_(root).get(reverse("admin:democracy_decision_change", args=[draft.pk])).text


def test_hidden_ballots_offer_no_comment_to_hide(scene: Scene, root: User) -> None:
    decision = factories.decision(scene.community, scene.manager, results_visibility="after_close")
    client = as_(root)
    for one, offers in ((scene.decision, True), (decision, False)):
        page = client.get(reverse("admin:democracy_decision_hide", args=[one.pk])).text
        assert ("The comment on a ballot" in page) == offers


def test_managers_and_casters_are_told_and_whoever_is_anonymous_on_the_site_alone(scene: Scene, root: User) -> None:
    client, pseudonym = as_(root), access.pseudonym(scene.decision.pk, scene.members["dan"].pk)
    scene.hide(client, scene.community, what="name")
    assert scene.told() == {
        "manager": (
            f"Hidden by the site's operator: {NOTICE}",
            f"The site's operator has hidden the name of your community. The reason: {WHY}",
            True,
        )
    }
    scene.hide(client, scene.decision, what="comment", by=scene.members["ada"].user.handle)
    scene.hide(client, scene.decision, what="comment", by=pseudonym)
    told = scene.told()
    assert told.keys() == {"ada", "dan"}
    assert (told["ada"][2], told["dan"][2]) == (True, False)
    assert told["dan"][1].startswith("The site's operator has hidden your comment on")
    services.show_again(root, Moderation.objects.get(place="name").pk)
    assert scene.told()["manager"][:2] == (
        "Shown again: Larch Lane",
        "The site's operator shows the name of your community again.",
    )


class TestAHiddenCommunity:
    @pytest.fixture
    def hidden(self, scene: Scene, root: User) -> Scene:
        assert scene.hide(as_(root), scene.community, what="everything").status_code == 302
        return scene

    def addresses(self, scene: Scene) -> list[str]:
        of_decision = [
            reverse(name, args=[scene.community.pk, scene.decision.pk])
            for name in ("decision", "decision-results", "decision-ballots")
        ]
        return [
            *of_decision,
            *(reverse(name, args=[scene.community.pk]) for name in ("community-members", "community-ledger")),
        ]

    def test_its_members_see_that_it_is_hidden_and_why(self, hidden: Scene) -> None:
        page = reverse("community", args=[hidden.community.pk])
        for who in (hidden.members["ada"].user, hidden.manager):
            shown = as_(who).get(page).text
            assert WHY in shown
            assert f"{BAD} trees" not in shown
            assert "community-tabs" not in shown
        for address in [*self.addresses(hidden), reverse("community-manage", args=[hidden.community.pk])]:
            response = as_(hidden.manager).get(address)
            assert (response.status_code, response["Location"].partition("?")[0]) == (302, page)
        assert as_(hidden.manager).get(reverse("community-leave", args=[hidden.community.pk])).status_code == 200
        assert "Larch Lane" in as_(hidden.manager).get(reverse("communities")).text

    def test_others_are_answered_as_if_there_was_none(self, hidden: Scene) -> None:
        stranger = factories.person()
        nowhere = hidden.community.pk + 1_000
        addresses = [*self.addresses(hidden), reverse("community", args=[hidden.community.pk])]
        addresses += [reverse(name, args=[hidden.community.pk]) for name in ("community-manage", "community-feed")]
        for address in addresses:
            there = address
            not_there = address.replace(f"/{hidden.community.pk}/", f"/{nowhere}/", 1)
            for who in (None, stranger):
                answers = [as_(who).get(one) for one in (there, not_there)]
                assert len({one.status_code for one in answers}) == 1, address
                assert {one.get("Location", "").replace(not_there, there) for one in answers} == {
                    answers[0].get("Location", "")
                }
        assert "Larch Lane" not in as_(stranger).get(reverse("communities")).text

    def test_the_api_says_to_members_alone_why(self, hidden: Scene) -> None:
        query = "query($id: ID!) { community(id: $id) { name hiddenReason decisions { edges { node { id } } } } }"
        found = ask(hidden.manager, query, id=id_of(hidden.community))["community"]
        assert (found["hiddenReason"], found["decisions"]["edges"]) == (WHY, [])
        assert ask(None, query, id=id_of(hidden.community))["community"] is None

    def test_no_notice_tells_of_it_but_that_it_is_hidden(self, scene: Scene, root: User) -> None:
        factories.follow(scene.members["ada"], scene.members["manager"])
        scene.told()
        scene.hide(as_(root), scene.community, what="everything")
        scene.told()
        titles = [words(notice).title for notice in shown_notices(scene.manager)]
        assert titles == ["Hidden by the site's operator: Larch Lane"]
        services.show_again(root, Moderation.objects.get().pk)
        assert "You have a new follower in Larch Lane" in [words(one).title for one in shown_notices(scene.manager)]
