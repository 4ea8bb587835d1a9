"""Commands on decisions: drafted, published, clarified, prolonged."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from django.db import transaction
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat

from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.database import bulk
from democracy.errors import (
    ChoicesFrozen,
    ClosingMovesLaterOnly,
    DecisionCalledOff,
    DecisionClosed,
    InvalidInput,
    InvalidTag,
    PermissionDenied,
    TextsFrozen,
)
from democracy.ledger import contents
from democracy.models import (
    MAX_CHOICES,
    MAX_CLARIFICATIONS,
    MIN_CHOICES,
    Choice,
    Clarification,
    Decision,
    Membership,
)
from democracy.moments import checked_moment
from democracy.services import validation
from democracy.services.commands import command
from democracy.tags import normalise_tags


@dataclass(frozen=True)
class ChoiceInput:
    """A choice as its manager words it. `id` names an existing one, which is kept with these texts."""

    title: str
    description: str = ""
    id: int | None = None


class Kept(Enum):
    """A time that an update leaves as it is, where None takes it away."""

    KEPT = auto()


KEPT: Final = Kept.KEPT


@command
def create_decision(
    viewer: Viewer,
    community_id: int,
    *,
    title: str,
    description: str = "",
    choices: Sequence[ChoiceInput] = (),
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    results_visibility: str = Decision.Visibility.LIVE,
    topics: Iterable[str] = (),
    reminder_hours: int | None = None,
) -> Decision:
    """Draft a decision; choices and times may come later. `topics`: tags for ballots whose casters say nothing of tags.

    `reminder_hours`: the hours before closing at which people without a ballot are reminded; 0 for never.
    Managers only. Raises PermissionDenied, InvalidInput, InvalidTag.
    """
    manager = access.require_manager(viewer, community_id)
    with ledger.recording(community_id, actor=manager.user) as recording:
        decision = Decision(community=recording.community, title=validation.line(title, field="title"))
        _change(
            decision,
            description=description,
            results_visibility=results_visibility,
            reminder_hours=reminder_hours,
        )
        decision.opens_at = _time(opens_at, field="opens_at")
        decision.closes_at = _time(closes_at, field="closes_at")
        decision.topics = _topics(topics)
        _check(decision)
        decision.save()
        _set_choices(recording, decision, choices)
        actor, name = access.display_name(manager), recording.community.name
        transaction.on_commit(lambda: eventlog.decision_created(actor, decision.title, name), robust=True)
    return decision


@command
def update_decision(
    viewer: Viewer,
    decision_id: int,
    *,
    title: str | None = None,
    description: str | None = None,
    choices: Sequence[ChoiceInput] | None = None,
    opens_at: datetime | Kept | None = KEPT,
    closes_at: datetime | Kept | None = KEPT,
    results_visibility: str | None = None,
    topics: Iterable[str] | None = None,
    reminder_hours: int | None = None,
    if_revision: int | None = None,
) -> Decision:
    """Change the given parts of a decision; None takes a time away, KEPT leaves it. Managers only.

    In a published decision choices, opening and visibility of results are fixed, because people rely on them, and
    closing may only move later, where ballots are hidden not in the last minute. In an open one title, description and
    topics are fixed, too; a clarification can add to the words. Raises PermissionDenied, InvalidInput, InvalidTag,
    ChoicesFrozen, TextsFrozen, ClosingMovesLaterOnly, DecisionCalledOff, DecisionClosed, ChangedMeanwhile.
    `if_revision`: see `validation.check_unchanged`.
    """
    decision, manager = managed_decision(viewer, decision_id)
    opens_at = opens_at if isinstance(opens_at, Kept) else _time(opens_at, field="opens_at")
    closes_at = closes_at if isinstance(closes_at, Kept) else _time(closes_at, field="closes_at")
    with ledger.recording(decision.community_id, actor=manager.user) as recording:
        validation.check_unchanged(decision.community_id, contents.decision_subject(decision.pk), if_revision)
        decision.refresh_from_db()
        _require_not_called_off(decision)
        if decision.published_at is not None:
            _require_fixed_parts(decision, choices=choices, opens_at=opens_at, results_visibility=results_visibility)
            if not isinstance(closes_at, Kept):
                _require_later_closing(decision, closes_at, recording.time)
        change = contents.decision_change(decision)
        before = change.content()
        words = decision.title, decision.description, decision.topics
        if title is not None:
            decision.title = validation.line(title, field="title")
        if reminder_hours not in (None, decision.reminder_hours):
            _require_not_closed(decision, recording.time, field="reminder_hours")
        _change(
            decision,
            description=description,
            results_visibility=results_visibility,
            reminder_hours=reminder_hours,
        )
        if topics is not None:
            decision.topics = _topics(topics)
        now = decision.title, decision.description, decision.topics
        for field, was, is_now in zip(("title", "description", "topics"), words, now, strict=True):
            if was != is_now:
                _require_not_opened(decision, recording.time, field=field)
        for field, was, is_now in zip(("title", "description"), words, now, strict=False):
            if was != is_now:
                subject = contents.decision_subject(decision.pk)
                validation.check_not_hidden(str(is_now), decision.community_id, subject, field)
        decision.opens_at = decision.opens_at if isinstance(opens_at, Kept) else opens_at
        decision.closes_at = decision.closes_at if isinstance(closes_at, Kept) else closes_at
        _check(decision)
        decision.save(update_fields=_CHANGED)
        if choices is not None:
            _set_choices(recording, decision, choices)
        actor, what = access.display_name(manager), contents.differences(before, change.content())
        if what:
            transaction.on_commit(lambda: eventlog.decision_changed(actor, decision.title, what), robust=True)
    return decision


_CHANGED = ("title", "description", "opens_at", "closes_at", "results_visibility", "topics", "reminder_hours")


def _require_fixed_parts(
    decision: Decision,
    *,
    choices: Sequence[ChoiceInput] | None,
    opens_at: datetime | Kept | None,
    results_visibility: str | None,
) -> None:
    """Refuse to change what people rely on once a decision is published."""
    if choices is not None:
        raise ChoicesFrozen("The choices of a published decision cannot change.")
    if opens_at not in (KEPT, decision.opens_at):
        raise InvalidInput("The opening of a published decision cannot change.", field="opens_at")
    if results_visibility not in (None, decision.results_visibility):
        raise InvalidInput(
            "When results are shown cannot change once a decision is published.", field="results_visibility"
        )


def _require_not_opened(decision: Decision, now: datetime, *, field: str) -> None:
    if decision.published_at is not None and decision.opens_at is not None and now >= decision.opens_at:
        raise TextsFrozen(
            "The question can't change any more: people vote on these words. Add a clarification.", field=field
        )


def _require_not_called_off(decision: Decision) -> None:
    if decision.called_off_at is not None:
        raise DecisionCalledOff


def _topics(topics: Iterable[str]) -> list[str]:
    """Raises InvalidTag."""
    try:
        return normalise_tags(topics)
    except InvalidTag as error:
        raise InvalidTag(error.message, field="topics") from None


def _require_not_closed(decision: Decision, now: datetime, *, field: str) -> None:
    if decision.published_at is not None and decision.closes_at is not None and now >= decision.closes_at:
        raise DecisionClosed("This decision is closed; its result is final.", field=field)


def _require_later_closing(decision: Decision, closes_at: datetime | None, now: datetime) -> None:
    assert decision.closes_at is not None
    _require_not_closed(decision, now, field="closes_at")
    if closes_at is None:
        raise InvalidInput("Say when voting closes.", field="closes_at")
    if closes_at != decision.closes_at and decision.is_about_to_end(now):
        raise DecisionClosed("Voting is about to end: the closing can't be moved any more.", field="closes_at")
    if closes_at < decision.closes_at:
        raise ClosingMovesLaterOnly("The closing of a published decision may only move later.")


def _change(
    decision: Decision, *, description: str | None, results_visibility: str | None, reminder_hours: int | None
) -> None:
    if description is not None:
        decision.description = validation.text(description, field="description")
    if results_visibility is not None:
        decision.results_visibility = results_visibility
    if reminder_hours is not None:
        decision.reminder_hours = reminder_hours


def _time(moment: datetime | None, *, field: str) -> datetime | None:
    """Raises InvalidInput naming the field."""
    return None if moment is None else checked_moment(moment, field=field)


def _check(decision: Decision) -> None:
    validation.check(decision)
    if decision.opens_at and decision.closes_at and decision.closes_at <= decision.opens_at:
        raise InvalidInput("A decision closes after it opens.", field="closes_at")


def _set_choices(recording: ledger.Recording, decision: Decision, wanted: Sequence[ChoiceInput]) -> None:
    """Make these the draft's choices, in this order: keep those with an id, make the others, delete the rest.

    Raises InvalidInput.
    """
    if len(wanted) > MAX_CHOICES:
        raise InvalidInput(f"A decision has at most {MAX_CHOICES} choices.", field="choices")
    titles = [validation.line(choice.title, field="choices") for choice in wanted]
    seen: set[str] = set()
    for title in titles:
        if title.casefold() in seen:
            raise InvalidInput(f"Each choice needs a title of its own; “{title}” is there twice.", field="choices")
        seen.add(title.casefold())
    present = {choice.pk: choice for choice in decision.choices.all()}
    named = [choice.id for choice in wanted if choice.id is not None]
    kept = set(named)
    if not kept <= present.keys():
        raise InvalidInput("A choice with an id must be one of this decision.", field="choices")
    if len(kept) < len(named):
        raise InvalidInput("Each choice is named once.", field="choices")
    rows = []
    for position, (choice, title) in enumerate(zip(wanted, titles, strict=True)):
        row = present[choice.id] if choice.id is not None else Choice(decision=decision)
        row.title, row.position = title, position
        row.description = validation.text(choice.description, field="choices")
        validation.check(row)
        rows.append(row)
    bulk.delete(Choice._meta.db_table, present.keys() - kept)
    # Out of the way first: two choices may swap their titles. No title can have a control character.
    Choice.objects.filter(pk__in=kept).update(title=Concat(Value("\x01"), Cast("pk", CharField())))
    Choice.objects.bulk_update([row for row in rows if row.pk], ["title", "position", "description"])
    Choice.objects.bulk_create(row for row in rows if not row.pk)
    recording.add(contents.decision_change(decision))


@command
def publish_decision(viewer: Viewer, decision_id: int) -> Decision:
    """Publish a draft: freeze its choices, draw a seed and from it their lots.

    Voting opens at `opens_at`, or now if that has passed. Managers only. Raises PermissionDenied, InvalidInput.
    """
    decision, manager = managed_decision(viewer, decision_id)
    with ledger.recording(decision.community_id, actor=manager.user) as recording:
        decision.refresh_from_db()
        if decision.published_at is not None:
            raise InvalidInput("This decision has been published already.")
        choices = list(decision.choices.all())
        if not MIN_CHOICES <= len(choices) <= MAX_CHOICES:
            raise InvalidInput(f"A decision needs {MIN_CHOICES} to {MAX_CHOICES} choices.", field="choices")
        if decision.closes_at is None or decision.closes_at <= recording.time:
            raise InvalidInput("Say when voting closes; it must be later than now.", field="closes_at")
        decision.opens_at = max(decision.opens_at or recording.time, recording.time)
        _check(decision)
        draw_lots(decision, choices)
        Choice.objects.bulk_update(choices, ["lot"])
        decision.published_at = recording.time
        decision.save(update_fields=["published_at", "opens_at", "lot_seed"])
        actor = access.display_name(manager)
        transaction.on_commit(lambda: eventlog.decision_published(actor, decision.title), robust=True)
    return decision


def draw_lots(decision: Decision, choices: Sequence[Choice]) -> None:
    """Draw a seed and give each choice its lot.

    Nobody who words the choices can know the seed, and everybody can check the lots.
    """
    decision.lot_seed = secrets.token_hex(32)
    lots = lots_drawn(decision.lot_seed, [choice.pk for choice in choices])
    for choice in choices:
        choice.lot = lots[choice.pk]


def lots_drawn(seed: str, choice_ids: Iterable[int]) -> dict[int, int]:
    """Rank the choices by SHA-256(seed + ":" + choice id): the lot of each."""
    drawn = sorted(choice_ids, key=lambda choice: hashlib.sha256(f"{seed}:{choice}".encode()).digest())
    return {choice: lot for lot, choice in enumerate(drawn, start=1)}


@command
def add_clarification(viewer: Viewer, decision_id: int, *, text: str) -> Decision:
    """Add a dated clarification to a published decision's question, until voting closes. Managers only.

    Words that were added before change nothing. Raises PermissionDenied, InvalidInput, DecisionCalledOff,
    DecisionClosed.
    """
    decision, manager = managed_decision(viewer, decision_id)
    with ledger.recording(decision.community_id, actor=manager.user) as recording:
        decision.refresh_from_db()
        if decision.published_at is None:
            raise InvalidInput("This is a draft: change its words themselves.", field="text")
        _require_not_called_off(decision)
        if decision.closes_at is not None and recording.time >= decision.closes_at:
            raise DecisionClosed("Voting has closed; nothing can be added to the question any more.", field="text")
        said = list(decision.clarifications.values_list("text", flat=True))
        clarification = Clarification(decision=decision, text=validation.text(text, field="text"), at=recording.time)
        if not clarification.text:
            raise InvalidInput("Say what is to be clarified.", field="text")
        validation.check(clarification)
        if clarification.text in said:
            return decision
        if len(said) >= MAX_CLARIFICATIONS:
            raise InvalidInput(f"A decision has at most {MAX_CLARIFICATIONS} clarifications.", field="text")
        clarification.save()
        actor = access.display_name(manager)
        transaction.on_commit(lambda: eventlog.decision_clarified(actor, decision.title), robust=True)
    return decision


def managed_decision(viewer: Viewer, decision_id: int) -> tuple[Decision, Membership]:
    """Find a decision, and the viewer as a manager of its community. Raises PermissionDenied."""
    decision = Decision.objects.filter(pk=decision_id).first()
    if decision is None:
        raise PermissionDenied
    return decision, access.require_manager(viewer, decision.community_id)
