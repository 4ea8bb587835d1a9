"""Managers' pages, the history of a community, and who may open what."""

from __future__ import annotations

import copy

import pytest
from django.urls import reverse

from accounts.models import User
from democracy import access, services
from democracy.models import Application, Community, Decision, LedgerEntry, Membership
from democracy.views import communities, followings, ledger, manage, members, network
from tests import factories
from tests.test_views.browsing import as_, nothing_written, queries, text, told

pytestmark = pytest.mark.django_db

Town = tuple[Community, dict[str, Membership]]


@pytest.fixture(scope="module")
def written(module_rows: None) -> Town:
    community, people = factories.community("ada", "ben", "lou", name="Maple Court")
    manager = people["manager"].user
    services.update_membership(manager, people["lou"].pk, role="lobbyist")
    services.update_community(manager, community.pk, joining="request")
    return community, people


@pytest.fixture
def town(written: Town, db: None) -> Town:
    return copy.deepcopy(written)


@pytest.fixture
def applicant(town: Town) -> User:
    user = factories.person("sue")
    services.apply_to_community(user, town[0].pk, message="I moved in.")
    return user


# --- Who may open what ------------------------------------------------------------------------------------------------

# Whoever may not read it is led to the community's page, where they can join.
READ = {"visitor": 302, "stranger": 302, "applicant": 302, "former": 302, "voter": 200, "lobbyist": 200, "manager": 200}
# Not a page that somebody comes back to.
READ_BY_PROGRAMS = READ | dict.fromkeys(("stranger", "applicant", "former"), 404)
OPEN = dict.fromkeys(READ, 200)
SIGNED_IN = OPEN | {"visitor": 302}
MANAGE = dict.fromkeys(READ, 403) | {"visitor": 302, "manager": 200}
# Only to be posted to: 405 says so to everybody, and tells nothing.
POST = dict.fromkeys(READ, 405)

# Every page of a members-only community and its twin, by the name of its address.
PAGES: dict[str, dict[str, int]] = {
    "communities": OPEN,
    "community-create": SIGNED_IN,
    "community": OPEN,
    "community-apply": SIGNED_IN,
    "community-leave": READ,
    "application-withdraw": POST,
    "community-members": READ,
    "member": READ,
    "anonymity": READ,
    "follow_user": READ,
    "follow-preview": READ,
    "unfollow_user": POST,
    "followings": SIGNED_IN,
    "followings-reorder": POST,
    "community-network": READ,
    "community-network-data": READ_BY_PROGRAMS,
    "community-ledger": READ,
    "ledger-entry": READ,
    "ledger-download": READ_BY_PROGRAMS,
    "community-checkpoint": READ_BY_PROGRAMS,
    "community-manage": MANAGE,
    "community-settings": MANAGE,
    "application-decide": POST,
    "member-update": POST,
    "member-remove": MANAGE,
}
MODULES = {module.__name__ for module in (communities, followings, ledger, manage, members, network)}


def test_every_page_of_communities_has_a_row_in_the_table() -> None:
    from democracy.urls import urlpatterns

    assert {str(one.name) for one in urlpatterns if one.callback.__module__ in MODULES} == set(PAGES)


def cast(town: Town, applicant: User) -> dict[str, User | None]:
    community, people = town
    former = factories.person()
    application = services.apply_to_community(former, community.pk)
    services.decide_application(people["manager"].user, application.pk, approve=True)
    services.leave_community(former, community.pk)
    return {
        "visitor": None,
        "stranger": factories.person(),
        "applicant": applicant,
        "former": former,
        "voter": people["ada"].user,
        "lobbyist": people["lou"].user,
        "manager": people["manager"].user,
    }


def address(name: str, town: Town, application: Application) -> str:
    community, people = town
    return reverse(
        name,
        kwargs={
            key: value
            for key, value in {
                "community_id": community.pk,
                "membership_id": people["ben"].pk,
                "application_id": application.pk,
                "revision": 1,
            }.items()
            if f"<int:{key}>" in ROUTES[name]
        },
    )


def _routes() -> dict[str, str]:
    from democracy.urls import urlpatterns

    return {str(one.name): str(one.pattern) for one in urlpatterns}


ROUTES = _routes()


def test_each_page_opens_for_whom_it_is_meant_and_looking_writes_nothing(town: Town, applicant: User) -> None:
    application = Application.objects.get(user=applicant)
    people = cast(town, applicant)
    with nothing_written():
        opened = {
            name: {who: as_(user).get(address(name, town, application)).status_code for who, user in people.items()}
            for name in PAGES
        }
    assert opened == PAGES


