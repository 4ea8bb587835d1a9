"""The outbox: notices are added in the transaction of what they tell of, leased by senders, and marked as sent.

See Note [None lost, hardly one doubled].
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.dispatch import Signal

from accounts.models import User
from democracy.database import clock
from democracy.database.turns import turn
from democracy.live import publishing
from democracy.models import MailPace, Membership, Notice, NoticePreference
from democracy.notices import leases
from democracy.notices.kinds import TELL_WHOM_ONE_FOLLOWS, USUAL_WAYS, Way
from democracy.reading.notices import with_what_words_need

# Sent after each commit that added what is to leave at once. A hint: senders look by themselves, too.
added = Signal()

# The hour (UTC) at which digests leave.
DIGEST_HOUR = 6
# With the pauses between them, about five days, as mail servers do. The time since the notice was made says nothing:
# at a low rate, or while the mail server is away, it may be days old when it is first tried.
MOST_TRIES = 125
_ROWS = 500


@dataclass(frozen=True)
class Draft:
    """A notice to be added: to a person, or to an address without an account."""

    kind: str
    subject: str
    person_id: int | None = None
    address: str = ""
    community_id: int | None = None
    decision_id: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    # A mail would tell whoever passes it on what only this person may know.
    on_site_only: bool = False


# --- Adding -----------------------------------------------------------------------------------------------------------


def add(
    kind: str,
    subject: str,
    *,
    person_id: int | None = None,
    address: str = "",
    community_id: int | None = None,
    decision_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add one notice, in the caller's transaction; nothing where it was added before."""
    add_many([Draft(kind, subject, person_id, address, community_id, decision_id, data or {})])


def add_many(drafts: Iterable[Draft]) -> None:
    """Add notices in the caller's transaction, except those that were added before. Each person is told as they prefer.

    People without an address can't sign in, so they get none; those of the demo find theirs on the site. An
    invitation's `data` has its key, and name and key of whoever invites.
    """
    waiting = list(drafts)
    for start in range(0, len(waiting), _ROWS):
        _add(waiting[start : start + _ROWS])


def add_and_mark(drafts: Sequence[Draft], mark: Callable[[], bool]) -> None:
    """Add notices, and in the transaction of the last of them call `mark`, which writes that they were added.

    Where `mark` returns False another process was first, and has added them. Many are added in several transactions, so
    that no vote waits long; after a kill the first of them are added again, which adds nothing.
    """
    parts = [drafts[start : start + _ROWS] for start in range(0, len(drafts), _ROWS)] or [[]]
    for part in parts[:-1]:
        with turn(), transaction.atomic():
            _add(part)
    with turn(), transaction.atomic():
        _add(parts[-1])
        if not mark():
            transaction.set_rollback(True)


def take_back(kind: str, mails: Mapping[str, str]) -> None:
    """Keep mails that have not left from leaving, in the caller's transaction. `mails`: subject to address."""
    told = list(mails)
    for start in range(0, len(told), _ROWS):
        subjects = told[start : start + _ROWS]
        addresses = [mails[subject] for subject in subjects]
        waiting = Notice.objects.to_addresses().filter(address__in=addresses, kind=kind, subject__in=subjects)
        waiting.filter(sent_at=None).update(due_at=None)


def _add(drafts: Sequence[Draft]) -> None:
    now = clock.now()
    people = User.objects.filter(pk__in=[draft.person_id for draft in drafts if draft.person_id], is_active=True)
    is_demo = dict(people.exclude(email=None, is_demo=False).values_list("pk", "is_demo"))
    ways = _ways(drafts)
    rows = []
    for draft in drafts:
        if draft.person_id is not None and draft.person_id not in is_demo:
            continue
        way = ways.get((draft.person_id or draft.address, draft.community_id, draft.kind)) or USUAL_WAYS.get(
            draft.kind, Way.AT_ONCE
        )
        if is_demo.get(draft.person_id or 0) or draft.on_site_only:
            # People of the demo have no address, or one that is made up.
            way = Way.SITE
        rows.append(
            Notice(
                community_id=draft.community_id,
                person_id=draft.person_id,
                address=draft.address,
                kind=draft.kind,
                subject=draft.subject,
                decision_id=draft.decision_id,
                data=dict(draft.data),
                created_at=now,
                due_at={Way.AT_ONCE: now, Way.DAILY: _next_digest(now)}.get(Way(way)),
                in_digest=way == Way.DAILY,
            )
        )
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    told = {row.person_id for row in rows if row.person_id is not None}
    mails = any(row.due_at == now for row in rows)
    transaction.on_commit(lambda: _tell(told, mails=mails), robust=True)


def _tell(people: Collection[int], *, mails: bool) -> None:
    publishing.notices_changed(people)
    if mails:
        added.send_robust(None)


