"""The rules of communities: founding, joining, leaving, coming back, managing, and being anonymous."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts.models import User
from democracy import services
from democracy.errors import (
    AlreadyDecided,
    AlreadyMember,
    AnonymityNeedsConfirmation,
    InvalidInput,
    InvitationNeeded,
    LastManager,
    NameTaken,
    PermissionDenied,
    TooManyCommunities,
)
from democracy.models import Application, Community, Following, Membership
from tests import factories, rules
from tests.towns import Town

pytestmark = pytest.mark.usefixtures("bystander")

Role = Membership.Role
Status = Application.Status
VOTER = {"role": "voter", "is_manager": False, "is_anonymous": False, "is_current": True, "was_removed": False}


def standing(member: Membership) -> dict[str, Any]:
    row = Membership.objects.get(pk=member.pk)
    return {name: getattr(row, name) for name in VOTER}


def membership(of: Community, user: User) -> Membership | None:
    return Membership.objects.filter(community=of, user=user).first()


@pytest.fixture
def closed_shop(town: Town) -> Community:
    """The town, once it wants managers to approve."""
    return services.update_community(town.manager, town.community.pk, joining="request")


class TestFounding:
    def test_whoever_founds_a_community_is_its_manager_and_a_voter(self, town: Town) -> None:
        founder = factories.person()
        made = services.create_community(founder, name="  Lake \t House ", description=" We\n swim. ")
        assert (made.name, made.description, made.visibility, made.joining) == (
            "Lake House",
            "We\n swim.",
            "members",
            "request",
        )
        assert standing(factories.member_of(made, founder)) == {**VOTER, "is_manager": True}
        assert [(entry.revision, entry.kind, entry.actor_id) for entry in rules.entries(made)] == [
            (1, "community", founder.pk),
            (2, "membership", founder.pk),
        ]

    def test_a_name_is_taken_whatever_its_case(self, town: Town) -> None:
        with rules.refused(NameTaken):
            services.create_community(town.ada.user, name=f" {town.community.name.upper()} ")
        services.create_community(town.ada.user, name=f"{town.community.name} II")

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"name": " \n "}, "name"),
            ({"name": "a\x00b"}, "name"),
            ({"name": "n" * 121}, "name"),
            ({"description": "d" * 5_001}, "description"),
            ({"description": "\x1b[2J"}, "description"),
            ({"visibility": "secret"}, "visibility"),
        ],
    )
    def test_bad_input_names_its_field(self, town: Town, fields: dict[str, str], field: str) -> None:
        with rules.refused(InvalidInput) as caught:
            services.create_community(town.ada.user, **{"name": "Fine", **fields})
        assert caught.value.field == field  # type: ignore[attr-defined]
        with rules.refused(InvalidInput):
            services.update_community(town.manager, town.community.pk, **fields)

    def test_the_longest_texts_are_fine(self, town: Town) -> None:
        made = services.create_community(town.ada.user, name="n" * 120, description="d" * 5_000, visibility="public")
        assert (len(made.name), len(made.description), made.visibility) == (120, 5_000, "public")

    def test_nobody_unknown_founds_one(self, town: Town) -> None:
        with rules.refused(PermissionDenied):
            services.create_community(AnonymousUser(), name="Fine")


class TestChanging:
    def test_a_manager_changes_what_is_given_and_nothing_else(self, town: Town) -> None:
        services.update_community(town.manager, town.community.pk, description="new")
        row = Community.objects.get(pk=town.community.pk)
        assert (row.name, row.description, row.visibility, row.joining) == (
            town.community.name,
            "new",
            "members",
            "open",
        )
        services.update_community(town.manager, town.community.pk, name=town.community.name.upper())
        assert Community.objects.get(pk=town.community.pk).name == town.community.name.upper()

    def test_the_same_again_leaves_no_entry(self, town: Town) -> None:
        before = rules.written()
        services.update_community(town.manager, town.community.pk, name=town.community.name, joining="open")
        assert rules.written() == before

    def test_nobody_else_does(self, town: Town, bystander: Town) -> None:
        for viewer in (town.ada.user, bystander.manager, factories.person(), AnonymousUser()):
            with rules.refused(PermissionDenied):
                services.update_community(viewer, town.community.pk, description="mine")
        with rules.refused(PermissionDenied):
            services.update_community(town.manager, 10**9, description="mine")

    def test_another_communitys_name_is_taken(self, town: Town, bystander: Town) -> None:
        with rules.refused(NameTaken):
            services.update_community(town.manager, town.community.pk, name=bystander.community.name.lower())


class TestJoining:
    def test_where_the_community_approves_automatically_one_joins_at_once(self, town: Town) -> None:
        user = factories.person()
        application = services.apply_to_community(user, town.community.pk, message=" Hi ")
        assert (application.status, application.message, application.decided_by) == (Status.APPROVED, "Hi", None)
        assert standing(factories.member_of(town.community, user)) == VOTER

    def test_elsewhere_a_manager_decides(self, town: Town, closed_shop: Community) -> None:
        first, second = factories.person(), factories.person()
        for user in (first, second):
            application = services.apply_to_community(user, closed_shop.pk)
            assert (application.status, membership(closed_shop, user)) == (Status.PENDING, None)
        mine, yours = Application.objects.filter(status=Status.PENDING).order_by("pk")
        for viewer in (first, town.ada.user, factories.person(), AnonymousUser()):
            with rules.refused(PermissionDenied):
                services.decide_application(viewer, mine.pk, approve=True)
        services.decide_application(town.manager, mine.pk, approve=True)
        services.decide_application(town.manager, yours.pk, approve=False)
        assert standing(factories.member_of(closed_shop, first)) == VOTER
        assert membership(closed_shop, second) is None
        decided = Application.objects.filter(pk__in=[mine.pk, yours.pk]).order_by("pk")
        assert list(decided.values_list("status", "decided_by")) == [
            ("approved", town.manager.pk),
            ("rejected", town.manager.pk),
        ]

    def test_another_communitys_manager_decides_nothing_here(self, closed_shop: Community, bystander: Town) -> None:
        application = services.apply_to_community(factories.person(), closed_shop.pk)
        with rules.refused(PermissionDenied):
            services.decide_application(bystander.manager, application.pk, approve=True)
        with rules.refused(PermissionDenied):
            services.decide_application(bystander.manager, 10**9, approve=True)

    def test_an_application_is_decided_once(self, town: Town, closed_shop: Community) -> None:
        for approve in (True, False):
            user = factories.person()
            application = services.apply_to_community(user, closed_shop.pk)
            services.decide_application(town.manager, application.pk, approve=approve)
            for again in (True, False):
                with rules.refused(AlreadyDecided):
                    services.decide_application(town.manager, application.pk, approve=again)
            with rules.refused(AlreadyDecided):
                services.withdraw_application(user, application.pk)

    def test_an_application_is_withdrawn_by_whoever_made_it(self, town: Town, closed_shop: Community) -> None:
        user = factories.person()
        application = services.apply_to_community(user, closed_shop.pk)
        for viewer in (town.manager, factories.person(), AnonymousUser()):
            with rules.refused(PermissionDenied):
                services.withdraw_application(viewer, application.pk)
        assert services.withdraw_application(user, application.pk).status == Status.WITHDRAWN
        with rules.refused(AlreadyDecided):
            services.decide_application(town.manager, application.pk, approve=True)
        assert services.apply_to_community(user, closed_shop.pk).pk != application.pk

    def test_applying_again_replaces_the_message_of_the_pending_application(self, closed_shop: Community) -> None:
        user = factories.person()
        first = services.apply_to_community(user, closed_shop.pk, message="once")
        second = services.apply_to_community(user, closed_shop.pk, message="twice")
        assert (second.pk, second.message, second.status) == (first.pk, "twice", Status.PENDING)
        with rules.refused(InvalidInput):
            services.apply_to_community(user, closed_shop.pk, message="m" * 2_001)

    def test_whoever_was_rejected_may_apply_again(self, town: Town, closed_shop: Community) -> None:
        user = factories.person()
        rejected = services.apply_to_community(user, closed_shop.pk)
        services.decide_application(town.manager, rejected.pk, approve=False)
        again = services.apply_to_community(user, closed_shop.pk)
        services.decide_application(town.manager, again.pk, approve=True)
        assert standing(factories.member_of(closed_shop, user)) == VOTER

    def test_nobody_applies_where_people_join_by_invitation(self, town: Town) -> None:
        revision = rules.revision(town.community)
        services.update_community(town.manager, town.community.pk, joining="invited")
        [entry] = rules.entries(town.community, after=revision)
        assert (entry.before["auto_approve"], entry.before.get("joining")) == (True, None)
        assert (entry.after["auto_approve"], entry.after["joining"]) == (False, "invited")
        with rules.refused(InvitationNeeded):
            services.apply_to_community(factories.person(), town.community.pk)

    def test_members_do_not_apply_and_nobody_applies_to_nothing(self, town: Town) -> None:
        with rules.refused(AlreadyMember):
            services.apply_to_community(town.ada.user, town.community.pk)
        with rules.refused(PermissionDenied):
            services.apply_to_community(town.ada.user, 10**9)
        with rules.refused(PermissionDenied):
            services.apply_to_community(AnonymousUser(), town.community.pk)


class TestLeaving:
    def test_a_member_leaves_and_the_membership_stays_as_a_former_one(self, town: Town) -> None:
        before = rules.revision(town.community)
        services.leave_community(town.ada.user, town.community.pk)
        assert standing(town.ada) == {**VOTER, "is_current": False}
        (entry,) = rules.entries(town.community, after=before)
        assert (entry.subject, entry.before["active"], entry.after["active"]) == (
            f"membership:{town.ada.pk}",
            True,
            False,
        )

    def test_leaving_deletes_neither_ballot_nor_following(self, town: Town) -> None:
        factories.vote(town.ada, town.decision, Ash=5)
        factories.follow(town.ada, town.ben)
        factories.follow(town.cleo, town.ada)
        before = rules.written(town.community)
        services.leave_community(town.ada.user, town.community.pk)
        after = rules.written(town.community)
        assert {name: after[name] for name in ("Ballot", "Vote", "Following")} == {
            name: before[name] for name in ("Ballot", "Vote", "Following")
        }

    def test_only_members_leave(self, town: Town, bystander: Town) -> None:
        services.leave_community(town.ada.user, town.community.pk)
        for viewer in (town.ada.user, bystander.manager, factories.person(), AnonymousUser()):
            with rules.refused(PermissionDenied):
                services.leave_community(viewer, town.community.pk)

    def test_a_manager_removes_a_member_and_nobody_else_does(self, town: Town, bystander: Town) -> None:
        for viewer in (town.ben.user, town.ada.user, bystander.manager, factories.person(), AnonymousUser()):
            with rules.refused(PermissionDenied):
                services.remove_member(viewer, town.ada.pk)
        services.remove_member(town.manager, town.ada.pk)
        assert standing(town.ada) == {**VOTER, "is_current": False, "was_removed": True}
        with rules.refused(PermissionDenied):
            services.remove_member(town.manager, town.ada.pk)
        with rules.refused(PermissionDenied):
            services.remove_member(town.manager, 10**9)

    def test_the_last_manager_stays_until_there_is_another(self, town: Town) -> None:
        manager = town.members["manager"]
        with rules.refused(LastManager):
            services.leave_community(town.manager, town.community.pk)
        with rules.refused(LastManager):
            services.remove_member(town.manager, manager.pk)
        with rules.refused(LastManager):
            services.update_membership(town.manager, manager.pk, is_manager=False)
        services.update_membership(town.manager, town.ada.pk, is_manager=True)
        services.leave_community(town.manager, town.community.pk)
        assert standing(manager) == {**VOTER, "is_current": False}
        with rules.refused(LastManager):
            services.leave_community(town.ada.user, town.community.pk)

    def test_a_former_manager_is_no_other_manager(self, town: Town) -> None:
        services.update_membership(town.manager, town.ada.pk, is_manager=True)
        services.leave_community(town.ada.user, town.community.pk)
        with rules.refused(LastManager):
            services.leave_community(town.manager, town.community.pk)

    def test_stepping_down_with_another_manager_there(self, town: Town) -> None:
        services.update_membership(town.manager, town.ada.pk, is_manager=True)
        services.update_membership(town.manager, town.members["manager"].pk, is_manager=False)
        assert standing(town.members["manager"]) == VOTER


class TestComingBack:
    def test_whoever_left_comes_back_as_a_plain_voter_into_the_old_membership(self, town: Town) -> None:
        services.update_membership(town.manager, town.ada.pk, role=Role.LOBBYIST, is_manager=True)
        services.leave_community(town.ada.user, town.community.pk)
        services.apply_to_community(town.ada.user, town.community.pk)
        assert standing(town.ada) == VOTER
        assert Membership.objects.filter(community=town.community, user=town.ada.user).count() == 1

    def test_whoever_a_manager_removed_needs_a_manager_to_come_back(self, town: Town) -> None:
        services.remove_member(town.manager, town.ada.pk)
        application = services.apply_to_community(town.ada.user, town.community.pk)
        assert (application.status, standing(town.ada)["is_current"]) == (Status.PENDING, False)
        services.apply_to_community(town.ada.user, town.community.pk, message="please")
        assert standing(town.ada)["is_current"] is False
        services.decide_application(town.manager, application.pk, approve=True)
        assert standing(town.ada) == VOTER
        services.leave_community(town.ada.user, town.community.pk)
        assert services.apply_to_community(town.ada.user, town.community.pk).status == Status.APPROVED

    def test_whoever_left_anonymous_comes_back_anonymous(self, town: Town) -> None:
        """Their ballots of before would bear their name otherwise, without their having said so."""
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        services.leave_community(town.ada.user, town.community.pk)
        services.apply_to_community(town.ada.user, town.community.pk)
        assert standing(town.ada) == {**VOTER, "is_anonymous": True}


class TestRoles:
    def test_a_manager_changes_roles_and_nobody_else_does(self, town: Town, bystander: Town) -> None:
        for viewer in (town.ada.user, bystander.manager, factories.person(), AnonymousUser()):
            with rules.refused(PermissionDenied):
                services.update_membership(viewer, town.ada.pk, role=Role.LOBBYIST)
            with rules.refused(PermissionDenied):
                services.update_membership(viewer, town.ada.pk, is_manager=True)
        services.update_membership(town.manager, town.ada.pk, role=Role.LOBBYIST)
        services.update_membership(town.manager, town.ben.pk, is_manager=True)
        assert standing(town.ada) == {**VOTER, "role": "lobbyist"}
        assert standing(town.ben) == {**VOTER, "is_manager": True}
        with rules.refused(InvalidInput):
            services.update_membership(town.manager, town.ada.pk, role="king")

    def test_a_former_member_has_no_role_to_change(self, town: Town) -> None:
        services.leave_community(town.ada.user, town.community.pk)
        with rules.refused(PermissionDenied):
            services.update_membership(town.manager, town.ada.pk, is_manager=True)

    def test_an_anonymous_voter_cannot_become_a_lobbyist(self, town: Town) -> None:
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        with rules.refused(InvalidInput):
            services.update_membership(town.manager, town.ada.pk, role=Role.LOBBYIST)
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=False)
        services.update_membership(town.manager, town.ada.pk, role=Role.LOBBYIST)
        assert standing(town.ada) == {**VOTER, "role": "lobbyist"}


class TestAnonymity:
    def test_a_voter_whom_nobody_follows_becomes_anonymous_at_once(self, town: Town) -> None:
        factories.follow(town.ada, town.ben)
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        assert standing(town.ada) == {**VOTER, "is_anonymous": True}
        assert Following.objects.filter(follower=town.ada).exists()

    def test_a_lobbyist_does_not(self, town: Town) -> None:
        services.update_membership(town.manager, town.ada.pk, role=Role.LOBBYIST)
        with rules.refused(InvalidInput):
            services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        services.update_membership(town.manager, town.ada.pk, role=Role.VOTER)
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)

    def test_a_warning_counts_the_followings_that_would_end(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        with rules.refused(AnonymityNeedsConfirmation) as one:
            services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        factories.follow(town.cleo, town.ada, "parks")
        with rules.refused(AnonymityNeedsConfirmation) as two:
            services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        assert (str(one.value)[:8], str(two.value)[:9]) == ("1 member", "2 members")

    def test_confirmed_it_ends_exactly_the_followings_that_point_at_the_member(self, town: Town) -> None:
        for follower, followee in (
            (town.ben, town.ada),
            (town.cleo, town.ada),
            (town.ada, town.ben),
            (town.cleo, town.ben),
        ):
            factories.follow(follower, followee)
        before = rules.revision(town.community)
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True, confirmed=True)
        left = Following.objects.filter(follower__community=town.community)
        assert set(left.values_list("follower", "followee")) == {
            (town.ada.pk, town.ben.pk),
            (town.cleo.pk, town.ben.pk),
        }
        news = [(entry.subject, entry.after is None) for entry in rules.entries(town.community, after=before)]
        assert sorted(news) == sorted(
            [
                (f"following:{town.ben.pk}:{town.ada.pk}", True),
                (f"following:{town.cleo.pk}:{town.ada.pk}", True),
                (f"membership:{town.ada.pk}", False),
            ]
        )

    def test_a_former_members_following_ends_too_and_does_not_come_back_with_them(self, town: Town) -> None:
        factories.follow(town.ben, town.ada)
        services.leave_community(town.ben.user, town.community.pk)
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        services.apply_to_community(town.ben.user, town.community.pk)
        assert not Following.objects.filter(followee=town.ada).exists()

    def test_it_can_be_given_up_and_only_by_oneself(self, town: Town, bystander: Town) -> None:
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=False)
        assert standing(town.ada) == VOTER
        for viewer in (bystander.manager, factories.person(), AnonymousUser()):
            with rules.refused(PermissionDenied):
                services.set_anonymity(viewer, town.community.pk, anonymous=True)
        services.leave_community(town.ada.user, town.community.pk)
        with rules.refused(PermissionDenied):
            services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)

    def test_no_line_of_the_log_names_an_anonymous_member(
        self, town: Town, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
    ) -> None:
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        ada, pk = town.ada, town.community.pk
        caplog.clear()
        with caplog.at_level("DEBUG"), django_capture_on_commit_callbacks(execute=True):
            factories.vote(ada, town.decision, Ash=5)
            services.tag_ballot(ada.user, town.decision.pk, tags=["parks"])
            services.withdraw_ballot(ada.user, town.decision.pk)
            factories.follow(ada, town.ben)
            services.unfollow(ada.user, town.ben.pk)
            services.update_membership(town.manager, ada.pk, is_manager=True)
            drafted = factories.decision(town.community, ada.user)
            services.request_recalculation(ada.user, drafted.pk)
            services.update_membership(town.manager, ada.pk, is_manager=False)
            services.leave_community(ada.user, pk)
            services.apply_to_community(ada.user, pk)
            services.remove_member(town.manager, ada.pk)
            factories.vote(town.ben, town.decision, Ash=1)
        lines = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
        # Theirs wait until the hour is over, and whom they follow is not logged.
        told = [line for line in lines if town.ben.user.handle in line]
        assert (len(lines), len(told)) == (1, 1)
        assert [line for line in lines if ada.user.handle in line or ada.user.email in line] == []


class TestHowManySomebodyMayFound:
    def test_so_many_in_a_day_and_then_no_more(self, settings):
        settings.COMMUNITIES_PER_DAY = 2
        ann, bob = factories.person("ann"), factories.person("bob")
        made = [services.create_community(ann, name=f"Number {number}") for number in range(2)]
        with pytest.raises(TooManyCommunities) as refusal:
            services.create_community(ann, name="Number 3")
        assert (refusal.value.code, "2 communities within a day" in refusal.value.message) == (
            "TOO_MANY_COMMUNITIES",
            True,
        )
        services.create_community(bob, name="Number 3")
        # To join, or to have left, is another matter.
        services.decide_application(ann, services.apply_to_community(bob, made[0].pk).pk, approve=True)
        services.leave_community(bob, made[0].pk)
        services.create_community(bob, name="Number 4")
        Community.objects.filter(pk=made[0].pk).update(created_at=timezone.now() - timedelta(days=1))
        services.create_community(ann, name="Number 5")

    def test_none_of_them_is_half_founded(self, settings):
        settings.COMMUNITIES_PER_DAY = 1
        ann = factories.person("ann")
        services.create_community(ann, name="Number 1")
        with pytest.raises(TooManyCommunities):
            services.create_community(ann, name="Number 2")
        assert [one.community.name for one in Membership.objects.filter(user=ann)] == ["Number 1"]
        assert not Community.objects.filter(name="Number 2").exists()

    def test_an_operator_may_lift_the_limit(self, settings):
        settings.COMMUNITIES_PER_DAY = 0
        ann = factories.person("ann")
        assert [services.create_community(ann, name=f"Number {number}").pk for number in range(12)]
