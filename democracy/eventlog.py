"""The event log: one line for each event, in `LOG_DIR/crowdvote.log` (docs/operations.md).

    [2025-09-15 14:30:25] [INFO] [VOTE_CAST] [alice_user] - Vote cast on decision 'Springfield Budget 2025'

All functions take plain strings: the actor's handle and the titles and names of things. For an anonymous member the
caller passes ANONYMOUS_MEMBER in place of the handle, also where a manager acts on that member: more people read the
log than may know who it is.

# Note [Anonymous lines wait]
A line that somebody signed in, a second before a line that somebody anonymous voted, says who voted. So lines of
anonymous members are held until the hour is over, then written in random order, with the full hour for their time,
before the next line of any kind. A process that ends loses the lines that it holds; the ledger has the changes.

Names are cleaned of characters that could break or fake a line. A log that can't be written fails nothing
(`crowdvote.operations.logfile`). Callers log changes that may be rolled back after the commit.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.utils import timezone

from accounts.signals import limit_reached as accounts_limit_reached
from accounts.signals import sign_in_failed
from accounts.text import single_line

logger = logging.getLogger("crowdvote.events")

SYSTEM, ANONYMOUS = "system", "anonymous"
# Nobody can have this for a handle. Another name than beside their ballots, and the same for all of them.
ANONYMOUS_MEMBER = "Anonymous"
_LONGEST_MESSAGE = 1_000
_BRACKETS = str.maketrans("[]", "()")
_WAYS = {
    "accounts.backends.DemoBackend": "the demo page",
    "accounts.backends.ProviderBackend": "OpenID Connect",
    "accounts.backends.PasskeyBackend": "passkey",
}


class _Held:
    """Lines that wait for the end of the hour. See Note [Anonymous lines wait]."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[tuple[datetime, str, str, int]] = []

    def add(self, hour: datetime, event: str, message: str, level: int) -> None:
        with self._lock:
            self._lines.append((hour, event, message, level))

    def take(self, hour: datetime) -> list[tuple[datetime, str, str, int]]:
        """Take the lines of earlier hours than this, hour by hour."""
        with self._lock:
            over = [line for line in self._lines if line[0] < hour]
            self._lines = [line for line in self._lines if line[0] >= hour]
        _chance.shuffle(over)
        return sorted(over, key=lambda line: line[0])


_held, _chance = _Held(), random.SystemRandom()


def log_event(event: str, actor: str, message: str, level: int = logging.INFO) -> None:
    """Write one line; one of an anonymous member later (Note [Anonymous lines wait]).

    Line breaks, control characters and, in the first fields, brackets are replaced; very long messages are cut.
    """
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    for held_at, held, text, held_level in _held.take(hour):
        # The line's day is that of the file that it goes to.
        _write(held, ANONYMOUS_MEMBER, text, held_level, at=max(held_at + timedelta(hours=1), hour.replace(hour=0)))
    if actor == ANONYMOUS_MEMBER:
        _held.add(hour, event, message, level)
    else:
        _write(event, actor, message, level, at=None)


def _write(event: str, actor: str, message: str, level: int, *, at: datetime | None) -> None:
    text = single_line(message)
    if len(text) > _LONGEST_MESSAGE:
        text = text[: _LONGEST_MESSAGE - 1] + "…"
    extra = {"event": _field(event), "actor": _field(actor) or ANONYMOUS}
    record = logger.makeRecord(logger.name, level, __file__, 0, "%s", (text,), None, extra=extra)
    if at is not None:
        record.created, record.msecs = at.timestamp(), 0
    if logger.isEnabledFor(level):
        logger.handle(record)


def _field(text: str) -> str:
    return single_line(text).translate(_BRACKETS)


