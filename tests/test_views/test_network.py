"""The network of followings: the data of the picture, and the list beside it."""

from __future__ import annotations

import copy
import json
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from democracy import services
from democracy.models import Community, Following, Membership
from democracy.reading import followings as reading_followings
from tests import factories
from tests.steps import counts_steps, steps_of
from tests.test_views.browsing import as_, queries, text

pytestmark = pytest.mark.django_db

Town = tuple[Community, dict[str, Membership]]


@pytest.fixture(scope="module")
def written(module_rows: None) -> Town:
    """A public community: ada follows ben on roads and cleo on everything; dan is anonymous and follows ada."""
    community, members = factories.community("ada", "ben", "cleo", "dan", visibility="public")
    factories.follow(members["ada"], members["ben"], "roads")
    factories.follow(members["ada"], members["cleo"])
    factories.follow(members["dan"], members["ada"])
    services.set_anonymity(members["dan"].user, community.pk, anonymous=True)
    services.update_membership(members["manager"].user, members["cleo"].pk, role="lobbyist")
    return community, members


@pytest.fixture
def town(written: Town, db: None) -> Town:
    return copy.deepcopy(written)


def picture(town: Town, user: User | None) -> dict[str, object]:
    """The data with names in place of positions."""
    community, members = town
    data = json.loads(as_(user).get(reverse("community-network-data", args=[community.pk])).content)
    by_id = {one.pk: name for name, one in members.items()}
    names = [by_id[row[0]] for row in data["members"]]
    return {
        "members": {name: row[3] for name, row in zip(names, data["members"], strict=True)},
        "followings": [(names[a], names[b], data["topics"][topic]) for a, b, topic in data["followings"]],
        "me": None if data["me"] is None else names[data["me"]],
    }


def test_the_picture_has_members_and_followings_and_says_who_one_is(town: Town) -> None:
    _, members = town
    expected = {
        "members": {"ada": "", "ben": "", "cleo": "lobbyist", "manager": "manager"},
        "followings": [("ada", "ben", ["roads"]), ("ada", "cleo", [])],
    }
    assert picture(town, None) == {**expected, "me": None}
    assert picture(town, factories.person()) == {**expected, "me": None}
    assert picture(town, members["ben"].user) == {**expected, "me": "ben"}
    # Not even the managers learn whom an anonymous member follows.
    assert picture(town, members["manager"].user) == {**expected, "me": "manager"}


def test_an_anonymous_member_sees_themselves_in_the_picture(town: Town) -> None:
    _, members = town
    own = picture(town, members["dan"].user)
    assert own["me"] == "dan"
    assert ("dan", "ada", []) in own["followings"]  # type: ignore[operator]


def test_somebody_who_left_is_gone_from_the_picture_with_their_followings(town: Town) -> None:
    community, members = town
    services.leave_community(members["ben"].user, community.pk)
    assert picture(town, None)["followings"] == [("ada", "cleo", [])]


def test_of_a_large_community_those_whom_most_follow_are_drawn_and_oneself(town: Town) -> None:
    community, members = town
    factories.follow(members["manager"], members["cleo"])

    def drawn(user: User) -> set[int]:
        return {row[0] for row in reading_followings.followings_to_draw(user, community, most=2)["members"]}

    # Of ada's followers the only one is anonymous, so she counts as followed by nobody.
    assert drawn(factories.person()) == {members["cleo"].pk, members["ben"].pk}
    assert drawn(members["ada"].user) == {members["cleo"].pk, members["ben"].pk, members["ada"].pk}


def listed(town: Town, user: User | None = None, **query: str) -> list[tuple[str, str]]:
    community, members = town
    by_id = {one.pk: name for name, one in members.items()}
    page = as_(user).get(reverse("community-network", args=[community.pk]), query).context["page"]
    return [(by_id[one.follower_id], by_id[one.followee_id]) for one in page]


def test_the_list_is_searched_by_either_of_the_two_and_by_topic(town: Town) -> None:
    _, members = town
    assert listed(town) == [("ada", "ben"), ("ada", "cleo")]
    assert listed(town, q=members["ben"].user.handle) == [("ada", "ben")]
    assert listed(town, q="dan") == []
    # Somebody who follows on everything follows on roads, too.
    assert listed(town, tag="roads") == [("ada", "ben"), ("ada", "cleo")]
    assert listed(town, tag="trees") == [("ada", "cleo")]
    assert listed(town, tag="roads", q="cleo") == [("ada", "cleo")]


def test_the_topics_of_anonymous_followers_are_not_offered(town: Town) -> None:
    community, members = town
    factories.follow(members["dan"], members["ben"], "very private")
    page = as_(members["manager"].user).get(reverse("community-network", args=[community.pk]))
    assert page.context["tags"] == ["roads"]
    assert "very private" not in text(page)


def test_names_and_topics_can_not_break_out_of_the_page() -> None:
    community, members = factories.community("ada", "ben", visibility="public")
    evil = '</script><img src=x onerror="x()">'
    User.objects.filter(pk=members["ada"].user_id).update(name=evil)
    factories.follow(members["ada"], members["ben"], "<b>bold</b>")
    page = text(as_(None).get(reverse("community-network", args=[community.pk])))
    assert "<img src=x" not in page
    assert "<b>bold" not in page
    data = as_(None).get(reverse("community-network-data", args=[community.pk]))
    assert data["Content-Type"] == "application/json"
    assert evil in [row[2] for row in json.loads(data.content)["members"]]


