"""The rules of ballots: who casts, changes and withdraws one, when, and what may stand on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from democracy import ledger, services
from democracy.errors import (
    DecisionClosed,
    DecisionNotOpen,
    EmptyBallot,
    InvalidInput,
    InvalidStars,
    InvalidTag,
    NoBallot,
    PermissionDenied,
)
from democracy.ledger.canonical import written_time
from democracy.models import Ballot, Decision, LedgerEntry, Membership
from tests import factories, rules
from tests.towns import Town

pytestmark = pytest.mark.usefixtures("bystander")


def ballot_of(member: Membership, decision: Decision) -> dict[str, Any] | None:
    """A member's ballot as the tables have it: stars by title, tags, comment, abstention."""
    ballot = Ballot.objects.filter(membership=member, decision=decision).first()
    if ballot is None:
        return None
    return {
        "stars": {vote.choice.title: vote.stars for vote in ballot.votes.select_related("choice")},
        "tags": ballot.tags,
        "comment": ballot.comment,
        "abstain": ballot.abstain,
    }


def stars_on(decision: Decision, **stars: Any) -> dict[int, Any]:
    ids = factories.choices(decision)
    return {ids[title].pk: number for title, number in stars.items()}


def cast(member: Membership, decision: Decision, **fields: Any) -> services.RecordedBallot:
    fields.setdefault("stars", stars_on(decision, Ash=5))
    return services.cast_ballot(member.user, decision.pk, **fields)


# The three things people do to a ballot; the last two need one.
Command = Callable[[Any, int, dict[int, int]], services.RecordedBallot]
COMMANDS: dict[str, Command] = {
    "cast": lambda viewer, decision, stars: services.cast_ballot(viewer, decision, stars=stars),
    "tag": lambda viewer, decision, stars: services.tag_ballot(viewer, decision, tags=["parks"]),
    "withdraw": lambda viewer, decision, stars: services.withdraw_ballot(viewer, decision),
}
every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())


class TestCasting:
    def test_a_ballot_holds_the_stars_tags_and_comment_that_were_given(self, town: Town) -> None:
        cast(
            town.ada,
            town.decision,
            stars=stars_on(town.decision, Ash=5, Cedar=0),
            tags=["Budget"],
            comment=" why \r\nnot ",
        )
        assert ballot_of(town.ada, town.decision) == {
            "stars": {"Ash": 5, "Cedar": 0},
            "tags": ["budget"],
            "comment": "why \nnot",
            "abstain": False,
        }
        assert Ballot.objects.filter(decision__community=town.community).count() == 1

    def test_casting_again_changes_the_one_ballot(self, town: Town) -> None:
        first = cast(town.ada, town.decision, stars=stars_on(town.decision, Ash=5, Birch=3))
        second = cast(town.ada, town.decision, stars=stars_on(town.decision, Birch=1, Cedar=2))
        assert (first.ballot, second.ballot) == (Ballot.objects.get(membership=town.ada), first.ballot)
        expected = {"stars": {"Birch": 1, "Cedar": 2}, "tags": [], "comment": "", "abstain": False}
        assert ballot_of(town.ada, town.decision) == expected

    def test_tags_and_comment_stay_unless_given(self, town: Town) -> None:
        cast(town.ada, town.decision, tags=["parks"], comment="because")
        cast(town.ada, town.decision, stars=stars_on(town.decision, Ash=1))
        kept = {"stars": {"Ash": 1}, "tags": ["parks"], "comment": "because", "abstain": False}
        assert ballot_of(town.ada, town.decision) == kept
        cast(town.ada, town.decision, stars=stars_on(town.decision, Ash=1), tags=[], comment="")
        assert ballot_of(town.ada, town.decision) == {**kept, "tags": [], "comment": ""}

    def test_a_lobbyist_and_an_anonymous_voter_may_vote(self, town: Town) -> None:
        services.update_membership(town.manager, town.ada.pk, role=Membership.Role.LOBBYIST)
        services.set_anonymity(town.ben.user, town.community.pk, anonymous=True)
        cast(town.ada, town.decision)
        cast(town.ben, town.decision)
        assert ballot_of(town.ada, town.decision) == ballot_of(town.ben, town.decision) != None  # noqa: E711

    def test_a_ballot_touches_nobody_elses(self, town: Town) -> None:
        cast(town.ada, town.decision)
        other = factories.decision(town.community, town.manager)
        cast(town.ben, town.decision, stars=stars_on(town.decision, Cedar=2))
        cast(town.ada, other, stars=stars_on(other, Birch=4))
        services.withdraw_ballot(town.ben.user, town.decision.pk)
        assert ballot_of(town.ada, town.decision) == {"stars": {"Ash": 5}, "tags": [], "comment": "", "abstain": False}
        assert ballot_of(town.ada, other) == {"stars": {"Birch": 4}, "tags": [], "comment": "", "abstain": False}


