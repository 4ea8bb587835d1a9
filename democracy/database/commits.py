"""Commits: what the present transaction has yet to do once it commits."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
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


def keep_newest(kind: type[T], about: Callable[[T], Hashable]) -> None:
    """Of the callbacks of this class that wait for the commit, keep the newest about each thing.

    Call it when nothing can be rolled back any more but the whole transaction.
    """
    kept, known = [], set()
    for hook in reversed(connection.run_on_commit):
        if isinstance(hook[1], kind):
            if about(hook[1]) in known:
                continue
            known.add(about(hook[1]))
        kept.append(hook)
    connection.run_on_commit = kept[::-1]
