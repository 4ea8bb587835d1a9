"""Lines of the event log about commands: whose act, on what, in which words, and not before it has committed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.errors import DomainError
from crowdvote.operations.logfile import EventFormatter
from democracy import services
from democracy.files.ballot_files import read_ballots
from democracy.files.edge_lists import read_edge_list
from democracy.files.imported_ballots import import_ballots
from democracy.files.imported_bundle import import_bundle
from democracy.files.imported_followings import import_followings
from democracy.models import Community, Decision
from tests import factories
from tests.towns import Town

Change = Callable[[], Any]
Logged = Callable[[Change], list[str]]


@pytest.fixture
def logged(town: Town, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any) -> Iterator[Logged]:
    """The lines that a change writes, without their times; until it has committed it writes none."""
    formatter = EventFormatter()

    def lines() -> list[str]:
        events = [record for record in caplog.records if record.name == "crowdvote.events"]
        return [formatter.format(record).partition("] ")[2] for record in events]

    def run(change: Change) -> list[str]:
        caplog.clear()
        with django_capture_on_commit_callbacks() as commit:
            change()
        assert lines() == []
        for effect in commit:
            effect()
        return lines()

    with caplog.at_level(logging.INFO, logger="crowdvote.events"):
        yield run


def handle(town: Town, who: str) -> str:
    return town.members[who].user.handle


def name(community: Community) -> str:
    return Community.objects.get(pk=community.pk).name


class TestCommunities:
    def test_founding(self, logged: Logged) -> None:
        founder = factories.person("jebediah")
        assert logged(lambda: services.create_community(founder, name="Shelbyville")) == [
            "[INFO] [COMMUNITY_CREATE] [jebediah] - Community 'Shelbyville' created"
        ]

    def test_changed_settings_are_named(self, town: Town, logged: Logged) -> None:
        change = lambda: services.update_community(  # noqa: E731
            town.manager, town.community.pk, name="Shelbyville", visibility="public"
        )
        assert logged(change) == [
            f"[INFO] [COMMUNITY_CHANGE] [{handle(town, 'manager')}] - Community 'Shelbyville' changed: name,visibility"
        ]
        assert logged(change) == []

    def test_joining_at_once_and_by_a_managers_decision(self, town: Town, logged: Logged) -> None:
        pk = town.community.pk
        eve, fay, gus = (factories.person(handle) for handle in ("eve", "fay", "gus"))
        assert logged(lambda: services.apply_to_community(eve, pk)) == [
            f"[INFO] [MEMBERSHIP_CHANGE] [eve] - Joined community '{town.community.name}' as Voter"
        ]
        services.update_community(town.manager, pk, joining="request")
        applications = []
        for person in (fay, gus):
            assert logged(lambda one=person: applications.append(services.apply_to_community(one, pk))) == []  # type: ignore[misc]
        approved, rejected = (one.pk for one in applications)
        assert logged(lambda: services.decide_application(town.manager, approved, approve=True)) == [
            f"[INFO] [MEMBERSHIP_CHANGE] [fay] - Joined community '{town.community.name}' as Voter"
        ]
        assert logged(lambda: services.decide_application(town.manager, rejected, approve=False)) == []

    def test_leaving_being_removed_and_another_role(self, town: Town, logged: Logged) -> None:
        pk, where = town.community.pk, f"community '{town.community.name}'"
        assert logged(lambda: services.leave_community(town.ada.user, pk)) == [
            f"[INFO] [MEMBERSHIP_CHANGE] [{handle(town, 'ada')}] - Left {where}"
        ]
        assert logged(lambda: services.remove_member(town.manager, town.ben.pk)) == [
            f"[INFO] [MEMBERSHIP_CHANGE] [{handle(town, 'ben')}] - Was removed from {where}"
        ]
        assert logged(lambda: services.update_membership(town.manager, town.cleo.pk, role="lobbyist")) == [
            f"[INFO] [MEMBERSHIP_CHANGE] [{handle(town, 'cleo')}] - Now Lobbyist in {where}"
        ]
        assert logged(lambda: services.update_membership(town.manager, town.dan.pk, is_manager=True)) == [
            f"[INFO] [MEMBERSHIP_CHANGE] [{handle(town, 'dan')}] - Now Voter and manager in {where}"
        ]

    def test_whoever_becomes_anonymous_is_not_named_and_the_followings_that_end_are_told(
        self, town: Town, logged: Logged
    ) -> None:
        for follower in (town.ben, town.cleo):
            factories.follow(follower, town.ada)
        become = lambda anonymous: services.set_anonymity(  # noqa: E731
            town.ada.user, town.community.pk, anonymous=anonymous, confirmed=True
        )
        ended = "A following ended: the member followed became anonymous"
        where = f"anonymous in community '{town.community.name}'"
        assert logged(lambda: become(True)) == [
            f"[INFO] [FOLLOWING_CHANGE] [{handle(town, 'ben')}] - {ended}",
            f"[INFO] [FOLLOWING_CHANGE] [{handle(town, 'cleo')}] - {ended}",
        ]
        # That somebody is anonymous now waits for the end of the hour.
        assert logged(lambda: become(True)) == []
        assert logged(lambda: become(False)) == [
            f"[INFO] [MEMBERSHIP_CHANGE] [{handle(town, 'ada')}] - No longer {where}"
        ]

    def test_no_line_names_an_anonymous_follower_whose_following_ends(self, town: Town, logged: Logged) -> None:
        factories.follow(town.ben, town.ada)
        services.set_anonymity(town.ben.user, town.community.pk, anonymous=True)
        become = lambda: services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)  # noqa: E731
        assert handle(town, "ben") not in "".join(logged(become))


class TestDecisions:
    def test_from_the_draft_to_a_recalculation(self, town: Town, logged: Logged) -> None:
        actor, decisions = handle(town, "manager"), []

        def draft() -> None:
            decisions.append(factories.draft(town.community, town.manager, title="Budget Vote"))

        assert logged(draft) == [
            f"[INFO] [DECISION_CREATE] [{actor}] - Decision 'Budget Vote' created in {town.community.name}"
        ]
        (decision,) = decisions
        kept = [services.ChoiceInput(one.title, id=one.pk) for one in decision.choices.all()]
        change = lambda title: services.update_decision(town.manager, decision.pk, title=title, choices=kept)  # noqa: E731
        assert logged(lambda: change("The Budget")) == [
            f"[INFO] [DECISION_CHANGE] [{actor}] - Decision 'The Budget' changed: title"
        ]
        assert logged(lambda: change("The Budget")) == []
        kept.reverse()
        assert logged(lambda: change("The Budget")) == [
            f"[INFO] [DECISION_CHANGE] [{actor}] - Decision 'The Budget' changed: choices"
        ]
        assert logged(lambda: services.publish_decision(town.manager, decision.pk)) == [
            f"[INFO] [DECISION_PUBLISH] [{actor}] - Decision 'The Budget' published, voting opens"
        ]
        assert logged(lambda: services.request_recalculation(town.manager, decision.pk)) == [
            f"[INFO] [MANUAL_RECALC] [{actor}] - Manual recalculation triggered for decision 'The Budget'"
        ]
        assert logged(lambda: services.pin_decision(town.manager, decision.pk, pinned=True)) == [
            f"[INFO] [DECISION_CHANGE] [{actor}] - Decision 'The Budget' changed: pinned"
        ]
        assert logged(lambda: services.remind(town.manager, decision.pk)) == [
            f"[INFO] [DECISION_REMINDER] [{actor}] - A reminder of decision 'The Budget' was asked for"
        ]
        assert logged(lambda: services.call_off(town.manager, decision.pk, reason="Mended.")) == [
            f"[INFO] [DECISION_CALLED_OFF] [{actor}] - Decision 'The Budget' called off"
        ]
        copy = services.copy_decision(town.manager, decision.pk)
        assert logged(lambda: services.delete_draft(town.manager, copy.pk)) == [
            f"[INFO] [DECISION_DELETE] [{actor}] - Draft 'The Budget' deleted"
        ]


class TestFollowings:
    def test_followed_on_tags_on_everything_and_no_longer(self, town: Town, logged: Logged) -> None:
        ada, ben = handle(town, "ada"), handle(town, "ben")
        assert logged(lambda: factories.follow(town.ada, town.ben, "roads", "budget")) == [
            f"[INFO] [FOLLOWING_CHANGE] [{ada}] - Now following {ben} on tags: budget,roads"
        ]
        assert logged(lambda: factories.follow(town.ada, town.ben)) == [
            f"[INFO] [FOLLOWING_CHANGE] [{ada}] - Now following {ben} on everything"
        ]
        assert logged(lambda: services.unfollow(town.ada.user, town.ben.pk)) == [
            f"[INFO] [FOLLOWING_CHANGE] [{ada}] - Stopped following {ben}"
        ]

    def test_whom_an_anonymous_member_follows_is_not_logged(self, town: Town, logged: Logged) -> None:
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        lines = [
            *logged(lambda: factories.follow(town.ada, town.ben)),
            *logged(lambda: services.unfollow(town.ada.user, town.ben.pk)),
        ]
        assert lines == []


class TestVotes:
    @pytest.fixture
    def decision(self, town: Town) -> Decision:
        return factories.decision(town.community, town.manager, title="Budget Vote")

    def acts(self, town: Town, decision: Decision, who: str) -> list[Change]:
        voter = town.members[who]
        return [
            lambda: factories.vote(voter, decision, ["roads"], Ash=5),
            lambda: services.tag_ballot(voter.user, decision.pk, tags=["hush"]),
            lambda: services.withdraw_ballot(voter.user, decision.pk),
        ]

    def test_cast_tagged_and_withdrawn(self, town: Town, decision: Decision, logged: Logged) -> None:
        ada = handle(town, "ada")
        assert [logged(act) for act in self.acts(town, decision, "ada")] == [
            [f"[INFO] [VOTE_CAST] [{ada}] - Vote cast on decision 'Budget Vote'"],
            [f"[INFO] [VOTE_TAGGED] [{ada}] - Vote tags changed on decision 'Budget Vote'"],
            [f"[INFO] [VOTE_WITHDRAWN] [{ada}] - Vote withdrawn from decision 'Budget Vote'"],
        ]

    def test_no_line_names_an_anonymous_voter(self, town: Town, decision: Decision, logged: Logged) -> None:
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        for act in self.acts(town, decision, "ada"):
            assert handle(town, "ada") not in "".join(logged(act))

    def test_a_ballot_under_a_pseudonym_is_not_logged_by_name_once_its_voter_is_named_again(
        self, town: Town, decision: Decision, logged: Logged
    ) -> None:
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=True)
        cast, *later = self.acts(town, decision, "ada")
        cast()
        services.set_anonymity(town.ada.user, town.community.pk, anonymous=False)
        for act in (lambda: factories.vote(town.ada, decision, ["parks"], Ash=1), *later):
            assert handle(town, "ada") not in "".join(logged(act))


class TestWhatDidNotHappen:
    def test_what_was_refused_or_rolled_back_is_not_logged(self, town: Town, logged: Logged) -> None:
        def rolled_back(change: Change) -> None:
            with transaction.atomic():
                change()
                transaction.set_rollback(True)

        def refused() -> None:
            with suppress(DomainError):
                services.tag_ballot(town.ben.user, town.decision.pk, tags=["roads"])

        vote = lambda: factories.vote(town.ada, town.decision, Ash=5)  # noqa: E731
        assert logged(lambda: rolled_back(vote)) == []
        assert logged(refused) == []
        assert len(logged(vote)) == 1


BUNDLE = {
    "format": "crowdvote-bundle",
    "version": 1,
    "community": {"name": "Capital City"},
    "members": [{"id": "m1", "name": "Ann", "role": "voter"}],
    "followings": [],
    "decisions": [{"id": "d1", "title": "Trees", "choices": [{"id": each, "title": each} for each in "ab"]}],
}


class TestImports:
    def test_of_a_bundle(self, logged: Logged) -> None:
        assert logged(lambda: import_bundle(json.dumps(BUNDLE))) == [
            "[INFO] [COMMUNITY_CREATE] [system] - Community 'Capital City' created",
            "[INFO] [DECISION_CREATE] [system] - Decision 'Trees' created in Capital City",
            "[INFO] [DECISION_PUBLISH] [system] - Decision 'Trees' published, voting opens",
        ]

    def test_of_an_edge_list_for_a_community_that_is_missing_and_one_that_is_there(self, logged: Logged) -> None:
        created = ["[INFO] [COMMUNITY_CREATE] [system] - Community 'Ogdenville' created"]
        for text, expected in (("a b\n", created), ("b a\n", [])):
            edges = read_edge_list(text)
            assert logged(partial(import_followings, edges, community="Ogdenville")) == expected

    def test_of_ballots(self, logged: Logged) -> None:
        ballots = read_ballots("Voter,Ash,Birch\nann,5,0\n")
        assert logged(lambda: import_ballots(ballots, community="North Haverbrook", title="Trees")) == [
            "[INFO] [COMMUNITY_CREATE] [system] - Community 'North Haverbrook' created",
            "[INFO] [DECISION_CREATE] [system] - Decision 'Trees' created in North Haverbrook",
            "[INFO] [DECISION_PUBLISH] [system] - Decision 'Trees' published, voting opens",
        ]