SENT = {
    "community-settings": {"name": "Taken over", "visibility": "public", "joining": "open"},
    "application-decide": {"approve": "1"},
    "member-update": {"role": "lobbyist", "is_manager": "on"},
    "member-remove": {},
}


@pytest.mark.parametrize("name", SENT)
def test_nobody_but_a_manager_manages(town: Town, applicant: User, name: str) -> None:
    application = Application.objects.get(user=applicant)
    people = cast(town, applicant)
    elsewhere = factories.community("eve")[1]["manager"].user
    with nothing_written():
        answers = {
            who: as_(user).post(address(name, town, application), SENT[name]).status_code
            for who, user in {**people, "manager of another": elsewhere}.items()
            if who != "manager"
        }
    assert answers == dict.fromkeys(answers, 403) | {"visitor": 302}
    before = LedgerEntry.objects.filter(community=town[0]).count()
    assert as_(people["manager"]).post(address(name, town, application), SENT[name]).status_code == 302
    assert LedgerEntry.objects.filter(community=town[0]).count() > before


@pytest.mark.parametrize("name", ["community-manage", "community-settings"])
def test_there_is_nothing_to_manage_where_there_is_no_community(town: Town, name: str) -> None:
    assert as_(town[1]["manager"].user).get(reverse(name, args=[10**9])).status_code == 404


def test_a_manager_reaches_nothing_of_another_community_through_their_own(town: Town, applicant: User) -> None:
    other, others = factories.community("eve")
    client = as_(others["manager"].user)
    application = Application.objects.get(user=applicant)
    ben = town[1]["ben"].pk
    with nothing_written():
        for response in (
            client.post(reverse("application-decide", args=[other.pk, application.pk]), {"approve": "1"}),
            client.post(reverse("member-update", args=[other.pk, ben]), {"role": "voter"}),
            client.get(reverse("member-remove", args=[other.pk, ben])),
            client.post(reverse("member-remove", args=[other.pk, ben])),
        ):
            assert response.status_code == 404


# --- What managers do -------------------------------------------------------------------------------------------------


def test_an_application_is_shown_with_its_message_and_approved(town: Town, applicant: User) -> None:
    community, people = town
    client = as_(people["manager"].user)
    page = text(client.get(reverse("community-manage", args=[community.pk])))
    assert "I moved in." in page
    assert "1 application to decide" in text(client.get(reverse("community", args=[community.pk])))
    application = Application.objects.get(user=applicant)
    response = client.post(reverse("application-decide", args=[community.pk, application.pk]), {"approve": "1"})
    assert told(response) == [f"{applicant.name} is a member now."]
    assert access.membership_of(applicant, community.pk) is not None
    with nothing_written():
        again = client.post(reverse("application-decide", args=[community.pk, application.pk]), {"approve": "0"})
    assert told(again)[-1] == "This application has been approved already."


def test_an_application_is_rejected(town: Town, applicant: User) -> None:
    community, people = town
    application = Application.objects.get(user=applicant)
    decide = reverse("application-decide", args=[community.pk, application.pk])
    with nothing_written():
        as_(people["manager"].user).post(decide, {"approve": "perhaps"})
    response = as_(people["manager"].user).post(decide, {"approve": "0"})
    assert told(response)[-1] == f"The application of {applicant.name} was rejected."
    assert access.membership_of(applicant, community.pk) is None


def test_roles_are_changed_in_the_list_of_members(town: Town) -> None:
    community, people = town
    client = as_(people["manager"].user)
    update = reverse("member-update", args=[community.pk, people["ada"].pk])
    response = client.post(update, {"role": "lobbyist", "is_manager": "on"})
    assert told(response) == [f"{people['ada'].user.name} is a lobbyist and manager now."]
    people["ada"].refresh_from_db()
    assert (people["ada"].role, people["ada"].is_manager) == ("lobbyist", True)
    with nothing_written():
        client.post(update, {"role": "king"})


def test_the_last_manager_can_not_step_down(town: Town) -> None:
    community, people = town
    update = reverse("member-update", args=[community.pk, people["manager"].pk])
    with nothing_written():
        response = as_(people["manager"].user).post(update, {"role": "voter"})
    assert told(response) == ["You are the last manager: make somebody else a manager first."]


