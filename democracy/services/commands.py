"""The decorator of every command.

# Note [Signing in is asked first]
Before a command looks anything up it asks for somebody who is signed in. A visitor is so answered the same whether what
they name exists or not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from democracy import access
from democracy.access import Viewer
from democracy.database.retrying import retried

P = ParamSpec("P")
T = TypeVar("T")


def command(function: Callable[Concatenate[Viewer, P], T]) -> Callable[Concatenate[Viewer, P], T]:
    """Ask for a signed-in viewer, then call the function, retried where the database undoes its transaction.

    Raises SignInFirst for visitors, see Note [Signing in is asked first].
    """
    trying = retried(function)

    @functools.wraps(function)
    def wrapper(viewer: Viewer, /, *args: P.args, **kwargs: P.kwargs) -> T:
        access.require_user(viewer)
        return trying(viewer, *args, **kwargs)

    return wrapper
