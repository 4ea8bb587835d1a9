"""Commands judge what they find once they hold the community, not what they found when they were asked; and the ledger
says who gave them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from democracy import services
from democracy.database import turns
from democracy.errors import (
    AlreadyDecided,
    AlreadyMember,
    ChoicesFrozen,
    DecisionClosed,
    InvalidInput,
    PermissionDenied,
)
from democracy.ledger import recordings
from democracy.models import Application, Following, Membership
from tests import factories, rules
from tests.towns import Town

Act = Callable[[], Any]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Act], None]:
    """Have somebody else's act commit after the next command has begun, and before it holds the community."""

    def arrange(act: Act) -> None:
        @contextmanager
        def turn_of_another_first() -> Iterator[None]:
            monkeypatch.setattr(recordings, "turn", turns.turn)
            act()
            with turns.turn():
                yield

        monkeypatch.setattr(recordings, "turn", turn_of_another_first)

    return arrange


Meanwhile = Callable[[Act], None]


def refused(error: type[Exception], act: Act, meanwhile: Meanwhile, first: Act) -> None:
    """The act is refused with this error for what came first, and writes nothing beside that."""
    written: list[rules.Rows] = []

    def before() -> None:
        first()
        written.append(rules.written())

    meanwhile(before)
    with pytest.raises(error) as caught:
        act()
    assert type(caught.value) is error
    assert written == [rules.written()]


class TestWhatHappenedMeanwhile:
    @pytest.mark.parametrize("act", ["vote", "tag", "withdraw", "leave", "role", "follow"])
    def test_whoever_was_removed_does_nothing_any_more(self, town: Town, meanwhile: Meanwhile, act: str) -> None:
        ada = town.ada
        factories.vote(ada, town.decision, Ash=5)
        acts: dict[str, Act] = {
            "vote": lambda: factories.vote(ada, town.decision, Ash=1),
            "tag": lambda: services.tag_ballot(ada.user, town.decision.pk, tags=["roads"]),
            "withdraw": lambda: services.withdraw_ballot(ada.user, town.decision.pk),
            "leave": lambda: services.leave_community(ada.user, town.community.pk),
            "role": lambda: services.update_membership(town.manager, ada.pk, role="lobbyist"),
            "follow": lambda: factories.follow(ada, town.ben),
        }
        remove = lambda: services.remove_member(town.manager, ada.pk)  # noqa: E731
        refused(PermissionDenied, acts[act], meanwhile, remove)

    @pytest.mark.parametrize("how", ["left", "anonymous"])
    def test_nobody_follows_a_member_who_left_or_became_anonymous(
        self, town: Town, meanwhile: Meanwhile, how: str
    ) -> None:
        ben, pk = town.ben, town.community.pk
        leave = lambda: services.leave_community(ben.user, pk)  # noqa: E731
        hide = lambda: services.set_anonymity(ben.user, pk, anonymous=True)  # noqa: E731
        first = leave if how == "left" else hide
        refused(PermissionDenied, lambda: factories.follow(town.ada, ben), meanwhile, first)

    def test_a_following_ends_once(self, town: Town, meanwhile: Meanwhile) -> None:
        factories.follow(town.ada, town.ben)
        unfollow = lambda: services.unfollow(town.ada.user, town.ben.pk)  # noqa: E731
        meanwhile(unfollow)
        assert unfollow() == town.ada
        assert not Following.objects.filter(follower=town.ada).exists()

    @pytest.mark.parametrize("late", ["approve", "withdraw"])
    def test_an_application_is_decided_once(self, town: Town, meanwhile: Meanwhile, late: str) -> None:
        services.update_community(town.manager, town.community.pk, joining="request")
        eve = factories.person()
        pk = services.apply_to_community(eve, town.community.pk).pk
        reject = lambda: services.decide_application(town.manager, pk, approve=False)  # noqa: E731
        acts: dict[str, Act] = {
            "approve": lambda: services.decide_application(town.manager, pk, approve=True),
            "withdraw": lambda: services.withdraw_application(eve, pk),
        }
        refused(AlreadyDecided, acts[late], meanwhile, reject)

    def test_whoever_was_let_in_does_not_apply(self, town: Town, meanwhile: Meanwhile) -> None:
        eve = factories.person()
        apply = lambda: services.apply_to_community(eve, town.community.pk)  # noqa: E731
        refused(AlreadyMember, apply, meanwhile, apply)

    def test_a_lobbyist_does_not_become_anonymous(self, town: Town, meanwhile: Meanwhile) -> None:
        hide = lambda: services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)  # noqa: E731
        lobby = lambda: services.update_membership(town.manager, town.ada.pk, role="lobbyist")  # noqa: E731
        refused(InvalidInput, hide, meanwhile, lobby)

    def test_a_draft_is_published_once_and_then_its_choices_are_frozen(self, town: Town, meanwhile: Meanwhile) -> None:
        publish = lambda pk: services.publish_decision(town.manager, pk)  # noqa: E731
        choose = lambda pk: services.update_decision(town.manager, pk, choices=[])  # noqa: E731
        for error, act in ((InvalidInput, publish), (ChoicesFrozen, choose)):
            pk = factories.draft(town.community, town.manager).pk
            refused(error, lambda act=act, pk=pk: act(pk), meanwhile, lambda pk=pk: publish(pk))  # type: ignore[misc]

    def test_whether_it_is_open_is_judged_by_the_closing_as_it_was_moved(
        self, town: Town, meanwhile: Meanwhile, clock: rules.Clock
    ) -> None:
        closes_at = town.decision.closes_at
        assert closes_at is not None

        def prolong() -> None:
            services.update_decision(town.manager, town.decision.pk, closes_at=closes_at + timedelta(hours=2))
            clock.set(closes_at + timedelta(hours=1))

        clock.set(closes_at - timedelta(hours=1))
        meanwhile(prolong)
        assert factories.vote(town.ada, town.decision, Ash=5).ballot is not None
        closes_at += timedelta(hours=2)
        meanwhile(prolong)
        assert services.request_recalculation(town.manager, town.decision.pk).closes_at > clock.now
        refused(
            DecisionClosed,
            lambda: factories.vote(town.ada, town.decision, Ash=1),
            meanwhile,
            lambda: clock.advance(hours=1),
        )


