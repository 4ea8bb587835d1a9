"""`manage.py verify_ledger [--community ID]`: whether every ledger entry is the one that was written."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from democracy import ledger
from democracy.models import Community


class Command(BaseCommand):
    help = "Check the hash chains of the ledgers; fails listing what is missing, changed or out of order."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--community", type=int, metavar="ID", help="default: all")

    def handle(self, *args: Any, community: int | None, **options: Any) -> None:
        chosen = Community.objects.order_by("pk")
        if community is not None:
            chosen = chosen.filter(pk=community)
            if not chosen:
                raise CommandError(f"There is no community {community}.")
        total = 0
        for one in tqdm(list(chosen), desc="ledgers", disable=None, leave=False):
            faults = 0
            for fault in ledger.faults(one):
                faults += 1
                self.stdout.write(f"community {one.pk} “{one.name}”: {fault}")
            total += faults
            if not faults:
                self.stdout.write(f"community {one.pk} “{one.name}”: {one.revision:,} entries, all as written")
        if total:
            raise CommandError(f"{total:,} {'fault' if total == 1 else 'faults'} found.")
