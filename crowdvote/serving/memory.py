"""Memory given back after a crowd has left.

A connection's objects refer to one another in circles, which Python looks for ever more seldom; and what it frees then,
the C library keeps for later. After a thousand WebSockets have closed, a process would hold their memory until the next
thousand come.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from contextlib import suppress

# As many connections are a crowd.
_CROWD = 100
# Seconds after which those who leave together have left.
_WAIT = 5.0


class Leaving:
    """The connections that have closed since memory was given back last, in one event loop."""

    def __init__(self) -> None:
        self._gone = 0
        self._giving_back: asyncio.TimerHandle | None = None

    def one_left(self) -> None:
        self._gone += 1
        if self._gone >= _CROWD and self._giving_back is None:
            loop = asyncio.get_running_loop()
            self._giving_back = loop.call_later(_WAIT, lambda: loop.run_in_executor(None, self.give_back))

    def give_back(self) -> None:
        self._gone, self._giving_back = 0, None
        gc.collect()
        # Of glibc alone; others give back by themselves, or never.
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


leaving = Leaving()