class TestWhoGaveIt:
    """The actor of every entry of a command is whoever gave it."""

    def actors(self, town: Town, act: Act) -> set[int | None]:
        before = rules.revision(town.community)
        act()
        return {entry.actor_id for entry in rules.entries(town.community, after=before)}

    def test_a_member(self, town: Town) -> None:
        ada, pk, decision = town.ada, town.community.pk, town.decision.pk
        factories.follow(town.dan, ada)
        for act in (
            lambda: factories.vote(ada, town.decision, Ash=5),
            lambda: services.tag_ballot(ada.user, decision, tags=["roads"]),
            lambda: services.withdraw_ballot(ada.user, decision),
            lambda: factories.follow(ada, town.ben),
            lambda: factories.follow(ada, town.cleo),
            lambda: services.reorder_followings(ada.user, pk, [town.cleo.pk]),
            lambda: services.unfollow(ada.user, town.ben.pk),
            # Dan's following of ada ends by it.
            lambda: services.set_anonymity(ada.user, pk, anonymous=True, confirmed=True),
            lambda: services.leave_community(ada.user, pk),
            lambda: services.apply_to_community(ada.user, pk),
        ):
            assert self.actors(town, act) == {ada.user_id}

    def test_a_manager(self, town: Town) -> None:
        manager, pk = town.manager, town.community.pk
        eve, fay = factories.person(), factories.person()
        close_the_door = lambda: services.update_community(manager, pk, joining="request")  # noqa: E731
        assert self.actors(town, close_the_door) == {manager.pk}
        made: list[Application] = [services.apply_to_community(one, pk) for one in (eve, fay)]
        drafts = [factories.draft(town.community, manager)]
        for act in (
            lambda: services.decide_application(manager, made[0].pk, approve=True),
            lambda: services.decide_application(manager, made[1].pk, approve=False),
            lambda: services.update_membership(manager, town.ada.pk, role=Membership.Role.LOBBYIST),
            lambda: services.remove_member(manager, town.ada.pk),
            lambda: factories.draft(town.community, manager),
            lambda: services.update_decision(manager, drafts[0].pk, title="New"),
            lambda: services.publish_decision(manager, drafts[0].pk),
            lambda: services.request_recalculation(manager, drafts[0].pk),
        ):
            assert self.actors(town, act) == {manager.pk}

    def test_an_applicant_and_a_founder(self, town: Town) -> None:
        services.update_community(town.manager, town.community.pk, joining="request")
        eve = factories.person()
        made: list[Application] = []
        apply = lambda: made.append(services.apply_to_community(eve, town.community.pk))  # noqa: E731
        assert self.actors(town, apply) == {eve.pk}
        assert self.actors(town, lambda: services.withdraw_application(eve, made[0].pk)) == {eve.pk}
        founded = services.create_community(eve, name="Shelbyville")
        assert {entry.actor_id for entry in rules.entries(founded)} == {eve.pk}
