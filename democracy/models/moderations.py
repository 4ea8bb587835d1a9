"""Texts and communities that an operator of the site has hidden."""

from __future__ import annotations

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from democracy.models.communities import Community
from democracy.models.decisions import Decision

LONGEST_MODERATION_REASON = 500


class ModerationQuerySet(models.QuerySet["Moderation"]):
    def in_force(self) -> Self:
        """Keep those that still hide something."""
        return self.filter(ended_at=None)


class Moderation(models.Model):
    """A text that an operator has hidden, or a community as a whole, until it is shown again.

    `stand_in` is in the text's place. The text itself is in the ledger alone: in the last entry on `subject` with the
    time `hidden_at`.
    """

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="moderations")
    decision = models.ForeignKey(Decision, null=True, on_delete=models.CASCADE, related_name="moderations")
    # The ledger's subject, and the place of the text in its content; no place: the community as a whole.
    subject = models.CharField(max_length=64)
    place = models.CharField(max_length=64, blank=True)
    # The subject as everybody may know it: a ballot without a name goes by its pseudonym.
    told_as = models.CharField(max_length=64)
    reason = models.TextField(max_length=LONGEST_MODERATION_REASON)
    stand_in = models.TextField(blank=True)
    # What the ledger may say openly of the subject: its content after the last change of this row. Empty where even
    # that is not everybody's business.
    leaves = models.JSONField(default=dict, blank=True)
    # The earlier entries on the subject that have a text at the place, by number; none of a ballot under a pseudonym.
    closes = models.JSONField(default=list, blank=True)
    hidden_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    hidden_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = ModerationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-hidden_at", "-pk"]
        indexes: ClassVar = [
            models.Index(fields=["community"], condition=Q(ended_at=None), name="moderation_in_force"),
        ]

    def __str__(self) -> str:
        return f"moderation {self.pk}"
