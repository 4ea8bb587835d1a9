"""`manage.py prune_history [--days N]`: thin out the history of interim results."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from democracy.recalculation.pruning import prune_history


class Command(BaseCommand):
    help = (
        "Delete interim results older than some days, except the last one of each day. Final results and the ledger "
        "stay. Servers do the same every hour where CROWDVOTE_HISTORY_DAYS is set."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days",
            type=int,
            metavar="N",
            help="the latest days, of which everything is kept (default: CROWDVOTE_HISTORY_DAYS)",
        )

    def handle(self, *args: Any, days: int | None, **options: Any) -> None:
        kept = settings.HISTORY_DAYS if days is None else days
        if days is None and not kept:
            raise CommandError("CROWDVOTE_HISTORY_DAYS is not set: all history is kept. Say --days N.")
        if kept < 1:
            raise CommandError("--days: at least 1.")
        deleted = prune_history(days=kept, now=timezone.now())
        self.stdout.write(f"{deleted:,} interim {'result' if deleted == 1 else 'results'} deleted")
