"""A thread that looks for something to do, whenever it is woken and every few seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.conf import settings
from django.db import close_old_connections, connection

from democracy import eventlog
from democracy.notices.delivery import MailServerAway

logger = logging.getLogger(__name__)

# Seconds after which a mail server that is away is asked again, doubled each time up to the most.
_PAUSE, _LONGEST_PAUSE = 2.0, 60.0


class NoticeThread:
    """A thread that looks for something to do, whenever it is woken and every few seconds.

    `look` does some of it and returns the seconds until it may go on; None where nothing is left. Where it raises
    MailServerAway, the thread waits longer each time.
    """

    def __init__(self, name: str, look: Callable[[], float | None]) -> None:
        self._name, self._look = name, look
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
        """Begin nothing further, and wait for what is under way."""
        with self._changed:
            thread, self._thread, self._stopping = self._thread, None, True
            self._changed.notify_all()
        if thread is not None:
            thread.join(timeout)

    def wake(self) -> None:
        """Look at once. May be called from any thread, and does nothing where the thread does not run."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _loop(self) -> None:
        pause = _PAUSE
        while not self._stopping:
            try:
                close_old_connections()
                until_next = self._look()
            except MailServerAway as away:
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