def _some(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


# Communities and decisions


def community_created(actor: str, community: str) -> None:
    log_event("COMMUNITY_CREATE", actor, f"Community '{community}' created")


def community_changed(actor: str, community: str, what: Iterable[str]) -> None:
    log_event("COMMUNITY_CHANGE", actor, f"Community '{community}' changed: {','.join(what)}")


def decision_created(actor: str, decision: str, community: str) -> None:
    log_event("DECISION_CREATE", actor, f"Decision '{decision}' created in {community}")


def decision_changed(actor: str, decision: str, what: Iterable[str]) -> None:
    log_event("DECISION_CHANGE", actor, f"Decision '{decision}' changed: {','.join(what)}")


def decision_published(actor: str, decision: str) -> None:
    log_event("DECISION_PUBLISH", actor, f"Decision '{decision}' published, voting opens")


def decision_clarified(actor: str, decision: str) -> None:
    log_event("DECISION_CLARIFIED", actor, f"Clarification added to decision '{decision}'")


def decision_called_off(actor: str, decision: str) -> None:
    log_event("DECISION_CALLED_OFF", actor, f"Decision '{decision}' called off")


def reminder_asked_for(actor: str, decision: str) -> None:
    """Log that people are reminded; of how many, nothing is said: it would tell how many have voted."""
    log_event("DECISION_REMINDER", actor, f"A reminder of decision '{decision}' was asked for")


def decision_deleted(actor: str, decision: str) -> None:
    log_event("DECISION_DELETE", actor, f"Draft '{decision}' deleted")


def result_published(actor: str, decision: str) -> None:
    log_event("RESULT_PUBLISH", actor, f"Result of decision '{decision}' published at an address of its own")


def result_withdrawn(actor: str, decision: str) -> None:
    log_event("RESULT_WITHDRAW", actor, f"Published result of decision '{decision}' withdrawn")


def webhook_changed(actor: str, community: str, what: str) -> None:
    """Log what became of a webhook, without its address: some bear a password."""
    log_event("WEBHOOK", actor, f"A webhook of community '{community}' was {what}")


def text_hidden(actor: str, what: str, reason: str) -> None:
    log_event("MODERATION", actor, f"Hid {what}: {reason}")


def shown_again(actor: str, what: str) -> None:
    log_event("MODERATION", actor, f"Shows {what} again")


# Memberships and followings


def joined(actor: str, community: str, role: str) -> None:
    log_event("MEMBERSHIP_CHANGE", actor, f"Joined community '{community}' as {role}")


def invited(actor: str, community: str, number: int) -> None:
    """Log how many people were invited, without their addresses: they have not agreed to anything yet."""
    log_event("INVITATION", actor, f"{_some(number, 'person', 'people')} invited to community '{community}'")


def invitation_revoked(actor: str, community: str) -> None:
    log_event("INVITATION", actor, f"An invitation to community '{community}' was taken back")


def invitation_link_made(actor: str, community: str) -> None:
    log_event("INVITATION", actor, f"An invitation link to community '{community}' was made")


def left(actor: str, community: str, *, removed: bool = False) -> None:
    """Log that somebody left; `removed`: because a manager ended the membership."""
    log_event("MEMBERSHIP_CHANGE", actor, f"{'Was removed from' if removed else 'Left'} community '{community}'")


def role_changed(actor: str, community: str, role: str, *, is_manager: bool = False) -> None:
    log_event(
        "MEMBERSHIP_CHANGE", actor, f"Now {role}{' and manager' if is_manager else ''} in community '{community}'"
    )


def anonymity_changed(actor: str, community: str, *, anonymous: bool) -> None:
    log_event("MEMBERSHIP_CHANGE", actor, f"{'Now' if anonymous else 'No longer'} anonymous in community '{community}'")


def now_following(actor: str, followee: str, tags: Iterable[str]) -> None:
    """Log that somebody follows somebody; without `tags`, on everything."""
    topics = ",".join(tags)
    log_event("FOLLOWING_CHANGE", actor, f"Now following {followee} on {f'tags: {topics}' if topics else 'everything'}")


def stopped_following(actor: str, followee: str) -> None:
    log_event("FOLLOWING_CHANGE", actor, f"Stopped following {followee}")


def following_ended(actor: str, reason: str) -> None:
    """Log that a following ended without an act of its follower, the actor. The followee may be anonymous: no name."""
    log_event("FOLLOWING_CHANGE", actor, f"A following ended: {reason}")


def account_closed() -> None:
    """Log that an account was closed, as of an anonymous member: the name is deleted, and may have been secret."""
    log_event("ACCOUNT_CLOSE", ANONYMOUS_MEMBER, "An account was closed")


# Votes and calculations


def vote_cast(actor: str, decision: str) -> None:
    log_event("VOTE_CAST", actor, f"Vote cast on decision '{decision}'")


def vote_tagged(actor: str, decision: str) -> None:
    """Log that a ballot's tags changed, without the tags: they may be hidden as the stars are."""
    log_event("VOTE_TAGGED", actor, f"Vote tags changed on decision '{decision}'")


def vote_withdrawn(actor: str, decision: str) -> None:
    log_event("VOTE_WITHDRAWN", actor, f"Vote withdrawn from decision '{decision}'")


def staging_started(*, decisions: int, communities: int) -> None:
    what = _some(decisions, "decision", "decisions")
    log_event(
        "STAGE_BALLOTS_START",
        SYSTEM,
        f"Staging ballots for {what} across {_some(communities, 'community', 'communities')}",
    )


def staging_completed(*, ballots: int, seconds: float) -> None:
    log_event(
        "STAGE_BALLOTS_COMPLETE", SYSTEM, f"Staged {_some(ballots, 'ballot', 'ballots')} in {seconds:.1f} seconds"
    )


def tally_started(*, decisions: int) -> None:
    log_event("TALLY_START", SYSTEM, f"Tallying results for {_some(decisions, 'decision', 'decisions')}")


def tally_completed(*, seconds: float) -> None:
    log_event("TALLY_COMPLETE", SYSTEM, f"Tally completed in {seconds:.1f} seconds")


def manual_recalculation(actor: str, decision: str) -> None:
    log_event("MANUAL_RECALC", actor, f"Manual recalculation triggered for decision '{decision}'")


# Signing in and out


def login(actor: str, *, way: str = "magic link") -> None:
    log_event("LOGIN", actor, f"User logged in via {way}")


def logout(actor: str) -> None:
    log_event("LOGOUT", actor, "User logged out")


def login_failed(what: str = "magic link") -> None:
    log_event("LOGIN_FAILED", ANONYMOUS, f"Invalid {what} attempted", logging.WARNING)


# The system


def signal_error(signal: str, details: object) -> None:
    log_event("SIGNAL_ERROR", SYSTEM, f"Failed to process {signal} signal: {details}", logging.ERROR)


def thread_error(details: object) -> None:
    log_event("THREAD_ERROR", SYSTEM, f"Background calculation failed: {details}", logging.ERROR)


def limit_reached(message: str) -> None:
    log_event("LIMIT_REACHED", SYSTEM, message, logging.WARNING)


def connect() -> None:
    """Have signing in and out logged. Called when the apps are ready; a second call does no harm."""
    user_logged_in.connect(_logged_in, dispatch_uid="eventlog.login")
    user_logged_out.connect(_logged_out, dispatch_uid="eventlog.logout")
    sign_in_failed.connect(_sign_in_failed, dispatch_uid="eventlog.login_failed")
    accounts_limit_reached.connect(_limit_reached, dispatch_uid="eventlog.limit_reached")


def _logged_in(sender: object, user: Any, request: Any = None, **kwargs: object) -> None:
    backend = request.session.get(BACKEND_SESSION_KEY, "") if hasattr(request, "session") else ""
    login(user.handle, way=_WAYS.get(backend, "magic link"))


def _logged_out(sender: object, user: Any, **kwargs: object) -> None:
    if user is not None:
        logout(user.handle)


def _sign_in_failed(sender: object, what: str = "magic link", **kwargs: object) -> None:
    login_failed(what)


def _limit_reached(sender: object, message: str, **kwargs: object) -> None:
    limit_reached(message)
