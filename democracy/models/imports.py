"""Imports that have not ended."""

from __future__ import annotations

from django.db import models

from democracy.models.communities import Community


class UnfinishedImport(models.Model):
    """An import that is written in parts, while there are more to come. Its community is shown to nobody.

    It is deleted in the transaction of the last part. `digest`: of the file and of the name that was asked for, by
    which the same command finds where to go on.
    """

    community = models.OneToOneField(Community, on_delete=models.CASCADE, related_name="unfinished_import")
    digest = models.CharField(max_length=64, unique=True)
    # The moment that every part takes for now.
    started_at = models.DateTimeField()
    # The number of parts that are written.
    parts = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"unfinished import {self.pk}"
