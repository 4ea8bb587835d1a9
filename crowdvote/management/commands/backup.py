from __future__ import annotations

import os
import sqlite3
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection


class Command(BaseCommand):
    help = "Copy the SQLite database to FILE while CrowdVote goes on serving. PostgreSQL has pg_dump for that."
    # A backup must work even when other things are wrong.
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="must not exist yet")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        if connection.vendor != "sqlite":
            raise CommandError("The database is PostgreSQL: use pg_dump (docs/operations.md).")
        back_up(Path(connection.settings_dict["NAME"]), file)
        self.stdout.write(f"backup {file} {file.stat().st_size:,} bytes")


def back_up(source: Path, file: Path) -> None:
    """Copy the database at `source` to `file`, completely or not at all. Raises CommandError."""
    if not source.is_file():
        raise CommandError(f"There is no database at {source}.")
    # The copy has another name until it is complete and sound, so that nobody takes half a copy for a backup.
    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        # Only the owner may read it: everything is in it.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(source, part)
        os.link(part, file)
    except FileExistsError:
        raise CommandError(f"{file} exists already.") from None
    except (OSError, sqlite3.Error) as error:
        raise CommandError(f"No backup was made: {error}.") from error
    finally:
        part.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Copy one consistent state of the database in one step. In WAL mode nobody has to wait for that."""
    address = f"{source.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=20)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        # Keep the copy in one file: in WAL mode it would need a second one as soon as it is opened.
        copy.execute("PRAGMA journal_mode = DELETE")
        (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the database is damaged: {verdict}")
    with target.open("rb") as written:
        os.fsync(written.fileno())
