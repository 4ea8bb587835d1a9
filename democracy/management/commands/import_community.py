"""`manage.py import_community FILE`: read a bundle; print `community ID`, then `decision FILE-ID ID` per line."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from democracy.errors import InvalidInput
from democracy.files.imported_bundle import import_bundle
from democracy.files.progress import Progress
from democracy.files.unfinished_imports import discard as discard_import
from democracy.management.files import importing, read_text


class Command(BaseCommand):
    help = (
        "Make a community from a bundle. Decisions without times are open for a week; whatever closed in the past gets "
        "its final result. Where the file names no manager, the first known member is one. A large community is "
        "written in parts, and shown when all are written: if the command is killed, the same command goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?")
        parser.add_argument("--name", help="the community's name, instead of the one in the file")
        parser.add_argument(
            "--discard", metavar="NAME", help="instead: delete what an import of this community wrote that did not end"
        )

    def handle(self, *args: Any, file: Path | None, name: str | None, discard: str | None, **options: Any) -> None:
        if (file is None) == (discard is None):
            raise CommandError("Give a file, or --discard NAME.")
        if file is None:
            self._discard(discard or "")
            return
        with importing(file):
            made = import_bundle(read_text(file), name=name, progress=Progress(self.stderr.write))
        self.stdout.write(f"community {made.community.pk}")
        for file_id, decision in made.decisions.items():
            self.stdout.write(f"decision {file_id} {decision.pk}")

    def _discard(self, name: str) -> None:
        try:
            discard_import(name)
        except InvalidInput as error:
            raise CommandError(error.message) from error
        self.stderr.write(f"what was imported of “{name}” is deleted", self.style.NOTICE)
