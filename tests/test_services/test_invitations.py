"""Inviting people, and coming in by an invitation or a link."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts.errors import InvalidLink
from accounts.models import User
from democracy import services
from democracy.errors import (
    FaultyLines,
    InvalidInput,
    InvalidInvitation,
    PermissionDenied,
    SentLately,
    TooManyInvitations,
)
from democracy.models import Application, Community, Following, Invitation, Membership, Notice
from democracy.models.invitations import token_of
from democracy.notices import outbox
from democracy.notices.wording import words
from democracy.reading import invitations
from democracy.services import Invitee, inviting
from democracy.services.invitations import MAX_LINKS
from tests import factories, rules
from tests.rules import Clock
from tests.steps import counts_steps, steps_of
from tests.towns import Town

pytestmark = pytest.mark.django_db

VISITOR = AnonymousUser()


def invite(town: Town, *addresses: str, **how: object) -> list[Invitation]:
    services.invite(town.manager, town.community.pk, [Invitee(one) for one in addresses], **how)
    return [Invitation.objects.get(address=one) for one in addresses]


def standing(of: Community, user: User) -> tuple[str, bool]:
    member = Membership.objects.current().get(community=of, user=user)
    return member.role, member.is_manager


@pytest.fixture
def parts_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inviting, "_PART", 2)


@contextmanager
def dying_at(monkeypatch: pytest.MonkeyPatch, address: str) -> Iterator[None]:
    """Let the process die inside, in the transaction that has put the mail to this address into the outbox."""
    add = outbox.add_many

    def dies(drafts: Iterable[outbox.Draft]) -> None:
        added = list(drafts)
        add(added)
        if any(draft.address == address for draft in added):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "add_many", dies)
        with pytest.raises(KeyboardInterrupt):
            yield


class TestInviting:
    def test_each_address_gets_a_mail_with_a_link_that_is_kept_nowhere(self, town: Town) -> None:
        decision = factories.decision(town.community, town.manager, title="Which tree?")
        people = [Invitee("Ann@Example.org", "Ann Bee"), Invitee("bo@example.org", role="lobbyist", is_manager=True)]
        done = services.invite(town.manager, town.community.pk, people, decision_id=decision.pk)
        assert (done.new, done.members, done.waiting) == (2, 0, 0)
        ann, bo = Invitation.objects.order_by("address")
        assert (ann.address, ann.name, ann.state) == ("ann@example.org", "Ann Bee", "invited")
        assert (bo.role, bo.is_manager, bo.decision) == ("lobbyist", True, decision)
        notice = Notice.objects.get(address="ann@example.org")
        said, token = words(notice), token_of(ann.key)
        assert said.path == f"/invitation/{token}/"
        assert "Which tree?" in said.title
        assert town.manager.name in said.text
        stored = str([*Invitation.objects.values(), *Notice.objects.values()])
        assert token not in stored

    def test_members_are_passed_over_and_whoever_waits_keeps_the_link(self, town: Town) -> None:
        (waiting,) = invite(town, "ann@example.org")
        people = [Invitee(town.ada.user.email), Invitee("ann@example.org", "Ann"), Invitee("new@example.org")]
        done = services.invite(town.manager, town.community.pk, people)
        assert (done.new, done.members, done.waiting) == (1, 1, 1)
        again = Invitation.objects.get(address="ann@example.org")
        assert (again.key, again.name) == (waiting.key, "Ann")
        assert sorted(Notice.objects.values_list("address", flat=True)) == ["ann@example.org", "new@example.org"]

    def test_nobody_is_invited_where_a_line_is_faulty_and_each_is_named(self, town: Town) -> None:
        people = [Invitee("a@x.org", line=2), Invitee("nonsense", line=3), Invitee("A@X.org", line=4)]
        with rules.refused(FaultyLines) as caught:
            services.invite(town.manager, town.community.pk, people)
        assert isinstance(caught.value, FaultyLines)
        assert [one.message for one in caught.value.parts] == [
            "Line 3: “nonsense” is not an e-mail address.",
            "Line 4: a@x.org is there twice, first on line 2.",
        ]
        assert not Notice.objects.exists()
        with rules.refused(InvalidInput):
            services.invite(town.manager, town.community.pk, [])

    def test_only_managers_do_anything_with_invitations(self, town: Town, bystander: Town) -> None:
        (invitation,) = invite(town, "ann@example.org")
        link = services.create_invitation_link(town.manager, town.community.pk)
        for viewer in (town.ada.user, bystander.manager, factories.person(), VISITOR):
            for act in (
                lambda: services.invite(viewer, town.community.pk, [Invitee("b@x.org")]),  # noqa: B023
                lambda: services.resend_invitation(viewer, invitation.pk),  # noqa: B023
                lambda: services.resend_invitations(viewer, town.community.pk),  # noqa: B023
                lambda: services.revoke_invitation(viewer, invitation.pk),  # noqa: B023
                lambda: services.create_invitation_link(viewer, town.community.pk),  # noqa: B023
                lambda: services.revoke_invitation_link(viewer, link.pk),  # noqa: B023
            ):
                with rules.refused(PermissionDenied):
                    act()
            assert not invitations.invitations_to(viewer, [town.community.pk])
            assert not invitations.invitation_links_to(viewer, [town.community.pk])

    def test_an_invitation_leads_to_a_published_decision_of_its_community_alone(
        self, town: Town, bystander: Town
    ) -> None:
        draft = factories.draft(town.community, town.manager)
        for decision in (draft, bystander.decision):
            with rules.refused(InvalidInput):
                invite(town, "ann@example.org", decision_id=decision.pk)

    def test_one_person_has_only_so_many_mails_sent_in_a_day(self, town: Town, settings, clock: Clock) -> None:
        settings.INVITATIONS_PER_DAY = 2
        invite(town, "a@x.org", "b@x.org")
        with rules.refused(TooManyInvitations):
            invite(town, "c@x.org")
        invite(town, "c@x.org", send=False)
        clock.advance(days=1, minutes=1)
        invite(town, "d@x.org")

    def test_taking_back_and_inviting_again_mails_nobody_more_often_than_once_an_hour(
        self, town: Town, clock: Clock
    ) -> None:
        clock.set(clock.now)
        (invitation,) = invite(town, "ann@example.org")
        # A sender has it.
        outbox.lease_mails(9)
        services.revoke_invitation(town.manager, invitation.pk)
        people = [Invitee("new@example.org"), Invitee("ann@example.org", line=2)]
        # Without a mail, too: the next list would send it.
        for send in (True, False):
            with rules.refused(FaultyLines) as caught:
                services.invite(town.manager, town.community.pk, people, send=send)
            assert isinstance(caught.value, FaultyLines)
            assert [(one.code, one.message[:23]) for one in caught.value.parts] == [
                ("SENT_LATELY", "Line 2: ann@example.org")
            ]
        assert [one.address for one in Notice.objects.all()] == ["ann@example.org"]
        clock.advance(hours=1, minutes=1)
        assert services.invite(town.manager, town.community.pk, people).new == 2

    def test_a_list_of_too_many_mails_is_refused_as_a_whole(self, town: Town, settings, parts_of_two: None) -> None:
        settings.INVITATIONS_PER_DAY = 4
        five = [f"{name}@x.org" for name in "abcde"]
        with rules.refused(TooManyInvitations):
            invite(town, *five)
        invite(town, *five[:4])
        invite(town, *five[:4])

    def test_a_long_list_is_written_in_parts_and_goes_on_where_it_ended(
        self, town: Town, monkeypatch: pytest.MonkeyPatch, parts_of_two: None
    ) -> None:
        """Between two of them others write."""
        people = [Invitee(f"{name}@x.org") for name in "abcde"]
        with dying_at(monkeypatch, "c@x.org"):
            services.invite(town.manager, town.community.pk, people)
        before = list(Invitation.objects.order_by("address").values_list("address", "key"))
        assert [address for address, _ in before] == ["a@x.org", "b@x.org"]
        done = services.invite(town.manager, town.community.pk, people)
        assert (done.new, done.members, done.waiting) == (3, 0, 2)
        after = list(Invitation.objects.order_by("address").values_list("address", "key"))
        assert after[:2] == before
        told = Notice.objects.order_by("address").values_list("address", "subject")
        assert list(told) == [(address, f"invitation:{key}") for address, key in after]

    def test_sending_again_makes_a_new_link_once_an_hour(self, town: Town, clock: Clock) -> None:
        (invitation,) = invite(town, "ann@example.org")
        old = token_of(invitation.key)
        with rules.refused(SentLately):
            services.resend_invitation(town.manager, invitation.pk)
        clock.advance(hours=1, minutes=1)
        again = services.resend_invitation(town.manager, invitation.pk)
        first, second = Notice.objects.order_by("pk")
        assert (first.due_at, second.due_at is not None, second.subject) == (None, True, again.subject)
        with rules.refused(InvalidInvitation):
            services.accept_invitation(VISITOR, old)
        services.accept_invitation(VISITOR, token_of(again.key))

    def test_all_who_wait_get_new_links_at_once_but_not_those_whom_no_mail_reaches(
        self, town: Town, clock: Clock
    ) -> None:
        joined, waits, refused, revoked = invite(town, "a@x.org", "b@x.org", "c@x.org", "d@x.org")
        (listed,) = invite(town, "e@x.org", send=False)
        services.accept_invitation(VISITOR, token_of(joined.key))
        services.revoke_invitation(town.manager, revoked.pk)
        Notice.objects.filter(address=refused.address).update(refused="550 No such person")
        with rules.refused(SentLately):
            services.resend_invitations(town.manager, town.community.pk)
        clock.advance(hours=1, minutes=1)
        (late,) = invite(town, "f@x.org")
        assert services.resend_invitations(town.manager, town.community.pk) == 1
        renewed = {one.address for one in Invitation.objects.all() if one.sent_at == clock.now}
        assert renewed == {waits.address, late.address}
        mailed = Notice.objects.exclude(due_at=None).filter(address=waits.address)
        assert [one.subject for one in mailed] == [Invitation.objects.get(pk=waits.pk).subject], "the old mail stays"
        with rules.refused(InvalidInvitation):
            services.accept_invitation(VISITOR, token_of(waits.key))
        services.accept_invitation(VISITOR, token_of(Invitation.objects.get(pk=waits.pk).key))
        assert Invitation.objects.get(pk=listed.pk).sent_at is None

    def test_sending_again_to_many_goes_on_where_it_ended(
        self, town: Town, clock: Clock, monkeypatch: pytest.MonkeyPatch, parts_of_two: None
    ) -> None:
        rows = invite(town, *(f"{name}@x.org" for name in "abcde"))
        clock.advance(hours=1, minutes=1)
        with dying_at(monkeypatch, "c@x.org"):
            services.resend_invitations(town.manager, town.community.pk)
        assert services.resend_invitations(town.manager, town.community.pk) == 3
        renewed = [Invitation.objects.get(pk=row.pk).subject for row in rows]
        assert not {row.subject for row in rows} & set(renewed)
        waiting = Notice.objects.exclude(due_at=None).order_by("address").values_list("subject", flat=True)
        assert list(waiting) == renewed

    def test_topics_to_follow_are_kept_and_nobody_follows_anybody_by_being_invited(self, town: Town) -> None:
        people = [Invitee("ann@example.org", tags=("Parks ", "budget"))]
        services.invite(town.manager, town.community.pk, people)
        joined = services.accept_invitation(VISITOR, token_of(Invitation.objects.get().key))
        assert invitations.tags_to_follow(joined.user, town.community.pk) == ["budget", "parks"]
        assert invitations.tags_to_follow(town.ada.user, town.community.pk) == []
        assert invitations.tags_to_follow(VISITOR, town.community.pk) == []
        assert not Following.objects.filter(follower=joined.membership).exists()
        with rules.refused(FaultyLines) as caught:
            services.invite(town.manager, town.community.pk, [Invitee("b@x.org", line=7, tags=("x" * 51,))])
        assert caught.value.parts[0].message.startswith("Line 7: A tag has at most 50 characters")

    def test_what_was_taken_back_lets_nobody_in_and_its_mail_does_not_leave(self, town: Town) -> None:
        (invitation,) = invite(town, "ann@example.org")
        services.revoke_invitation(town.manager, invitation.pk)
        assert Notice.objects.get().due_at is None
        with rules.refused(InvalidInvitation):
            services.accept_invitation(VISITOR, token_of(invitation.key))
        with rules.refused(InvalidInvitation):
            services.resend_invitation(town.manager, invitation.pk)
        (anew,) = invite(town, "ann@example.org")
        assert (anew.pk, anew.state) == (invitation.pk, "invited")

    def test_the_roll_says_where_each_stands_and_what_the_mail_server_refused(self, town: Town) -> None:
        rows = invite(town, "joined@x.org", "refused@x.org", "revoked@x.org", "old@x.org", "waiting@x.org")
        invite(town, "listed@x.org", send=False)
        services.accept_invitation(VISITOR, token_of(rows[0].key))
        Notice.objects.filter(address="refused@x.org").update(refused="550 No such person", due_at=None)
        services.revoke_invitation(town.manager, rows[2].pk)
        Invitation.objects.filter(pk=rows[3].pk).update(issued_at=timezone.now() - timedelta(days=31))
        shown = invitations.invitations_to(town.manager, [town.community.pk])
        assert [(row.address.partition("@")[0], row.state.value, row.refusal) for row in shown] == [
            ("joined", "joined", ""),
            ("listed", "listed", ""),
            ("old", "expired", ""),
            ("refused", "refused", "550 No such person"),
            ("revoked", "revoked", ""),
            ("waiting", "invited", ""),
        ]
        counts = invitations.counts_by_state(town.manager, town.community)
        assert {state.value: number for state, number in counts} == dict.fromkeys(
            ["joined", "listed", "expired", "refused", "revoked", "invited"], 1
        )
        for state in counts:
            (row,) = invitations.invitations_to(town.manager, [town.community.pk], state=state[0])
            assert row.state == state[0]

    @counts_steps
    def test_a_roll_twice_as_long_costs_twice_as_much(self, town: Town) -> None:
        costs = []
        for start in (0, 200):
            invite(town, *(f"a{number}@x.org" for number in range(start, start + 200)))
            costs.append(steps_of(lambda: invitations.counts_by_state(town.manager, town.community)))
        assert costs[1] < 2.5 * costs[0]


class TestComingIn:
    def test_a_visitor_joins_with_an_account_of_the_address(self, town: Town) -> None:
        decision = factories.decision(town.community, town.manager)
        services.update_community(town.manager, town.community.pk, joining="invited")
        people = [Invitee("ann.bee@example.org", "Ann Bee", "lobbyist")]
        services.invite(town.manager, town.community.pk, people, decision_id=decision.pk)
        invitation, revision = Invitation.objects.get(), rules.revision(town.community)
        joined = services.accept_invitation(VISITOR, token_of(invitation.key))
        assert (joined.user.email, joined.user.name, joined.decision) == ("ann.bee@example.org", "Ann Bee", decision)
        assert standing(town.community, joined.user) == ("lobbyist", False)
        [entry] = rules.entries(town.community, after=revision)
        assert (entry.actor_id, entry.membership_id) == (joined.user.pk, joined.membership.pk)
        with rules.refused(InvalidInvitation):
            services.accept_invitation(VISITOR, token_of(invitation.key))

    def test_who_has_an_account_keeps_it_and_who_is_signed_in_joins_as_that(self, town: Town) -> None:
        ann, bo = factories.person("ann_bee"), factories.person("bo_bee")
        first, second = invite(town, "ann_bee@example.org", "other@example.org")
        assert services.accept_invitation(VISITOR, token_of(first.key)).user == ann
        assert services.accept_invitation(bo, token_of(second.key)).user == bo
        assert not User.objects.filter(email="other@example.org").exists()

    def test_a_closed_account_does_not_come_in(self, town: Town) -> None:
        factories.person("ann_bee", is_active=False)
        (invitation,) = invite(town, "ann_bee@example.org")
        with rules.refused(InvalidLink):
            services.accept_invitation(VISITOR, token_of(invitation.key))

    def test_a_member_gets_no_second_membership_and_no_other_role(self, town: Town) -> None:
        (invitation,) = invite(town, "other@example.org")
        Invitation.objects.update(is_manager=True, role="lobbyist")
        services.accept_invitation(town.ada.user, token_of(invitation.key))
        assert standing(town.community, town.ada.user) == ("voter", False)

    def test_it_works_for_thirty_days(self, town: Town, clock: Clock) -> None:
        clock.set(clock.now)
        (invitation,) = invite(town, "ann@example.org")
        clock.advance(days=30)
        with rules.refused(InvalidInvitation):
            services.accept_invitation(VISITOR, token_of(invitation.key))
        clock.advance(seconds=-1)
        services.accept_invitation(VISITOR, token_of(invitation.key))

    def test_signing_in_with_an_invited_address_is_enough(self, town: Town) -> None:
        ann = factories.person("ann_bee")
        with rules.refused(PermissionDenied):
            services.accept_own_invitation(ann, town.community.pk)
        invite(town, "ann_bee@example.org", send=False)
        services.accept_own_invitation(ann, town.community.pk)
        assert standing(town.community, ann) == ("voter", False)

    def test_an_application_is_answered_by_an_invitation_and_the_other_way_round(self, town: Town) -> None:
        services.update_community(town.manager, town.community.pk, joining="request")
        ann, bo = factories.person("ann_bee"), factories.person("bo_bee")
        applied = [services.apply_to_community(one, town.community.pk) for one in (ann, bo)]
        invited = invite(town, "ann_bee@example.org", "bo_bee@example.org")
        services.accept_own_invitation(ann, town.community.pk)
        services.decide_application(town.manager, applied[1].pk, approve=True)
        assert set(Application.objects.values_list("status", flat=True)) == {"approved"}
        assert [Invitation.objects.get(pk=one.pk).state for one in invited] == ["joined", "joined"]

    def test_whoever_was_removed_comes_back_by_a_newer_invitation_alone(self, town: Town) -> None:
        (old,) = invite(town, "other@example.org")
        services.remove_member(town.manager, town.ada.pk)
        with rules.refused(InvalidInvitation):
            services.accept_invitation(town.ada.user, token_of(old.key))
        invite(town, town.ada.user.email)
        services.accept_own_invitation(town.ada.user, town.community.pk)
        assert standing(town.community, town.ada.user) == ("voter", False)


class TestLinks:
    def test_people_join_in_its_role_until_it_is_used_up(self, town: Town) -> None:
        link = services.create_invitation_link(town.manager, town.community.pk, role="lobbyist", max_uses=1)
        services.update_community(town.manager, town.community.pk, joining="invited")
        ann, bo = factories.person(), factories.person()
        with rules.refused(PermissionDenied):
            services.use_invitation_link(VISITOR, link.token)
        for _ in range(2):
            services.use_invitation_link(ann, link.token)
        assert standing(town.community, ann) == ("lobbyist", False)
        with rules.refused(InvalidInvitation):
            services.use_invitation_link(bo, link.token)

    def test_it_ends_in_time_and_by_a_manager(self, town: Town, clock: Clock) -> None:
        clock.set(clock.now)
        soon = clock.now + timedelta(hours=1)
        first = services.create_invitation_link(town.manager, town.community.pk, ends_at=soon)
        second = services.create_invitation_link(town.manager, town.community.pk)
        services.revoke_invitation_link(town.manager, second.pk)
        clock.advance(hours=1)
        for token in (first.token, second.token, "none"):
            with rules.refused(InvalidInvitation):
                services.use_invitation_link(factories.person(), token)

    def test_where_it_needs_approval_it_leads_to_an_application_in_its_role(self, town: Town) -> None:
        link = services.create_invitation_link(town.manager, town.community.pk, role="lobbyist", needs_approval=True)
        ann = factories.person()
        joined = services.use_invitation_link(ann, link.token)
        assert (joined.membership, joined.application.status) == (None, "pending")
        assert services.use_invitation_link(ann, link.token).application == joined.application
        services.decide_application(town.manager, joined.application.pk, approve=True)
        assert standing(town.community, ann) == ("lobbyist", False)

    def test_whoever_was_removed_needs_a_manager_in_any_case(self, town: Town) -> None:
        link = services.create_invitation_link(town.manager, town.community.pk)
        services.remove_member(town.manager, town.ada.pk)
        joined = services.use_invitation_link(town.ada.user, link.token)
        assert (joined.membership, joined.application.status) == (None, "pending")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"role": "king"},
            {"max_uses": 0},
            {"ends_at": timezone.now() - timedelta(days=1)},
        ],
    )
    def test_nonsense_is_refused(self, town: Town, wrong: dict[str, object]) -> None:
        with rules.refused(InvalidInput):
            services.create_invitation_link(town.manager, town.community.pk, **wrong)

    def test_a_community_has_only_so_many(self, town: Town) -> None:
        for _ in range(MAX_LINKS):
            last = services.create_invitation_link(town.manager, town.community.pk)
        with rules.refused(InvalidInput):
            services.create_invitation_link(town.manager, town.community.pk)
        services.revoke_invitation_link(town.manager, last.pk)
        services.create_invitation_link(town.manager, town.community.pk)
