"""`manage.py import_ballots FILE --community NAME --title T`: STAR ballots as CSV; prints `decision ID`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from democracy.management.files import importing, read_text
from democracy.services.ballot_files import import_ballots, read_ballots

_MOST_DAYS = 3_650


def _days(text: str) -> timedelta:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _MOST_DAYS:
        raise ArgumentTypeError(f"days are a whole number from 1 to {_MOST_DAYS:,}")
    return timedelta(days=int(text))


class Command(BaseCommand):
    help = (
        "Make an open decision from a CSV of STAR ballots (voter id, time, poll id, one column per choice), cast for "
        "the community's members in order of id. All or nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--community", required=True, metavar="NAME")
        parser.add_argument("--title", required=True)
        parser.add_argument("--tags", default="", help="tags of every ballot, with commas between them")
        parser.add_argument("--days", type=_days, default="7", help="how long voting is open (default: 7)")

    def handle(
        self, *args: Any, file: Path, community: str, title: str, tags: str, days: timedelta, **options: Any
    ) -> None:
        text = read_text(file)
        with importing(file):
            ballots = read_ballots(text)
            wanted = tags.split(",") if tags else []
            decision = import_ballots(ballots, community=community, title=title, tags=wanted, open_for=days)
        self.stdout.write(f"decision {decision.pk}")
        self.stderr.write(
            f"{len(ballots.ballots):,} ballots on {len(ballots.choices)} choices; open until {decision.closes_at}",
            self.style.NOTICE,
        )
