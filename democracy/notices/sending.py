"""The sender: a thread of each process that may send, which leases what is due and has it delivered.

With CROWDVOTE_EXECUTOR=threads each server sends. With celery the workers do: their threads look every few seconds,
and a job on the queue wakes one of them at once. A lost job costs those seconds and nothing else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import close_old_connections, connection

from democracy import eventlog
from democracy.notices import delivery, outbox

logger = logging.getLogger(__name__)

# Mails that a sender leases at once, at most.
_BATCH = 50
# Seconds after which a mail server that is away is asked again, doubled each time up to the most.
_PAUSE, _LONGEST_PAUSE = 2.0, 60.0


class Sender:
    """A thread that delivers what is due, whenever it is woken and every few seconds.

    `deliver` delivers some and returns the seconds until it may go on; None where nothing is due. Where it raises
    MailServerAway, the sender waits longer each time.
    """

    def __init__(self, name: str, deliver: Callable[[], float | None]) -> None:
        self._name, self._deliver = name, deliver
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = self._woken = False

    def start(self) -> None:
        """Start the thread, once."""
        with self._changed:
            if self._thread is None:
                self._stopping = False
                self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
                self._thread.start()

    def stop(self, timeout: float = 10) -> None:
        """Send nothing further, and wait for the mail under way. What it holds is sent when its lease has run out."""
        with self._changed:
            thread, self._thread, self._stopping = self._thread, None, True
            self._changed.notify_all()
        if thread is not None:
            thread.join(timeout)

    def wake(self, **kwargs: Any) -> None:
        """Look at once. May be called from any thread, and does nothing where the sender does not run."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _loop(self) -> None:
        pause = _PAUSE
        while not self._stopping:
            try:
                close_old_connections()
                until_next = self._deliver()
            except delivery.MailServerAway as away:
                if pause == _PAUSE:
                    eventlog.limit_reached(f"The mail server does not answer, mails wait: {away}")
                self._wait(pause, for_news=False)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            except Exception:
                logger.exception("%s failed", self._name)
                until_next = _PAUSE
            finally:
                connection.close()
            pause = _PAUSE
            if until_next is None:
                self._wait(settings.RECALCULATION_SWEEP_INTERVAL, for_news=True)
            else:
                self._wait(until_next, for_news=False)

    def _wait(self, seconds: float, *, for_news: bool) -> None:
        """Wait; `for_news`: until woken, at the longest. A wake-up while something was delivered counts."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or (for_news and self._woken), seconds)
            self._woken = False


def deliver_mails() -> float | None:
    """Deliver the mails that may leave now. Returns the seconds until more may; None where none is due.

    Raises MailServerAway.
    """
    parcels, wait = outbox.lease_mails(_BATCH)
    delivery.deliver(parcels)
    return 0.0 if parcels else (wait or None)


mail_sender = Sender("mail-sender", deliver_mails)
SENDERS = (mail_sender,)


def start() -> None:
    """Start this process's senders, and wake them when notices are added here."""
    outbox.added.connect(_wake, dispatch_uid="notices.wake")
    for sender in SENDERS:
        sender.start()


def start_in_server() -> None:
    """Have a process that answers requests send, or wake the workers that do, by CROWDVOTE_EXECUTOR."""
    if settings.CROWDVOTE_EXECUTOR == "threads":
        start()
    elif settings.CROWDVOTE_EXECUTOR == "celery":
        outbox.added.connect(_wake_workers, dispatch_uid="notices.wake_workers")


def stop(timeout: float = 10) -> None:
    """Stop this process's senders."""
    deadline = time.monotonic() + timeout
    for sender in SENDERS:
        sender.stop(max(0.0, deadline - time.monotonic()))


def _wake(sender: object, **kwargs: Any) -> None:
    for one in SENDERS:
        one.wake()


def _wake_workers(sender: object, **kwargs: Any) -> None:
    # Celery is an optional package, and slow to import.
    from democracy.notices import jobs

    try:
        # Many notices in a moment are one job.
        if cache.add("notices:waiting", True, timeout=settings.RECALCULATION_SWEEP_INTERVAL or 1):
            jobs.send()
    except Exception as error:  # each cache and broker raises errors of its own
        logger.warning("workers are not woken, and look by themselves: %s", error)
