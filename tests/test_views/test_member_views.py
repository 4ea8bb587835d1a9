"""Members' pages: who is seen by whom, profiles, and one's own anonymity."""

from __future__ import annotations

import copy

import pytest
from django.urls import reverse

from accounts.models import User
from democracy import services
from democracy.models import Community, Decision, Following, Membership
from tests import factories
from tests.test_views.browsing import as_, nothing_written, queries, text, told

pytestmark = pytest.mark.django_db

Town = tuple[Community, dict[str, Membership]]


@pytest.fixture(scope="module")
def written(module_rows: None) -> Town:
    """A public community: cleo follows ben, ben follows ada on roads, dan is anonymous and follows ada, lou lobbies."""
    community, members = factories.community("ada", "ben", "cleo", "dan", "lou", visibility="public")
    factories.follow(members["cleo"], members["ben"])
    factories.follow(members["ben"], members["ada"], "roads")
    factories.follow(members["dan"], members["ada"])
    services.set_anonymity(members["dan"].user, community.pk, anonymous=True)
    services.update_membership(members["manager"].user, members["lou"].pk, role="lobbyist")
    return community, {name: factories.member_of(community, one.user) for name, one in members.items()}


@pytest.fixture
def town(written: Town, db: None) -> Town:
    return copy.deepcopy(written)


def viewers(town: Town) -> dict[str, User | None]:
    """Everybody from whom an anonymous member is hidden."""
    _, members = town
    return {
        "visitor": None,
        "stranger": factories.person(),
        "voter": members["ben"].user,
        "lobbyist": members["lou"].user,
    }


def names(town: Town, user: User | None, **query: str) -> list[str]:
    community, members = town
    by_id = {one.pk: name for name, one in members.items()}
    page = as_(user).get(reverse("community-members", args=[community.pk]), query).context["page"]
    return sorted(by_id[one.pk] for one in page)


def test_members_are_found_by_name_or_handle_and_role(town: Town) -> None:
    _, members = town
    ben = members["ben"].user
    assert names(town, ben) == ["ada", "ben", "cleo", "lou", "manager"]
    assert names(town, ben, q="ADA") == ["ada"]
    assert names(town, ben, q="@" + members["cleo"].user.handle) == ["cleo"]
    assert names(town, ben, role="lobbyist") == ["lou"]
    assert names(town, ben, role="manager") == ["manager"]
    assert names(town, ben, role="nonsense") == ["ada", "ben", "cleo", "lou", "manager"]


def test_names_are_found_and_put_in_order_whatever_their_letters_are() -> None:
    community, members = factories.community()
    for name in ("émile", "Zoë", "anna", "Ödön", "Straße"):
        factories.join(community, factories.person(name=name))
    page = reverse("community-members", args=[community.pk])
    manager = as_(members["manager"].user)

    def listed(search: str) -> list[str]:
        return [one.user.name for one in manager.get(page, {"q": search}).context["page"]]

    assert [one for one in listed("") if not one.startswith("Manager")] == ["anna", "Straße", "Zoë", "émile", "Ödön"]
    assert (listed("ÉMILE"), listed("strasse"), listed("zOË")) == (["émile"], ["Straße"], ["Zoë"])


def test_an_anonymous_member_is_listed_for_managers_and_themselves_alone(town: Town) -> None:
    _, members = town
    for user in viewers(town).values():
        assert "dan" not in names(town, user)
        assert names(town, user, q="dan") == []
    assert "dan" in names(town, members["manager"].user)
    assert "dan" in names(town, members["dan"].user)


def test_no_page_names_an_anonymous_member_to_others(town: Town) -> None:
    community, members = town
    dan = members["dan"]
    pages = [
        reverse("community", args=[community.pk]),
        reverse("community-members", args=[community.pk]),
        reverse("community-network", args=[community.pk]),
        reverse("community-network-data", args=[community.pk]),
        reverse("community-ledger", args=[community.pk]),
        reverse("member", args=[community.pk, members["ada"].pk]),
    ]
    for who, user in viewers(town).items():
        for page in pages:
            content = text(as_(user).get(page))
            for trace in (dan.user.handle, dan.user.name, dan.user.email, f"/members/{dan.pk}/"):
                assert trace not in content, (who, page, trace)
        assert as_(user).get(reverse("member", args=[community.pk, dan.pk])).status_code == (
            302 if user is None else 404
        )


def test_an_anonymous_members_ballots_and_followings_stay_unknown_to_managers_too(town: Town) -> None:
    community, members = town
    decision = factories.decision(community, members["manager"].user, title="Which tree?")
    factories.vote(members["dan"], decision, tags=["dark secret"], Ash=5)
    address = reverse("member", args=[community.pk, members["dan"].pk])
    seen = as_(members["manager"].user).get(address)
    assert (list(seen.context["following"]), seen.context["ballots"], seen.context["tags"]) == ([], [], [])
    assert "dark secret" not in text(seen)
    own = as_(members["dan"].user).get(address)
    assert [one.followee for one in own.context["following"]] == [members["ada"]]
    assert own.context["tags"] == ["dark secret"]


def test_those_not_shown_are_counted(town: Town) -> None:
    community, members = town
    address = reverse("community-members", args=[community.pk])
    assert [as_(members[who].user).get(address).context["unnamed"] for who in ("ben", "dan", "manager")] == [1, 0, 0]


