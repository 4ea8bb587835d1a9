"""A bounded cache for values that a process keeps between requests and runs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Keep the values used last: at most `most`, and with `weigh` together no heavier than `most_weight`.

    The newest value stays however heavy it is. Safe for threads.
    """

    def __init__(self, most: int, *, weigh: Callable[[Value], int] | None = None, most_weight: int = 0) -> None:
        self.most, self.most_weight = most, most_weight
        self._weigh = weigh
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> list[Key]:
        """The keys, that of the least recently used value first."""
        with self._lock:
            return list(self._values)

    def get(self, key: Key) -> Value | None:
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: Key, value: Value) -> None:
        with self._lock:
            self._put(key, value)

    def get_or_make(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value under a key, the same for all threads that ask at once. `make` runs under the lock: it has to be
        quick.
        """
        with self._lock:
            value = self._values[key] if key in self._values else make()
            self._put(key, value)
            return value

    def clear(self) -> None:
        with self._lock:
            self._values.clear()

    def _put(self, key: Key, value: Value) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        while len(self._values) > 1 and self._is_too_much():
            self._values.popitem(last=False)

    def _is_too_much(self) -> bool:
        if len(self._values) > self.most:
            return True
        return self._weigh is not None and sum(map(self._weigh, self._values.values())) > self.most_weight
