"""`manage.py bench`: what this machine reaches, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from democracy.benchmarks import CASES, QUICK
from democracy.benchmarks.figures import Figure, table

# Says that this is the process with a database of its own.
_INSIDE = "CROWDVOTE_BENCH_INSIDE"
# As the server has it (crowdvote.asgi).
_SWITCH_INTERVAL = 0.0005


class Command(BaseCommand):
    help = "Measure the engine, storing and live results on a temporary SQLite database; your own is not touched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON, too")
        parser.add_argument(
            "--quick", action="store_true", help="much smaller; judges only what does not need the size"
        )
        parser.add_argument("--only", action="append", choices=CASES, metavar="NAME", help=f"of {', '.join(CASES)}")

    def handle(self, *args: Any, json: Path | None, quick: bool, only: list[str] | None, **options: Any) -> None:
        if os.environ.get(_INSIDE):
            self._measure(json, quick=quick, only=only)
            return
        arguments = [*(["--json", str(json.resolve())] if json else []), *(["--quick"] if quick else [])]
        for name in only or ():
            arguments += ["--only", name]
        with tempfile.TemporaryDirectory(prefix="crowdvote-bench-") as directory:
            environment = {
                **{key: value for key, value in os.environ.items() if not _decides(key)},
                "CROWDVOTE_DATA_DIR": directory,
                "DJANGO_SETTINGS_MODULE": "crowdvote.settings",
                _INSIDE: "1",
            }
            command = [sys.executable, "-m", "django", "bench", *arguments]
            done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, check=False)
        if done.returncode:
            raise CommandError("Some targets were missed.", returncode=done.returncode)

    def _measure(self, file: Path | None, *, quick: bool, only: list[str] | None) -> None:
        sys.setswitchinterval(_SWITCH_INTERVAL)
        # Else WhiteNoise says at every first request that there are no static files.
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        call_command("migrate", verbosity=0)
        figures: list[Figure] = []
        for name in only or CASES:
            started = time.monotonic()
            figures += CASES[name](QUICK if quick else 1.0)
            self.stderr.write(f"{name}: {time.monotonic() - started:.0f} s", self.style.NOTICE)
        self.stdout.write(table(figures))
        if file is not None:
            machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
            rows = [{**asdict(figure), "ratio": figure.ratio} for figure in figures]
            content = {"quick": quick, **machine, "figures": rows}
            file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        missed = [figure for figure in figures if figure.reached is False]
        if missed:
            raise CommandError(f"{len(missed)} of {len(figures)} figures miss their targets.")


def _decides(name: str) -> bool:
    """Whether a variable of the shell would change what is measured."""
    return name.startswith("CROWDVOTE_") or name in {"DATABASE_URL", "REDIS_URL"}
