"""Following and unfollowing, what they would change, and one's followings in one place."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import reverse

from accounts.models import User
from democracy import services
from democracy.models import Community, Decision, Following, LedgerEntry, Membership
from democracy.views import followings
from tests import factories
from tests.test_views.browsing import as_, nothing_written, queries, text, told

pytestmark = pytest.mark.django_db

UPDATED = (
    "Following updated! Keep an eye on decision results as they recalculate based on your new delegation. "
    "Watch for the spinning indicator beside a result while it is recalculated; this can take 30-60 seconds for large "
    "communities."
)

Town = tuple[Community, dict[str, Membership], Decision]


@pytest.fixture(scope="module")
def written(module_rows: None) -> Town:
    """A community with an open decision; ben voted on trees, cleo on roads, ada did not."""
    community, members = factories.community("ada", "ben", "cleo", "dan")
    decision = factories.decision(community, members["manager"].user, title="Which tree?")
    factories.vote(members["ben"], decision, tags=["trees"], Ash=5, Birch=1)
    factories.vote(members["cleo"], decision, tags=["roads"], Ash=1, Birch=2)
    return community, members, decision


@pytest.fixture
def town(written: Town, db: None) -> Town:
    return copy.deepcopy(written)


def address(name: str, town: Town, whom: str) -> str:
    return reverse(name, args=[town[0].pk, town[1][whom].pk])


def test_following_is_saved_with_its_topics_and_the_results_are_to_be_watched(town: Town) -> None:
    _, members, decision = town
    response = as_(members["ada"].user).post(address("follow_user", town, "ben"), {"tags": "Trees,  Budget "})
    assert (response["Location"], told(response)) == (reverse("followings"), [UPDATED])
    following = Following.objects.get()
    assert (following.follower, following.followee, following.tags) == (
        members["ada"],
        members["ben"],
        ["budget", "trees"],
    )
    before = decision.input_revision
    decision.refresh_from_db()
    assert decision.input_revision > before


def test_following_and_unfollowing_reach_the_ledger_by_their_signals(town: Town) -> None:
    _, members, _ = town
    client = as_(members["ada"].user)
    client.post(address("follow_user", town, "ben"), {"tags": ""})
    response = client.post(address("unfollow_user", town, "ben"))
    assert (response["Location"], told(response)[-1]) == (reverse("followings"), UPDATED)
    entries = LedgerEntry.objects.filter(kind="following").order_by("revision")
    assert [(entry.before is None, entry.after is None) for entry in entries] == [(True, False), (False, True)]
    assert not Following.objects.exists()


def test_a_dialog_returns_to_the_page_it_was_opened_over_and_never_to_another_site(town: Town) -> None:
    _, members, _ = town
    client = as_(members["ada"].user)
    over = "http://testserver" + reverse("community-members", args=[town[0].pk]) + "?q=ben"
    dialog = client.get(
        address("follow_user", town, "ben"),
        headers={"HX-Request": "true", "HX-Target": "dialog-body", "HX-Current-URL": over},
    )
    assert "<html" not in text(dialog)
    assert dialog.context["next"] == over
    assert client.post(address("follow_user", town, "ben"), {"tags": "", "next": over})["Location"] == over
    evil = client.post(address("follow_user", town, "ben"), {"tags": "", "next": "https://evil.example/"})
    assert evil["Location"] == reverse("followings")


def test_the_form_shows_how_one_follows_now_and_the_topics_of_the_others_ballots(town: Town) -> None:
    _, members, _ = town
    factories.follow(members["ada"], members["ben"], "trees", "budget")
    context = as_(members["ada"].user).get(address("follow_user", town, "ben")).context
    assert (context["form"].initial["tags"], context["suggestions"]) == ("budget, trees", ["trees"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tags": "x" * 51}, "tags"),
        ({"tags": ",".join(f"t{number}" for number in range(21))}, "tags"),
        ({"tags": "", "order": "0"}, "order"),
        ({"tags": "", "order": "1001"}, "order"),
        ({"tags": "", "order": "first"}, "order"),
    ],
)
def test_what_is_wrong_with_a_following_is_said_beside_the_field(town: Town, fields, field) -> None:
    with nothing_written():
        response = as_(town[1]["ada"].user).post(address("follow_user", town, "ben"), fields)
    assert (response.status_code, list(response.context["form"].errors)) == (400, [field])


def test_who_may_not_be_followed_can_not_be_asked_for(town: Town) -> None:
    community, members, _ = town
    services.set_anonymity(members["dan"].user, community.pk, anonymous=True)
    outsider = factories.community("eve")[1]["eve"]
    # Ada may follow fay, and by addresses of fay's community alone.
    elsewhere, others = factories.community("fay")
    factories.join(elsewhere, members["ada"].user)
    ada = as_(members["ada"].user)
    with nothing_written():
        for name, method in (("follow_user", ada.get), ("follow_user", ada.post), ("follow-preview", ada.get)):
            assert method(address(name, town, "dan")).status_code == 404
            assert method(reverse(name, args=[community.pk, outsider.pk])).status_code == 404
            assert method(reverse(name, args=[community.pk, others["fay"].pk])).status_code == 404
            assert told(method(address(name, town, "ada")))[-1] == "You cannot follow yourself."
        assert as_(members["manager"].user).post(address("follow_user", town, "dan")).status_code == 404
        assert as_(factories.person()).post(address("follow_user", town, "ben")).status_code == 404
        assert as_(None).post(address("follow_user", town, "ben")).status_code == 302
        assert ada.post(address("unfollow_user", town, "ben")).status_code == 302
        assert [ada.post(address("unfollow_user", town, whom)).status_code for whom in ("ada", "dan")] == [404, 404]


def previews(
    town: Town, whom: str, tags: str, who: str = "ada"
) -> list[tuple[str, list[tuple[int | None, int | None]]]]:
    response = as_(town[1][who].user).get(address("follow-preview", town, whom), {"tags": tags})
    return [
        (str(one.effect), [(choice.before, choice.after) for choice in one.choices])
        for one in response.context["previews"].decisions
    ]


def test_the_preview_says_what_ones_ballot_would_become(town: Town) -> None:
    with nothing_written():
        assert previews(town, "ben", "") == [("changed", [(None, 5_000_000), (None, 1_000_000), (None, 0)])]
        assert previews(town, "ben", "trees") == previews(town, "ben", "")
        assert previews(town, "ben", "roads") == [("same", [])]
        assert previews(town, "cleo", "", who="ben") == [("voted", [])]


def test_without_scripts_the_preview_is_a_page_that_keeps_what_was_typed(town: Town) -> None:
    with nothing_written():
        page = as_(town[1]["ada"].user).post(address("follow-preview", town, "ben"), {"tags": "trees", "order": "3"})
    assert "Your ballot would change" in text(page)
    assert (page.context["form"]["tags"].value(), page.context["form"]["order"].value()) == ("trees", "3")


def test_the_preview_averages_with_whom_one_follows_already_and_counts_those_behind(town: Town) -> None:
    _, members, _ = town
    factories.follow(members["ada"], members["ben"])
    factories.follow(members["dan"], members["ada"])
    response = as_(members["ada"].user).get(address("follow-preview", town, "cleo"), {"tags": ""})
    (preview,) = response.context["previews"].decisions
    assert [(one.before, one.after) for one in preview.choices] == [
        (5_000_000, 3_000_000),
        (1_000_000, 1_500_000),
        (0, 0),
    ]
    assert preview.others == 1


def test_the_preview_is_what_following_then_brings(town: Town) -> None:
    from democracy.recalculation import recalculate_community
    from democracy.recalculation.staging import calculation_of

    community, members, decision = town
    ((_, foreseen),) = previews(town, "ben", "")
    factories.follow(members["ada"], members["ben"])
    recalculate_community(community.pk)
    with calculation_of(decision) as live:
        staged = live.calculation.staged(members["ada"].pk)
    assert staged is not None
    assert list(staged.microstars) == [after for _, after in foreseen]


@pytest.mark.parametrize("visibility", [Decision.Visibility.AFTER_CLOSE, Decision.Visibility.BATCHED])
def test_the_preview_tells_nothing_of_hidden_ballots(town: Town, visibility: str) -> None:
    _, members, decision = town
    Decision.objects.filter(pk=decision.pk).update(results_visibility=visibility)
    pages = {
        whom: as_(members["ada"].user).get(address("follow-preview", town, whom), {"tags": "trees"})
        for whom in ("ben", "dan")
    }
    assert [one.effect for one in pages["ben"].context["previews"].decisions] == ["hidden"]
    # Ben voted and dan did not: the answers do not differ.
    assert [one.effect for one in pages["dan"].context["previews"].decisions] == ["hidden"]
    assert pages["ben"].context["suggestions"] == []


def test_a_preview_puts_what_changes_first_and_says_where_there_is_more_to_look_at(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    community, members, decision = town
    manager, ada = members["manager"].user, members["ada"].user
    same = factories.decision(community, manager)
    hidden = factories.decision(community, manager, results_visibility=Decision.Visibility.AFTER_CLOSE)
    page = address("follow-preview", town, "ben")
    shown = as_(ada).get(page, {"tags": ""}).context["previews"]
    by_effect = [[one.decision for one in some] for some in (shown.changed, shown.unchanged, shown.hidden)]
    assert (by_effect, shown.are_cut) == ([[decision], [same], [hidden]], False)
    monkeypatch.setattr("democracy.explaining.what_if._MOST_DECISIONS", 2)
    response = as_(ada).get(page, {"tags": ""})
    assert (len(response.context["previews"].decisions), response.context["previews"].are_cut) == (2, True)
    assert "Only the 2 open decisions that close first were looked at." in text(response)


def test_a_preview_of_bad_topics_says_what_is_wrong_with_them(town: Town) -> None:
    response = as_(town[1]["ada"].user).get(
        address("follow-preview", town, "ben"),
        {"tags": "x" * 51},
        headers={"HX-Request": "true", "HX-Target": "follow-preview"},
    )
    assert response.status_code == 200
    assert "A tag has at most 50 characters" in text(response)


def test_the_preview_takes_as_many_queries_for_many_decisions_as_for_1(town: Town) -> None:
    community, members, _ = town
    client = as_(members["ada"].user)
    page = address("follow-preview", town, "ben") + "?tags="
    client.get(page)
    few = queries(client, page)
    for _ in range(5):
        more = factories.decision(community, members["manager"].user)
        factories.vote(members["ben"], more, Ash=3)
    client.get(page)
    assert queries(client, page) == few


def test_ones_followings_and_followers_are_in_one_place(town: Town) -> None:
    community, members, _ = town
    other, others = factories.community("eve", name="A second community")
    ada_there = factories.join(other, members["ada"].user)
    factories.follow(members["ada"], members["ben"], "trees")
    factories.follow(members["ada"], members["cleo"])
    factories.follow(members["dan"], members["ada"])
    factories.follow(ada_there, others["eve"])
    client = as_(members["ada"].user)

    def shown(**query: Any) -> tuple[list[Any], list[Any]]:
        context = client.get(reverse("followings"), query).context
        return (
            [(one.follower.community, one.followee, one.tags) for one in context["following"]],
            [(one.followee.community, one.follower) for one in context["followers"]],
        )

    here = (
        [(community, members["ben"], ["trees"]), (community, members["cleo"], [])],
        [(community, members["dan"])],
    )
    there: list[Any] = [(other, others["eve"], [])]
    assert shown() == (there + here[0], here[1])
    assert shown(community=community.pk) == here
    assert shown(community=other.pk) == (there, [])
    somebody_elses = factories.community("fay")[0]
    for nonsense in (somebody_elses.pk, "x", ""):
        assert shown(community=nonsense) == shown()


def test_an_anonymous_follower_is_neither_listed_nor_counted(town: Town) -> None:
    community, members, _ = town
    services.set_anonymity(members["dan"].user, community.pk, anonymous=True)
    factories.follow(members["dan"], members["ada"])
    response = as_(members["ada"].user).get(reverse("followings"))
    assert (list(response.context["followers"]), response.context["followers"].paginator.count) == ([], 0)
    assert members["dan"].user.handle not in text(response)


def test_somebody_who_left_is_still_listed_and_can_be_unfollowed(town: Town) -> None:
    community, members, _ = town
    factories.follow(members["ada"], members["ben"])
    services.leave_community(members["ben"].user, community.pk)
    client = as_(members["ada"].user)
    assert "left the community; counts again if they come back" in text(client.get(reverse("followings")))
    client.post(address("unfollow_user", town, "ben"))
    assert not Following.objects.exists()


def test_followings_are_moved_up_and_down(town: Town) -> None:
    community, members, decision = town
    for whom in ("ben", "cleo", "dan"):
        factories.follow(members["ada"], members[whom])
    decision.refresh_from_db()
    before = decision.input_revision
    client, move = as_(members["ada"].user), reverse("followings-reorder", args=[community.pk])

    def order() -> list[Membership]:
        return [one.followee for one in Following.objects.order_by("order")]

    client.post(move, {"up": members["dan"].pk})
    assert order() == [members["ben"], members["dan"], members["cleo"]]
    client.post(move, {"down": members["ben"].pk})
    assert order() == [members["dan"], members["ben"], members["cleo"]]
    client.post(move, {"up": members["dan"].pk})
    assert order() == [members["dan"], members["ben"], members["cleo"]]
    decision.refresh_from_db()
    assert decision.input_revision == before


@pytest.fixture
def long_list(town: Town, monkeypatch: pytest.MonkeyPatch) -> list[Membership]:
    """Ada's followings in her order, two on a page; in a second community she follows one more, who comes first."""
    monkeypatch.setattr(followings, "_PER_PAGE", 2)
    _, members, _ = town
    other, others = factories.community("eve", name="A second community")
    factories.follow(factories.join(other, members["ada"].user), others["eve"])
    listed = [members[whom] for whom in ("ben", "cleo", "dan", "manager")]
    for one in listed:
        factories.follow(members["ada"], one)
    return listed


