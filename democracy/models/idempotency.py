"""Outcomes of commands that may be sent again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from accounts.models import User

LONGEST_KEY = 100


class IdempotencyKey(models.Model):
    """A key that somebody's program sent with a command, and what came of it. `given`: a digest of the whole input.

    It is kept for a day: programs send again within minutes.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    command = models.CharField(max_length=30)
    key = models.CharField(max_length=LONGEST_KEY)
    given = models.CharField(max_length=64)
    outcome = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "command", "key"], name="idempotency_key_once"),
        ]

    def __str__(self) -> str:
        return f"idempotency key {self.pk}"
