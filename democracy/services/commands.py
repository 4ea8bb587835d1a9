"""What all commands have in common: they are tried again where the database asks for it."""

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


def command(function: Callable[P, T]) -> Callable[P, T]:
    """Call the function again, a few times, where the database undid its transaction and says to try again.

    Whether a transaction whose connection broke was committed is not known, so that is not tried again. Nor is a
    command inside somebody else's transaction, which is undone as a whole.
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