def test_long_lists_of_followings_and_followers_come_a_page_at_a_time(town: Town, long_list: list[Membership]) -> None:
    _, members, _ = town
    ben, cleo, dan, manager = long_list
    for one in (ben, cleo, dan):
        factories.follow(one, members["ada"])
    client = as_(members["ada"].user)

    def shown(**query: int) -> tuple[list[str], list[Membership], list[Membership]]:
        context = client.get(reverse("followings"), query).context
        return (
            [one.followee.user.name for one in context["following"]],
            [one.followee for one in context["following"]][-1:],
            [one.follower for one in context["followers"]],
        )

    assert shown()[1:] == ([ben], [dan, cleo])
    assert shown(following=2, followers=2)[1:] == ([dan], [ben])
    assert shown(following=3)[1:] == ([manager], [dan, cleo])
    assert shown(following=99) == shown(following=3)
    assert shown(following=1, community=town[0].pk)[1:] == ([cleo], [dan, cleo])


def test_somebody_moved_over_the_edge_of_a_page_is_shown_where_they_are_now(
    town: Town, long_list: list[Membership]
) -> None:
    ben, cleo, dan, manager = long_list
    client, move = as_(town[1]["ada"].user), reverse("followings-reorder", args=[town[0].pk])
    lists = reverse("followings")

    def moved(direction: str, whom: Membership, **query: int | str) -> str:
        looked_at = f"{lists}?{urlencode(query)}"
        return client.post(move, {direction: whom.pk, "next": looked_at})["Location"]

    def order() -> list[Membership]:
        return [one.followee for one in Following.objects.filter(followee__in=long_list).order_by("order")]

    # Pages: eve ben | cleo dan | manager; of this community alone: ben cleo | dan manager.
    assert moved("down", dan, following=2, followers=3) == f"{lists}?following=3&followers=3#following-{dan.pk}"
    assert order() == [ben, cleo, manager, dan]
    assert moved("up", cleo, following=2) == f"{lists}?following=1#following-{cleo.pk}"
    assert order() == [cleo, ben, manager, dan]
    only = town[0].pk
    assert moved("up", manager, community=only, following=2) == (
        f"{lists}?community={only}&following=1#following-{manager.pk}"
    )
    assert order() == [cleo, manager, ben, dan]
    # A list of another community, or of none, does not have them: then that of all communities is shown.
    other = Membership.objects.get(user=town[1]["ada"].user, community__name="A second community").community_id
    for nonsense in (other, "9" * 40, "x"):
        assert moved("down", cleo, community=nonsense).startswith(f"{lists}?following=")
        assert moved("up", cleo, community=nonsense) == f"{lists}?following=1#following-{cleo.pk}"


