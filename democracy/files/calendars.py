"""Openings and closings of decisions as a calendar (iCalendar, RFC 5545), to take along or to subscribe to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from icalendar import Calendar, Event

from democracy.ledger import contents
from democracy.models import Decision, LedgerEntry
from democracy.presenting import addresses

# A calendar that is subscribed to is asked for again after this.
_AGAIN = timedelta(hours=6)


def calendar_of(decisions: Iterable[Decision], *, name: str) -> bytes:
    """A calendar of these published decisions, with their communities loaded."""
    calendar = Calendar()
    calendar.add("prodid", "-//CrowdVote//CrowdVote//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", _AGAIN, parameters={"value": "DURATION"})
    shown = list(decisions)
    changes = _changes(shown)
    for decision in shown:
        calendar.add_component(_event(decision, "opens", decision.opens_at, changes[decision.pk]))
        calendar.add_component(_event(decision, "closes", decision.closes_at, changes[decision.pk]))
    content: bytes = calendar.to_ical()
    return content


def _changes(decisions: Sequence[Decision]) -> dict[int, list[datetime]]:
    """The moments, by decision, at which what a calendar shows of it has changed since it was published.

    They are the ledger's, so that an unchanged decision makes the same file each time.
    """
    shown = ("title", "opens_at", "closes_at", "called_off")
    moments: dict[int, list[datetime]] = {decision.pk: [] for decision in decisions}
    entries = LedgerEntry.objects.filter(
        community__in={decision.community_id for decision in decisions},
        subject__in=[contents.decision_subject(pk) for pk in moments],
    )
    before, after = ([f"{when}__{part}" for part in shown] for when in ("before", "after"))
    rows = entries.order_by("revision").values("decision_id", "time", "before__published", *before, *after)
    for row in rows:
        if row["before__published"] and [row[part] for part in before] != [row[part] for part in after]:
            moments[row["decision_id"]].append(row["time"])
    return moments


def _event(decision: Decision, what: str, at: datetime | None, changes: Sequence[datetime]) -> Event:
    """A moment without a length. It keeps its id when the closing moves, so that calendars move it, too.

    Where the decision is called off before that moment, it stays as an event that is cancelled: programs that have it
    already would keep one that is gone.
    """
    assert at is not None
    page = addresses.of_decision("decision", decision)
    event = Event()
    event.add("uid", f"decision-{decision.pk}-{what}@{urlsplit(settings.SITE_URL).hostname}")
    changed_at = (changes[-1] if changes else decision.published_at or at).astimezone(UTC)
    event.add("dtstamp", changed_at)
    event.add("last-modified", changed_at)
    event.add("dtstart", at.astimezone(UTC))
    is_cancelled = decision.called_off_at is not None and decision.called_off_at < at
    event.add("summary", f"Called off: {decision.title}" if is_cancelled else f"Voting {what}: {decision.title}")
    event.add("status", "CANCELLED" if is_cancelled else "CONFIRMED")
    # Of two forms of an event programs take the one with the higher number.
    event.add("sequence", len(changes))
    event.add("description", f"{decision.community.name}\n{page}")
    event.add("url", page)
    event.add("transp", "TRANSPARENT")
    return event
