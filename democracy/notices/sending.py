"""The threads of each process that may send: one turns ledgers and time into notices, others mail and post what is due.

With CROWDVOTE_EXECUTOR=threads each server has them. With celery the workers do: their threads look every few seconds,
and a job on the queue wakes those of one of them at once. A lost job costs those seconds and nothing else.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from django.conf import settings
from django.core.cache import cache

from democracy.notices import delivery, outbox, reader, sweep, webhooks
from democracy.notices.threads import NoticeThread

logger = logging.getLogger(__name__)

# Mails that a sender leases at once, at most.
_BATCH = 50


def notice_changes() -> None:
    """Turn what is new in the ledgers, and what time has brought, into notices."""
    reader.read_ledgers()
    sweep.sweep()


def deliver_mails() -> float | None:
    """Deliver the mails that may leave now. Returns the seconds until more may; None where none is due.

    Raises MailServerAway.
    """
    parcels, wait = outbox.lease_mails(_BATCH)
    delivery.deliver(parcels)
    return 0.0 if parcels else (wait or None)


change_reader = NoticeThread("notice-reader", notice_changes)
mail_sender = NoticeThread("mail-sender", deliver_mails)
webhook_sender = NoticeThread("webhook-sender", webhooks.deliver)
_THREADS = (change_reader, mail_sender, webhook_sender)


def start() -> None:
    """Start this process's threads.

    Mails and webhooks' messages that are added here wake the senders. Changes of inputs wake nobody: the reader looks
    every few seconds, so that many votes in a moment are read at once, and don't wait for its writing.
    """
    outbox.added.connect(_wake_senders, dispatch_uid="notices.wake_senders")
    for thread in _THREADS:
        thread.start()


def start_in_server() -> None:
    """Have a process that answers requests send, or wake the workers that do, by CROWDVOTE_EXECUTOR."""
    if settings.CROWDVOTE_EXECUTOR == "threads":
        start()
    elif settings.CROWDVOTE_EXECUTOR == "celery":
        outbox.added.connect(_wake_workers, dispatch_uid="notices.wake_workers")


def stop(timeout: float = 10) -> None:
    """Stop this process's threads."""
    deadline = time.monotonic() + timeout
    for thread in _THREADS:
        thread.stop(max(0.0, deadline - time.monotonic()))


def wake() -> None:
    """Have this process's senders look at the outbox at once."""
    mail_sender.wake()
    webhook_sender.wake()


def _wake_senders(sender: object, **kwargs: Any) -> None:
    wake()


def _wake_workers(sender: object, **kwargs: Any) -> None:
    # Celery is an optional package, and slow to import.
    from democracy.notices import jobs

    try:
        # Many notices in a moment are one job.
        if cache.add("notices:waiting", True, timeout=settings.RECALCULATION_SWEEP_INTERVAL or 1):
            jobs.send()
    except Exception as error:  # each cache and broker raises errors of its own
        logger.warning("workers are not woken, and look by themselves: %s", error)
