"""`manage.py load_demo`: make the demo communities, with accounts for visitors of the start page."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from democracy import demo
from democracy.management import foreground
from democracy.models import Community

PATIENCE = 60.0


class Command(BaseCommand):
    help = "Make the demo communities that are not there yet, with results. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        example = None
        for one in demo.COMMUNITIES:
            # A community of the same name is left alone, whoever created it.
            community = Community.objects.filter(name__iexact=one.name).first()
            if community is None:
                with transaction.atomic():
                    community = one.make(timezone.now())
                self.stdout.write(f"made {community.name}: {community.memberships.count():,} members")
            else:
                self.stdout.write(f"{community.name} is there already")
            # A first attempt may have ended before its results were calculated.
            try:
                found = foreground.calculate(community.pk, patience=PATIENCE)
            except foreground.StillRunning:
                raise CommandError(
                    f"Another process has been calculating {community.name} for {PATIENCE:g} s."
                ) from None
            if found.failed:
                raise CommandError(f"{community.name}: {found.failed[0].calculation_error}")
            if one.name == demo.EXAMPLE and _is_ours(community):
                example = community.pk
        if example is not None:
            # `make run` hands this line to the server.
            self.stdout.write(f"CROWDVOTE_EXAMPLE_COMMUNITY={example}")


def _is_ours(community: Community) -> bool:
    """Tell whether it is the demo's own community: only this command creates the accounts of the demo."""
    return community.memberships.filter(is_manager=True, user__is_demo=True).exists()
