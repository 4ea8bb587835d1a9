"""Hooks and fixtures of every test: missing services are skipped, and nothing is left over from the test before."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from itertools import islice
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker, Settings

from accounts import ratelimit
from democracy.live.polls import polls
from democracy.live.shared import shared
from democracy.reading import followings, own_ballots, staged_ballots
from democracy.recalculation import staging
from tests import preparing, services
from tests.preparing import migrated_file
from tests.quick import LONG

__all__ = ["migrated_file"]

# The shell is the same browser without windows, and takes half the time.
_CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, _CHROMIUMS)), None)

_TESTS = Path(__file__).parent


def pytest_collection(session: pytest.Session) -> None:
    """Import the test modules before they are collected, each worker beginning at another.

    In a fresh clone each has to be compiled, with pytest's assertions. All in one order, every worker would compile
    every module; so each finds what the others have compiled.
    """
    if session.config.args_source is pytest.Config.ArgsSource.TESTPATHS and (
        worker := os.environ.get("PYTEST_XDIST_WORKER")
    ):
        names = sorted(path.relative_to(_TESTS.parent).with_suffix("") for path in _TESTS.rglob("test_*.py"))
        start = int(worker.removeprefix("gw")) * len(names) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        for name in (*names[start:], *names[:start]):
            # What cannot be imported is reported when it is collected.
            with suppress(Exception):
                import_module(".".join(name.parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = _long_ones_first(items, workers=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    for item in items:
        for marker in item.iter_markers("services"):
            for name in marker.args or ("postgres", "redis"):
                if problem := services.missing(name):
                    item.add_marker(pytest.mark.skip(reason=f"{problem}; make test-services runs it"))
        if item.get_closest_marker("browser") and CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="no Chromium on the PATH; apt-get install chromium-headless-shell"))


def _long_ones_first(items: list[pytest.Item], *, workers: int) -> list[pytest.Item]:
    """Order the items so that every worker begins with its share of the long ones, file by file.

    Each worker is given the same number of items in a row. In another order, some worker would still be busy with a
    long one when all others have nothing left to do.
    """
    files: dict[Path, list[pytest.Item]] = {}
    short = []
    for item in items:
        is_long = item.path.is_relative_to(_TESTS) and item.path.relative_to(_TESTS).as_posix().startswith(LONG)
        (files.setdefault(item.path, []) if is_long else short).append(item)
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for of_file in sorted(files.values(), key=len, reverse=True):
        min(shares, key=len).extend(of_file)
    ordered: list[pytest.Item] = []
    rest = iter(short)
    for number, share in enumerate(shares):
        size = (len(items) - len(ordered)) // (workers - number)
        ordered += [*share, *islice(rest, max(0, size - len(share)))]
    return ordered + list(rest)


def pytest_collection_finish() -> None:
    """Collect garbage seldom, and never among objects of the start: a tenth of the time went into that."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


if settings.EMBEDDED:

    @pytest.fixture(scope="session", name="django_db_setup")
    def _copied_database(migrated_file: Path, django_db_blocker: DjangoDbBlocker) -> None:
        """Begin with what the first process of the run has migrated. The data directory is removed with it."""
        with django_db_blocker.unblock():
            preparing.use_as_test_database(migrated_file)

else:

    @pytest.fixture(scope="session", name="django_db_setup")
    def _sessions_ended(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
        """End the sessions of event loops' threads, or PostgreSQL would refuse to drop the test database."""
        yield
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def _forget_what_is_kept() -> None:
    """Forget what this process has calculated and read: rows of the test before had the same numbers, and times too."""
    staging.forget_everything()
    followings.forget_pictures()
    staged_ballots.forget_columns()
    own_ballots.forget_ballots()
    shared.forget_all()
    polls.forget_all()


@pytest.fixture(scope="module")
def module_rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Keep what fixtures of a module write until its last test; each test undoes its own changes.

    Writing the rows anew for each test took a quarter of the time. For modules whose every test uses the database, none
    with transactions of its own. Hand out copies: tests change the objects.
    """
    _forget_what_is_kept()
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    _forget_what_is_kept()


@pytest.fixture(autouse=True)
def empty_caches(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test caches of its own, so that it does not see the counters of the test before.

    Nor does it notice that the shared cache did not answer in that test.
    """
    settings.CACHES = services.own_caches()
    monkeypatch.setattr(ratelimit, "_asked_again_at", 0.0)