def test_followers_are_counted_without_the_anonymous(town: Town) -> None:
    community, members = town
    for who in ("ada", "manager", "dan"):
        page = as_(members[who].user).get(reverse("community-members", args=[community.pk])).context["page"]
        followers = {one.pk: one.follower_count for one in page}
        # Dan knows of his own following.
        assert followers[members["ada"].pk] == (2 if who == "dan" else 1)


def test_a_profile_shows_whom_somebody_follows_who_follows_them_and_their_topics(town: Town) -> None:
    community, members = town
    decision = factories.decision(community, members["manager"].user, title="Which tree?")
    factories.vote(members["ben"], decision, tags=["roads", "trees"], Ash=5)
    context = as_(None).get(reverse("member", args=[community.pk, members["ben"].pk])).context
    assert [(one.followee, one.tags) for one in context["following"]] == [(members["ada"], ["roads"])]
    assert [one.follower for one in context["followers"]] == [members["cleo"]]
    assert ([one.decision for one in context["ballots"]], context["tags"]) == ([decision], ["roads", "trees"])


@pytest.mark.parametrize("visibility", [Decision.Visibility.AFTER_CLOSE, Decision.Visibility.BATCHED])
def test_hidden_ballots_are_on_no_profile_until_the_decision_is_over(town: Town, visibility: str) -> None:
    community, members = town
    decision = factories.decision(community, members["manager"].user, results_visibility=visibility)
    factories.vote(members["ben"], decision, tags=["trees"], Ash=5)
    address = reverse("member", args=[community.pk, members["ben"].pk])
    assert as_(members["ada"].user).get(address).context["ballots"] == []
    assert len(as_(members["ben"].user).get(address).context["ballots"]) == 1
    factories.close(decision)
    assert len(as_(members["ada"].user).get(address).context["ballots"]) == 1


def test_a_members_only_community_shows_its_members_to_members_alone() -> None:
    community, members = factories.community("ada")
    for page in (
        reverse("community-members", args=[community.pk]),
        reverse("member", args=[community.pk, members["ada"].pk]),
        reverse("community-network", args=[community.pk]),
        reverse("community-network-data", args=[community.pk]),
        reverse("community-ledger", args=[community.pk]),
    ):
        assert as_(members["ada"].user).get(page).status_code == 200
        # A page leads to the door, data to nowhere.
        is_page = page != reverse("community-network-data", args=[community.pk])
        assert as_(factories.person()).get(page).status_code == (302 if is_page else 404)
        assert as_(None).get(page).status_code == 302


def test_a_member_is_found_in_their_own_community_only(town: Town) -> None:
    other, _ = factories.community("eve", visibility="public")
    _, members = town
    assert as_(None).get(reverse("member", args=[other.pk, members["ada"].pk])).status_code == 302
    assert as_(members["ada"].user).get(reverse("member", args=[other.pk, members["ada"].pk])).status_code == 404


def test_the_lists_of_members_take_as_many_queries_for_50_as_for_1() -> None:
    community, members = factories.community("ada")
    ada = members["ada"]
    client = as_(ada.user)
    factories.follow(members["manager"], ada)
    factories.follow(ada, members["manager"])
    pages = [reverse("community-members", args=[community.pk]), reverse("member", args=[community.pk, ada.pk])]
    client.get(pages[0])
    few = [queries(client, page) for page in pages]
    users = User.objects.bulk_create([User(name=f"Many {number}", handle=f"many_{number}") for number in range(50)])
    more = Membership.objects.bulk_create([Membership(community=community, user=user) for user in users])
    Following.objects.bulk_create([Following(follower=one, followee=ada) for one in more])
    Following.objects.bulk_create([Following(follower=ada, followee=one) for one in more])
    assert [queries(client, page) for page in pages] == few


def test_becoming_anonymous_counts_what_it_ends_and_waits_for_a_yes(town: Town) -> None:
    community, members = town
    client, address = as_(members["ben"].user), reverse("anonymity", args=[community.pk])
    with nothing_written():
        assert "Become anonymous?" in text(client.get(address))
        warned = client.post(address, {"anonymous": "1"})
    assert "1 member follows you and would stop doing so" in text(warned)
    assert told(client.post(address, {"anonymous": "1", "confirmed": "1"})) == [
        f"You are anonymous in {community.name}."
    ]
    members["ben"].refresh_from_db()
    assert members["ben"].is_anonymous
    assert not Following.objects.filter(followee=members["ben"]).exists()


def test_whom_nobody_follows_becomes_anonymous_at_once_and_gives_it_up_again(town: Town) -> None:
    community, members = town
    client, address = as_(members["cleo"].user), reverse("anonymity", args=[community.pk])
    client.post(address, {"anonymous": "1"})
    assert Membership.objects.get(pk=members["cleo"].pk).is_anonymous
    assert "Give up anonymity?" in text(client.get(address))
    client.post(address, {"anonymous": "0"})
    assert not Membership.objects.get(pk=members["cleo"].pk).is_anonymous


def test_a_lobbyist_can_not_become_anonymous(town: Town) -> None:
    community, members = town
    client, address = as_(members["lou"].user), reverse("anonymity", args=[community.pk])
    assert "Only voters can be anonymous." in text(client.get(address))
    with nothing_written():
        response = client.post(address, {"anonymous": "1", "confirmed": "1"})
    assert told(response) == ["Only voters can be anonymous."]


def test_anonymity_is_for_members(town: Town) -> None:
    community, _ = town
    with nothing_written():
        response = as_(factories.person()).post(reverse("anonymity", args=[community.pk]), {"anonymous": "1"})
    assert response.status_code == 404