class TestStars:
    @pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5])
    def test_zero_to_five_are_stars(self, town: Town, number: int) -> None:
        cast(town.ada, town.decision, stars=stars_on(town.decision, Ash=number))
        assert (ballot_of(town.ada, town.decision) or {})["stars"] == {"Ash": number}

    @pytest.mark.parametrize("number", [-1, 6, 2**70, 2.5, 5.0, True, "3", None, float("nan")])
    def test_nothing_else_is(self, town: Town, number: Any) -> None:
        cast(town.ada, town.decision)
        with rules.refused(InvalidStars):
            cast(town.ada, town.decision, stars=stars_on(town.decision, Ash=1, Birch=number))

    def test_only_choices_of_the_decision_are_rated(self, town: Town, bystander: Town) -> None:
        sibling = factories.decision(town.community, town.manager)
        for stranger in (sibling, bystander.decision):
            with rules.refused(InvalidStars):
                cast(town.ada, town.decision, stars=stars_on(town.decision, Ash=5) | stars_on(stranger, Ash=5))

    def test_a_ballot_with_no_rated_choice_must_say_that_it_abstains(self, town: Town) -> None:
        with rules.refused(EmptyBallot):
            cast(town.ada, town.decision, stars={})
        cast(town.ada, town.decision, stars={}, abstain=True)
        assert ballot_of(town.ada, town.decision) == {"stars": {}, "tags": [], "comment": "", "abstain": True}

    def test_zero_stars_are_a_rating_and_no_abstention(self, town: Town) -> None:
        cast(town.ada, town.decision, stars=stars_on(town.decision, Ash=0))
        assert ballot_of(town.ada, town.decision) == {"stars": {"Ash": 0}, "tags": [], "comment": "", "abstain": False}

    def test_an_abstention_rates_nothing(self, town: Town) -> None:
        cast(town.ada, town.decision)
        with rules.refused(InvalidStars):
            cast(town.ada, town.decision, abstain=True)
        cast(town.ada, town.decision, stars={}, abstain=True)
        assert ballot_of(town.ada, town.decision) == {"stars": {}, "tags": [], "comment": "", "abstain": True}

    def test_an_abstention_can_become_a_ballot(self, town: Town) -> None:
        cast(town.ada, town.decision, stars={}, abstain=True)
        cast(town.ada, town.decision)
        assert ballot_of(town.ada, town.decision) == {"stars": {"Ash": 5}, "tags": [], "comment": "", "abstain": False}


class TestWhatElseStandsOnIt:
    def test_twenty_tags_and_no_more_repetitions_not_counted(self, town: Town) -> None:
        twenty = [f"tag {number}" for number in range(20)]
        cast(town.ada, town.decision, tags=[*twenty, " TAG  0 "])
        assert (ballot_of(town.ada, town.decision) or {})["tags"] == sorted(twenty)
        with rules.refused(InvalidTag):
            cast(town.ada, town.decision, tags=[*twenty, "one more"])
        with rules.refused(InvalidTag):
            services.tag_ballot(town.ada.user, town.decision.pk, tags=["a,b"])

    def test_a_comment_has_at_most_2000_characters(self, town: Town) -> None:
        cast(town.ada, town.decision, comment="ü" * 2_000)
        with rules.refused(InvalidInput) as caught:
            cast(town.ada, town.decision, comment="ü" * 2_001)
        assert caught.value.field == "comment"  # type: ignore[attr-defined]

    @pytest.mark.parametrize("comment", ["a\x00b", "a\x1b[31m", "\ud800"])
    def test_a_comment_has_no_control_characters(self, town: Town, comment: str) -> None:
        with rules.refused(InvalidInput):
            cast(town.ada, town.decision, comment=comment)
        cast(town.ada, town.decision, comment="two\nlines\tand a tab")
        assert (ballot_of(town.ada, town.decision) or {})["comment"] == "two\nlines\tand a tab"


