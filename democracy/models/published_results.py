"""Results of members-only decisions that a manager shows to everybody who has their address."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.db import models
from django.utils import timezone

from democracy.models.decisions import Decision


def new_token() -> str:
    """Draw the part of an address that nobody can guess."""
    return secrets.token_urlsafe(24)


class PublishedResult(models.Model):
    """The result of a members-only decision at an address of its own. The row goes when a manager withdraws it."""

    decision = models.OneToOneField(Decision, on_delete=models.CASCADE, related_name="published_result")
    token = models.CharField(max_length=40, unique=True, default=new_token, editable=False)
    published_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return f"published result of decision {self.decision_id}"
