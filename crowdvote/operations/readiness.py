"""Checks of whether this process can do its work, each with its reason in a few words.

Anybody may ask. So the reasons name no host, address or decision, and asking costs little: one look serves everybody
who asks within a second, and never is more than one under way.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from crowdvote.operations.logfile import SharedDailyFileHandler
from democracy import recalculation
from democracy.database import clock
from democracy.ledger import staleness as ledger_staleness

# The problem found by each check; None if there is none.
Checks = Mapping[str, str | None]

NAMES = ("database", "migrations", "executor", "log", "staleness")
# Seconds to wait for a connection.
_CONNECTING = 2.0
UNREACHABLE, UNKNOWN = "the database does not answer", "unknown, for the database does not answer"
UNTIL_MIGRATED = "unknown until the migrations are applied"


def look() -> Checks:
    """Run every check, with this thread's database connection."""
    try:
        _reach_database()
        database, migrations, executor = None, _migrations(), _executor()
        # Without the tables or columns the query itself would fail.
        staleness = _staleness() if migrations is None else UNTIL_MIGRATED
    except DatabaseError:
        database, migrations, executor, staleness = UNREACHABLE, UNKNOWN, UNKNOWN, UNKNOWN
    found = (database, migrations, executor, _log(), staleness)
    return dict(zip(NAMES, found, strict=True))


def _reach_database() -> None:
    """Connect to the database. Raises DatabaseError soon: a pool by itself would wait half a minute."""
    if pool := getattr(connection, "pool", None):
        with connection.wrap_database_errors:
            pool.open()
            pool.putconn(pool.getconn(timeout=_CONNECTING))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> str | None:
    missing = _wanted_migrations() - MigrationRecorder(connection).applied_migrations().keys()
    if not missing:
        return None
    return f"{len(missing)} not applied (manage.py migrate)"


_wanted: set[tuple[str, str]] = set()


def _wanted_migrations() -> set[tuple[str, str]]:
    """Return the migrations of this code, read once."""
    if not _wanted:
        _wanted.update(MigrationLoader(None).disk_migrations)
    return _wanted


def _executor() -> str | None:
    """Return the executor's problem. A process that is told to calculate nothing has none."""
    return None if settings.CROWDVOTE_EXECUTOR == "off" else recalculation.executor_problem()


def _staleness() -> str | None:
    limit = settings.READY_STALENESS
    seconds = ledger_staleness.staleness(clock.now()).total_seconds() if limit else 0
    return f"a result is out of date by more than {limit:g} seconds" if seconds > limit else None


def _log() -> str | None:
    for handler in logging.getLogger("crowdvote.events").handlers:
        if isinstance(handler, SharedDailyFileHandler) and (problem := handler.problem()):
            return problem
    return None


class Lookout:
    """Run the checks in a thread of its own, so that an answer comes within `patience` seconds, whatever hangs."""

    def __init__(self, look: Callable[[], Checks], *, patience: float = 4.0, fresh: float = 1.0) -> None:
        self._look, self._patience, self._fresh = look, patience, fresh
        self._changed = threading.Condition()
        self._looking = False
        self._found: Checks = {}
        self._found_at = float("-inf")

    def __call__(self) -> Checks:
        with self._changed:
            asked_at = time.monotonic()
            if self._found_at + self._fresh > asked_at:
                return self._found
            if not self._looking:
                threading.Thread(target=self._run, name="readiness", daemon=True).start()
                self._looking = True
            if self._changed.wait_for(lambda: not self._looking, self._patience):
                return self._found
        return dict.fromkeys(NAMES, f"unknown: no answer within {self._patience:g} seconds")

    def _run(self) -> None:
        found: Checks = dict.fromkeys(NAMES, "unknown: looking failed")
        try:
            close_old_connections()
            found = self._look()
        finally:
            connection.close()
            with self._changed:
                self._found, self._found_at, self._looking = found, time.monotonic(), False
                self._changed.notify_all()


checks = Lookout(look)
