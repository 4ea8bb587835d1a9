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

    The newest value stays however heavy it is. Values are weighed when they are put; whoever changes one since has it
    weighed again. Safe for threads.
    """

    def __init__(self, most: int, *, weigh: Callable[[Value], int] | None = None, most_weight: int = 0) -> None:
        self.most, self.most_weight = most, most_weight
        self._weigh = weigh
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._weights: dict[Key, int] = {}
        self._weight = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    @property
    def weight(self) -> int:
        """The weight of all values together."""
        return self._weight

    def keys(self) -> list[Key]:
        """The keys, that of the least recently used value first."""
        with self._lock:
            return list(self._values)

    def values(self) -> list[Value]:
        """The values, the least recently used one first."""
        with self._lock:
            return list(self._values.values())

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
            if key in self._values:
                self._values.move_to_end(key)
            else:
                self._put(key, make())
            return self._values[key]

    def weigh_again(self, key: Key) -> None:
        """Weigh the value under a key, if it is still kept, as it is now."""
        with self._lock:
            if key in self._values:
                self._put(key, self._values[key])

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self._weights.clear()
            self._weight = 0

    def _put(self, key: Key, value: Value) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if self._weigh is not None:
            weight = self._weigh(value)
            self._weight += weight - self._weights.get(key, 0)
            self._weights[key] = weight
        while len(self._values) > 1 and self._is_too_much():
            gone, _ = self._values.popitem(last=False)
            self._weight -= self._weights.pop(gone, 0)

    def _is_too_much(self) -> bool:
        return len(self._values) > self.most or (self._weigh is not None and self._weight > self.most_weight)
