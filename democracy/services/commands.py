"""What all commands have in common: who asks is known first, and they are tried again where the database asks for it.

# Note [Signing in is asked first]
Before a command looks anything up it asks for somebody who is signed in. A visitor is so answered the same whether what
they name exists or not.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from django.db import OperationalError, connection

from democracy import access
from democracy.access import Viewer

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_TRIES = 4
# PostgreSQL's codes for a transaction that was undone and may yet succeed: serialization failure, deadlock.
_AGAIN = frozenset({"40001", "40P01"})


def command(function: Callable[Concatenate[Viewer, P], T]) -> Callable[Concatenate[Viewer, P], T]:
    """Ask for a signed-in viewer, and call the function again, a few times, where the database undid its transaction
    and says to try again. Raises PermissionDenied for visitors, see Note [Signing in is asked first].

    Whether a transaction whose connection broke was committed is not known, so that is not tried again. Nor is a
    command inside somebody else's transaction, which is undone as a whole.
    """

    @functools.wraps(function)
    def wrapper(viewer: Viewer, /, *args: P.args, **kwargs: P.kwargs) -> T:
        access.require_user(viewer)
        for _ in range(_TRIES - 1):
            try:
                return function(viewer, *args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or getattr(error.__cause__, "sqlstate", None) not in _AGAIN:
                    raise
                logger.info("%s is tried again: %s", function.__name__, error)
        return function(viewer, *args, **kwargs)

    return wrapper
