"""`manage.py bench`: measure this machine, and report as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from democracy.benchmarks import CASES, MEMBERS, QUICK
from democracy.benchmarks.figures import EarlierRun, Figure, compared, read_run, table
from democracy.recalculation import interpreter

# Marks the process that has a database of its own.
_INSIDE = "CROWDVOTE_BENCH_INSIDE"


class Command(BaseCommand):
    help = "Measure the engine, storing and live results in a temporary database; your own is not touched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON, too")
        parser.add_argument(
            "--compare", type=Path, metavar="FILE", help="print ratios to the run that wrote this file with --json"
        )
        size = parser.add_mutually_exclusive_group()
        size.add_argument(
            "--quick",
            action="store_true",
            help="measure much smaller communities, and judge only the figures that do not need the size",
        )
        size.add_argument(
            "--members", type=int, default=MEMBERS, help=f"size of the largest communities (default: {MEMBERS:,})"
        )
        parser.add_argument(
            "--database",
            metavar="URL",
            help="address of a PostgreSQL server; a database is made there and dropped afterwards (default: SQLite)",
        )
        parser.add_argument(
            "--redis",
            metavar="URL",
            help="with --database: address of a Redis for several servers and a worker (default: one server)",
        )
        parser.add_argument(
            "--only", action="append", choices=CASES, metavar="NAME", help=f"one of {', '.join(CASES)}; may be repeated"
        )

    def handle(
        self,
        *args: Any,
        json: Path | None,
        compare: Path | None,
        quick: bool,
        members: int,
        database: str | None,
        redis: str | None,
        only: list[str] | None,
        **options: Any,
    ) -> None:
        if members < 1_000:
            raise CommandError("--members: at least 1,000.")
        if redis and not database:
            raise CommandError("--redis goes with --database: several processes need a PostgreSQL.")
        scale = QUICK if quick else members / MEMBERS
        earlier = self._earlier(compare, scale) if compare else None
        if os.environ.get(_INSIDE):
            self._measure(json, earlier, scale=scale, only=only)
            return
        arguments = [
            *(["--json", str(json.resolve())] if json else []),
            *(["--compare", str(compare.resolve())] if compare else []),
            *(["--quick"] if quick else ["--members", str(members)]),
            *(part for name in only or () for part in ("--only", name)),
        ]
        with tempfile.TemporaryDirectory(prefix="crowdvote-bench-") as directory, _scratch(database) as url:
            environment = {
                **{key: value for key, value in os.environ.items() if not _decides(key)},
                **({"DATABASE_URL": url} if url else {}),
                **({"REDIS_URL": redis} if redis else {}),
                "CROWDVOTE_DATA_DIR": directory,
                "DJANGO_SETTINGS_MODULE": "crowdvote.settings",
                _INSIDE: "1",
            }
            command = [sys.executable, "-m", "django", "bench", *arguments]
            done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, check=False)
        if done.returncode:
            raise CommandError("Some targets were missed.", returncode=done.returncode)

    def _earlier(self, file: Path, scale: float) -> EarlierRun:
        """Read the run to compare with, before anything is measured. Raises CommandError."""
        try:
            earlier = read_run(file)
        except ValueError as error:
            raise CommandError(f"--compare: {error}") from error
        if earlier.scale != scale:
            measured = f"{earlier.scale * MEMBERS:,.0f} members, not {scale * MEMBERS:,.0f}"
            raise CommandError(f"--compare: {file} was measured with {measured}; ratios would tell nothing.")
        return earlier

    def _measure(self, file: Path | None, earlier: EarlierRun | None, *, scale: float, only: list[str] | None) -> None:
        interpreter.prepare()
        # Without the folder, WhiteNoise would warn at the first request.
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        call_command("migrate", verbosity=0)
        figures: list[Figure] = []
        for name in only or CASES:
            started = time.monotonic()
            figures += CASES[name](scale)
            self.stderr.write(f"{name}: {time.monotonic() - started:.0f} s", self.style.NOTICE)
        self.stdout.write(table(figures))
        if earlier is not None:
            self.stdout.write("\n" + compared(figures, earlier))
        if file is not None:
            machine = {
                "python": platform.python_version(),
                "machine": platform.machine(),
                "cpus": os.cpu_count(),
                "database": connection.vendor,
                "servers": "several" if settings.REDIS_URL else "one",
            }
            rows = [{**asdict(figure), "ratio": figure.ratio} for figure in figures]
            content = {"scale": scale, **machine, "figures": rows}
            file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        missed = [figure for figure in figures if figure.reached is False]
        if missed:
            raise CommandError(f"{len(missed)} of {len(figures)} figures miss their targets.")


@contextmanager
def _scratch(server: str | None) -> Iterator[str | None]:
    """Create a database on a PostgreSQL server, yield its address, and drop it afterwards; None without a server."""
    if server is None:
        yield None
        return
    try:
        import psycopg
    except ImportError:
        raise CommandError("PostgreSQL needs the packages of requirements/scaled.txt.") from None
    name = f"crowdvote_bench_{secrets.token_hex(4)}"
    try:
        with psycopg.connect(server, autocommit=True) as server_connection:
            server_connection.execute(f'CREATE DATABASE "{name}"')
    except psycopg.Error as error:
        raise CommandError(f"--database: {error}") from error
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as server_connection:
            server_connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _decides(name: str) -> bool:
    """Tell whether a variable of the shell would change the measurement. Where the real data is does not."""
    is_setting = name.startswith("CROWDVOTE_") and name != "CROWDVOTE_SHARED_DATA"
    return is_setting or name in {"DATABASE_URL", "REDIS_URL"}
