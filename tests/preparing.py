"""Things that are made once in a run of the tests, by the first of its processes that asks, and copied by all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker


def prepared(factory: pytest.TempPathFactory, name: str, prepare: Callable[[Path], object]) -> Path:
    """Return a directory that one process of the test run prepares, the first that asks, and all copy."""
    here = factory.getbasetemp()
    place = here.parent if "PYTEST_XDIST_WORKER" in os.environ else here
    with (place / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / name).exists():
            unfinished = factory.mktemp(name)
            prepare(unfinished)
            unfinished.rename(place / name)
    return place / name


@pytest.fixture(scope="session")
def migrated_file(
    tmp_path_factory: pytest.TempPathFactory, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Path | None:
    """Return an SQLite database with all tables and nothing else: to migrate takes seconds. On PostgreSQL, None."""

    def prepare(directory: Path) -> None:
        with django_db_blocker.unblock():
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            # The journal beside the file goes into it.
            connection.close()
        shutil.copyfile(connection.settings_dict["NAME"], directory / "migrated.sqlite3")

    return prepared(tmp_path_factory, "migrated", prepare) / "migrated.sqlite3" if settings.EMBEDDED else None


def use_as_test_database(file: Path) -> None:
    """Give this process a copy as its test database, named as Django's `create_test_db` names it."""
    name = settings.DATABASES["default"]["TEST"]["NAME"]
    connection.close()
    shutil.copyfile(file, name)
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