class TestTaggingAndWithdrawing:
    def test_tags_change_and_the_rest_stays(self, town: Town) -> None:
        cast(town.ada, town.decision, tags=["parks"], comment="because")
        services.tag_ballot(town.ada.user, town.decision.pk, tags=["Roads", "Ｂudget"])
        expected = {"stars": {"Ash": 5}, "tags": ["budget", "roads"], "comment": "because", "abstain": False}
        assert ballot_of(town.ada, town.decision) == expected

    def test_a_withdrawn_ballot_is_gone_and_can_be_cast_anew(self, town: Town) -> None:
        cast(town.ada, town.decision, tags=["parks"], comment="because")
        services.withdraw_ballot(town.ada.user, town.decision.pk)
        assert ballot_of(town.ada, town.decision) is None
        cast(town.ada, town.decision)
        assert ballot_of(town.ada, town.decision) == {"stars": {"Ash": 5}, "tags": [], "comment": "", "abstain": False}

    def test_a_withdrawal_that_is_sent_again_has_the_same_receipt_and_writes_nothing(self, town: Town) -> None:
        factories.vote(town.ada, town.decision, Ash=5)
        first = services.withdraw_ballot(town.ada.user, town.decision.pk)
        before = rules.written()
        again = services.withdraw_ballot(town.ada.user, town.decision.pk)
        assert (again.ballot, again.entry_hash) == (None, first.entry_hash)
        assert rules.written() == before

    def test_without_a_ballot_there_is_nothing_to_tag_or_withdraw(self, town: Town) -> None:
        cast(town.ben, town.decision)
        with rules.refused(NoBallot):
            services.tag_ballot(town.ada.user, town.decision.pk, tags=["parks"])
        with rules.refused(NoBallot):
            services.withdraw_ballot(town.ada.user, town.decision.pk)
        services.tag_ballot(town.ben.user, town.decision.pk, tags=["parks"])
        services.withdraw_ballot(town.ben.user, town.decision.pk)


class TestWho:
    @every_command
    def test_a_current_member_may(self, town: Town, command: Command) -> None:
        cast(town.ada, town.decision)
        command(town.ada.user, town.decision.pk, stars_on(town.decision, Ash=1))

    @every_command
    def test_nobody_who_is_not_a_current_member_may(self, town: Town, bystander: Town, command: Command) -> None:
        for member in (town.ada, town.ben):
            cast(member, town.decision)
        services.leave_community(town.ada.user, town.community.pk)
        services.remove_member(town.manager, town.ben.pk)
        services.update_community(town.manager, town.community.pk, joining="request", visibility="public")
        applicant = factories.person()
        services.apply_to_community(applicant, town.community.pk)
        strangers = (applicant, bystander.manager, town.ada.user, town.ben.user, factories.person(), AnonymousUser())
        for stranger in strangers:
            with rules.refused(PermissionDenied):
                command(stranger, town.decision.pk, stars_on(town.decision, Ash=1))

    @every_command
    def test_nobody_whose_account_is_inactive_may(self, town: Town, command: Command) -> None:
        cast(town.ada, town.decision)
        user = town.ada.user
        user.is_active = False
        user.save()
        with rules.refused(PermissionDenied):
            command(user, town.decision.pk, stars_on(town.decision, Ash=1))

    @every_command
    def test_a_decision_that_does_not_exist_and_a_draft_are_refused_alike(self, town: Town, command: Command) -> None:
        draft = factories.draft(town.community, town.manager)
        messages = set()
        for decision_id in (draft.pk, 10**9):
            for viewer in (town.ada.user, town.manager):
                with rules.refused(PermissionDenied) as caught:
                    command(viewer, decision_id, stars_on(draft, Ash=1))
                messages.add(str(caught.value))
        assert len(messages) == 1

    def test_whoever_came_back_may_change_the_ballot_of_before(self, town: Town) -> None:
        cast(town.ada, town.decision)
        services.leave_community(town.ada.user, town.community.pk)
        services.apply_to_community(town.ada.user, town.community.pk)
        services.tag_ballot(town.ada.user, town.decision.pk, tags=["parks"])
        expected = {"stars": {"Ash": 5}, "tags": ["parks"], "comment": "", "abstain": False}
        assert ballot_of(town.ada, town.decision) == expected