def test_an_anonymous_member_stays_a_voter(town: Town) -> None:
    community, people = town
    services.set_anonymity(people["ada"].user, community.pk, anonymous=True)
    update = reverse("member-update", args=[community.pk, people["ada"].pk])
    with nothing_written():
        response = as_(people["manager"].user).post(update, {"role": "lobbyist"})
    assert told(response) == ["Only voters can be anonymous; this member has to give that up first."]


def test_a_member_is_removed_after_a_question(town: Town) -> None:
    community, people = town
    client, remove = as_(people["manager"].user), reverse("member-remove", args=[community.pk, people["ben"].pk])
    with nothing_written():
        assert f"Remove {people['ben'].user.name}?" in text(client.get(remove))
    client.post(remove)
    people["ben"].refresh_from_db()
    assert (people["ben"].is_current, people["ben"].was_removed) == (False, True)


def test_settings_are_saved_and_wrong_ones_are_refused_beside_the_field(town: Town) -> None:
    community, people = town
    factories.community(name="Chess Club")
    client, settings = as_(people["manager"].user), reverse("community-settings", args=[community.pk])
    assert client.get(settings).context["form"].initial["name"] == "Maple Court"
    with nothing_written():
        taken = client.post(settings, {"name": "chess club", "visibility": "public", "joining": "open"})
    assert (taken.status_code, list(taken.context["form"].errors)) == (400, ["name"])
    client.post(settings, {"name": "Elm Court", "description": "New", "visibility": "public", "joining": "open"})
    community.refresh_from_db()
    assert (community.name, community.description, community.visibility, community.joining) == (
        "Elm Court",
        "New",
        "public",
        "open",
    )


def test_the_managers_page_takes_as_many_queries_for_50_as_for_1(town: Town, applicant: User) -> None:
    community, people = town
    client, page = as_(people["manager"].user), reverse("community-manage", args=[community.pk])
    client.get(page)
    few = queries(client, page)
    users = User.objects.bulk_create([User(name=f"Many {number}", handle=f"many_{number}") for number in range(100)])
    Membership.objects.bulk_create([Membership(community=community, user=user) for user in users[:50]])
    Application.objects.bulk_create([Application(community=community, user=user) for user in users[50:]])
    assert queries(client, page) == few


# --- The history ------------------------------------------------------------------------------------------------------


def sentences(user: User | None, community: Community, **query: str) -> list[str]:
    """The sentences of the history, oldest first."""
    context = as_(user).get(reverse("community-ledger", args=[community.pk]), query).context
    return [item.sentence for item in context["items"]][::-1]


def test_the_history_says_in_words_what_happened() -> None:
    community, people = factories.community(name="Open House")
    manager = people["manager"]
    ada, ben = (factories.join(community, factories.person()) for _ in range(2))
    services.update_community(manager.user, community.pk, description="Ours", visibility="public")
    services.update_membership(manager.user, ben.pk, role="lobbyist")
    factories.follow(ada, ben, "roads", "trees")
    factories.follow(ada, ben)
    services.unfollow(ada.user, ben.pk)
    decision = factories.decision(community, manager.user, title="Which tree?")
    factories.vote(ada, decision, Ash=5)
    factories.vote(ada, decision, Ash=4)
    factories.vote(ben, decision)
    services.withdraw_ballot(ada.user, decision.pk)
    services.remove_member(manager.user, ben.pk)
    boss, a, b = (f"@{one.user.handle}" for one in (manager, ada, ben))
    assert sentences(None, community) == [
        f"{boss} founded the community.",
        f"{boss} joined.",
        "An application to join was made, changed or decided on.",
        f"{a} joined.",
        "An application to join was made, changed or decided on.",
        f"{b} joined.",
        f"{boss} changed the community: its description and who may read it.",
        f"{b} is a lobbyist now.",
        f"{a} follows {b} on roads, trees.",
        f"{a} now follows {b} on everything.",
        f"{a} stopped following {b}.",
        "A decision was drafted or changed.",
        f"{boss} published “Which tree?”.",
        f"{a} voted in “Which tree?”.",
        f"{a} changed a ballot in “Which tree?”.",
        f"{b} abstained in “Which tree?”.",
        f"{a} withdrew a ballot in “Which tree?”.",
        f"{boss} removed {b}.",
    ]
    assert sentences(None, community, kind="ballot") == [
        f"{a} voted in “Which tree?”.",
        f"{a} changed a ballot in “Which tree?”.",
        f"{b} abstained in “Which tree?”.",
        f"{a} withdrew a ballot in “Which tree?”.",
    ]


