"""The rules of decisions: drafting, publishing, clarifying, prolonging, asking for a recalculation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from democracy import services
from democracy.errors import (
    ChoicesFrozen,
    ClosingMovesLaterOnly,
    DecisionClosed,
    InvalidInput,
    PermissionDenied,
    TextsFrozen,
)
from democracy.ledger.canonical import written_time
from democracy.models import MAX_CLARIFICATIONS, Choice, Clarification, Decision
from democracy.services import ChoiceInput
from tests import factories, rules
from tests.towns import Town

pytestmark = pytest.mark.usefixtures("bystander")

HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)


def titles(decision: Decision) -> list[str]:
    return list(Choice.objects.filter(decision=decision).values_list("title", flat=True))


def inputs(*names: str) -> list[ChoiceInput]:
    return [ChoiceInput(name) for name in names]


def closing(decision: Decision) -> datetime:
    assert decision.closes_at is not None
    return decision.closes_at


LATER = timezone.now() + timedelta(days=99)
COMMANDS: dict[str, Callable[[Any, int], Any]] = {
    "update": lambda viewer, decision: services.update_decision(viewer, decision, closes_at=LATER),
    "clarify": lambda viewer, decision: services.add_clarification(viewer, decision, text="Only trees."),
    "publish": services.publish_decision,
    "recalculate": services.request_recalculation,
}


class TestWho:
    def test_managers_draft_and_nobody_else_does(self, town: Town, bystander: Town) -> None:
        for viewer in (town.ada.user, bystander.manager, factories.person(), AnonymousUser()):
            with rules.refused(PermissionDenied):
                services.create_decision(viewer, town.community.pk, title="Mine")
        made = services.create_decision(town.manager, town.community.pk, title=" Ours ")
        assert (made.title, made.status, made.closes_at, titles(made)) == ("Ours", Decision.Status.DRAFT, None, [])

    @pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
    def test_managers_do_the_rest_and_nobody_else_does(
        self, town: Town, bystander: Town, command: Callable[[Any, int], Any]
    ) -> None:
        draft = factories.draft(town.community, town.manager)
        decision = draft if command is services.publish_decision else town.decision
        services.update_membership(town.manager, town.ben.pk, is_manager=True)
        former = town.ben.user
        services.leave_community(former, town.community.pk)
        for viewer in (town.ada.user, bystander.manager, former, factories.person(), AnonymousUser()):
            with rules.refused(PermissionDenied):
                command(viewer, decision.pk)
        with rules.refused(PermissionDenied):
            command(town.manager, 10**9)
        command(town.manager, decision.pk)


class TestDrafting:
    def test_choices_stand_in_the_order_given_without_lots(self, town: Town) -> None:
        draft = factories.draft(town.community, town.manager, " Cedar ", "Ash", "Birch")
        assert titles(draft) == ["Cedar", "Ash", "Birch"]
        assert set(draft.choices.values_list("lot", flat=True)) == {None}

    def test_a_draft_changes_in_everything(self, town: Town) -> None:
        draft = factories.draft(town.community, town.manager)
        opens = timezone.now() + HOUR
        services.update_decision(
            town.manager,
            draft.pk,
            title="Trees",
            description="Which?",
            choices=inputs("Oak", "Elm"),
            opens_at=opens,
            closes_at=opens + HOUR,
            results_visibility="after_close",
        )
        row = Decision.objects.get(pk=draft.pk)
        assert (row.title, row.description, titles(row), row.opens_at, row.closes_at, row.results_visibility) == (
            "Trees",
            "Which?",
            ["Oak", "Elm"],
            opens,
            opens + HOUR,
            "after_close",
        )

    def test_kept_choices_keep_their_ids_and_may_swap_titles(self, town: Town) -> None:
        draft = factories.draft(town.community, town.manager)
        ash, birch, _ = draft.choices.all()
        wanted = [ChoiceInput("Birch", id=ash.pk), ChoiceInput("Oak"), ChoiceInput("Ash", "tall", id=birch.pk)]
        services.update_decision(town.manager, draft.pk, choices=wanted)
        rows = list(draft.choices.values_list("pk", "title", "description"))
        assert [rows[0], rows[2]] == [(ash.pk, "Birch", ""), (birch.pk, "Ash", "tall")]
        assert [row[1] for row in rows] == ["Birch", "Oak", "Ash"]

    def test_a_choice_of_another_decision_is_not_taken_over(self, town: Town, bystander: Town) -> None:
        draft = factories.draft(town.community, town.manager)
        for stranger in (town.decision, bystander.decision):
            foreign = stranger.choices.all()[0]
            with rules.refused(InvalidInput):
                services.update_decision(town.manager, draft.pk, choices=[ChoiceInput("Mine", id=foreign.pk)])

    def test_a_choice_is_not_named_twice(self, town: Town) -> None:
        draft = factories.draft(town.community, town.manager)
        ash = draft.choices.all()[0]
        twice = [ChoiceInput("Ash", id=ash.pk), ChoiceInput("Oak", id=ash.pk)]
        with rules.refused(InvalidInput):
            services.update_decision(town.manager, draft.pk, choices=twice)

    def test_titles_of_choices_differ_in_more_than_case(self, town: Town) -> None:
        for choices in (["Oak", " oak"], ["Oak", "  "], ["Oak", "E\x00lm"], ["Oak", "x" * 201]):
            with rules.refused(InvalidInput) as caught:
                services.create_decision(town.manager, town.community.pk, title="Trees", choices=inputs(*choices))
            assert caught.value.field in {"choices", "title"}  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"title": " "}, "title"),
            ({"title": "t" * 201}, "title"),
            ({"description": "d" * 20_001}, "description"),
            ({"results_visibility": "never"}, "results_visibility"),
        ],
    )
    def test_bad_input_names_its_field(self, town: Town, fields: dict[str, Any], field: str) -> None:
        with rules.refused(InvalidInput) as caught:
            services.create_decision(town.manager, town.community.pk, **{"title": "Fine", **fields})
        assert caught.value.field == field  # type: ignore[attr-defined]
        draft = factories.draft(town.community, town.manager)
        with rules.refused(InvalidInput):
            services.update_decision(town.manager, draft.pk, **fields)

    def test_a_decision_closes_after_it_opens(self, town: Town) -> None:
        opens = timezone.now() + HOUR
        for closes in (opens, opens - HOUR):
            with rules.refused(InvalidInput):
                services.create_decision(
                    town.manager, town.community.pk, title="Trees", opens_at=opens, closes_at=closes
                )


class TestPublishing:
    def test_it_opens_now_or_at_the_time_given(self, town: Town, clock: rules.Clock) -> None:
        clock.advance(seconds=1)
        past, later = clock.now - HOUR, clock.now + HOUR
        opened = [
            factories.decision(town.community, town.manager, opens_at=opens, closes_at=later + HOUR)
            for opens in (None, past, later)
        ]
        assert [(one.opens_at, one.status) for one in opened] == [
            (clock.now, Decision.Status.OPEN),
            (clock.now, Decision.Status.OPEN),
            (later, Decision.Status.SCHEDULED),
        ]

    @pytest.mark.parametrize("number", [0, 1, 51])
    def test_it_needs_2_to_50_choices(self, town: Town, number: int) -> None:
        draft = factories.draft(town.community, town.manager)
        Choice.objects.filter(decision=draft).delete()
        for position in range(number):
            Choice.objects.create(decision=draft, title=f"Choice {position}", position=position)
        with rules.refused(InvalidInput) as caught:
            services.publish_decision(town.manager, draft.pk)
        assert caught.value.field == "choices"  # type: ignore[attr-defined]

    @pytest.mark.parametrize("number", [2, 50])
    def test_2_and_50_choices_are_fine_and_51_cannot_be_drafted(self, town: Town, number: int) -> None:
        names = [f"Choice {position}" for position in range(number)]
        assert len(titles(factories.decision(town.community, town.manager, *names))) == number
        with rules.refused(InvalidInput):
            factories.draft(town.community, town.manager, *[f"Choice {position}" for position in range(51)])

    def test_it_must_close_later_than_now(self, town: Town, clock: rules.Clock) -> None:
        clock.advance(seconds=1)
        for closes in (None, clock.now, clock.now - HOUR):
            draft = factories.draft(town.community, town.manager, closes_at=closes)
            with rules.refused(InvalidInput) as caught:
                services.publish_decision(town.manager, draft.pk)
            assert caught.value.field == "closes_at"  # type: ignore[attr-defined]
        factories.decision(town.community, town.manager, closes_at=clock.now + MOMENT)

    def test_lots_are_the_ranks_of_hashes_that_anybody_can_make(self, town: Town) -> None:
        decision = factories.decision(town.community, town.manager, *[f"Choice {number}" for number in range(12)])
        ids = list(decision.choices.values_list("pk", flat=True))
        drawn = sorted(ids, key=lambda pk: hashlib.sha256(f"{decision.lot_seed}:{pk}".encode()).hexdigest())
        assert dict(decision.choices.values_list("pk", "lot")) == {pk: rank for rank, pk in enumerate(drawn, start=1)}

    def test_the_seed_is_drawn_at_publishing_and_no_two_are_the_same(self, town: Town) -> None:
        drafts = [factories.draft(town.community, town.manager) for _ in range(2)]
        assert [draft.lot_seed for draft in drafts] == ["", ""]
        seeds = {services.publish_decision(town.manager, draft.pk).lot_seed for draft in drafts}
        assert len(seeds) == 2
        assert all(len(bytes.fromhex(seed)) == 32 for seed in seeds)
        assert {Decision.objects.get(pk=draft.pk).lot_seed for draft in drafts} == seeds

    def test_it_is_one_entry_with_the_lots_in_it(self, town: Town) -> None:
        draft = factories.draft(town.community, town.manager)
        before = rules.revision(town.community)
        published = services.publish_decision(town.manager, draft.pk)
        (entry,) = rules.entries(town.community, after=before)
        assert entry.before["published"] is None
        assert published.published_at is not None
        assert entry.after["published"] == written_time(published.published_at)
        assert (entry.before["lot_seed"], entry.after["lot_seed"]) == ("", published.lot_seed)
        assert {choice["id"]: choice["lot"] for choice in entry.after["choices"]} == dict(
            draft.choices.values_list("pk", "lot")
        )

    def test_a_decision_is_published_once(self, town: Town) -> None:
        with rules.refused(InvalidInput):
            services.publish_decision(town.manager, town.decision.pk)


class TestOnceItIsPublished:
    @pytest.fixture(params=["scheduled", "open"])
    def published(self, request: pytest.FixtureRequest, town: Town) -> Decision:
        opens = timezone.now() + HOUR if request.param == "scheduled" else None
        return factories.decision(town.community, town.manager, opens_at=opens)

    def test_choices_are_frozen(self, town: Town, published: Decision) -> None:
        same = [ChoiceInput(choice.title, id=choice.pk) for choice in published.choices.all()]
        for choices in ([*same, ChoiceInput("Oak")], same[:2], same, []):
            with rules.refused(ChoicesFrozen):
                services.update_decision(town.manager, published.pk, choices=choices)

    def test_closing_may_only_move_later(self, town: Town, published: Decision) -> None:
        closes = closing(published)
        with rules.refused(ClosingMovesLaterOnly):
            services.update_decision(town.manager, published.pk, closes_at=closes - MOMENT)
        services.update_decision(town.manager, published.pk, closes_at=closes)
        services.update_decision(town.manager, published.pk, closes_at=closes + HOUR)
        with rules.refused(ClosingMovesLaterOnly):
            services.update_decision(town.manager, published.pk, closes_at=closes)
        assert Decision.objects.get(pk=published.pk).closes_at == closes + HOUR

    def test_its_times_can_not_be_taken_away(self, town: Town, published: Decision) -> None:
        for fields in ({"opens_at": None}, {"closes_at": None}):
            with rules.refused(InvalidInput) as caught:
                services.update_decision(town.manager, published.pk, **fields)
            assert caught.value.field == next(iter(fields))  # type: ignore[attr-defined]

    def test_opening_and_visibility_of_results_stay(self, town: Town, published: Decision) -> None:
        assert published.opens_at is not None
        with rules.refused(InvalidInput):
            services.update_decision(town.manager, published.pk, opens_at=published.opens_at + MOMENT)
        with rules.refused(InvalidInput):
            services.update_decision(town.manager, published.pk, results_visibility="after_close")
        before = rules.written()
        services.update_decision(
            town.manager, published.pk, opens_at=published.opens_at, results_visibility=published.results_visibility
        )
        assert rules.written() == before

    def test_texts_may_be_mended_until_it_opens_and_never_after(
        self, town: Town, published: Decision, clock: rules.Clock
    ) -> None:
        opens = max(published.opens_at, clock.now + HOUR)
        Decision.objects.filter(pk=published.pk).update(opens_at=opens)
        clock.set(opens - MOMENT)
        services.update_decision(town.manager, published.pk, title="Trees!", description="More.")
        row = Decision.objects.get(pk=published.pk)
        assert (row.title, row.description, titles(row)) == ("Trees!", "More.", ["Ash", "Birch", "Cedar"])
        for moment in (opens, closing(published) - MOMENT, closing(published)):
            clock.set(moment)
            for fields in ({"title": "NOT trees"}, {"description": "Less."}, {"description": ""}):
                with rules.refused(TextsFrozen) as caught:
                    services.update_decision(town.manager, published.pk, **fields)
                assert caught.value.field == next(iter(fields))  # type: ignore[attr-defined]
        before = rules.written()
        services.update_decision(town.manager, published.pk, title=" Trees! ", description="More.")
        assert rules.written() == before


class TestClarifying:
    def test_a_clarification_is_dated_and_in_the_ledger_with_the_question_as_it_was(
        self, town: Town, clock: rules.Clock
    ) -> None:
        clock.advance(minutes=5)
        before = rules.revision(town.community)
        services.add_clarification(town.manager, town.decision.pk, text=" Only\ntrees. ")
        (entry,) = rules.entries(town.community, after=before)
        assert (entry.kind, entry.actor_id) == ("decision", town.manager.pk)
        assert entry.after == {
            **entry.before,
            "clarifications": [{"at": written_time(clock.now), "text": "Only\ntrees."}],
        }

    def test_it_makes_nothing_stale_and_again_changes_nothing(self, town: Town) -> None:
        services.add_clarification(town.manager, town.decision.pk, text="Only trees.")
        before = rules.written()
        input_revision = Decision.objects.get(pk=town.decision.pk).input_revision
        services.add_clarification(town.manager, town.decision.pk, text="Only trees. ")
        assert rules.written() == before
        assert Decision.objects.get(pk=town.decision.pk).input_revision == input_revision

    def test_drafts_and_closed_decisions_take_none(self, town: Town, clock: rules.Clock) -> None:
        draft = factories.draft(town.community, town.manager)
        with rules.refused(InvalidInput):
            services.add_clarification(town.manager, draft.pk, text="Only trees.")
        clock.set(closing(town.decision) - MOMENT)
        services.add_clarification(town.manager, town.decision.pk, text="Only trees.")
        clock.set(closing(town.decision))
        with rules.refused(DecisionClosed):
            services.add_clarification(town.manager, town.decision.pk, text="No shrubs.")

    @pytest.mark.parametrize("text", ["", " \n ", "x" * 2_001, "a\x00b"])
    def test_bad_texts_are_refused(self, town: Town, text: str) -> None:
        with rules.refused(InvalidInput) as caught:
            services.add_clarification(town.manager, town.decision.pk, text=text)
        assert caught.value.field == "text"  # type: ignore[attr-defined]

    def test_there_are_at_most_50(self, town: Town) -> None:
        rows = [Clarification(decision=town.decision, text=f"No. {number}") for number in range(MAX_CLARIFICATIONS - 1)]
        Clarification.objects.bulk_create(rows)
        services.add_clarification(town.manager, town.decision.pk, text="The last.")
        with rules.refused(InvalidInput):
            services.add_clarification(town.manager, town.decision.pk, text="One more.")


class TestOnceItIsClosed:
    def test_it_cannot_be_prolonged(self, town: Town, clock: rules.Clock) -> None:
        closes = closing(town.decision)
        clock.set(closes - MOMENT)
        services.update_decision(town.manager, town.decision.pk, closes_at=closes + HOUR)
        clock.set(closes + HOUR)
        with rules.refused(DecisionClosed):
            services.update_decision(town.manager, town.decision.pk, closes_at=closes + 2 * HOUR)

    def test_no_recalculation_can_be_asked_for(self, town: Town, clock: rules.Clock) -> None:
        clock.set(closing(town.decision) - MOMENT)
        services.request_recalculation(town.manager, town.decision.pk)
        clock.set(closing(town.decision))
        with rules.refused(DecisionClosed):
            services.request_recalculation(town.manager, town.decision.pk)


class TestRecalculation:
    def test_each_request_is_an_entry_that_makes_the_decision_stale(self, town: Town) -> None:
        sibling = factories.decision(town.community, town.manager)
        before = rules.revision(town.community)
        Decision.objects.filter(community=town.community).update(calculated_revision=before)
        services.request_recalculation(town.manager, town.decision.pk)
        services.request_recalculation(town.manager, town.decision.pk)
        news = rules.entries(town.community, after=before)
        assert [(entry.kind, entry.decision_id, entry.actor_id) for entry in news] == [
            ("recalculation", town.decision.pk, town.manager.pk)
        ] * 2
        counters = dict(Decision.objects.filter(community=town.community).values_list("pk", "input_revision"))
        assert counters[town.decision.pk] == before + 2
        assert counters[sibling.pk] <= before

    def test_a_draft_has_nothing_to_calculate(self, town: Town) -> None:
        draft = factories.draft(town.community, town.manager)
        with rules.refused(InvalidInput):
            services.request_recalculation(town.manager, draft.pk)
