"""The rules of a decision's life besides its words: deleting a draft, calling off, copying, pinning; and its topics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from democracy import access, services
from democracy.database import clock as database_clock
from democracy.errors import (
    DecisionCalledOff,
    DecisionClosed,
    InvalidInput,
    InvalidTag,
    PermissionDenied,
    TextsFrozen,
)
from democracy.explaining.what_if import Cast, what_if
from democracy.ledger import staleness
from democracy.models import MAX_PINNED, Ballot, Choice, Decision, DecisionSnapshot, LedgerEntry
from democracy.reading.decisions import calculation_states, decisions_over, living_decisions, newest_snapshots
from democracy.reading.disclosure import Disclosure
from democracy.recalculation import audits, recalculate_community
from democracy.recalculation.claims import Claim
from democracy.recalculation.results import Tally
from democracy.recalculation.staging import StageBallots, forget_everything
from democracy.recalculation.storing import store
from tests import factories, rules
from tests.rules import Clock
from tests.towns import Town, new_town

pytestmark = pytest.mark.usefixtures("bystander")

WHY = "The roof is mended."
COMMANDS: dict[str, Callable[[Any, int], Any]] = {
    "delete": services.delete_draft,
    "call off": lambda viewer, pk: services.call_off(viewer, pk, reason=WHY),
    "copy": services.copy_decision,
    "pin": lambda viewer, pk: services.pin_decision(viewer, pk, pinned=True),
    "remind": services.remind,
}


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    forget_everything()


def newest(town: Town) -> LedgerEntry:
    return rules.entries(town.community)[-1]


def faults(town: Town) -> list[str]:
    town.community.refresh_from_db()
    return list(audits.faults(town.community))


@pytest.mark.parametrize("name", COMMANDS)
def test_managers_may_and_nobody_else(town: Town, bystander: Town, name: str) -> None:
    decision = factories.draft(town.community, town.manager) if name == "delete" else town.decision
    for viewer in (town.ada.user, bystander.manager, AnonymousUser()):
        with rules.refused(PermissionDenied):
            COMMANDS[name](viewer, decision.pk)
    COMMANDS[name](town.manager, decision.pk)


class TestDeleting:
    def test_a_draft_is_gone_and_the_ledger_says_so(self, town: Town) -> None:
        draft, other = (factories.draft(town.community, town.manager) for _ in range(2))
        services.delete_draft(town.manager, draft.pk)
        assert set(Decision.objects.filter(community=town.community)) == {town.decision, other}
        assert not Choice.objects.filter(decision=draft.pk).exists()
        assert (newest(town).subject, newest(town).after) == (f"decision:{draft.pk}", None)
        assert faults(town) == []

    def test_what_is_published_stays(self, town: Town) -> None:
        with rules.refused(InvalidInput):
            services.delete_draft(town.manager, town.decision.pk)


class TestCallingOff:
    def test_it_ends_a_decision_for_good(self, town: Town) -> None:
        receipt = factories.vote(town.ada, town.decision, Ash=5)
        recalculate_community(town.community.pk)
        services.call_off(town.manager, town.decision.pk, reason=f" {WHY} ")
        row = Decision.objects.get(pk=town.decision.pk)
        assert (row.status, row.called_off_reason, row.called_off_at) == ("called_off", WHY, newest(town).time)
        assert newest(town).after["called_off"]["reason"] == WHY
        later = timezone.now() + timedelta(days=99)
        ash = row.choices.all()[0].pk
        for act in (
            lambda: services.cast_ballot(town.ben.user, row.pk, stars={ash: 5}),
            lambda: services.tag_ballot(town.ada.user, row.pk, tags=["roads"]),
            lambda: services.withdraw_ballot(town.ada.user, row.pk),
            lambda: services.update_decision(town.manager, row.pk, closes_at=later),
            lambda: services.add_clarification(town.manager, row.pk, text="Only trees."),
            lambda: services.request_recalculation(town.manager, row.pk),
        ):
            with rules.refused(DecisionCalledOff):
                act()
        assert Ballot.objects.get(decision=row) == receipt.ballot

    def test_there_is_no_result_any_more_and_nothing_is_calculated(self, town: Town, clock: Clock) -> None:
        factories.vote(town.ada, town.decision, Ash=5)
        recalculate_community(town.community.pk)
        factories.vote(town.ben, town.decision, Birch=5)
        services.call_off(town.manager, town.decision.pk, reason=WHY)
        factories.follow(town.cleo, town.ada)
        stored = DecisionSnapshot.objects.filter(decision=town.decision).count()
        for hours in (0, 24 * 30):
            clock.advance(hours=hours)
            assert not staleness.stale_decisions(database_clock.now()).filter(pk=town.decision.pk).exists()
            assert recalculate_community(town.community.pk)
        assert stored == DecisionSnapshot.objects.filter(decision=town.decision).count() == 1
        assert newest_snapshots([town.decision.pk]) == []
        assert not access.snapshots_visible_to(town.manager).filter(decision=town.decision).exists()
        (state,) = calculation_states([town.decision.pk])
        assert (state.status, state.calculated_revision, state.is_final) == ("current", None, False)
        assert faults(town) == []

    def test_a_calculation_under_way_stores_nothing(self, town: Town) -> None:
        factories.vote(town.ada, town.decision, Ash=5)
        ((_, staged),) = StageBallots(town.community.pk).process([town.decision.pk], live=[town.decision.pk])
        services.call_off(town.manager, town.decision.pk, reason=WHY)
        claim = Claim.take(town.community.pk)
        assert claim is not None
        assert store(town.decision, staged, Tally().process(staged), claim) is None
        assert store(town.decision, staged, Tally().process(staged), claim, final=True) is None
        claim.release()

    @pytest.mark.parametrize("visibility", Decision.Visibility.values)
    def test_the_ledger_opens_what_it_had_opened_and_nothing_that_was_hidden(self, town: Town, visibility: str) -> None:
        one = factories.decision(town.community, town.manager, results_visibility=visibility)
        entry = factories.vote(town.ada, one, Ash=5).entry
        is_live = visibility == Decision.Visibility.LIVE
        assert Disclosure(town.ben.user, town.community).opens(entry) is is_live
        services.call_off(town.manager, one.pk, reason=WHY)
        assert Disclosure(town.ben.user, town.community).opens(entry) is is_live
        one.refresh_from_db()
        assert access.hides_ballots(one)

    def test_it_stands_among_those_that_are_over(self, town: Town) -> None:
        services.call_off(town.manager, town.decision.pk, reason=WHY)
        assert list(decisions_over(town.ada.user, town.community)) == [town.decision]
        assert not any(living_decisions(town.ada.user, town.community).values())

    def test_drafts_and_closed_ones_are_not_called_off_and_a_reason_is_needed(self, town: Town) -> None:
        draft = factories.draft(town.community, town.manager)
        for pk, reason in ((draft.pk, WHY), (town.decision.pk, " "), (town.decision.pk, "x" * 2_001)):
            with rules.refused(InvalidInput):
                services.call_off(town.manager, pk, reason=reason)
        services.call_off(town.manager, town.decision.pk, reason=WHY)
        before = rules.written(town.community)
        services.call_off(town.manager, town.decision.pk, reason="Another")
        assert rules.written(town.community) == before
        closed = factories.close(factories.decision(town.community, town.manager))
        with rules.refused(DecisionClosed):
            services.call_off(town.manager, closed.pk, reason=WHY)


def test_a_copy_is_a_draft_with_the_words_and_without_the_times(town: Town) -> None:
    choices = [services.ChoiceInput("Oak", "old"), services.ChoiceInput("Elm")]
    draft = services.create_decision(
        town.manager,
        town.community.pk,
        title="Which tree?",
        description="For the **yard**.",
        choices=choices,
        closes_at=timezone.now() + timedelta(days=1),
        results_visibility="after_close",
        topics=["Trees"],
    )
    services.call_off(town.manager, services.publish_decision(town.manager, draft.pk).pk, reason=WHY)
    copy = services.copy_decision(town.manager, draft.pk)
    assert (copy.status, copy.title, copy.description) == ("draft", "Which tree?", "For the **yard**.")
    assert (copy.results_visibility, copy.topics) == ("after_close", ["trees"])
    assert (copy.opens_at, copy.closes_at, copy.called_off_at, copy.lot_seed) == (None, None, None, "")
    assert list(copy.choices.values_list("title", "description", "lot")) == [("Oak", "old", None), ("Elm", "", None)]


def test_a_few_published_decisions_are_pinned(town: Town) -> None:
    more = [factories.decision(town.community, town.manager) for _ in range(MAX_PINNED)]
    for one in more:
        services.pin_decision(town.manager, one.pk, pinned=True)
    with rules.refused(InvalidInput):
        services.pin_decision(town.manager, town.decision.pk, pinned=True)
    services.pin_decision(town.manager, more[0].pk, pinned=False)
    services.pin_decision(town.manager, town.decision.pk, pinned=True)
    assert set(Decision.objects.filter(is_pinned=True)) == {town.decision, *more[1:]}
    assert newest(town).after["pinned"] is True
    draft = factories.draft(town.community, town.manager)
    with rules.refused(InvalidInput):
        services.pin_decision(town.manager, draft.pk, pinned=False)
    assert faults(town) == []


class TestTopics:
    def test_a_ballot_without_a_word_on_tags_bears_them(self, town: Town) -> None:
        one = factories.decision(town.community, town.manager, topics=[" Roads ", "parks", "roads"])
        assert one.topics == ["parks", "roads"]
        for who, tags, borne in (
            (town.ada, None, ["parks", "roads"]),
            (town.ben, [], []),
            (town.cleo, ["trees"], ["trees"]),
        ):
            assert factories.vote(who, one, tags, Ash=3).ballot.tags == borne
            # Changed without a word on tags, it keeps its own.
            assert factories.vote(who, one, Ash=4).ballot.tags == borne
        assert factories.vote(town.dan, town.decision, Ash=3).ballot.tags == []

    def test_so_followers_on_the_topic_inherit_it(self, town: Town) -> None:
        one = factories.decision(town.community, town.manager, topics=["roads"])
        factories.follow(town.ben, town.ada, "roads")
        factories.follow(town.cleo, town.ada, "trees")
        factories.vote(town.ada, one, Ash=5)
        ((_, staged),) = StageBallots(town.community.pk).process([one.pk], live=[one.pk])
        assert staged.result.participation.inherited == 1

    def test_they_are_fixed_once_voting_opens(self, town: Town) -> None:
        later = timezone.now() + timedelta(hours=1)
        waiting = factories.decision(town.community, town.manager, opens_at=later)
        services.update_decision(town.manager, waiting.pk, topics=["roads"])
        assert Decision.objects.get(pk=waiting.pk).topics == ["roads"]
        with rules.refused(TextsFrozen) as caught:
            services.update_decision(town.manager, town.decision.pk, topics=["roads"])
        assert getattr(caught.value, "field", "") == "topics"
        with rules.refused(InvalidTag) as malformed:
            services.update_decision(town.manager, waiting.pk, topics=["a,b"])
        assert getattr(malformed.value, "field", "") == "topics"


def test_what_if_says_what_a_ballot_without_a_word_on_tags_would_do(town: Town) -> None:
    other = new_town("ben")
    one = factories.decision(other.community, other.manager, topics=["roads"])
    factories.follow(other.ben, other.members["manager"], "roads")
    stars = ((one.choices.all()[0].pk, 5),)
    changed = {tags: what_if(other.manager, one.pk, [Cast(stars, tags)]).others_changed for tags in (None, ())}
    assert changed == {None: 1, (): 0}
