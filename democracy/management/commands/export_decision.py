"""`manage.py export_decision ID [--output FILE]`: write a decision and everything its result rests on, as a bundle."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import DomainError
from democracy.files import bundle_writer
from democracy.models import Decision


class Command(BaseCommand):
    help = (
        "Write a decision's inputs and its result as a bundle, to be verified by verify/crowdvote_verify.py. "
        "Anonymous members go by pseudonyms."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("decision", type=int)
        parser.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")
        parser.add_argument(
            "--stale-ok", action="store_true", help="export the last calculated result even if it is stale"
        )

    def handle(self, *args: Any, decision: int, output: Path | None, stale_ok: bool, **options: Any) -> None:
        row = Decision.objects.filter(pk=decision).first()
        if row is None:
            raise CommandError(f"There is no decision {decision}.")
        if row.is_stale and not row.is_over and not stale_ok:
            raise CommandError(
                f"Decision {decision} is stale: its result does not reflect the newest inputs. Run `recalculate "
                f"--decision {decision}` first, or say --stale-ok."
            )
        try:
            pieces = bundle_writer.export(row)
        except DomainError as error:
            raise CommandError(error.message) from error
        if output is None:
            for piece in pieces:
                self.stdout.write(piece, ending="")
            return
        try:
            with output.open("w", encoding="utf-8") as file:
                file.writelines(pieces)
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror or error}") from error
