"""Lists in the order of names, which a process keeps: what they show is what the database would give."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import services as account_services
from accounts.models import NameChanges, User
from democracy import services
from democracy.access import Viewer
from democracy.models import Community, Following, Membership
from democracy.reading import communities, followings, name_order
from tests import factories, histories
from tests.towns import Town, bystander, town, written

__all__ = ["bystander", "town", "written"]

pytestmark = pytest.mark.django_db

ROLES = ("", "manager", "voter", "lobbyist")


def now(of: Community) -> Community:
    return Community.objects.get(pk=of.pk)


def in_order(viewer: Viewer, of: Community) -> tuple[object, ...]:
    """All that the lists of members and followings give by what is kept."""
    community = now(of)
    listed = [followings.followings_listed(viewer, community, tag=tag) for tag in ("", *histories.TAGS, "unheard of")]
    return (
        [communities.members_in_order(viewer, community, role=role).tolist() for role in ROLES],
        communities.unnamed_member_count(viewer, community),
        [one.followings.tolist() for one in listed],
        {tuple(one.tags) for one in listed},
    )


def by_the_database(viewer: Viewer, of: Community) -> tuple[object, ...]:
    community = now(of)
    members = [communities.members_of(viewer, community, role=role) for role in ROLES]
    tags = ("", *histories.TAGS, "unheard of")
    listed = [followings.followings_of_community(viewer, community, tag=tag) for tag in tags]
    return (
        [list(found.values_list("pk", flat=True)) for found in members],
        Membership.objects.current().filter(community=community).count() - members[0].count(),
        [list(found.values_list("pk", flat=True)) for found in listed],
        {tuple(sorted({tag for one in listed[0] for tag in one.tags}))},
    )


def viewers(of: Community) -> list[Viewer]:
    people = User.objects.filter(memberships__community=of, memberships__left_at=None).order_by("pk")[::2]
    return [AnonymousUser(), factories.person(), *people]


@pytest.mark.parametrize("seed", [3, 8])
def test_whatever_happens_everybody_is_shown_what_the_database_would_give(seed: int) -> None:
    history = histories.History(seed)
    services.update_community(history.manager, history.community.pk, visibility="public")
    shown = set()
    for name in ("Zoë", "ada", "Ben", "Äda", "ben"):
        history.steps(12)
        account_services.update_profile(history.random.choice(history.people).user, name=name)
        for viewer in viewers(history.community):
            found = in_order(viewer, history.community)
            assert found == by_the_database(viewer, history.community)
            shown.add(str(found))
    assert len(shown) > 4


def rows_sorted(read: Callable[[], object]) -> bool:
    """Whether the database had to put all rows in order."""
    with CaptureQueriesContext(connection) as queries:
        read()
    return any("ORDER BY" in one["sql"] and "sort_name" in one["sql"] for one in queries)


def reads_again(of: Town) -> bool:
    return rows_sorted(lambda: in_order(of.ben.user, of.community))


def test_an_order_is_kept_until_a_member_or_a_name_changes(town: Town, bystander: Town) -> None:
    assert (reads_again(town), reads_again(town)) == (True, False)
    in_order(bystander.eve.user, bystander.community)
    factories.vote(town.ada, town.decision, ["roads"], Ash=5)
    factories.follow(town.ben, town.ada)
    services.update_community(town.manager, town.community.pk, description="Another one.")
    assert not reads_again(town)
    for change in (
        lambda: factories.voters(town.community, ["aaron"]),
        lambda: services.leave_community(town.cleo.user, town.community.pk),
        lambda: services.set_anonymity(town.ada.user, town.community.pk, anonymous=True, confirmed=True),
        lambda: services.update_membership(town.manager, town.dan.pk, role=Membership.Role.LOBBYIST),
        lambda: account_services.update_profile(town.dan.user, name="Aaa"),
    ):
        change()
        assert (reads_again(town), reads_again(town)) == (True, False)
        assert in_order(town.ben.user, town.community) == by_the_database(town.ben.user, town.community)
    assert rows_sorted(lambda: in_order(bystander.eve.user, bystander.community))  # for a name may be anybody's
    assert not rows_sorted(lambda: in_order(bystander.eve.user, bystander.community))


def test_a_new_name_is_counted_however_it_came_about(town: Town) -> None:
    user = town.dan.user
    numbers = [NameChanges.number()]
    for change in (
        lambda: account_services.update_profile(user, name="Aaa"),
        lambda: account_services.update_profile(user, handle="zzz"),
        user.save,
        lambda: user.save(update_fields=["handle"]),
        lambda: services.close_account(user, confirmed=True),
    ):
        change()
        numbers.append(NameChanges.number())
    assert numbers == sorted(set(numbers))
    user.save(update_fields=["last_login"])
    factories.person()
    assert NameChanges.number() == numbers[-1]


def test_followings_are_read_again_when_one_changes(town: Town) -> None:
    listed = lambda: followings.followings_listed(town.ben.user, now(town.community))  # noqa: E731
    assert listed().followings.tolist() == []
    first = factories.follow(town.dan, town.ada, "roads")
    second = factories.follow(town.ben, town.ada)
    assert (listed().followings.tolist(), listed().tags) == ([second.pk, first.pk], ["roads"])
    kept = name_order.followings_in_order(now(town.community))
    assert name_order.followings_in_order(now(town.community)) is kept
    services.unfollow(town.dan.user, town.ada.pk)
    assert (listed().followings.tolist(), listed().tags) == ([second.pk], [])
    assert Following.objects.filter(pk=second.pk).exists()
