"""The counters: which decisions a change makes stale, and which it does not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from democracy import ledger, services
from democracy.ledger import contents, staleness
from democracy.models import Community, Decision, DecisionSnapshot, Following, Membership
from tests import factories, rules

pytestmark = pytest.mark.django_db

LIVE = {"first", "second", "scheduled"}


@dataclass
class Scene:
    """A community with two open decisions, a scheduled one, a draft and a closed one; another community beside it.

    On "first" ada has cast a ballot on parks and ben has cast an untagged one; on "second" nobody has voted.
    """

    community: Community
    members: dict[str, Membership]
    decisions: dict[str, Decision]

    def __getitem__(self, handle: str) -> Membership:
        return self.members[handle]

    def made_stale(self, change: Callable[[], object]) -> set[str]:
        """The decisions, by name, whose input revision the change raises: to that of its last entry."""
        before = self.input_revisions()
        change()
        after = self.input_revisions()
        raised = {name for name in after if after[name] != before[name]}
        revision = rules.revision(self.community)
        assert {after[name] for name in raised} <= {revision}
        return raised

    def input_revisions(self) -> dict[str, int]:
        revisions = dict(Decision.objects.values_list("pk", "input_revision"))
        return {name: revisions[decision.pk] for name, decision in self.decisions.items()}


@pytest.fixture(scope="module")
def written(module_rows: None) -> Scene:
    community, members = rules.new_community("ada", "ben", "cleo", "dan")
    other, others = rules.new_community("eve")
    manager = members["manager"].user
    decisions = {name: factories.decision(community, manager) for name in ("first", "second", "closed")}
    soon = timezone.now() + timedelta(hours=1)
    decisions["scheduled"] = factories.decision(community, manager, opens_at=soon)
    decisions["draft"] = factories.draft(community, manager)
    decisions["elsewhere"] = factories.decision(other, others["manager"].user)
    for name in ("first", "closed"):
        factories.vote(members["ada"], decisions[name], ["parks"], Ash=5)
        factories.vote(members["ben"], decisions[name], Ash=3)
    factories.vote(others["eve"], decisions["elsewhere"], ["parks"], Ash=5)
    decisions["closed"] = factories.close(decisions["closed"])
    return Scene(community, members, decisions)


@pytest.fixture
def scene(written: Scene) -> Scene:
    return copy.deepcopy(written)


class TestBallots:
    def test_a_ballot_cast_changed_or_withdrawn_concerns_its_decision(self, scene: Scene) -> None:
        first = scene.decisions["first"]
        assert scene.made_stale(lambda: factories.vote(scene["cleo"], first, Ash=5)) == {"first"}
        assert scene.made_stale(lambda: factories.vote(scene["cleo"], first, Ash=4)) == {"first"}
        assert scene.made_stale(lambda: factories.vote(scene["cleo"], first)) == {"first"}
        assert scene.made_stale(lambda: services.withdraw_ballot(scene["cleo"].user, first.pk)) == {"first"}

    def test_changed_tags_of_a_ballot_do(self, scene: Scene) -> None:
        first, ada = scene.decisions["first"], scene["ada"].user
        assert scene.made_stale(lambda: services.tag_ballot(ada, first.pk, tags=["roads"])) == {"first"}

    def test_a_changed_comment_and_the_same_ballot_again_do_not(self, scene: Scene) -> None:
        first = scene.decisions["first"]
        stars = {factories.choices(first)["Ash"].pk: 5}
        cast = lambda comment: services.cast_ballot(scene["ada"].user, first.pk, stars=stars, comment=comment)  # noqa: E731
        before = rules.revision(scene.community)
        assert scene.made_stale(lambda: cast("because")) == set()
        assert rules.revision(scene.community) == before + 1
        assert scene.made_stale(lambda: cast("because")) == set()
        assert rules.revision(scene.community) == before + 1

    def test_a_lobbyists_ballot_does_for_others_may_inherit_it(self, scene: Scene) -> None:
        services.update_membership(scene["manager"].user, scene["cleo"].pk, role=Membership.Role.LOBBYIST)
        assert scene.made_stale(lambda: factories.vote(scene["cleo"], scene.decisions["first"], Ash=5)) == {"first"}


class TestFollowings:
    @pytest.mark.parametrize(
        ("follower", "tags", "stale"),
        [
            # On "second" and "scheduled" nobody has voted: no following can be active there.
            ("cleo", [], {"first"}),
            ("cleo", ["parks"], {"first"}),
            ("cleo", ["parks", "roads"], {"first"}),
            ("cleo", ["roads"], set()),
            # A follower with a cast ballot inherits nothing.
            ("ben", [], set()),
            ("ben", ["parks"], set()),
        ],
    )
    def test_where_the_follower_has_no_ballot_and_it_can_be_active(
        self, scene: Scene, follower: str, tags: list[str], stale: set[str]
    ) -> None:
        def follow() -> object:
            return factories.follow(scene[follower], scene["dan"], *tags)

        assert scene.made_stale(follow) == stale
        assert scene.made_stale(lambda: services.unfollow(scene[follower].user, scene["dan"].pk)) == stale

    @pytest.mark.parametrize(
        ("old", "new", "stale"),
        [
            (["roads"], ["parks"], {"first"}),
            (["parks"], ["roads"], {"first"}),
            (["roads"], [], {"first"}),
            ([], ["roads"], {"first"}),
            (["roads"], ["budget"], set()),
            (["parks"], ["parks"], set()),
        ],
    )
    def test_changed_tags_count_in_their_old_and_their_new_form(
        self, scene: Scene, old: list[str], new: list[str], stale: set[str]
    ) -> None:
        factories.follow(scene["cleo"], scene["ada"], *old)
        assert scene.made_stale(lambda: factories.follow(scene["cleo"], scene["ada"], *new)) == stale

    def test_a_following_that_only_moves_in_order_concerns_none(self, scene: Scene) -> None:
        factories.follow(scene["cleo"], scene["ada"])
        before = rules.revision(scene.community)
        move = lambda: services.follow(scene["cleo"].user, scene["ada"].pk, order=7)  # noqa: E731
        assert scene.made_stale(move) == set()
        assert rules.revision(scene.community) == before + 1

    def test_an_abstention_hands_nothing_on(self, scene: Scene) -> None:
        factories.vote(scene["dan"], scene.decisions["second"], ["roads"])
        assert scene.made_stale(lambda: factories.follow(scene["cleo"], scene["dan"])) == {"first"}
        assert scene.made_stale(lambda: factories.follow(scene["manager"], scene["dan"], "roads")) == set()

    def test_an_abstention_of_the_followers_own_stops_inheritance(self, scene: Scene) -> None:
        factories.vote(scene["cleo"], scene.decisions["first"])
        assert scene.made_stale(lambda: factories.follow(scene["cleo"], scene["ada"])) == set()


class TestMemberships:
    def test_joining_leaving_and_coming_back_concern_every_live_decision(self, scene: Scene) -> None:
        newcomer = factories.person()
        join = lambda: services.apply_to_community(newcomer, scene.community.pk)  # noqa: E731
        before = scene.input_revisions()
        join()
        assert {name for name, now in scene.input_revisions().items() if now != before[name]} == LIVE
        assert scene.made_stale(lambda: services.leave_community(newcomer, scene.community.pk)) == LIVE
        assert scene.made_stale(lambda: services.remove_member(scene["manager"].user, scene["ada"].pk)) == LIVE

    def test_a_changed_role_does(self, scene: Scene) -> None:
        manager, cleo = scene["manager"].user, scene["cleo"].pk
        change = lambda: services.update_membership(manager, cleo, role=Membership.Role.LOBBYIST)  # noqa: E731
        assert scene.made_stale(change) == LIVE
        assert scene.made_stale(change) == set()

    def test_anonymity_does_since_inherited_ballots_bear_another_name(self, scene: Scene) -> None:
        cleo = scene["cleo"].user
        for anonymous in (True, False):
            change = lambda now=anonymous: services.set_anonymity(cleo, scene.community.pk, anonymous=now)  # noqa: E731
            assert scene.made_stale(change) == LIVE

    def test_whom_an_anonymous_member_follows_concerns_every_live_decision_so_that_none_tells_of_a_vote(
        self, scene: Scene
    ) -> None:
        services.set_anonymity(scene["cleo"].user, scene.community.pk, anonymous=True)
        factories.vote(scene["cleo"], scene.decisions["first"])
        assert scene.made_stale(lambda: factories.follow(scene["cleo"], scene["ada"], "nothing")) == LIVE

    def test_a_managers_right_concerns_none(self, scene: Scene) -> None:
        manager, cleo = scene["manager"].user, scene["cleo"]
        before = rules.revision(scene.community)
        assert scene.made_stale(lambda: services.update_membership(manager, cleo.pk, is_manager=True)) == set()
        assert rules.revision(scene.community) == before + 1

    def test_applications_and_texts_concern_none(self, scene: Scene) -> None:
        manager = scene["manager"].user
        change = lambda: services.update_community(manager, scene.community.pk, joining="request", description="x")  # noqa: E731
        assert scene.made_stale(change) == set()
        assert scene.made_stale(lambda: services.apply_to_community(factories.person(), scene.community.pk)) == set()

    def test_many_at_once_raise_to_the_last_of_them(self, scene: Scene) -> None:
        def leave() -> None:
            with ledger.recording(scene.community.pk):
                for handle in ("cleo", "dan"):
                    services.leave_community(scene[handle].user, scene.community.pk)

        assert scene.made_stale(leave) == LIVE


class TestDecisions:
    def test_publishing_makes_that_decision_stale(self, scene: Scene) -> None:
        draft, manager = scene.decisions["draft"], scene["manager"].user
        assert scene.made_stale(lambda: services.update_decision(manager, draft.pk, title="New")) == set()
        assert scene.made_stale(lambda: services.publish_decision(manager, draft.pk)) == {"draft"}

    def test_a_clarification_and_a_later_closing_do_not(self, scene: Scene) -> None:
        first, manager = scene.decisions["first"], scene["manager"].user
        assert first.closes_at is not None
        later = first.closes_at + timedelta(days=1)
        assert scene.made_stale(lambda: services.update_decision(manager, first.pk, closes_at=later)) == set()
        assert scene.made_stale(lambda: services.add_clarification(manager, first.pk, text="Only trees.")) == set()

    def test_a_request_for_recalculation_does(self, scene: Scene) -> None:
        first, manager = scene.decisions["first"], scene["manager"].user
        assert scene.made_stale(lambda: services.request_recalculation(manager, first.pk)) == {"first"}


class TestImports:
    @pytest.fixture
    def people(self, scene: Scene) -> list[Membership]:
        return [factories.join(scene.community, factories.person()) for _ in range(16)]

    def follow_many(self, scene: Scene, people: list[Membership], number: int) -> None:
        pairs = [(one, other) for one in people for other in people if one != other][:number]
        with ledger.recording(scene.community.pk) as recording:
            rows = [Following(follower=one, followee=other, tags=["roads"]) for one, other in pairs]
            for row in Following.objects.bulk_create(rows):
                recording.add(contents.following_change(row, is_new=True))

    def test_up_to_a_hundred_followings_are_asked_about_one_by_one(
        self, scene: Scene, people: list[Membership]
    ) -> None:
        # None of these can be active: nobody has voted on roads.
        assert scene.made_stale(lambda: self.follow_many(scene, people, 100)) == set()

    def test_more_mark_every_live_decision_in_one_statement(self, scene: Scene, people: list[Membership]) -> None:
        with CaptureQueriesContext(connection) as queries:
            assert scene.made_stale(lambda: self.follow_many(scene, people, 101)) == LIVE
        assert sum(query["sql"].startswith('UPDATE "democracy_decision"') for query in queries) == 1

    def test_many_ballots_at_once_raise_each_decision_to_its_own_last_one(self, scene: Scene) -> None:
        before = scene.input_revisions()
        start = rules.revision(scene.community)
        with ledger.recording(scene.community.pk) as recording:
            for handle, name in (("cleo", "first"), ("dan", "first"), ("dan", "second")):
                ballot = scene[handle].ballots.create(decision=scene.decisions[name], abstain=True)
                recording.add(contents.ballot_change(ballot))
        assert scene.input_revisions() == {**before, "first": start + 2, "second": start + 3}


class TestWhatIsStale:
    def stale(self, scene: Scene, at: timedelta = timedelta(0)) -> set[str]:
        found = set(staleness.stale_decisions(timezone.now() + at).values_list("pk", flat=True))
        return {name for name, decision in scene.decisions.items() if decision.pk in found}

    def test_live_ones_behind_their_inputs_and_closed_ones_without_a_final_result(self, scene: Scene) -> None:
        assert self.stale(scene) == {*LIVE, "closed", "elsewhere"}
        for decision in Decision.objects.all():
            Decision.objects.filter(pk=decision.pk).update(calculated_revision=decision.input_revision)
        assert self.stale(scene) == {"closed"}
        closed = scene.decisions["closed"]
        DecisionSnapshot.objects.create(decision=closed, revision=1, calculated_at=timezone.now(), result={})
        assert self.stale(scene) == {"closed"}
        DecisionSnapshot.objects.update(is_final=True)
        assert self.stale(scene) == set()

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL reads such small tables whole")
    def test_they_are_found_without_looking_at_those_that_are_done(self, scene: Scene) -> None:
        with connection.cursor() as cursor:
            # Earlier tests may have left statistics of tables that were nearly empty.
            cursor.execute("ANALYZE")
            cursor.execute("DELETE FROM sqlite_stat1")
            cursor.execute("ANALYZE sqlite_schema")
        plan = staleness.stale_decisions(timezone.now()).values_list("community", flat=True).explain()
        read = (line.partition(" democracy_decision ")[2] for line in plan.splitlines())
        looked_at = {index for index in read if index}
        assert looked_at == {
            "USING INDEX decision_stale (closes_at>?)",
            "USING INDEX decision_without_final (closes_at<?)",
        }

    def test_each_becomes_so_again_when_it_closes(self, scene: Scene) -> None:
        for decision in Decision.objects.all():
            Decision.objects.filter(pk=decision.pk).update(calculated_revision=decision.input_revision)
        assert self.stale(scene, timedelta(days=8)) == {*LIVE, "closed", "elsewhere"}

    def test_one_that_failed_is_left_alone_for_a_while_unless_something_new_affects_it(self, scene: Scene) -> None:
        first = scene.decisions["first"]
        now = Decision.objects.get(pk=first.pk)
        mark = {"failed_revision": now.input_revision, "failed_at": timezone.now()}
        Decision.objects.filter(pk=first.pk).update(**mark)
        assert "first" not in self.stale(scene)
        assert "first" in self.stale(scene, staleness.RETRY_AFTER + timedelta(seconds=1))
        factories.vote(scene["cleo"], first, Ash=5)
        assert "first" in self.stale(scene)
