"""Commits: what the present transaction has yet to do once it commits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def waiting(kind: type[T]) -> Iterator[T]:
    """The callbacks of this class that wait for the commit (`transaction.on_commit`), newest first.

    A commit takes them away, and so does a rollback, also one to a savepoint. So a callback that still waits was
    registered in this transaction.
    """
    # Django has no other way to ask for them.
    callbacks = (hook[1] for hook in reversed(connection.run_on_commit))
    return (callback for callback in callbacks if isinstance(callback, kind))
