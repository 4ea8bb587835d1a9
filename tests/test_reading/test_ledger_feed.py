"""The ledger as sentences: what each kind of change is called, and what each reader may know of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from democracy import ledger, services
from democracy.access import Viewer
from democracy.models import Community, Decision, Membership
from democracy.reading import ledger_feed
from democracy.reading.ledger_feed import FeedItem
from democracy.services.recalculations import recalculation_change
from tests import factories, rules

pytestmark = pytest.mark.django_db

NOBODY = AnonymousUser()
Kind = ledger_feed.Kind


class Scene:
    """A community that everybody may read: `told` is what its history says of a change."""

    def __init__(self) -> None:
        self.community, self.members = rules.new_community("ada", "ben", "cleo")
        self.manager = self.members["manager"].user
        self._set(visibility=Community.Visibility.PUBLIC, joining="request")

    def _set(self, **fields: Any) -> None:
        self.community = services.update_community(self.manager, self.community.pk, **fields)

    def __getitem__(self, handle: str) -> Membership:
        return factories.member_of(self.community, self.members[handle].user)

    def __call__(self, handle: str) -> str:
        return f"@{self.members[handle].user.handle}"

    def news(self, change: Callable[[], Any], viewer: Viewer = NOBODY) -> list[FeedItem]:
        before = rules.revision(self.community)
        change()
        return ledger_feed.feed_after(viewer, self.community, before, first=100)

    def told(self, change: Callable[[], Any], viewer: Viewer = NOBODY) -> list[str]:
        return [item.sentence for item in self.news(change, viewer)]


@pytest.fixture(scope="module")
def written(module_rows: None) -> Scene:
    return Scene()


@pytest.fixture
def scene(written: Scene, db: None) -> Scene:
    return copy.deepcopy(written)


class TestPages:
    def revisions(self, items: list[FeedItem]) -> list[int]:
        return [item.revision for item in items]

    def test_backwards_from_the_newest_or_before_a_revision_forwards_after_one(self, scene: Scene) -> None:
        newest = rules.revision(scene.community)
        back = lambda **place: self.revisions(ledger_feed.feed(NOBODY, scene.community, first=2, **place))  # noqa: E731
        assert back() == [newest, newest - 1]
        assert back(before=newest) == [newest - 1, newest - 2]
        assert back(before=2) == [1]
        assert self.revisions(ledger_feed.feed_after(NOBODY, scene.community, 1, first=2)) == [2, 3]
        assert self.revisions(ledger_feed.feed_after(NOBODY, scene.community, newest, first=2)) == []

    def test_of_one_kind_and_of_one_community(self, scene: Scene) -> None:
        other, others = rules.new_community("eve", "fay")
        factories.follow(scene["ada"], scene["ben"])
        factories.follow(others["eve"], others["fay"])
        factories.decision(scene.community, scene.manager)
        factories.follow(scene["ada"], scene["ben"], "roads")
        for items in (
            ledger_feed.feed(NOBODY, scene.community, kind=Kind.FOLLOWING, first=9)[::-1],
            ledger_feed.feed_after(NOBODY, scene.community, 0, kind=Kind.FOLLOWING, first=9),
        ):
            assert [item.sentence for item in items] == [
                f"{scene('ada')} follows {scene('ben')} on everything.",
                f"{scene('ada')} now follows {scene('ben')} on roads.",
            ]
        assert len(ledger_feed.feed(NOBODY, other, kind=Kind.FOLLOWING, first=9)) == 1


class TestSentences:
    def test_on_members(self, scene: Scene) -> None:
        boss, ada, manager = scene("manager"), scene["ada"], scene.manager
        update = lambda **fields: scene.told(lambda: services.update_membership(manager, ada.pk, **fields))  # noqa: E731
        assert update(is_manager=True) == [f"{scene('ada')} is a manager now."]
        assert update(is_manager=False) == [f"{scene('ada')} is no manager any more."]
        assert update(role="lobbyist", is_manager=True) == [f"{scene('ada')} is a lobbyist now and is a manager now."]
        assert scene.told(lambda: services.leave_community(ada.user, scene.community.pk)) == [f"{scene('ada')} left."]
        assert scene.told(lambda: services.remove_member(manager, scene["ben"].pk)) == [
            f"{boss} removed {scene('ben')}."
        ]

    def test_on_applications_to_managers_and_to_others(self, scene: Scene) -> None:
        eve, boss = factories.person("eve"), scene("manager")
        made: list[Any] = []

        def apply(message: str = "") -> None:
            made.append(services.apply_to_community(eve, scene.community.pk, message=message))

        def decide(approve: bool) -> None:
            services.decide_application(scene.manager, made[-1].pk, approve=approve)

        others = "An application to join was made, changed or decided on."
        assert scene.told(apply) == [others]
        assert scene.told(lambda: apply("Please."), eve) == ["@eve changed an application to join."]
        assert scene.told(lambda: services.withdraw_application(eve, made[-1].pk), scene.manager) == [
            "@eve withdrew an application."
        ]
        apply()
        assert scene.told(lambda: decide(False), scene.manager) == [f"{boss} rejected an application by @eve."]
        apply()
        assert scene.told(lambda: decide(True)) == [others, "@eve joined."]
        services.leave_community(eve, scene.community.pk)
        apply()
        assert scene.told(lambda: decide(True))[-1] == "@eve came back."

    def test_on_decisions(self, scene: Scene) -> None:
        boss, manager = scene("manager"), scene.manager
        decision = factories.decision(scene.community, manager, title="Which tree?")
        assert decision.closes_at is not None
        later = decision.closes_at + timedelta(days=1)
        assert scene.told(lambda: services.update_decision(manager, decision.pk, closes_at=later)) == [
            f"{boss} moved the closing of “Which tree?” later."
        ]
        assert scene.told(lambda: services.request_recalculation(manager, decision.pk)) == [
            f"{boss} asked for a recalculation of “Which tree?”."
        ]

        def all_of_them() -> None:
            with ledger.recording(scene.community.pk, actor=manager) as recording:
                recording.add(recalculation_change(None))

        assert scene.told(all_of_them) == [f"{boss} asked for a recalculation of all decisions."]

    def test_on_followings(self, scene: Scene) -> None:
        factories.follow(scene["ada"], scene["ben"])
        move = lambda: services.follow(scene["ada"].user, scene["ben"].pk, order=7)  # noqa: E731
        assert scene.told(move) == [f"{scene('ada')} put the people they follow in another order."]


class TestWhatReadersMayKnow:
    def test_a_draft_is_neither_linked_nor_told_and_what_it_was_stays_with_the_managers(self, scene: Scene) -> None:
        drafts: list[Decision] = []

        def draft() -> None:
            drafts.append(factories.draft(scene.community, scene.manager, title="Secret plan"))

        others = scene.news(draft, scene["ada"].user)
        assert [(one.decision_id, one.before, one.after) for one in others] == [(None, None, None)]
        (item,) = scene.news(draft, scene.manager)
        assert (item.decision_id, item.after and item.after["title"]) == (drafts[-1].pk, "Secret plan")

        def publish() -> None:
            services.update_decision(scene.manager, drafts[-1].pk, title="Which tree?")
            services.publish_decision(scene.manager, drafts[-1].pk)

        _, published = scene.news(publish, scene["ada"].user)
        assert published.decision_id == drafts[-1].pk
        # Whoever opens the entry sees what was published, and that it was not published before.
        assert published.before is not None
        assert published.after is not None
        assert (published.before["title"], published.before["published"]) == ("Which tree?", None)
        assert published.after["title"] == "Which tree?"
        told = ledger_feed.feed(scene["ada"].user, scene.community, kind=Kind.DECISION, first=9)
        assert "Secret plan" not in str(told)
        assert "Secret plan" in str(ledger_feed.feed(scene.manager, scene.community, kind=Kind.DECISION, first=9))

    def test_what_an_applicant_wrote_is_for_the_applicant_and_the_managers_of_this_community(
        self, scene: Scene
    ) -> None:
        eve = factories.person("eve")
        _, others = rules.new_community()
        services.apply_to_community(eve, scene.community.pk, message="I am Eve.")
        (item,) = ledger_feed.feed(eve, scene.community, kind=Kind.APPLICATION, first=1)
        own = {"applicant": "@eve", "status": "pending", "message": "I am Eve."}
        assert (item.actor, item.sentence) == ("@eve", "@eve applied to join.")
        assert item.after is not None
        assert item.after.items() >= own.items()
        assert ledger_feed.feed(scene.manager, scene.community, kind=Kind.APPLICATION, first=1)[0].after == item.after
        for viewer in (NOBODY, scene["ada"].user, others["manager"].user):
            (item,) = ledger_feed.feed(viewer, scene.community, kind=Kind.APPLICATION, first=1)
            assert (item.actor, item.after) == ("Somebody", None)
            assert item.sentence == "An application to join was made, changed or decided on."

    def test_of_an_anonymous_member_neither_name_nor_contents_are_told_but_to_managers(self, scene: Scene) -> None:
        become = lambda: services.set_anonymity(scene["ada"].user, scene.community.pk, anonymous=True)  # noqa: E731
        (item,) = scene.news(become, scene["ben"].user)
        assert (item.sentence, item.before, item.after) == (
            "An anonymous member joined, left or was changed.",
            None,
            None,
        )
        _, others = rules.new_community()
        for viewer, knows in ((NOBODY, False), (others["manager"].user, False), (scene.manager, True)):
            (item,) = ledger_feed.feed(viewer, scene.community, kind=Kind.MEMBERSHIP, first=1)
            assert (scene("ada") in item.sentence, item.after is not None) == (knows, knows)

    def test_what_an_anonymous_manager_did_is_open_to_managers_alone(self, scene: Scene) -> None:
        ada, eve = scene["ada"].user, factories.person("eve")
        services.update_membership(scene.manager, scene["ada"].pk, is_manager=True)
        services.set_anonymity(ada, scene.community.pk, anonymous=True)

        def acts() -> None:
            services.update_community(ada, scene.community.pk, description="New")
            services.request_recalculation(ada, factories.decision(scene.community, ada).pk)
            application = services.apply_to_community(eve, scene.community.pk)
            services.decide_application(ada, application.pk, approve=True)

        revision = rules.revision(scene.community)
        acts()
        mine = {entry.revision for entry in rules.entries(scene.community, after=revision) if entry.actor == ada}
        kinds = {Kind(entry.kind) for entry in rules.entries(scene.community) if entry.revision in mine}
        assert kinds == {Kind.COMMUNITY, Kind.DECISION, Kind.RECALCULATION, Kind.APPLICATION, Kind.MEMBERSHIP}
        for viewer, knows in ((NOBODY, False), (scene["ben"].user, False), (eve, False), (scene.manager, True)):
            items = ledger_feed.feed_after(viewer, scene.community, revision, first=99)
            assert {item.revision for item in items if item.is_open} & mine == (mine if knows else set())

    def test_whom_an_anonymous_member_follows_is_told_to_that_member_alone(self, scene: Scene) -> None:
        services.set_anonymity(scene["ada"].user, scene.community.pk, anonymous=True)
        factories.follow(scene["ada"], scene["ben"], "secret")
        for viewer in (NOBODY, scene["ben"].user, scene.manager):
            (item,) = ledger_feed.feed(viewer, scene.community, kind=Kind.FOLLOWING, first=1)
            assert (item.actor, item.before, item.after) == ("Somebody", None, None)
            assert item.sentence == "A following was made, changed or ended."
        (item,) = ledger_feed.feed(scene["ada"].user, scene.community, kind=Kind.FOLLOWING, first=1)
        assert item.sentence == f"{scene('ada')} follows {scene('ben')} on secret."
        assert item.after is not None
        assert (item.actor, item.after["follower"], item.after["tags"]) == (scene("ada"), scene("ada"), ["secret"])

    @pytest.mark.parametrize("visibility", [Decision.Visibility.AFTER_CLOSE, Decision.Visibility.BATCHED])
    def test_a_hidden_ballot_is_told_to_its_voter_alone(self, scene: Scene, visibility: str) -> None:
        decision = factories.decision(scene.community, scene.manager, results_visibility=visibility)
        factories.vote(scene["ada"], decision, ["secret"], Ash=5)
        for viewer in (NOBODY, scene["ben"].user, scene.manager):
            (item,) = ledger_feed.feed(viewer, scene.community, kind=Kind.BALLOT, first=1)
            assert (item.before, item.after) == (None, None)
            assert scene("ada") not in item.sentence + item.actor
        (item,) = ledger_feed.feed(scene["ada"].user, scene.community, kind=Kind.BALLOT, first=1)
        assert item.after is not None
        assert (item.after["stars"], item.after["tags"]) == ({"Ash": 5}, ["secret"])
