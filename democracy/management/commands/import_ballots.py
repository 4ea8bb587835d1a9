"""`manage.py import_ballots FILE --community NAME --title T`: read STAR ballots from CSV; print `decision ID`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from accounts.text import whole_number
from democracy.files.ballot_files import BallotFile, names_in, read_ballots
from democracy.files.csv_tables import SEPARATORS
from democracy.files.decoding import decode_spreadsheet
from democracy.files.imported_ballots import Voters, import_ballots, voters_of
from democracy.files.progress import Progress
from democracy.management.files import importing, read_bytes

_MOST_DAYS = 3_650


def _days(text: str) -> timedelta:
    days = whole_number(text)
    if days is None or not 1 <= days <= _MOST_DAYS:
        raise ArgumentTypeError(f"days are a whole number from 1 to {_MOST_DAYS:,}")
    return timedelta(days=days)


class Command(BaseCommand):
    help = (
        "Make an open decision, or one for each race, from a file of STAR ballots: star.vote, BetterVoting, Google "
        "Forms, spreadsheets, compact rows (34:5,3,4), CrowdVote's own ballots.csv. The header says what the columns "
        "hold. A ballot goes to the member with the voter's id or handle; others become members. All or nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--community", required=True, metavar="NAME")
        parser.add_argument("--title", required=True, help="title of the decision; each race adds its own")
        parser.add_argument("--tags", default="", help="tags of every ballot, separated by commas")
        parser.add_argument("--days", type=_days, default="7", help="how long voting is open (default: 7)")
        parser.add_argument("--id-column", default="", metavar="COLUMN", help="the column that names the voter")
        parser.add_argument("--choices", default="", metavar="A,B,C", help="the columns of stars, by their titles")
        parser.add_argument(
            "--exclude", default="", metavar="A,B", help="columns and rows to skip, such as Total,Average"
        )
        parser.add_argument(
            "--in-order",
            action="store_true",
            help="cast the ballots for the members in order of their ids, whatever the file says: for tests",
        )
        parser.add_argument("--dry-run", action="store_true", help="say how the file is read, and write nothing")

    def handle(
        self,
        *args: Any,
        file: Path,
        community: str,
        title: str,
        tags: str,
        days: timedelta,
        id_column: str,
        choices: str,
        exclude: str,
        in_order: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        data = read_bytes(file)
        wanted = tags.split(",") if tags else []
        with importing(file):
            text = decode_spreadsheet(data)
            read = read_ballots(text.text, id_column=id_column, choices=names_in(choices), excluded=names_in(exclude))
            voters = voters_of(read, community=community, in_order=in_order)
            said = self.stdout if dry_run else self.stderr
            for line in _description(read, text.encoding, voters):
                said.write(line, self.style.NOTICE)
            if dry_run:
                return
            decisions = import_ballots(
                read,
                community=community,
                title=title,
                tags=wanted,
                open_for=days,
                in_order=in_order,
                progress=Progress(self.stderr.write),
            )
        for decision in decisions:
            self.stdout.write(f"decision {decision.pk}")
        self.stderr.write(f"open until {decisions[0].closes_at}", self.style.NOTICE)


def _description(file: BallotFile, encoding: str, voters: Voters) -> Iterator[str]:
    """Describe the file's ballots, so that a person can compare before anything is written."""
    yield f"layout: {file.layout.value}"
    yield f"separated by {SEPARATORS[file.separator]}; encoding {encoding}"
    yield f"voters: column {file.voter_column!r}" if file.voter_column else "voters: the file does not say who they are"
    for race in file.races:
        yield f"{race.title + ': ' if race.title else ''}{len(race.choices)} choices: {', '.join(race.choices)}"
        abstentions = sum(all(stars is None for stars in given) for given in file.of_race(race))
        if abstentions:
            yield f"{abstentions:,} of the ballots rate nothing and are abstentions"
    known = sum(pk is not None for pk in voters.known)
    yield f"{len(file.ballots):,} ballots: {known:,} of members, {len(voters.new):,} of people who become members"
    if file.passed_over:
        yield f"passed over: {'; '.join(file.passed_over)}"
