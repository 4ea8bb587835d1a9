"""`manage.py import_community FILE`: read a bundle; print `community ID`, then `decision FILE-ID ID` per line."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from democracy.files.imported_community import import_bundle
from democracy.management.files import importing, read_text


class Command(BaseCommand):
    help = (
        "Make a community from a bundle. Decisions without times are open for a week; whatever closed in the past gets "
        "its final result. Where the file names no manager, the first known member is one. All or nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--name", help="the community's name, instead of the one in the file")

    def handle(self, *args: Any, file: Path, name: str | None, **options: Any) -> None:
        text = read_text(file)
        with importing(file):
            made = import_bundle(text, name=name)
        self.stdout.write(f"community {made.community.pk}")
        for file_id, decision in made.decisions.items():
            self.stdout.write(f"decision {file_id} {decision.pk}")
