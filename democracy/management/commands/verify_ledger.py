"""`manage.py verify_ledger [--community ID]`: check that ledgers, tables and results are as they were written."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from democracy.models import Community
from democracy.recalculation import audits


class Command(BaseCommand):
    help = (
        "Check the ledgers' hash chains against their kept checkpoints, and tables and results against the ledgers; "
        "fails naming each row that differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--community", type=int, metavar="ID", help="default: all")
        parser.add_argument(
            "--key",
            action="append",
            default=[],
            metavar="HEX",
            help="a public key of the site from before; may be repeated",
        )

    def handle(self, *args: Any, community: int | None, key: list[str], **options: Any) -> None:
        chosen = Community.objects.order_by("pk")
        if community is not None:
            chosen = chosen.filter(pk=community)
            if not chosen:
                raise CommandError(f"There is no community {community}.")
        for unfinished in chosen.filter(unfinished_import__isnull=False):
            self.stderr.write(f"community {unfinished.pk} “{unfinished.name}”: being imported", self.style.NOTICE)
        chosen = chosen.filter(unfinished_import=None)
        total = 0
        for fault in audits.missing_communities() if community is None else ():
            total += 1
            self.stdout.write(fault)
        for one in tqdm(list(chosen), desc="ledgers", disable=None, leave=False):
            faults = 0
            for fault in audits.faults(one, keys=key):
                faults += 1
                self.stdout.write(f"community {one.pk} “{one.name}”: {fault}")
            total += faults
            if not faults:
                self.stdout.write(f"community {one.pk} “{one.name}”: {one.revision:,} entries, all as written")
        if total:
            raise CommandError(f"{total:,} {'fault' if total == 1 else 'faults'} found.")
