"""The columns of whatever leaves the site from an outbox: when, held by whom, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Self, TypeVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

Row = TypeVar("Row", bound=models.Model)


class OutgoingQuerySet(models.QuerySet[Row]):
    def due(self, at: datetime) -> Self:
        """Keep the rows that are to be sent at `at`, and that no sender holds."""
        return self.filter(Q(leased_until=None) | Q(leased_until__lte=at), due_at__lte=at)


class Outgoing(models.Model):
    """Something to be sent. `due_at`: when next; null where it is not to be sent, was sent, or was refused for good
    (`refused` says why). `leased_until`: a sender holds it until then.
    """

    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    refused = models.CharField(max_length=300, blank=True)

    class Meta:
        abstract = True
