"""Finding communities, joining and leaving them, and the page of one."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from democracy import services
from democracy.models import Application, Community, Decision, DecisionSnapshot, Membership
from democracy.recalculation import recalculate_community
from tests import factories
from tests.test_views.browsing import as_, nothing_written, queries, text, told

pytestmark = pytest.mark.django_db

WELCOME = "Your participation will be reflected in all active decision results."


@pytest.fixture(scope="module")
def written(module_rows: None) -> tuple[Community, dict[str, Membership]]:
    """A members-only community whose managers look at applications."""
    community, members = factories.community("ada", "ben", name="Maple Court", description="Forty flats.")
    services.update_community(members["manager"].user, community.pk, joining="request")
    community.refresh_from_db()
    return community, members


@pytest.fixture
def house(written: tuple[Community, dict[str, Membership]], db: None) -> tuple[Community, dict[str, Membership]]:
    return copy.deepcopy(written)


@pytest.fixture
def stranger() -> User:
    return factories.person("sue")


def test_communities_are_found_by_words_of_name_and_description(house, stranger: User) -> None:
    factories.community(name="Chess Club", description="We play in the court.")
    factories.community(name="Gardeners")
    listed = {
        words: [one.name for one in as_(stranger).get(reverse("communities"), {"q": words}).context["page"]]
        for words in ("", "court", "court maple", "chess play", "nothing like it")
    }
    assert listed == {
        "": ["Chess Club", "Gardeners", "Maple Court"],
        "court": ["Chess Club", "Maple Court"],
        "court maple": ["Maple Court"],
        "chess play": ["Chess Club"],
        "nothing like it": [],
    }


def test_ones_own_communities_can_be_shown_alone(house) -> None:
    factories.community(name="Chess Club")
    page = as_(house[1]["ada"].user).get(reverse("communities"), {"mine": "1"}).context["page"]
    assert [(one.name, one.is_mine, one.member_count) for one in page] == [("Maple Court", True, 3)]


def test_a_search_replaces_only_the_list(house) -> None:
    whole = as_(None).get(reverse("communities"), {"q": "maple"})
    part = as_(None).get(
        reverse("communities"), {"q": "maple"}, headers={"HX-Request": "true", "HX-Target": "community-list"}
    )
    assert (
        part.content in whole.content,
        part.content.strip().startswith(b'<div class="stack" id="community-list">'),
    ) == (
        True,
        True,
    )
    assert {"HX-Request", "HX-Target"} <= {name.strip() for name in part["Vary"].split(",")}


def test_names_and_descriptions_are_escaped() -> None:
    factories.community(name="<script>alert(1)</script>", description='<img src=x onerror="x()">')
    page = text(as_(None).get(reverse("communities")))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_list_of_communities_takes_as_many_queries_for_50_as_for_1(stranger: User) -> None:
    client, address = as_(stranger), reverse("communities")
    factories.community()
    client.get(address)
    few = queries(client, address)
    Community.objects.bulk_create([Community(name=f"Many {number}") for number in range(50)])
    assert queries(client, address) == few


def test_a_new_community_tells_its_manager_to_invite_to_ask_and_to_publish() -> None:
    community, members = factories.community(name="New Lane")
    manager, address = members["manager"].user, reverse("community", args=[community.pk])

    def first_steps(user: User) -> list[bool]:
        shown = text(as_(user).get(address))
        steps = {"community-invitations": "Invite people", "decision-create": "Write a question"}
        return [f'href="{reverse(name, args=[community.pk])}">{words}' in shown for name, words in steps.items()]

    assert first_steps(manager) == [True, True]
    member = factories.join(community, factories.person()).user
    assert first_steps(member) == [False, False]
    assert "Nothing has been asked here yet." in text(as_(member).get(address))
    drafted = factories.draft(community, manager)
    preview = reverse("decision-preview", args=[community.pk, drafted.pk])
    assert f'href="{preview}">Look at your draft' in text(as_(manager).get(address))
    services.publish_decision(manager, drafted.pk)
    assert first_steps(manager) == [False, False]


def test_a_members_only_community_tells_a_stranger_its_name_and_description_only(house, stranger: User) -> None:
    community, members = house
    factories.decision(community, members["manager"].user, title="Secret question")
    for user in (stranger, None):
        response = as_(user).get(reverse("community", args=[community.pk]))
        page = text(response)
        assert response.status_code == 200
        assert "Maple Court" in page
        assert "Forty flats." in page
        assert "Secret question" not in page
        assert members["ada"].user.handle not in page


def test_an_application_waits_for_a_manager_and_can_be_changed_and_withdrawn(house, stranger: User) -> None:
    community, _ = house
    client, address = as_(stranger), reverse("community-apply", args=[community.pk])
    assert "Message to the managers" in text(client.get(address))
    response = client.post(address, {"message": "I moved in."})
    assert told(response) == ["Your application was sent. A manager of Maple Court will look at it."]
    client.post(address, {"message": "I moved in on Monday."})
    application = Application.objects.get(user=stranger)
    assert (application.status, application.message) == ("pending", "I moved in on Monday.")
    assert "You applied" in text(client.get(reverse("community", args=[community.pk])))
    client.post(reverse("application-withdraw", args=[application.pk]))
    assert Application.objects.get(user=stranger).status == "withdrawn"
    client.post(address, {"message": "Again."})
    mine = Application.objects.filter(user=stranger)
    assert sorted(mine.values_list("status", flat=True)) == ["pending", "withdrawn"]


def test_whoever_was_rejected_is_told_and_may_apply_again(house, stranger: User) -> None:
    community, members = house
    client, page = as_(stranger), reverse("community", args=[community.pk])
    first = services.apply_to_community(stranger, community.pk)
    services.decide_application(members["manager"].user, first.pk, approve=False)
    assert ("was turned down" in text(client.get(page)), "was turned down" in text(as_(None).get(page))) == (
        True,
        False,
    )
    services.apply_to_community(stranger, community.pk)
    shown = text(client.get(page))
    assert ("You applied" in shown, "was turned down" in shown) == (True, False)


def test_what_opens_first_comes_first_whenever_it_closes(house) -> None:
    community, members = house
    now, manager = timezone.now(), members["manager"].user
    for title, opens, closes in (("Later", 3, 4), ("Sooner", 1, 9), ("In between", 2, 5)):
        factories.decision(
            community,
            manager,
            title=title,
            opens_at=now + timedelta(days=opens),
            closes_at=now + timedelta(days=closes),
        )
    rows = as_(manager).get(reverse("community", args=[community.pk])).context["scheduled"]
    assert [row.decision.title for row in rows] == ["Sooner", "In between", "Later"]


def test_without_scripts_the_page_says_when_a_decision_closes_not_in_how_long(house) -> None:
    community, members = house
    decision = factories.decision(community, members["manager"].user)
    page = text(as_(members["ada"].user).get(reverse("community", args=[community.pk])))
    assert f'<span class="no-script">Closes <time datetime="{decision.closes_at.isoformat()}"' in page
    assert '<span class="scripted">Closes in <time' in page


def test_whoever_joins_at_once_is_welcomed_and_told_to_watch_the_results(stranger: User) -> None:
    community, members = factories.community(name="Open House")
    decision = factories.decision(community, members["manager"].user)
    before = decision.input_revision
    response = as_(stranger).post(reverse("community-apply", args=[community.pk]), {"message": ""})
    (message,) = told(response)
    assert message.startswith(f"Welcome to Open House! {WELCOME}")
    assert "spinning indicator" in message
    assert "30-60 seconds" in message
    assert Membership.objects.filter(user=stranger, community=community, left_at=None).exists()
    decision.refresh_from_db()
    assert decision.input_revision > before


def test_whoever_a_manager_let_in_is_welcomed_at_the_next_visit_and_once(house, stranger: User) -> None:
    community, members = house
    application = services.apply_to_community(stranger, community.pk)
    client, page = as_(stranger), reverse("community", args=[community.pk])
    assert "Welcome to Maple Court!" not in text(client.get(page))
    services.decide_application(members["manager"].user, application.pk, approve=True)
    # What refreshes itself on the page that is open welcomes nobody: the page that comes does.
    refreshed = client.get(page, headers={"HX-Request": "true", "HX-Target": "community-closed"})
    assert refreshed["HX-Refresh"] == "true"
    shown = [text(client.get(page)) for _ in range(2)]
    assert [f"Welcome to Maple Court! {WELCOME}" in one for one in shown] == [True, False]
    assert "30-60 seconds" in shown[0]


@pytest.mark.parametrize("after", ["left", "rejected", "let in again"])
def test_nobody_is_welcomed_who_is_no_member(house, stranger: User, after: str) -> None:
    community, members = house
    manager, client = members["manager"].user, as_(stranger)
    services.decide_application(
        manager, services.apply_to_community(stranger, community.pk).pk, approve=after != "rejected"
    )
    if after != "rejected":
        services.leave_community(stranger, community.pk)
    if after == "let in again":
        services.decide_application(manager, services.apply_to_community(stranger, community.pk).pk, approve=True)
    page = text(client.get(reverse("community", args=[community.pk])))
    assert ("Welcome to Maple Court!" in page) == (after == "let in again")


def test_a_decision_welcomes_too(house, stranger: User) -> None:
    community, members = house
    decision = factories.decision(community, members["manager"].user)
    application = services.apply_to_community(stranger, community.pk)
    services.decide_application(members["manager"].user, application.pk, approve=True)
    page = text(as_(stranger).get(reverse("decision", args=[community.pk, decision.pk])))
    assert "Welcome to Maple Court!" in page


def test_whoever_was_removed_waits_for_a_manager_even_where_everybody_is_let_in() -> None:
    community, members = factories.community("ada", name="Open House")
    services.remove_member(members["manager"].user, members["ada"].pk)
    client = as_(members["ada"].user)
    assert "a manager has to let you back in" in text(client.get(reverse("community", args=[community.pk])))
    response = client.post(reverse("community-apply", args=[community.pk]), {"message": "Sorry."})
    assert told(response) == ["Your application was sent. A manager of Open House will look at it."]


def test_a_member_who_applies_again_is_told_so_and_nothing_is_written(house) -> None:
    community, members = house
    with nothing_written():
        response = as_(members["ada"].user).post(reverse("community-apply", args=[community.pk]), {"message": ""})
    assert (response.status_code, "You are a member already." in text(response)) == (400, True)


def test_another_persons_application_can_not_be_withdrawn(house, stranger: User) -> None:
    community, members = house
    application = services.apply_to_community(stranger, community.pk)
    with nothing_written():
        response = as_(members["ada"].user).post(reverse("application-withdraw", args=[application.pk]))
    assert response.status_code == 404


def test_whoever_founds_a_community_is_its_manager(stranger: User) -> None:
    response = as_(stranger).post(
        reverse("community-create"), {"name": "Rowers", "description": "", "visibility": "public", "joining": "open"}
    )
    community = Community.objects.get(name="Rowers")
    assert response["Location"] == reverse("community", args=[community.pk])
    assert (community.visibility, community.joining) == ("public", "open")
    assert Membership.objects.get(community=community).is_manager


@pytest.mark.parametrize(
    ("fields", "field", "error"),
    [
        ({"name": "maple court"}, "name", "There is a community named “maple court” already."),
        ({"name": ""}, "name", "This field is required."),
        ({"name": "x" * 121}, "name", "Ensure this value has at most 120 characters (it has 121)."),
        ({"name": "Rowers", "visibility": "secret"}, "visibility", "Select a valid choice"),
    ],
)
def test_what_is_wrong_with_a_new_community_is_said_beside_the_field(house, stranger, fields, field, error) -> None:
    with nothing_written():
        response = as_(stranger).post(
            reverse("community-create"), {"visibility": "members", "joining": "request", **fields}
        )
    assert response.status_code == 400
    assert error in response.context["form"].errors[field][0]


def test_a_member_leaves_after_being_asked(house) -> None:
    community, members = house
    client, address = as_(members["ada"].user), reverse("community-leave", args=[community.pk])
    with nothing_written():
        assert "count for nothing from now on" in text(client.get(address))
    assert client.post(address)["Location"] == reverse("communities")
    members["ada"].refresh_from_db()
    assert not members["ada"].is_current


@pytest.mark.parametrize(
    ("who", "asks", "word", "back"),
    [
        ("ada", "community-leave", "Stay", "community"),
        ("manager", "community-leave", "Cancel", "community"),
        ("ada", "anonymity", "Cancel", "community"),
        ("manager", "member-remove", "Cancel", "community-manage"),
        ("manager", "community-create", "Cancel", "communities"),
    ],
)
def test_whoever_thinks_better_of_it_is_led_back(house, who: str, asks: str, word: str, back: str) -> None:
    community, members = house
    numbers = {"communities": (), "community-create": (), "member-remove": (community.pk, members["ben"].pk)}
    asking, leading = (reverse(name, args=numbers.get(name, (community.pk,))) for name in (asks, back))
    page = text(as_(members[who].user).get(asking))
    assert f'<a class="button quiet" href="{leading}">{word}</a>' in page


def test_the_last_manager_can_not_leave(house) -> None:
    community, members = house
    client, address = as_(members["manager"].user), reverse("community-leave", args=[community.pk])
    page = client.get(address)
    assert "You are the last manager" in text(page)
    assert '<button type="submit" class="button danger">Leave' not in text(page)
    with nothing_written():
        response = client.post(address)
    assert told(response) == ["You are the last manager: make somebody else a manager first."]
    services.update_membership(members["manager"].user, members["ada"].pk, is_manager=True)
    client.post(address)
    members["manager"].refresh_from_db()
    assert not members["manager"].is_current


def test_decisions_are_listed_by_where_they_stand_and_drafts_for_managers_alone(house) -> None:
    community, members = house
    manager = members["manager"].user
    later = timezone.now() + timedelta(days=1)
    factories.draft(community, manager, title="Draft")
    factories.decision(community, manager, title="Later", opens_at=later, closes_at=later + timedelta(days=1))
    factories.decision(community, manager, title="Second", closes_at=later + timedelta(days=3))
    factories.decision(community, manager, title="First", closes_at=later)
    factories.close(factories.decision(community, manager, title="Over"))

    def listed(user: User) -> dict[str, list[str]]:
        context = as_(user).get(reverse("community", args=[community.pk])).context
        return {
            group: [row.decision.title for row in context[group]] for group in ("open", "scheduled", "drafts", "closed")
        }

    expected = {"open": ["First", "Second"], "scheduled": ["Later"], "drafts": [], "closed": ["Over"]}
    assert listed(members["ada"].user) == expected
    assert listed(manager) == {**expected, "drafts": ["Draft"]}


def test_a_closed_decision_is_listed_with_what_won_it(house) -> None:
    community, members = house
    decision = factories.decision(community, members["manager"].user)
    factories.vote(members["ada"], decision, Birch=5, Ash=1)
    factories.close(decision)
    recalculate_community(community.pk)
    assert DecisionSnapshot.objects.get(decision=decision, is_final=True)
    (row,) = as_(members["ben"].user).get(reverse("community", args=[community.pk])).context["closed"]
    assert (row.decision, row.winner) == (decision, "Birch")


def test_open_decisions_say_whether_one_has_voted(house) -> None:
    community, members = house
    decision = factories.decision(community, members["manager"].user)
    factories.vote(members["ada"], decision, Ash=5)
    address = reverse("community", args=[community.pk])
    assert "You voted" in text(as_(members["ada"].user).get(address))
    assert "You have not voted" in text(as_(members["ben"].user).get(address))


def test_a_communitys_page_takes_as_many_queries_for_50_decisions_as_for_1(house) -> None:
    community, members = house
    client, address = as_(members["manager"].user), reverse("community", args=[community.pk])
    closed = factories.close(factories.decision(community, members["manager"].user))
    factories.decision(community, members["manager"].user)
    client.get(address)
    few = queries(client, address)
    now = timezone.now()
    Decision.objects.bulk_create(
        Decision(
            community=community,
            title=f"Many {number}",
            published_at=now,
            opens_at=closed.opens_at,
            closes_at=closed.closes_at if number % 2 else now + timedelta(days=1),
        )
        for number in range(50)
    )
    assert queries(client, address) == few


# --- Open pages keep up -----------------------------------------------------------------------------------------------


def fragment(user: User | None, community: Community, target: str, **query: str):
    headers = {"HX-Request": "true", "HX-Target": target}
    return as_(user).get(reverse("community", args=[community.pk]), query, headers=headers)


def test_a_communitys_page_asks_for_what_changed_by_events_and_every_five_seconds(house) -> None:
    community, members = house
    page = as_(members["ada"].user).get(reverse("community", args=[community.pk])).content.decode()
    community.refresh_from_db()
    assert f'data-live-source="/communities/{community.pk}/events/"' in page
    assert 'hx-trigger="live, every 5s, elapsed"' in page
    part = fragment(members["ada"].user, community, "community-now").content.decode()
    assert (part.count("<h1"), "site-header" in part) == (1, False)


def test_what_is_refreshed_stays_on_the_page_of_closed_decisions_that_is_open(house) -> None:
    community, members = house
    for number in range(11):
        one = factories.decision(community, members["manager"].user, title=f"Number {number}")
        factories.close(one, at=timezone.now() - timedelta(minutes=number))
    first = text(fragment(members["ada"].user, community, "community-now"))
    second = text(fragment(members["ada"].user, community, "community-now", page="2"))
    assert ("Number 0" in first, "Number 10" in first, 'name="page" value="1"' in first) == (True, False, True)
    assert ("Number 0" in second, "Number 10" in second, 'name="page" value="2"' in second) == (False, True, True)


def test_whoever_is_let_in_or_removed_gets_the_other_page(house, stranger: User) -> None:
    community, members = house
    application = services.apply_to_community(stranger, community.pk, message="")
    waiting = fragment(stranger, community, "community-closed")
    assert ("You applied" in text(waiting), "HX-Refresh" in waiting) == (True, False)
    services.decide_application(members["manager"].user, application.pk, approve=True)
    assert fragment(stranger, community, "community-closed")["HX-Refresh"] == "true"
    services.remove_member(members["manager"].user, Membership.objects.get(user=stranger).pk)
    gone = fragment(stranger, community, "community-now")
    assert (gone["HX-Refresh"], gone.content) == ("true", b"")
