"""Things that many viewers are shown alike: made once, and kept until something is told that changes it.

Nothing of a single viewer may be kept here. Whoever hands it on has made sure that its viewer may see it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone

from democracy.live.hub import Mark, hub

Value = TypeVar("Value")


@dataclass(frozen=True)
class Made(Generic[Value]):
    """A value, and how long it is true: until its mark is not fresh any more, and at most until a moment."""

    value: Value
    mark: Mark
    until: datetime | None = None

    @property
    def is_true(self) -> bool:
        return self.mark.is_fresh and (self.until is None or timezone.now() < self.until)


class _Lock:
    """A lock of one key, there as long as a thread needs it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Shared:
    """Values by key, those that were asked for last. `make` marks first and reads second."""

    def __init__(self, most: int = 2_000) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, Made[Any]] = OrderedDict()
        self._making: WeakValueDictionary[Hashable, _Lock] = WeakValueDictionary()
        self._awaited: dict[Hashable, asyncio.Future[Any]] = {}

    def known(self, key: Hashable) -> Any:
        """Return what is kept under a key if it is still true, else None. Asks nobody."""
        with self._lock:
            made = self._made.get(key)
            if made is None or not made.is_true:
                return None
            self._made.move_to_end(key)
        return made.value

    def is_over(self, key: Hashable) -> bool:
        """Whether the time is over for which something is kept under a key."""
        with self._lock:
            made = self._made.get(key)
        return made is not None and made.until is not None and made.until <= timezone.now()

    def get(self, key: Hashable, make: Callable[[], Made[Value]]) -> Value:
        """Return what is kept under a key, made anew by one thread where it is not true any more."""
        if connection.in_atomic_block:
            # A transaction reads what others do not see yet, or will never see.
            return self._unkept(make)
        with self._lock:
            making = self._making.setdefault(key, _Lock())
        with making.lock:
            found: Value | None = self.known(key)
            if found is not None:
                return found
            made = make()
            self._keep(key, made)
            return made.value

    async def wait_for(self, key: Hashable, make: Callable[[], Made[Value]]) -> Value:
        """Return what is kept under a key; of all who wait in this event loop, one has it made."""
        # What others have begun to read may be older than what this one has been told of: then once more.
        for _ in range(2):
            found: Value | None = self.known(key)
            if found is not None:
                return found
            reading = self._awaited.get(key)
            if reading is None:
                reading = asyncio.ensure_future(sync_to_async(self.get)(key, make))
                self._awaited[key] = reading
                reading.add_done_callback(lambda _: self._awaited.pop(key, None))
            value: Value = await asyncio.shield(reading)
        return value

    def forget_all(self) -> None:
        with self._lock:
            for made in self._made.values():
                hub.forget(made.mark)
            self._made.clear()

    @staticmethod
    def _unkept(make: Callable[[], Made[Value]]) -> Value:
        made = make()
        hub.forget(made.mark)
        return made.value

    def _keep(self, key: Hashable, made: Made[Any]) -> None:
        with self._lock:
            before = self._made.pop(key, None)
            self._made[key] = made
            dropped = [before] if before is not None else []
            while len(self._made) > self._most:
                dropped.append(self._made.popitem(last=False)[1])
        for one in dropped:
            hub.forget(one.mark)


shared = Shared()
