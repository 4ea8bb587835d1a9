"""Rights to see public and members' communities, drafts, anonymous members, ballots and results before closing."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from democracy import access, services
from democracy.access import Viewer
from democracy.errors import PermissionDenied
from democracy.models import Application, Community, Decision, DecisionSnapshot, Membership
from tests import factories, rules

pytestmark = pytest.mark.django_db


@dataclass
class Scene:
    """A community with a named, an anonymous, a former and a removed member, and everybody who might look at it."""

    community: Community
    members: dict[str, Membership]
    decisions: dict[str, Decision]
    applications: dict[str, Application]
    viewers: dict[str, Viewer]

    def who(self, sees: Callable[[Viewer], bool]) -> set[str]:
        return {name for name, viewer in self.viewers.items() if sees(viewer)}

    def seen_by(self, visible: Callable[[Viewer], QuerySet[Any]], rows: dict[str, Any]) -> dict[str, set[str]]:
        """For each viewer, which of these rows they see."""
        names = {row.pk: name for name, row in rows.items()}
        return {
            viewer: {names[pk] for pk in visible(who).values_list("pk", flat=True) if pk in names}
            for viewer, who in self.viewers.items()
        }


@pytest.fixture(scope="module", params=[Community.Visibility.PUBLIC, Community.Visibility.MEMBERS])
def written(module_rows: None, request: pytest.FixtureRequest) -> Scene:
    community, members = rules.new_community("named", "hidden", "former", "removed")
    _, others = rules.new_community("stranger")
    manager = members["manager"].user
    services.set_anonymity(members["hidden"].user, community.pk, anonymous=True)
    decisions = {
        "open": factories.decision(community, manager),
        "scheduled": factories.decision(community, manager, opens_at=timezone.now() + timedelta(hours=1)),
        "draft": factories.draft(community, manager),
        "closed": factories.close(factories.decision(community, manager)),
    }
    services.leave_community(members["former"].user, community.pk)
    services.remove_member(manager, members["removed"].pk)
    services.update_community(manager, community.pk, visibility=request.param, joining="request")
    applicant = factories.person()
    applications = {
        "applicant's": services.apply_to_community(applicant, community.pk),
        "removed's": services.apply_to_community(members["removed"].user, community.pk),
    }
    viewers: dict[str, Viewer] = {name: member.user for name, member in members.items()}
    viewers |= {"applicant": applicant, "stranger": others["stranger"].user, "their manager": others["manager"].user}
    viewers["nobody"] = AnonymousUser()
    return Scene(Community.objects.get(pk=community.pk), members, decisions, applications, viewers)


@pytest.fixture
def scene(written: Scene) -> Scene:
    return copy.deepcopy(written)


MEMBERS = {"manager", "named", "hidden"}


def readers(scene: Scene) -> set[str]:
    return set(scene.viewers) if scene.community.visibility == Community.Visibility.PUBLIC else MEMBERS


class TestSeeing:
    def test_a_public_community_is_read_by_everybody_another_by_its_current_members(self, scene: Scene) -> None:
        assert scene.who(
            lambda viewer: access.communities_readable_by(viewer).filter(pk=scene.community.pk).exists()
        ) == readers(scene)

    def test_drafts_are_seen_by_managers_and_the_rest_by_readers(self, scene: Scene) -> None:
        published = {"open", "scheduled", "closed"}
        assert scene.seen_by(access.decisions_visible_to, scene.decisions) == {
            viewer: (published if viewer in readers(scene) else set()) | ({"draft"} if viewer == "manager" else set())
            for viewer in scene.viewers
        }

    def test_an_anonymous_member_is_seen_on_the_roll_by_managers_and_themselves_only(self, scene: Scene) -> None:
        expected = {viewer: {"manager", "named"} if viewer in readers(scene) else set() for viewer in scene.viewers}
        for viewer in ("manager", "hidden"):
            expected[viewer] = {"manager", "named", "hidden"}
        assert scene.seen_by(access.memberships_visible_to, scene.members) == expected

    def test_an_application_is_seen_by_managers_and_whoever_made_it(self, scene: Scene) -> None:
        expected: dict[str, set[str]] = {viewer: set() for viewer in scene.viewers}
        expected["manager"] = {"applicant's", "removed's"}
        expected["applicant"], expected["removed"] = {"applicant's"}, {"removed's"}
        assert scene.seen_by(access.applications_visible_to, scene.applications) == expected

    def test_a_stored_result_is_seen_with_its_decision(self, scene: Scene) -> None:
        for decision in scene.decisions.values():
            DecisionSnapshot.objects.create(decision=decision, revision=1, calculated_at=timezone.now(), result={})
        snapshots = {name: decision.snapshots.get() for name, decision in scene.decisions.items()}
        assert scene.seen_by(access.snapshots_visible_to, snapshots) == scene.seen_by(
            access.decisions_visible_to, scene.decisions
        )

    def test_ones_own_membership_is_a_current_one(self, scene: Scene) -> None:
        assert scene.who(lambda viewer: access.membership_of(viewer, scene.community.pk) is not None) == MEMBERS


class TestDoing:
    def refusals(self, scene: Scene, require: Callable[[Viewer], object]) -> tuple[set[str], set[str]]:
        """(who is let through, the messages the others get)."""
        through, messages = set(), set()
        for name, viewer in scene.viewers.items():
            try:
                require(viewer)
            except PermissionDenied as denied:
                messages.add(str(denied))
            else:
                through.add(name)
        return through, messages

    def test_members_and_managers(self, scene: Scene) -> None:
        pk = scene.community.pk
        assert self.refusals(scene, lambda viewer: access.require_member(viewer, pk))[0] == MEMBERS
        assert self.refusals(scene, lambda viewer: access.require_manager(viewer, pk))[0] == {"manager"}
        assert self.refusals(scene, access.require_user)[0] == scene.viewers.keys() - {"nobody"}

    def test_what_one_may_not_see_is_refused_like_what_does_not_exist(self, scene: Scene) -> None:
        for name, decision in scene.decisions.items():
            through, messages = self.refusals(scene, lambda viewer, pk=decision.pk: access.require_decision(viewer, pk))  # type: ignore[misc]
            assert through == ({"manager"} if name == "draft" else readers(scene))
            nobody, nothing = self.refusals(scene, lambda viewer: access.require_decision(viewer, 10**9))
            assert (nobody, messages) == (set(), nothing if messages else set())

    def test_an_inactive_account_does_nothing(self, scene: Scene) -> None:
        user = User.objects.get(pk=scene.members["manager"].user_id)
        access.require_manager(user, scene.community.pk)
        user.is_active = False
        for require in (access.require_member, access.require_manager):
            with pytest.raises(PermissionDenied):
                require(user, scene.community.pk)


class TestNames:
    def test_a_named_member_bears_their_handle_everywhere(self) -> None:
        named = rules.new_community("named")[1]["named"]
        assert access.display_name(named) == named.user.handle

    def test_an_anonymous_member_has_a_pseudonym_of_their_own_in_each_decision(self) -> None:
        community, members = rules.new_community("hidden")
        member = services.set_anonymity(members["hidden"].user, community.pk, anonymous=True)
        assert access.display_name(member) == "Anonymous"
        names = [access.pseudonym(decision, member.pk) for decision in range(1, 200)]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"Anonymous [0-9a-f]{12}", name) for name in names)
        assert names == [access.pseudonym(decision, member.pk) for decision in range(1, 200)]
        assert access.pseudonym(1, member.pk, kind="abstained") == names[0]
        assert access.pseudonym(1, member.pk, kind="inherited") not in names
        others = {access.pseudonym(1, number) for number in range(1, 200)}
        assert len(others) == 199

    def test_pseudonyms_cannot_be_made_without_the_secret_key(self, settings: Any) -> None:
        before = access.pseudonym(1, 2)
        settings.SECRET_KEY = "another"
        assert access.pseudonym(1, 2) != before

    def test_neither_order_nor_glue_of_the_numbers_makes_two_names_one(self) -> None:
        pairs = ((1, 23), (12, 3), (3, 12), (23, 1), (123, 0))
        assert len({access.pseudonym(*pair) for pair in pairs}) == len(pairs)


class TestBallotsBeforeClosing:
    @pytest.mark.parametrize(
        ("visibility", "state", "shown"),
        [
            ("live", "draft", False),
            ("live", "open", True),
            ("live", "closed", True),
            ("batched", "open", False),
            ("batched", "closed", True),
            ("after_close", "open", False),
            ("after_close", "closed", True),
        ],
    )
    def test_single_ballots_show_where_results_are_live_and_else_once_it_is_over(
        self, visibility: str, state: str, shown: bool
    ) -> None:
        community, members = factories.community()
        decision = factories.draft(community, members["manager"].user, results_visibility=visibility)
        if state != "draft":
            decision = services.publish_decision(members["manager"].user, decision.pk)
        if state == "closed":
            decision = factories.close(decision)
        assert access.shows_ballots(decision) is shown
