"""What the calculation derives, and the bookkeeping beside it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from democracy.models.communities import Community, Membership
from democracy.models.decisions import Decision
from democracy.models.results import DecisionResult


class StagedBallot(models.Model):
    """Derived: what a member's ballot comes to, cast or inherited.

    A member who had a staged ballot and has none any more keeps a row of kind NONE, so that `changed_revision` tells
    every change.
    """

    class Kind(models.TextChoices):
        CAST = "cast", "Cast"
        INHERITED = "inherited", "Inherited"
        ABSTAINED = "abstained", "Abstained"
        NONE = "none", "None"

    # Indexed by the constraint below.
    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="staged_ballots", db_index=False)
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="staged_ballots")
    kind = models.CharField(max_length=10, choices=Kind)
    # Microstars per choice in the order of the choices, 4 bytes each, little-endian.
    microstars = models.BinaryField()
    tags = models.JSONField(default=list)
    is_counted = models.BooleanField(default=False)
    # Whether it is shown under a pseudonym: a written ballot as it was cast; an inherited one where its member was
    # anonymous. Whoever has become anonymous since is never named beside what they inherited (`democracy.access`).
    is_anonymous = models.BooleanField(default=False, db_default=False)
    changed_revision = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["decision", "membership"], name="staged_ballot_unique"),
        ]
        indexes: ClassVar = [models.Index(fields=["decision", "changed_revision"])]

    def __str__(self) -> str:
        return f"staged ballot {self.pk}"


class DecisionSnapshot(models.Model):
    """Derived: a result of a decision as it was published; together they are its history, the newest is its present
    result.
    """

    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="snapshots")
    revision = models.PositiveBigIntegerField()
    calculated_at = models.DateTimeField()
    is_final = models.BooleanField(default=False)
    # As `DecisionResult.to_json` writes it.
    result = models.JSONField()

    class Meta:
        ordering: ClassVar = ["decision", "-is_final", "-revision"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["decision", "revision", "is_final"], name="snapshot_unique"),
            models.UniqueConstraint(fields=["decision"], condition=Q(is_final=True), name="snapshot_one_final"),
        ]

    def __str__(self) -> str:
        return f"snapshot {self.pk}"

    def read_result(self) -> DecisionResult:
        """Read the stored result."""
        return DecisionResult.from_json(self.result)


class CalculationClaim(models.Model):
    """Who may calculate a community now: at most one run, in all processes together.

    A claim is a lease that its holder renews; `fence` grows with every claim, and a run stores only under the fence it
    was given.
    """

    community = models.OneToOneField(Community, on_delete=models.CASCADE, primary_key=True, related_name="claim")
    fence = models.PositiveBigIntegerField(default=0)
    holder = models.CharField(max_length=120, blank=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"claim {self.fence} on community {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.expires_at > timezone.now()