def test_those_at_an_end_of_the_list_can_be_moved_no_further_whatever_the_page(
    town: Town, long_list: list[Membership]
) -> None:
    ben, *_, manager = long_list
    client = as_(town[1]["ada"].user)
    ends = {}
    for page in (1, 2, 3):
        for one in client.get(reverse("followings"), {"following": page}).context["following"]:
            ends[one.followee] = (one.is_first, one.is_last)
    assert {one: ends[one] for one in long_list} == {one: (one == ben, one == manager) for one in long_list}
    move = reverse("followings-reorder", args=[town[0].pk])
    with nothing_written():
        client.post(move, {"up": ben.pk})
        client.post(move, {"down": manager.pk})


def test_with_scripts_the_lists_alone_are_exchanged(town: Town, long_list: list[Membership]) -> None:
    client = as_(town[1]["ada"].user)
    headers = {"HX-Request": "true", "HX-Target": "own-network"}
    response = client.post(
        reverse("followings-reorder", args=[town[0].pk]),
        {"up": long_list[1].pk, "next": reverse("followings")},
        headers=headers,
    )
    lists = client.get(response["Location"], headers=headers)
    assert [one.followee for one in lists.context["following"]][1:] == [long_list[1]]
    assert "<html" not in text(lists)


def test_unfollowing_returns_to_the_page_of_the_list_and_never_to_another_site(
    town: Town, long_list: list[Membership]
) -> None:
    client = as_(town[1]["ada"].user)
    there = reverse("followings") + "?following=3"
    assert client.post(address("unfollow_user", town, "manager"), {"next": there})["Location"] == there
    assert [one.followee for one in client.get(there).context["following"]] == long_list[1:3]
    evil = client.post(address("unfollow_user", town, "dan"), {"next": "https://evil.example/"})
    assert evil["Location"] == reverse("followings")


