"""`manage.py recalculate [--community ID | --decision ID | --all] [--from-scratch]`: calculate in the foreground."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from democracy import ledger
from democracy.database import clock
from democracy.ledger import staleness
from democracy.management import foreground
from democracy.models import Community, Decision
from democracy.recalculation.staging import forget_everything
from democracy.services.recalculations import recalculation_change


class Command(BaseCommand):
    help = "Calculate stale decisions and return when they are current; fail if a calculation failed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--community", type=int, metavar="ID")
        what.add_argument("--decision", type=int, metavar="ID")
        what.add_argument("--all", action="store_true", help="all communities (the default)")
        parser.add_argument(
            "--from-scratch",
            action="store_true",
            help="calculate current results again too, and use nothing kept from before",
        )
        parser.add_argument(
            "--patience",
            type=float,
            default=120.0,
            metavar="SECONDS",
            help="how long to wait for another process that is calculating the same community (default: 120)",
        )

    def handle(
        self,
        *args: Any,
        community: int | None,
        decision: int | None,
        from_scratch: bool,
        patience: float,
        **options: Any,
    ) -> None:
        chosen = self._chosen(community, decision)
        failed = 0
        for one in tqdm(chosen, desc="communities", disable=None, leave=False):
            if from_scratch:
                self._ask(one, decision)
            started = time.monotonic()
            try:
                found = foreground.calculate(one.pk, patience=patience)
            except foreground.StillRunning:
                raise CommandError(
                    f"Another process has been calculating community {one.pk} for {patience:g} seconds."
                ) from None
            for done in found.calculated:
                self.stdout.write(f"decision {done.pk} “{done.title}”: current at revision {done.calculated_revision}")
            for wrong in found.failed:
                failed += 1
                self.stdout.write(f"decision {wrong.pk} “{wrong.title}”: failed: {wrong.calculation_error}")
            seconds = time.monotonic() - started
            what = f"{len(found.calculated)} calculated in {seconds:.2f} s" if found.calculated else "was current"
            self.stdout.write(f"community {one.pk} “{one.name}”: {what}")
        if failed:
            raise CommandError(f"{failed:,} {'calculation' if failed == 1 else 'calculations'} failed.")

    def _chosen(self, community: int | None, decision: int | None) -> list[Community]:
        if decision is not None:
            row = Decision.objects.select_related("community").filter(pk=decision).first()
            if row is None:
                raise CommandError(f"There is no decision {decision}.")
            if row.status == Decision.Status.DRAFT:
                raise CommandError(f"Decision {decision} is a draft: it has no result to calculate.")
            if row.status == Decision.Status.CALLED_OFF:
                raise CommandError(f"Decision {decision} was called off: it has no result.")
            return [row.community]
        chosen = Community.objects.order_by("pk")
        if community is None:
            return list(chosen)
        rows = list(chosen.filter(pk=community))
        if not rows:
            raise CommandError(f"There is no community {community}.")
        return rows

    def _ask(self, community: Community, decision: int | None) -> None:
        """Make the decisions stale, in every process, and drop what this process has kept of them."""
        forget_everything()
        live = staleness.live_decisions(community.pk, clock.now())
        if decision is not None and not live.filter(pk=decision).exists():
            raise CommandError(f"Decision {decision} is closed: its result is final.")
        if live.exists():
            with ledger.recording(community.pk) as recording:
                recording.add(recalculation_change(decision))
