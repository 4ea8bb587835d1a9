"""Lists of communities, members, decisions and applications: what is in them, for whom, and in which order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from democracy import access, services
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.models import Application, Community, DecisionSnapshot, Following, Membership
from democracy.reading import ballots as reading_ballots
from democracy.reading import communities, decisions, followings, own_ballots
from democracy.recalculation import recalculate_community
from tests import factories, rules

pytestmark = pytest.mark.django_db

NOBODY = AnonymousUser()
Town = tuple[Community, dict[str, Membership]]


@pytest.fixture
def town() -> Town:
    """Ada and ben are members, gone has left; in another community, which gone manages, ada and ben are nobody."""
    community, members = rules.new_community("ada", "ben", "gone")
    services.leave_community(members["gone"].user, community.pk)
    services.create_community(members["gone"].user, name="Elsewhere")
    return services.update_community(members["manager"].user, community.pk, joining="request"), members


class TestCommunities:
    def listed(self, viewer: Viewer, community: Community) -> Community:
        return communities.community_listed(viewer, community.pk)

    def test_members_are_the_current_ones_and_so_is_what_is_mine(self, town: Town) -> None:
        community, members = town
        for who, mine in (("ada", True), ("gone", False)):
            one = self.listed(members[who].user, community)
            assert (one.member_count, one.is_mine) == (3, mine)  # type: ignore[attr-defined]
        services.set_anonymity(members["ada"].user, community.pk, anonymous=True)
        assert communities.member_counts([community.pk]) == {community.pk: 3}
        assert [one.name for one in communities.communities_listed(members["gone"].user, mine=True)] == ["Elsewhere"]

    def test_somebody_has_applied_until_it_is_decided(self, town: Town) -> None:
        community, members = town
        eve = factories.person()
        application = services.apply_to_community(eve, community.pk)
        has_applied = lambda viewer: self.listed(viewer, community).has_applied  # type: ignore[attr-defined]  # noqa: E731
        assert (has_applied(eve), has_applied(members["ada"].user), has_applied(NOBODY)) == (True, False, False)
        services.decide_application(members["manager"].user, application.pk, approve=False)
        assert not has_applied(eve)
        standing = communities.standing(eve, community)
        assert (standing.application, standing.rejected, standing.membership) == (None, application, None)

    def test_the_last_manager_is_the_last_of_this_community_who_is_still_there(self, town: Town) -> None:
        community, members = town
        manager = members["manager"].user
        is_last = lambda: communities.standing(manager, community).is_last_manager  # noqa: E731
        assert is_last()
        services.update_membership(manager, members["ada"].pk, is_manager=True)
        assert not is_last()
        # However it came about.
        Membership.objects.filter(pk=members["ada"].pk).update(left_at=timezone.now())
        assert is_last()
        assert not communities.standing(members["ben"].user, community).is_last_manager

    def test_where_a_former_a_removed_and_an_unknown_person_stand(self, town: Town) -> None:
        community, members = town
        services.remove_member(members["manager"].user, members["ben"].pk)
        for viewer, removed in ((members["gone"].user, False), (members["ben"].user, True), (NOBODY, False)):
            one = communities.standing(viewer, community)
            assert (one.membership, one.may_read, one.is_manager, one.was_removed) == (None, False, False, removed)


class TestDecisions:
    def test_closed_ones_come_last_closed_first_and_a_winner_is_of_a_final_result(self, town: Town) -> None:
        community, members = town
        manager = members["manager"].user
        closed = [factories.decision(community, manager) for _ in range(3)]
        for one in closed:
            factories.vote(members["ada"], one, Birch=5)
        for last in (1, 2, 0):
            factories.close(closed[last])
        recalculate_community(community.pk)
        DecisionSnapshot.objects.filter(decision=closed[1]).update(is_final=False)
        factories.decision(community, manager)
        rows = decisions.decision_rows(decisions.decisions_over(members["ada"].user, community))
        assert [(row.decision, row.winner) for row in rows] == [
            (closed[0], "Birch"),
            (closed[2], "Birch"),
            (closed[1], ""),
        ]

    def test_ones_own_ballot_is_ones_own(self, town: Town) -> None:
        community, members = town
        decision = factories.decision(community, members["manager"].user)
        factories.vote(members["ada"], decision, Ash=5)
        has_ballot = {
            who: decisions.decisions_of(members[who].user, community).get().has_ballot  # type: ignore[attr-defined]
            for who in ("ada", "ben")
        }
        assert has_ballot == {"ada": True, "ben": False}
        services.leave_community(members["ada"].user, community.pk)
        Community.objects.filter(pk=community.pk).update(visibility="public")
        assert own_ballots.own_ballots(members["ada"].user, [decision]) == {}


class TestMembers:
    def test_who_is_followed_and_how_many_follow_is_of_those_who_are_there(self, town: Town) -> None:
        community, members = town
        eve = factories.join(
            services.update_community(members["manager"].user, community.pk, joining="open"), factories.person()
        )
        for follower in (members["ada"], eve):
            factories.follow(follower, members["ben"])
        services.leave_community(eve.user, community.pk)

        def shown(who: str) -> tuple[int, bool]:
            viewer = members[who]
            row = communities.members_of(viewer.user, community, follower=viewer).get(pk=members["ben"].pk)
            return row.follower_count, row.is_followed  # type: ignore[attr-defined]

        assert (shown("ada"), shown("manager")) == ((1, True), (1, False))

    def test_the_unnamed_are_the_anonymous_who_are_there(self, town: Town) -> None:
        community, members = town
        services.set_anonymity(members["ada"].user, community.pk, anonymous=True)
        unnamed = {who: communities.unnamed_member_count(members[who].user, community) for who in ("ben", "manager")}
        assert unnamed == {"ben": 1, "manager": 0}

    def test_a_member_is_asked_for_in_their_own_community(self, town: Town) -> None:
        community, members = town
        other, others = rules.new_community()
        viewer = members["ada"].user
        assert communities.member(viewer, community.pk, members["ben"].pk) == members["ben"]
        for community_id, member in ((other.pk, members["ben"]), (community.pk, others["manager"])):
            with pytest.raises(PermissionDenied):
                communities.member(viewer, community_id, member.pk)

    def test_anonymous_voters_are_current_ones_of_this_community(self, town: Town) -> None:
        community, members = town
        other, _ = rules.new_community("eve")
        assert not communities.has_anonymous_voters(community.pk)
        services.set_anonymity(members["ada"].user, community.pk, anonymous=True)
        assert [communities.has_anonymous_voters(one.pk) for one in (community, other)] == [True, False]
        services.leave_community(members["ada"].user, community.pk)
        assert not communities.has_anonymous_voters(community.pk)

    def test_tags_come_by_how_often_they_are_used(self, town: Town) -> None:
        community, members = town
        for tags in (["a", "z"], ["z"], ["m", "a", "z"]):
            factories.vote(members["ada"], factories.decision(community, members["manager"].user), tags, Ash=5)
        ballots = reading_ballots.ballots_shown(members["ben"].user, members["ada"])
        assert [ballot.tags for ballot in ballots] == [["a", "m", "z"], ["z"], ["a", "z"]]
        assert reading_ballots.tags_by_use(ballot.tags for ballot in ballots) == ["z", "a", "m"]


class TestApplications:
    def test_those_that_wait_come_oldest_first_and_are_of_this_community(self, town: Town) -> None:
        community, members = town
        manager = members["manager"].user
        people = [factories.person() for _ in range(3)]
        first, decided, last = (services.apply_to_community(one, community.pk) for one in people)
        Application.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(days=1))
        services.decide_application(manager, decided.pk, approve=False)
        assert list(communities.pending_applications(manager, community)) == [first, last]
        assert list(communities.pending_applications(people[2], community)) == [last]
        assert list(communities.pending_applications_to(people[2], [community.pk])) == [last]
        assert list(communities.own_applications(people[1], [community.pk])) == []
        other, others = rules.new_community()
        with pytest.raises(PermissionDenied):
            communities.require_application(others["manager"].user, other.pk, first.pk)
        services.update_membership(manager, members["ada"].pk, is_manager=True)
        assert communities.require_application(members["ada"].user, community.pk, first.pk) == first


class TestFollowings:
    def test_only_between_those_who_are_there_and_of_communities_that_one_may_read(self, town: Town) -> None:
        community, members = town
        ada, ben, manager = members["ada"], members["ben"], members["manager"]
        edges = [factories.follow(*pair) for pair in ((ada, ben), (ben, manager), (manager, ada))]
        shown = lambda viewer: list(followings.followings_shown(viewer).order_by("pk"))  # noqa: E731
        assert (shown(ada.user), shown(members["gone"].user), shown(NOBODY)) == (edges, [], [])
        services.leave_community(ben.user, community.pk)
        assert (shown(ada.user), shown(ben.user)) == (edges[2:], [])

    def test_somebodys_own_come_in_their_order_and_only_while_they_are_members(self, town: Town) -> None:
        community, members = town
        ada = members["ada"]
        for number, followee in enumerate((members["ben"], members["manager"])):
            services.follow(ada.user, followee.pk, order=2 - number)
        order = [members["manager"].pk, members["ben"].pk]
        following, _ = followings.neighbours(members["ben"].user, ada)
        assert [one.followee_id for one in following] == order
        assert [one.followee_id for one in followings.own_followings(ada.user)] == order
        elsewhere, others = rules.new_community("fay")
        there = factories.join(elsewhere, ada.user)
        factories.follow(there, others["fay"])
        assert followings.order_after_moving(ada.user, community.pk, members["ben"].pk, steps=-1) == order[::-1]
        assert followings.order_after_moving(ada.user, community.pk, members["manager"].pk, steps=-1) == order
        services.leave_community(ada.user, community.pk)
        assert [one.followee_id for one in followings.own_followings(ada.user)] == [others["fay"].pk]

    def test_followers_come_newest_first(self, town: Town) -> None:
        _, members = town
        for age, follower in enumerate((members["ben"], members["manager"])):
            edge = factories.follow(follower, members["ada"])
            Following.objects.filter(pk=edge.pk).update(created_at=timezone.now() - timedelta(days=age))
        followers = followings.own_followers(members["ada"].user)
        assert [one.follower_id for one in followers] == [members["ben"].pk, members["manager"].pk]


def test_nobody_knows_an_anonymous_member_but_that_member(town: Town) -> None:
    community, members = town
    ada = services.set_anonymity(members["ada"].user, community.pk, anonymous=True)
    knowing = {
        who: access.knows(viewer, ada)
        for who, viewer in {"nobody": NOBODY, **{name: one.user for name, one in members.items()}}.items()
    }
    assert knowing == {"nobody": False, "manager": False, "ada": True, "ben": False, "gone": False}
    assert all(access.knows(one.user, members["ben"]) for one in members.values())