def test_only_what_one_follows_can_be_moved(town: Town) -> None:
    community, members, _ = town
    factories.follow(members["ada"], members["ben"])
    move = reverse("followings-reorder", args=[community.pk])
    with nothing_written():
        assert as_(members["ada"].user).post(move, {"up": members["cleo"].pk}).status_code == 404
        assert as_(members["ada"].user).post(move, {"up": "x"}).status_code == 302
        assert as_(factories.person()).post(move, {"up": members["ben"].pk}).status_code == 404


def test_the_page_of_followings_takes_as_many_queries_for_50_as_for_1(town: Town) -> None:
    community, members, _ = town
    ada = members["ada"]
    client = as_(ada.user)
    factories.follow(ada, members["ben"])
    factories.follow(members["ben"], ada)
    page = reverse("followings")
    client.get(page)
    few = queries(client, page)
    users = User.objects.bulk_create([User(name=f"Many {number}", handle=f"many_{number}") for number in range(50)])
    more = Membership.objects.bulk_create([Membership(community=community, user=user) for user in users])
    Following.objects.bulk_create([Following(follower=one, followee=ada) for one in more])
    Following.objects.bulk_create([Following(follower=ada, followee=one) for one in more])
    for number in range(5):
        another, others = factories.community(name=f"Another {number}")
        factories.follow(factories.join(another, ada.user), others["manager"])
    assert queries(client, page) == few
    assert queries(client, page + "?following=2&followers=3") == few
