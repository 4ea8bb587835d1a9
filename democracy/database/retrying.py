"""Retrying: a transaction that the database undid is tried again where the database says that it may succeed."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_TRIES = 4
# PostgreSQL's codes for a transaction that was undone and may yet succeed: serialization failure, deadlock.
_AGAIN = frozenset({"40001", "40P01"})


def retried(function: Callable[P, T]) -> Callable[P, T]:
    """Retry a function after a serialization failure or deadlock, up to three times.

    Not after a broken connection: whether that transaction was committed is not known. Nor inside somebody else's
    transaction, which is undone as a whole. Raises what the last try raises.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(_TRIES - 1):
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or getattr(error.__cause__, "sqlstate", None) not in _AGAIN:
                    raise
                logger.info("%s is tried again: %s", function.__name__, error)
        return function(*args, **kwargs)

    return wrapper
