"""The sweep: it adds the notices of what time brings to decisions, each once, with a mark in the same transaction.

Webhooks are told with the same marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet

from democracy import access
from democracy.database import clock
from democracy.models import Decision, DecisionSnapshot, ExtraReminder, NoticeMark, WebhookDelivery
from democracy.models.decisions import DecisionQuerySet
from democracy.notices import outbox, recipients, webhooks
from democracy.notices.kinds import Kind
from democracy.notices.outbox import Draft

What, Event = NoticeMark.What, WebhookDelivery.Event
# A calculation that fails is told to managers once a day, and not of failures long ago.
_LATELY = timedelta(hours=1)


def sweep() -> None:
    """Add the notices that are due by the clock."""
    now = clock.now()
    for decision in _unmarked(Decision.objects.open(now), What.OPENED):
        _tell_all(decision, What.OPENED, Kind.OPENED, Event.OPENED)
    for decision in _unmarked(Decision.objects.open(now), What.HALF_TIME):
        if _remaining(decision, now) <= _duration(decision) / 2:
            _tell(decision, What.HALF_TIME, _followed)
    for decision in _unmarked(Decision.objects.open(now), What.CLOSES_SOON):
        # In decisions shorter than twice these hours, when half of the time is over.
        if _remaining(decision, now) <= min(timedelta(hours=decision.reminder_hours), _duration(decision) / 2):
            _tell(decision, What.CLOSES_SOON, _closes_soon)
    _remind(now)
    for decision in _unmarked(Decision.objects.closed(now), What.CLOSED):
        _tell(decision, What.CLOSED, lambda _: [], event=Event.CLOSED)
    final = DecisionSnapshot.objects.filter(decision=OuterRef("pk"), is_final=True)
    for decision in _unmarked(Decision.objects.closed(now).filter(Exists(final)), What.RESULT):
        _tell_all(decision, What.RESULT, Kind.RESULT, Event.RESULT)
    _tell_of_failures(now)


def _unmarked(decisions: DecisionQuerySet, what: str) -> list[Decision]:
    marks = NoticeMark.objects.filter(decision=OuterRef("pk"), what=what)
    return list(decisions.filter(~Exists(marks)).order_by("pk"))


def _tell_all(decision: Decision, what: str, kind: str, event: str) -> None:
    """Tell all members, and the webhooks."""
    _tell(decision, what, lambda one: _drafts(one, kind, recipients.members(one.community_id)), event=event)


def _tell(
    decision: Decision, what: str, drafts: Callable[[Decision], list[Draft]], *, event: str | None = None
) -> None:
    """Add these notices, and tell the webhooks of `event`, with the mark; nothing where there is one already."""

    def mark() -> bool:
        is_new = NoticeMark.objects.get_or_create(decision=decision, what=what)[1]
        if is_new and event is not None:
            webhooks.tell(decision, event)
        return is_new

    outbox.add_and_mark(drafts(decision), mark)


def _drafts(
    decision: Decision, kind: str, people: Iterable[int], *, subject: str = "", data: Mapping[str, Any] | None = None
) -> list[Draft]:
    subject = subject or f"decision:{decision.pk}"
    return [
        Draft(kind, subject, person, community_id=decision.community_id, decision_id=decision.pk, data=data or {})
        for person in people
    ]


def _closes_soon(decision: Decision) -> list[Draft]:
    assert decision.closes_at is not None
    # Who was reminded of a closing that has moved is reminded of the new one, too.
    subject = f"decision:{decision.pk}:closes:{decision.closes_at.isoformat()}"
    return _drafts(decision, Kind.CLOSES_SOON, recipients.members_without_ballot(decision), subject=subject)


def _remind(now: datetime) -> None:
    """Add the notices of reminders that managers asked for."""
    asked = ExtraReminder.objects.filter(is_told=False, decision__in=Decision.objects.open(now))
    for reminder in asked.select_related("decision"):
        # The subject is the wish's own, so that a process that takes up where another died tells nobody twice.
        subject = f"decision:{reminder.pk}:{reminder.asked_at.isoformat()}"
        people = recipients.members_without_ballot(reminder.decision)
        drafts = _drafts(reminder.decision, Kind.CLOSES_SOON, people, subject=subject, data={"asked_for": True})
        same = ExtraReminder.objects.filter(pk=reminder.pk, asked_at=reminder.asked_at, is_told=False)
        outbox.add_and_mark(drafts, partial(_mark_told, same))


def _mark_told(reminder: QuerySet[ExtraReminder]) -> bool:
    return bool(reminder.update(is_told=True))


def _followed(decision: Decision) -> list[Draft]:
    """Tell those whom others follow that these may get their ballot; not of decisions that hide what is inherited."""
    if access.hides_ballots(decision):
        return []
    return [
        Draft(
            Kind.FOLLOWED,
            f"decision:{decision.pk}",
            person,
            community_id=decision.community_id,
            decision_id=decision.pk,
            data={"followers": followers},
        )
        for person, followers in recipients.followed_without_ballot(decision).items()
    ]


def _tell_of_failures(now: datetime) -> None:
    """Tell managers of failed calculations; not in decisions that hide ballots, of which nothing is told while open."""
    failed = Decision.objects.published().exclude(calculation_error="")
    failed = failed.filter(failed_revision__gte=F("input_revision"), failed_at__gt=now - _LATELY)
    for decision in failed:
        if not access.hides_ballots(decision):
            subject = f"decision:{decision.pk}:{now:%Y-%m-%d}"
            people = recipients.managers(decision.community_id)
            outbox.add_and_mark(
                [
                    Draft(
                        Kind.CALCULATION_FAILED,
                        subject,
                        person,
                        community_id=decision.community_id,
                        decision_id=decision.pk,
                    )
                    for person in people
                ],
                lambda: True,
            )


def _remaining(decision: Decision, now: datetime) -> timedelta:
    assert decision.closes_at is not None
    return decision.closes_at - now


def _duration(decision: Decision) -> timedelta:
    assert decision.closes_at is not None
    assert decision.opens_at is not None
    return decision.closes_at - decision.opens_at