class TestWhen:
    @every_command
    def test_only_from_opening_until_just_before_closing(
        self, town: Town, clock: rules.Clock, command: Command
    ) -> None:
        opens, closes = timezone.now() + timedelta(hours=1), timezone.now() + timedelta(hours=2)
        decision = factories.decision(town.community, town.manager, opens_at=opens, closes_at=closes)
        stars = stars_on(decision, Ash=1)
        moment = timedelta(microseconds=1)
        clock.set(opens - moment)
        with rules.refused(DecisionNotOpen):
            command(town.ada.user, decision.pk, stars)
        clock.set(opens)
        cast(town.ada, decision, stars=stars_on(decision, Ash=5))
        cast(town.ben, decision, stars=stars_on(decision, Ash=5))
        command(town.ada.user, decision.pk, stars)
        clock.set(closes - moment)
        command(town.ben.user, decision.pk, stars)
        newest = LedgerEntry.objects.filter(decision=decision).latest("revision")
        assert (newest.time, newest.membership_id) == (closes - moment, town.ben.pk)
        for late in (closes, closes + timedelta(days=1)):
            clock.set(late)
            with rules.refused(DecisionClosed):
                command(town.cleo.user, decision.pk, stars)

    def test_a_closing_that_was_moved_later_counts(self, town: Town, clock: rules.Clock) -> None:
        closes = town.decision.closes_at
        assert closes is not None
        services.update_decision(town.manager, town.decision.pk, closes_at=closes + timedelta(hours=1))
        clock.set(closes)
        cast(town.ada, town.decision)
        clock.set(closes + timedelta(hours=1))
        with rules.refused(DecisionClosed):
            cast(town.ben, town.decision)

    def test_the_ledgers_clock_decides_which_never_runs_backwards(self, town: Town, clock: rules.Clock) -> None:
        closes = town.decision.closes_at
        assert closes is not None
        clock.set(closes)
        factories.follow(town.ada, town.ben)
        clock.set(closes - timedelta(seconds=1))
        with rules.refused(DecisionClosed):
            cast(town.ada, town.decision)


class TestReceipt:
    def test_a_receipt_is_the_hash_of_the_ballots_one_entry(self, town: Town) -> None:
        before = rules.revision(town.community)
        receipt = cast(town.ada, town.decision, stars=stars_on(town.decision, Ash=5, Birch=4, Cedar=3), tags=["parks"])
        (entry,) = rules.entries(town.community, after=before)
        ids = {title: str(choice.pk) for title, choice in factories.choices(town.decision).items()}
        assert (
            receipt.entry_hash
            == entry.hash
            == ledger.chain_hash(ledger.hash_at(town.community.pk, before), entry.revision, ledger.commitment(entry))
        )
        assert (entry.before, entry.after) == (
            None,
            {
                "stars": {ids["Ash"]: 5, ids["Birch"]: 4, ids["Cedar"]: 3},
                "tags": ["parks"],
                "abstain": False,
                "comment": "",
                "anonymous": False,
                "cast": written_time(receipt.ballot.cast_at),
            },
        )
        assert (entry.actor_id, entry.membership_id, entry.decision_id, entry.kind) == (
            town.ada.user_id,
            town.ada.pk,
            town.decision.pk,
            "ballot",
        )

    def test_every_change_is_one_entry_from_whole_content_to_whole_content(self, town: Town) -> None:
        before = rules.revision(town.community)
        receipts = [
            cast(town.ada, town.decision, stars=stars_on(town.decision, Ash=5, Birch=4)),
            cast(town.ada, town.decision, stars=stars_on(town.decision, Birch=1, Cedar=2), tags=["parks"]),
            services.tag_ballot(town.ada.user, town.decision.pk, tags=["roads"]),
            cast(town.ada, town.decision, stars={}, abstain=True, comment="no"),
            services.withdraw_ballot(town.ada.user, town.decision.pk),
        ]
        news = rules.entries(town.community, after=before)
        assert [receipt.entry_hash for receipt in receipts] == [entry.hash for entry in news]
        assert [entry.before for entry in news] == [None, *[entry.after for entry in news[:-1]]]
        assert [entry.after and (entry.after["tags"], entry.after["abstain"]) for entry in news] == [
            ([], False),
            (["parks"], False),
            (["roads"], False),
            (["roads"], True),
            None,
        ]

    def test_the_same_ballot_again_writes_nothing_and_gives_the_same_receipt(self, town: Town) -> None:
        first = cast(town.ada, town.decision, tags=["parks"], comment="because")
        cast(town.ben, town.decision)
        before = rules.written()
        again = cast(town.ada, town.decision, tags=[" PARKS "], comment="because ")
        assert (again.entry_hash, again.ballot) == (first.entry_hash, first.ballot)
        assert services.tag_ballot(town.ada.user, town.decision.pk, tags=["parks"]).entry_hash == first.entry_hash
        assert rules.written() == before
