"""Rows that the calculation derives, and the bookkeeping beside them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from democracy.models.communities import Community, Membership
from democracy.models.decisions import Decision
from democracy.models.results import DecisionResult


class StagedBallot(models.Model):
    """Derived: a member's ballot in a calculation, cast or inherited.

    A member who loses their staged ballot keeps a row of kind NONE, so that `changed_revision` tells every change.
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
    # It is shown under a pseudonym: a cast ballot if it was cast under one, an inherited one if its member was
    # anonymous. A member who became anonymous later is not named beside an inherited one either (`democracy.access`).
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
    """Derived: a stored result of a decision. All of a decision's are its history, the newest is its present result."""

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
    """The right to calculate a community, held by at most one run in all processes together.

    A claim is a lease that its holder renews. `fence` grows with every claim, and a run stores only under the fence it
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
