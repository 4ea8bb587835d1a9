"""Commands on the life of a decision besides its words: deleted as a draft, called off, copied, pinned; reminders."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from democracy import access, eventlog, ledger
from democracy.access import Viewer
from democracy.database import bulk
from democracy.errors import DecisionCalledOff, DecisionClosed, DecisionNotOpen, InvalidInput, SentLately
from democracy.models import MAX_PINNED, Choice, Community, Decision, ExtraReminder
from democracy.services import validation
from democracy.services.commands import command
from democracy.services.decisions import ChoiceInput, create_decision, managed_decision

_A_DAY = timedelta(days=1)


@command
def delete_draft(viewer: Viewer, decision_id: int) -> Community:
    """Delete a draft for good. Returns its community. Managers only. Raises PermissionDenied, InvalidInput."""
    decision, manager = managed_decision(viewer, decision_id)
    with ledger.recording(decision.community_id, actor=manager.user) as recording:
        decision.refresh_from_db()
        if decision.published_at is not None:
            raise InvalidInput("This decision is published. It can be called off, and stays readable.")
        # In bulk: each would fire a signal that reads the draft again.
        bulk.delete(Choice._meta.db_table, [decision.pk], column="decision_id")
        decision.delete()
        actor = access.display_name(manager)
        transaction.on_commit(lambda: eventlog.decision_deleted(actor, decision.title), robust=True)
    return recording.community


@command
def call_off(viewer: Viewer, decision_id: int, *, reason: str) -> Decision:
    """Call a published decision off before it closes: it gets no result, and its ballots are kept as they are.

    Where ballots are hidden, not in the last minute. Managers only; it can't be undone. Calling off again changes
    nothing, whatever the reason. Raises PermissionDenied, InvalidInput, DecisionClosed.
    """
    decision, manager = managed_decision(viewer, decision_id)
    wanted = validation.text(reason, field="reason")
    with ledger.recording(decision.community_id, actor=manager.user) as recording:
        decision.refresh_from_db()
        if decision.published_at is None:
            raise InvalidInput("This is a draft: delete it instead.")
        if decision.called_off_at is not None:
            return decision
        if decision.closes_at is not None and recording.time >= decision.closes_at:
            raise DecisionClosed("This decision is closed; its result is final.")
        if decision.is_about_to_end(recording.time):
            raise DecisionClosed("Voting is about to end: this decision can't be called off any more.")
        if not wanted:
            raise InvalidInput("Say why: members read it.", field="reason")
        decision.called_off_at, decision.called_off_reason = recording.time, wanted
        validation.check(decision)
        decision.save(update_fields=["called_off_at", "called_off_reason"])
        actor = access.display_name(manager)
        transaction.on_commit(lambda: eventlog.decision_called_off(actor, decision.title), robust=True)
    return decision


@command
def copy_decision(viewer: Viewer, decision_id: int) -> Decision:
    """Draft a decision with the words, choices, topics and visibility of this one, without times.

    Managers only. Raises PermissionDenied.
    """
    decision, _ = managed_decision(viewer, decision_id)
    return create_decision(
        viewer,
        decision.community_id,
        title=decision.title,
        description=decision.description,
        choices=[ChoiceInput(one.title, one.description) for one in Choice.objects.filter(decision=decision)],
        results_visibility=decision.results_visibility,
        topics=decision.topics,
        reminder_hours=decision.reminder_hours,
    )


@command
def pin_decision(viewer: Viewer, decision_id: int, *, pinned: bool) -> Decision:
    """Put a published decision at the top of the community's page, or take it from there. Managers only.

    Raises PermissionDenied, InvalidInput.
    """
    decision, manager = managed_decision(viewer, decision_id)
    with ledger.recording(decision.community_id, actor=manager.user):
        decision.refresh_from_db()
        if decision.published_at is None:
            raise InvalidInput("This is a draft: only managers see it. Publish it first.")
        others = Decision.objects.filter(community=decision.community_id, is_pinned=True).exclude(pk=decision.pk)
        if pinned and others.count() >= MAX_PINNED:
            raise InvalidInput(f"At most {MAX_PINNED} decisions are pinned. Unpin another one first.", field="pinned")
        if decision.is_pinned != pinned:
            decision.is_pinned = pinned
            decision.save(update_fields=["is_pinned"])
            actor = access.display_name(manager)
            transaction.on_commit(lambda: eventlog.decision_changed(actor, decision.title, ["pinned"]), robust=True)
    return decision


@command
def remind(viewer: Viewer, decision_id: int) -> Decision:
    """Have those reminded who have no ballot of their own in an open decision, at most once in 24 hours.

    Nobody learns who they are, or how many. Managers only. Raises PermissionDenied, InvalidInput, DecisionNotOpen,
    DecisionCalledOff, DecisionClosed, SentLately.
    """
    decision, manager = managed_decision(viewer, decision_id)
    # The lock on the community: of two managers at once, the second is told of the first.
    with ledger.recording(decision.community_id, actor=manager.user) as recording:
        decision.refresh_from_db()
        _require_open(decision, recording)
        last = ExtraReminder.objects.filter(decision=decision).first()
        if last is not None and last.asked_at > recording.time - _A_DAY:
            raise SentLately("A manager asked for a reminder within the last 24 hours. People get one a day at most.")
        # The sweep adds the notices: in a large community that takes longer than a page may.
        ExtraReminder.objects.update_or_create(
            decision=decision, defaults={"asked_at": recording.time, "is_told": False}
        )
        actor = access.display_name(manager)
        transaction.on_commit(lambda: eventlog.reminder_asked_for(actor, decision.title), robust=True)
    return decision


def _require_open(decision: Decision, recording: ledger.Recording) -> None:
    if decision.opens_at is None or decision.closes_at is None or decision.published_at is None:
        raise InvalidInput("This is a draft: nobody can vote yet.")
    if decision.called_off_at is not None:
        raise DecisionCalledOff
    if recording.time >= decision.closes_at:
        raise DecisionClosed("This decision is closed; nobody can vote any more.")
    if recording.time < decision.opens_at:
        raise DecisionNotOpen("Voting has not opened yet. Everybody is told when it does.")