def _ways(drafts: Sequence[Draft]) -> dict[tuple[int | str, int | None, str], str]:
    """The preferences of those whom the drafts are to, by person or address, community and kind."""
    communities = {draft.community_id for draft in drafts if draft.community_id is not None}
    people = {draft.person_id for draft in drafts if draft.person_id is not None}
    addresses = {draft.address for draft in drafts if draft.address}
    preferences = NoticePreference.objects.filter(community__in=communities)
    columns = ("person", "address", "community", "kind", "way")
    rows = [*preferences.filter(person__in=people).values_list(*columns)] if people else []
    rows += preferences.filter(address__in=addresses).values_list(*columns) if addresses else []
    ways: dict[tuple[int | str, int | None, str], str] = {
        (person or address, community, kind): way for person, address, community, kind, way in rows
    }
    anonymous = Membership.objects.current().filter(community__in=communities, user__in=people, is_anonymous=True)
    for person, community in anonymous.values_list("user", "community"):
        ways |= {(person, community, kind): Way.SITE for kind in TELL_WHOM_ONE_FOLLOWS}
    return ways


def _next_digest(now: datetime) -> datetime:
    today = datetime.combine(now.date(), time(DIGEST_HOUR), tzinfo=now.tzinfo)
    return today if today > now else today + timedelta(days=1)


# --- Leasing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parcel:
    """One mail's worth: one notice, or all of a person's digest. It is held until `leased_until`."""

    notices: tuple[Notice, ...]
    leased_until: datetime


def lease_mails(most: int) -> tuple[list[Parcel], float]:
    """Lease up to `most` mails that are due, as the rate allows.

    Returns them and, where the rate has them wait, the seconds until some may be leased.
    """
    rate = settings.MAILS_PER_MINUTE
    # Read first: there is hardly ever one, and only few writers fit beside each other.
    if not Notice.objects.due(clock.now()).exists():
        return [], 0.0
    with turn(), transaction.atomic():
        now = clock.now()
        MailPace.objects.get_or_create(pk=1, defaults={"next_at": now})
        # Senders take turns here, so together they keep to the rate.
        pace = MailPace.objects.select_for_update().get(pk=1)
        now = clock.now()
        if pace.next_at > now:
            return [], (pace.next_at - now).total_seconds()
        parcels = _lease(most if not rate else max(1, min(most, rate // 60)), now)
        if rate:
            # What was not used up is not saved for later, so that mails never leave in a rush.
            pace.next_at = now + timedelta(minutes=len(parcels) / rate)
            pace.save()
    return parcels, 0.0


def _lease(most: int, now: datetime) -> list[Parcel]:
    # Another sender's rows are left to it, and nobody waits for it.
    due = Notice.objects.due(now).order_by("due_at", "pk").select_for_update(skip_locked=True, of=("self",))
    due = with_what_words_need(due.select_related("person"))
    found: list[list[Notice]] = []
    taken: set[int] = set()
    for first in due[:most]:
        if first.pk in taken:
            continue
        notices = [first]
        if first.in_digest:
            notices += due.filter(person=first.person_id, in_digest=True).exclude(pk=first.pk)
        found.append(notices)
        taken.update(notice.pk for notice in notices)
    until = leases.take(Notice, taken, now)
    return [Parcel(tuple(notices), until) for notices in found]


# --- What came of it --------------------------------------------------------------------------------------------------


def sent(parcel: Parcel) -> None:
    """Mark a parcel as sent."""
    _end(parcel, sent_at=clock.now(), due_at=None)


def refused(parcel: Parcel, reason: str) -> None:
    """Mark a parcel as refused for good, such as an address that does not exist. `reason`: the server's words."""
    _end(parcel, refused=reason[:300] or "refused", due_at=None)


def dropped(parcel: Parcel) -> None:
    """Take notices out of the mail whose reader may not see any more what they tell of."""
    _end(parcel, due_at=None)


def put_off(parcel: Parcel, reason: str) -> None:
    """Try a parcel again later; after MOST_TRIES it counts as refused. What was taken back meanwhile stays so."""
    attempts = max(notice.attempts for notice in parcel.notices)
    if attempts + 1 >= MOST_TRIES:
        refused(parcel, reason)
        return
    again_at = clock.now() + leases.pause_after(attempts)
    _end(parcel, due_at=Case(When(due_at__isnull=False, then=Value(again_at))))


def held(parcel: Parcel) -> list[Notice]:
    """The notices of a parcel that may still be mailed, as they are now: the lease lasts, nobody has taken them back.

    Asked before each mail: those before it may have taken long.
    """
    if parcel.leased_until <= clock.now():
        return []
    keys = [notice.pk for notice in parcel.notices]
    rows = Notice.objects.filter(pk__in=keys, leased_until=parcel.leased_until, due_at__isnull=False)
    still = {notice.pk: notice for notice in with_what_words_need(rows.select_related("person"))}
    return [still[notice.pk] for notice in parcel.notices if notice.pk in still]


def give_back(parcels: Iterable[Parcel]) -> None:
    """Give back parcels that were not tried, such as while the mail server is away. That counts as no attempt."""
    for parcel in parcels:
        _end(parcel, attempts=F("attempts") - 1)


def _end(parcel: Parcel, **changes: Any) -> None:
    """Write what came of a parcel, unless its lease ran out and another sender has it."""
    leases.end(Notice, [notice.pk for notice in parcel.notices], parcel.leased_until, **changes)
