"""The rules of followings: whom one may follow, on what, and when it ends."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from democracy import services
from democracy.errors import InvalidInput, InvalidTag, PermissionDenied, SelfFollowing, TooManyFollowings
from democracy.models import MAX_FOLLOWINGS, Decision, Following, Membership
from tests import factories, rules
from tests.towns import Town

pytestmark = pytest.mark.usefixtures("bystander")


def followings(town: Town) -> list[tuple[str, str, list[str], int]]:
    """(follower, followee, tags, order) of the town, by handle."""
    handles = {member.pk: handle for handle, member in town.members.items()}
    rows = Following.objects.filter(follower__community=town.community).order_by("pk")
    return [(handles[row.follower_id], handles[row.followee_id], row.tags, row.order) for row in rows]


class TestFollowing:
    def test_on_tags_or_on_everything_in_the_order_they_were_made(self, town: Town) -> None:
        factories.follow(town.ada, town.ben, "Roads", " BUDGET ")
        factories.follow(town.ada, town.cleo)
        factories.follow(town.ben, town.ada)
        assert followings(town) == [
            ("ada", "ben", ["budget", "roads"], 1),
            ("ada", "cleo", [], 2),
            ("ben", "ada", [], 1),
        ]

    def test_following_again_changes_tags_and_keeps_the_order(self, town: Town) -> None:
        factories.follow(town.ada, town.ben, "roads")
        factories.follow(town.ada, town.cleo)
        before = rules.revision(town.community)
        factories.follow(town.ada, town.ben)
        services.follow(town.ada.user, town.cleo.pk, order=0)
        assert followings(town) == [("ada", "ben", [], 1), ("ada", "cleo", [], 0)]
        first, second = rules.entries(town.community, after=before)
        assert (first.before["tags"], first.after["tags"]) == (["roads"], [])
        assert (second.before["order"], second.after["order"]) == (2, 0)

    def test_the_same_again_leaves_no_entry(self, town: Town) -> None:
        factories.follow(town.ada, town.ben, "roads")
        before = rules.written()
        factories.follow(town.ada, town.ben, " ROADS")
        assert rules.written() == before

    def test_voters_and_lobbyists_follow_and_are_followed_and_an_anonymous_voter_may_follow(self, town: Town) -> None:
        services.update_membership(town.manager, town.ada.pk, role=Membership.Role.LOBBYIST)
        services.set_anonymity(town.cleo.user, town.community.pk, anonymous=True)
        factories.follow(town.ada, town.ben)
        factories.follow(town.ben, town.ada)
        factories.follow(town.cleo, town.ada)
        assert [row[:2] for row in followings(town)] == [("ada", "ben"), ("ben", "ada"), ("cleo", "ada")]

    def test_bad_tags_and_orders_are_refused(self, town: Town) -> None:
        for tags in (["a,b"], [" "], ["x" * 51], [f"tag {number}" for number in range(21)]):
            with rules.refused(InvalidTag):
                services.follow(town.ada.user, town.ben.pk, tags=tags)
        for order in (-1, MAX_FOLLOWINGS + 1):
            with rules.refused(InvalidInput):
                services.follow(town.ada.user, town.ben.pk, order=order)
        services.follow(
            town.ada.user, town.ben.pk, tags=[f"tag {number}" for number in range(20)], order=MAX_FOLLOWINGS
        )


class TestWhomOneMayFollow:
    def test_never_oneself(self, town: Town) -> None:
        with rules.refused(SelfFollowing):
            services.follow(town.ada.user, town.ada.pk)

    def test_no_anonymous_member_and_the_refusal_is_that_of_somebody_who_does_not_exist(self, town: Town) -> None:
        services.set_anonymity(town.ben.user, town.community.pk, anonymous=True)
        messages = set()
        for viewer, followee in ((town.ada.user, town.ben.pk), (town.manager, town.ben.pk), (town.ada.user, 10**9)):
            with rules.refused(PermissionDenied) as caught:
                services.follow(viewer, followee)
            messages.add(str(caught.value))
        assert len(messages) == 1
        for followee in (town.ben.pk, 10**9):
            with rules.refused(PermissionDenied):
                services.follow(town.ada.user, followee, tags=["a,b"])
            with rules.refused(PermissionDenied):
                services.follow(town.ada.user, followee, order=-1)
        services.set_anonymity(town.ben.user, town.community.pk, anonymous=False)
        services.follow(town.ada.user, town.ben.pk)

    def test_no_former_member_until_they_are_back(self, town: Town) -> None:
        services.leave_community(town.ben.user, town.community.pk)
        with rules.refused(PermissionDenied):
            services.follow(town.ada.user, town.ben.pk)
        services.apply_to_community(town.ben.user, town.community.pk)
        services.follow(town.ada.user, town.ben.pk)

    def test_nobody_of_another_community(self, town: Town, bystander: Town) -> None:
        with rules.refused(PermissionDenied):
            services.follow(town.ada.user, bystander.eve.pk)
        with rules.refused(PermissionDenied):
            services.follow(bystander.manager, town.ada.pk)

    def test_only_members_follow(self, town: Town) -> None:
        services.leave_community(town.ada.user, town.community.pk)
        services.remove_member(town.manager, town.cleo.pk)
        strangers: tuple[Any, ...] = (town.ada.user, town.cleo.user, factories.person(), AnonymousUser())
        for stranger in strangers:
            with rules.refused(PermissionDenied):
                services.follow(stranger, town.ben.pk)

    def test_at_most_a_thousand(self, town: Town) -> None:
        crowd = User.objects.bulk_create(
            User(email=f"crowd{number}@example.org", handle=f"crowd_{number}") for number in range(MAX_FOLLOWINGS)
        )
        members = Membership.objects.bulk_create(Membership(community=town.community, user=user) for user in crowd)
        Following.objects.bulk_create(
            Following(follower=town.ada, followee=member, order=number) for number, member in enumerate(members[1:])
        )
        factories.follow(town.ada, members[0])
        with rules.refused(TooManyFollowings):
            factories.follow(town.ada, town.ben)
        factories.follow(town.ada, members[7], "roads")
        services.unfollow(town.ada.user, members[8].pk)
        factories.follow(town.ada, town.ben)
        assert Following.objects.filter(follower=town.ada).count() == MAX_FOLLOWINGS


class TestUnfollowing:
    def test_it_ends_that_following_and_no_other(self, town: Town) -> None:
        for follower, followee in (
            (town.ada, town.ben),
            (town.ada, town.cleo),
            (town.cleo, town.ben),
            (town.ben, town.ada),
        ):
            factories.follow(follower, followee)
        before = rules.revision(town.community)
        services.unfollow(town.ada.user, town.ben.pk)
        assert [row[:2] for row in followings(town)] == [("ada", "cleo"), ("cleo", "ben"), ("ben", "ada")]
        (entry,) = rules.entries(town.community, after=before)
        assert (entry.subject, entry.before["tags"], entry.after) == (
            f"following:{town.ada.pk}:{town.ben.pk}",
            [],
            None,
        )

    def test_only_ones_own(self, town: Town, bystander: Town) -> None:
        factories.follow(town.ada, town.ben)
        for viewer in (bystander.manager, AnonymousUser()):
            with rules.refused(PermissionDenied):
                services.unfollow(viewer, town.ben.pk)
        with rules.refused(PermissionDenied):
            services.unfollow(town.ben.user, town.ben.pk)
        before = rules.written()
        for viewer in (town.cleo.user, town.manager):
            services.unfollow(viewer, town.ben.pk)
        assert rules.written() == before
        assert services.unfollow(town.ada.user, town.ben.pk) == town.ada

    def test_sent_again_it_does_nothing_and_tells_nobody_who_is_anonymous(self, town: Town) -> None:
        factories.follow(town.ada, town.ben)
        services.unfollow(town.ada.user, town.ben.pk)
        before = rules.written()
        assert services.unfollow(town.ada.user, town.ben.pk) == town.ada
        assert rules.written() == before
        services.set_anonymity(town.ben.user, town.community.pk, anonymous=True)
        for followee in (town.ben.pk, 10**9):
            with rules.refused(PermissionDenied):
                services.unfollow(town.ada.user, followee)

    def test_also_somebody_who_left_but_not_once_one_has_left_oneself(self, town: Town) -> None:
        factories.follow(town.ada, town.ben)
        factories.follow(town.cleo, town.ben)
        services.leave_community(town.ben.user, town.community.pk)
        services.unfollow(town.ada.user, town.ben.pk)
        services.leave_community(town.cleo.user, town.community.pk)
        with rules.refused(PermissionDenied):
            services.unfollow(town.cleo.user, town.ben.pk)

    def test_a_following_survives_every_vote_of_its_owner(self, town: Town) -> None:
        factories.follow(town.ada, town.ben, "roads")
        expected = followings(town)
        factories.vote(town.ada, town.decision, ["roads"], Ash=5)
        factories.vote(town.ada, town.decision)
        services.withdraw_ballot(town.ada.user, town.decision.pk)
        assert followings(town) == expected


class TestReordering:
    def test_those_named_come_first_in_their_order_and_the_others_after_as_they_were(self, town: Town) -> None:
        for handle in ("ben", "cleo", "dan", "manager"):
            factories.follow(town.ada, town.members[handle])
        factories.follow(town.ben, town.cleo)
        before = rules.revision(town.community)
        services.reorder_followings(town.ada.user, town.community.pk, [town.dan.pk, town.ben.pk, town.dan.pk])
        assert {(row[0], row[1]): row[3] for row in followings(town)} == {
            ("ada", "dan"): 1,
            ("ada", "ben"): 2,
            ("ada", "cleo"): 3,
            ("ada", "manager"): 4,
            ("ben", "cleo"): 1,
        }
        assert len(rules.entries(town.community, after=before)) == 3

    def test_only_ones_own_and_only_a_members(self, town: Town, bystander: Town) -> None:
        factories.follow(town.ada, town.ben)
        for followee in (town.cleo.pk, bystander.eve.pk, 10**9):
            with rules.refused(PermissionDenied):
                services.reorder_followings(town.ada.user, town.community.pk, [town.ben.pk, followee])
        services.leave_community(town.ada.user, town.community.pk)
        for viewer in (town.ada.user, bystander.manager, AnonymousUser()):
            with rules.refused(PermissionDenied):
                services.reorder_followings(viewer, town.community.pk, [])

    def test_it_makes_no_decision_stale(self, town: Town) -> None:
        factories.vote(town.ben, town.decision, Ash=5)
        factories.follow(town.ada, town.ben)
        factories.follow(town.ada, town.cleo)
        before = Decision.objects.get(pk=town.decision.pk).input_revision
        services.reorder_followings(town.ada.user, town.community.pk, [town.cleo.pk, town.ben.pk])
        assert Decision.objects.get(pk=town.decision.pk).input_revision == before
