"""Delivery of leased mails through Django's mail backends, one after the other over one connection."""

from __future__ import annotations

import logging
import smtplib
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.mail import get_connection

from democracy import access
from democracy.models import Notice
from democracy.notices import leases, mails, outbox
from democracy.notices.outbox import Parcel

logger = logging.getLogger(__name__)

# A sender begins no further mail when so much of its lease is over: the one under way has to end in time.
_SHARE = 0.5


class MailServerAway(Exception):
    """No mail can be handed on for now."""


def deliver(parcels: Sequence[Parcel]) -> None:
    """Mail these parcels, and write of each what came of it. Raises MailServerAway: the rest was given back."""
    stop_at = time.monotonic() + settings.MAIL_LEASE * _SHARE
    waiting = list(parcels)
    connection: Any = None
    try:
        while waiting:
            if time.monotonic() >= stop_at:
                return
            if connection is None:
                connection = _connected()
            # Whatever comes of it is written by `_deliver`, unless the database is away: then the lease runs out.
            connection = _deliver(waiting.pop(0), connection)
    finally:
        outbox.give_back(waiting)
        _close(connection)


def _connected() -> Any:
    connection = get_connection()
    try:
        connection.open()
    except Exception as error:  # each backend raises errors of its own
        raise MailServerAway(_words(error)) from error
    return connection


def _close(connection: Any) -> None:
    # The server may have closed it already.
    with suppress(Exception):
        if connection is not None:
            connection.close()


def _deliver(parcel: Parcel, connection: Any) -> Any:
    """Mail one parcel. Returns the connection, or None where another one is needed."""
    held = outbox.held(parcel)
    if not held:
        return connection
    address = mails.address_of(held[0])
    notices = [notice for notice in held if _may_see(notice)]
    if not address or not notices:
        outbox.dropped(parcel)
        return connection
    try:
        connection.send_messages([mails.mail(notices, address)])
    except Exception as error:  # each backend raises errors of its own
        reason = _words(error)
        if is_for_good(error):
            outbox.refused(parcel, reason)
            return connection
        logger.warning("notice %s is mailed later: %s", parcel.notices[0].pk, reason)
        outbox.put_off(parcel, reason)
        # Nobody knows what state the connection is in.
        _close(connection)
        return None
    leases.persistently(lambda: outbox.sent(parcel))
    return connection


def _may_see(notice: Notice) -> bool:
    """Whether the reader may still see what the notice tells of."""
    if notice.kind != Notice.Kind.HIDDEN and notice.community is not None and notice.community.is_hidden:
        return False
    if notice.person is None or notice.decision_id is None:
        return True
    return access.decisions_visible_to(notice.person).filter(pk=notice.decision_id).exists()


def is_for_good(error: Exception) -> bool:
    """Whether an error says that this mail will never be taken, such as for an address that does not exist."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(_is_for_good(code) for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPDataError):
        return _is_for_good(error.smtp_code)
    # Of mail services; their package is optional.
    return type(error).__name__ == "AnymailRecipientsRefused"


def _is_for_good(code: int) -> bool:
    return 500 <= code < 600


def _words(error: Exception) -> str:
    """The mail server's own words, or Python's."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        error_texts = [f"{code} {_text(text)}" for code, text in error.recipients.values()]
        return "; ".join(error_texts)
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return f"{type(error).__name__}: {error}"


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
