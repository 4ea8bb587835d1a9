"""A freshly started process for each world: knowledge of one must not be kept for the other."""

from __future__ import annotations

import itertools
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from functools import _lru_cache_wrapper
from logging import LogRecord, getLogRecordFactory, setLogRecordFactory
from typing import Any
from unittest.mock import patch

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection
from django.test import override_settings
from django.urls import get_resolver

from democracy.caches import BoundedCache
from democracy.database import clock
from tests import services

_OURS = ("accounts", "crowdvote", "democracy", "graph")


@contextmanager
def nothing_kept() -> Iterator[None]:
    """Restore the contents of our modules' containers and objects at the end.

    Both worlds have the same ids, revisions and times: what a process keeps by them would be mistaken for the other's.
    """
    # Import their modules first: the site's are imported at the first request for a page.
    assert get_resolver().url_patterns
    containers = {id(one): one for one in _values() if isinstance(one, dict | set | list)}
    ours = (one for one in _values() if type(one).__module__.split(".")[0] in _OURS)
    objects = {id(one): one for one in ours if hasattr(one, "__dict__") and not isinstance(one, type)}
    contents = {key: one.copy() for key, one in containers.items()}
    states = {key: {name: _copied(value) for name, value in vars(one).items()} for key, one in objects.items()}
    # A cache that keeps by age changes its contents, so restoring them is not enough.
    for container in containers.values():
        if isinstance(container, OrderedDict):
            container.clear()
    for one in objects.values():
        if isinstance(one, BoundedCache):
            one.clear()
    try:
        yield
    finally:
        for key, container in containers.items():
            container.clear()
            container.extend(contents[key]) if isinstance(container, list) else container.update(contents[key])
        for key, one in objects.items():
            vars(one).update(states[key])
        for cached in _cached_functions():
            cached.cache_clear()


def _values() -> Iterator[Any]:
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in _OURS:
            yield from (value for key, value in list(vars(module).items()) if not key.startswith("__"))


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, dict | set | list) else value


def _cached_functions() -> Iterator[Any]:
    return (value for value in _values() if isinstance(value, _lru_cache_wrapper))


class _Instances(type):
    """Make instances of the real class instances of its stand-in."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class Clock:
    """The one clock of a world, which stands still unless moved: for models, commands, the log and the database."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    @contextmanager
    def ruling(self) -> Iterator[None]:
        world_clock = self

        class Time(datetime, metaclass=_Instances):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return world_clock.now.astimezone(tz)

        make = getLogRecordFactory()

        def stamped(*args: Any, **kwargs: Any) -> LogRecord:
            record = make(*args, **kwargs)
            record.created, record.msecs = self.now.timestamp(), 0.0
            return record

        setLogRecordFactory(stamped)
        try:
            # Beneath `timezone.now`, which models have already taken as the default of their columns.
            with patch("django.utils.timezone.datetime", Time), patch.object(clock, "now", lambda: self.now):
                yield
        finally:
            setLogRecordFactory(make)


@contextmanager
def seeds() -> Iterator[None]:
    """Draw lots, addresses of published results and names of closed accounts from the same seeds in every world: they
    are told, and arbitrary.
    """
    numbers = itertools.count(1)
    with (
        patch("democracy.services.decisions.secrets") as lots,
        patch("democracy.models.published_results.secrets") as published,
        patch("accounts.closing.secrets") as closed,
    ):
        for drawn in (lots, closed):
            drawn.token_hex.side_effect = lambda size: f"{next(numbers):0{2 * size}x}"
        published.token_urlsafe.side_effect = lambda size: f"address-{next(numbers)}"
        yield


@contextmanager
def settings(secret: str) -> Iterator[None]:
    """Give the world a secret and caches of its own, and no rates: whoever looks at everything within a minute would
    be refused the rest, at a moment that depends on the machine. As many results as may keep their ballots.
    """
    rates = {"OPERATIONS_PER_MINUTE": 0, "MAILS_PER_MINUTE": 0}
    with override_settings(SECRET_KEY=secret, CACHES=services.own_caches(), HISTORY_BALLOTS=1, **rates):
        yield


def count_from_one_again() -> None:
    """Give rows the same numbers in every world. SQLite undoes counters by itself, PostgreSQL only on request."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
            cursor.execute(statement)