def test_the_picture_of_one_reader_is_kept_for_nobody_else(town: Town) -> None:
    response = as_(None).get(reverse("community-network-data", args=[town[0].pk]))
    assert {part.strip() for part in response["Cache-Control"].split(",")} >= {"private", "no-store"}


def test_picture_and_list_take_as_many_queries_for_50_as_for_1(town: Town) -> None:
    community, members = town
    client = as_(members["ben"].user)
    pages = [
        reverse("community-network", args=[community.pk]),
        reverse("community-network", args=[community.pk]) + "?tag=roads&q=a",
        reverse("community-network-data", args=[community.pk]),
    ]
    client.get(pages[0])
    reading_followings.forget_pictures()
    few = [queries(client, page) for page in pages]
    users = User.objects.bulk_create([User(name=f"Many {number}", handle=f"many_{number}") for number in range(50)])
    more = Membership.objects.bulk_create([Membership(community=community, user=user) for user in users])
    Following.objects.bulk_create([Following(follower=one, followee=members["ada"], tags=["roads"]) for one in more])
    reading_followings.forget_pictures()
    assert [queries(client, page) for page in pages] == few


# --- What is kept -----------------------------------------------------------------------------------------------------


def followings(town: Town, user: User | None) -> list[object]:
    return picture(town, user)["followings"]  # type: ignore[return-value]


PUBLIC = [("ada", "ben", ["roads"]), ("ada", "cleo", [])]


def test_what_is_kept_of_one_reader_is_given_to_no_other(town: Town) -> None:
    _, members = town
    dan = members["dan"].user
    everybody = [None, members["manager"].user, members["ben"].user]
    for first in [dan, None]:
        reading_followings.forget_pictures()
        followings(town, first)
        assert followings(town, dan) == [*PUBLIC, ("dan", "ada", [])]
        assert [followings(town, one) for one in everybody] == [PUBLIC] * 3
        assert all("dan" not in picture(town, one)["members"] for one in everybody)  # type: ignore[operator]


def test_a_picture_that_is_kept_asks_for_no_followings_until_one_changes(town: Town) -> None:
    community, members = town
    data = reverse("community-network-data", args=[community.pk])

    def asks_for_followings() -> bool:
        with CaptureQueriesContext(connection) as captured:
            as_(None).get(data)
        return any('FROM "democracy_following"' in query["sql"] for query in captured)

    reading_followings.forget_pictures()
    assert [asks_for_followings(), asks_for_followings()] == [True, False]
    decision = factories.decision(community, members["manager"].user, "Park", "Pool")
    factories.vote(members["ada"], decision, Park=5)
    factories.follow(members["ben"], members["cleo"])
    assert [asks_for_followings(), asks_for_followings()] == [True, False]
    factories.vote(members["ada"], decision, Park=4)
    assert not asks_for_followings()
    assert followings(town, None) == [*PUBLIC, ("ben", "cleo", [])]


def test_a_kept_picture_follows_whoever_unfollows_leaves_joins_and_is_renamed(town: Town) -> None:
    community, members = town
    followings(town, None)
    services.unfollow(members["ada"].user, members["ben"].pk)
    assert followings(town, None) == [("ada", "cleo", [])]
    services.set_anonymity(members["ada"].user, community.pk, anonymous=True, confirmed=True)
    assert followings(town, None) == []
    assert "ada" not in picture(town, None)["members"]  # type: ignore[operator]
    services.set_anonymity(members["ada"].user, community.pk, anonymous=False)
    assert "ada" in picture(town, None)["members"]  # type: ignore[operator]
    assert followings(town, None) == [("ada", "cleo", [])]
    User.objects.filter(pk=members["ada"].user_id).update(name="Ada Byron")
    assert "Ada Byron" in [
        row[2] for row in reading_followings.followings_to_draw(factories.person(), community)["members"]
    ]


def test_so_many_pictures_are_kept_and_so_many_followings(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    community, _ = town
    reader = factories.person()
    for name, most in (("most", 3), ("most_weight", 5)):
        reading_followings.forget_pictures()
        with monkeypatch.context() as patch:
            patch.setattr(reading_followings._kept, name, most)
            for size in range(10, 20):
                reading_followings.followings_to_draw(reader, community, most=size)
            kept = len(reading_followings._kept)
        # Two followings each.
        assert kept == {"most": 3, "most_weight": 2}[name]


@counts_steps
def test_twice_as_many_members_cost_twice_as_much_though_nobody_has_analysed_the_tables(town: Town) -> None:
    """Counted for more members than are drawn, in steps of SQLite's machine, which are the same in every run."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_schema WHERE name = 'sqlite_stat1'")
        if cursor.fetchone():
            cursor.execute("DELETE FROM sqlite_stat1")
            cursor.execute("ANALYZE sqlite_schema")
    reader = factories.person()
    steps = []
    for size in (300, 600):
        community, _ = factories.community(visibility="public")
        users = User.objects.bulk_create([User(name=f"M{n}", handle=f"many_{size}_{n}") for n in range(size)])
        members = Membership.objects.bulk_create([Membership(community=community, user=user) for user in users])
        Following.objects.bulk_create(
            Following(follower=members[n], followee=members[(n * n + step) % size])
            for n in range(size)
            for step in (1, 2)
            if (n * n + step) % size != n
        )
        drawn = partial(reading_followings.followings_to_draw, reader, community, most=size // 3)
        steps.append([steps_of(drawn), steps_of(drawn)])
    (few, few_again), (many, many_again) = steps
    assert many < 2.5 * few
    assert many_again < 2.5 * few_again
    assert many_again < many