def test_who_is_anonymous_now_is_anonymous_in_the_history_of_before() -> None:
    community, people = factories.community(visibility="public")
    ada, ben = (factories.join(community, factories.person()) for _ in range(2))
    decision = factories.decision(community, people["manager"].user, title="Which tree?")
    factories.follow(ada, ben, "roads")
    factories.follow(ben, ada)
    factories.vote(ada, decision, Ash=5)
    services.set_anonymity(ada.user, community.pk, anonymous=True, confirmed=True)
    factories.vote(ada, decision, Ash=4)
    other = factories.decision(community, people["manager"].user, title="Where?")
    factories.vote(ada, other, Ash=4)
    a, manager = f"@{ada.user.handle}", people["manager"].user
    others = sentences(ben.user, community)
    joined = "An anonymous member joined, left or was changed."
    assert others[3] == joined
    assert others[-9:] == [
        *["A following was made, changed or ended."] * 2,
        # What was cast by name stays under the name.
        f"{a} voted in “Which tree?”.",
        "A following was made, changed or ended.",
        joined,
        f"{a} changed a ballot in “Which tree?”.",
        "A decision was drafted or changed.",
        f"@{manager.handle} published “Where?”.",
        "A ballot in “Where?” was cast, changed or withdrawn.",
    ]
    # The managers know who belongs to the community, but neither whom ada follows nor how she votes.
    told_to_managers = [one for one in sentences(manager, community) if ada.user.handle in one]
    assert told_to_managers == [
        f"{a} applied to join and was approved automatically.",
        f"{a} joined.",
        f"{a} voted in “Which tree?”.",
        f"{a} is anonymous now.",
        f"{a} changed a ballot in “Which tree?”.",
    ]
    assert sentences(ada.user, community)[-1] == "You, under a pseudonym, voted in “Where?”."


@pytest.mark.parametrize("visibility", [Decision.Visibility.AFTER_CLOSE, Decision.Visibility.BATCHED])
def test_the_history_hides_who_voted_while_ballots_are_hidden(town: Town, visibility: str) -> None:
    community, people = town
    decision = factories.decision(community, people["manager"].user, title="Which tree?", results_visibility=visibility)
    factories.vote(people["ada"], decision, Ash=5)
    factories.vote(people["ben"], decision)
    hidden = ["A ballot was cast, changed or withdrawn."] * 2
    assert sentences(people["manager"].user, community, kind="ballot") == hidden
    assert sentences(people["manager"].user, community, kind="ballot", decision=str(decision.pk)) == []
    own = sentences(people["ada"].user, community, kind="ballot", decision=str(decision.pk))
    assert own == [f"@{people['ada'].user.handle} voted in “Which tree?”."]
    factories.close(decision)
    assert sentences(people["manager"].user, community, kind="ballot") == [
        f"@{people['ada'].user.handle} voted in “Which tree?”.",
        f"@{people['ben'].user.handle} abstained in “Which tree?”.",
    ]


def test_the_history_names_drafts_to_managers_alone(town: Town) -> None:
    community, people = town
    factories.draft(community, people["manager"].user, title="A secret plan")
    (item,) = sentences(people["ada"].user, community, kind="decision")
    assert "A secret plan" not in item
    (item,) = sentences(people["manager"].user, community, kind="decision")
    assert "A secret plan" in item


def test_the_history_goes_back_page_by_page_with_as_many_queries(town: Town) -> None:
    community, people = town
    client, page = as_(people["ada"].user), reverse("community-ledger", args=[community.pk])
    for _ in range(30):
        factories.follow(people["ada"], people["ben"], "roads")
        factories.follow(people["ada"], people["ben"])
    client.get(page)
    first = client.get(page).context
    revisions = [item.revision for item in first["items"]]
    assert revisions == sorted(revisions, reverse=True)
    second = client.get(page, {"before": first["older"]}).context
    assert [item.revision for item in second["items"]] == list(range(revisions[-1] - 1, 0, -1))
    assert second["older"] is None
    few = queries(
        client, f"{page}?kind=following&before={LedgerEntry.objects.filter(kind='following').first().revision + 1}"
    )
    assert queries(client, f"{page}?kind=following") == few
    for nonsense in ("x", "-1", "0"):
        assert [item.revision for item in client.get(page, {"before": nonsense}).context["items"]] == revisions
