"""Rows that the calculation derives, and the bookkeeping beside them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from democracy.models.communities import Community
from democracy.models.decisions import Decision
from democracy.models.results import DecisionResult
from democracy.models.staged_ballots import BallotColumns, PackedColumns


class Block(models.Model):
    """Staged ballots of a decision's members from `first` on, up to the next block's first, in columns.

    A decision's first block begins with member 0. See Note [Staged ballots in blocks] in `recalculation.blocks`.
    """

    # Indexed by the constraints of the tables.
    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="+", db_index=False)
    first = models.PositiveBigIntegerField()
    # That of the calculation that last changed a ballot of the block.
    revision = models.PositiveBigIntegerField()
    # The number of ballots, and their columns, as in PackedColumns.
    size = models.PositiveIntegerField()
    members = models.BinaryField()
    marks = models.BinaryField()
    tag_sets = models.TextField()
    tags = models.BinaryField()
    microstars = models.BinaryField()

    class Meta:
        abstract = True

    def columns(self, *, choices: int | None = None) -> BallotColumns:
        """Read the ballots. Raises ValueError where the block is damaged, or of another number of choices."""
        packed = PackedColumns(self.size, self.members, self.marks, self.tag_sets, self.tags, self.microstars)
        return BallotColumns.unpacked(packed, choices=choices)


class StagedBlock(Block):
    """Derived: staged ballots as last calculated."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["decision", "first"], name="staged_block_unique"),
        ]

    def __str__(self) -> str:
        return f"staged block {self.pk}"


class PastBlock(Block):
    """Derived: staged ballots as they were, from its revision on and before `until`, for results that keep theirs.

    See Note [Ballots of past results] in `recalculation.keeping`.
    """

    until = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["decision", "first", "revision"], name="past_block_unique"),
        ]

    def __str__(self) -> str:
        return f"past block {self.pk}"


class DecisionSnapshot(models.Model):
    """Derived: a stored result of a decision. All of a decision's are its history, the newest is its present result."""

    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="snapshots")
    revision = models.PositiveBigIntegerField()
    calculated_at = models.DateTimeField()
    is_final = models.BooleanField(default=False)
    # The staged ballots that it rests on can be read again, in blocks that stand or past ones.
    keeps_ballots = models.BooleanField(default=False, db_default=False)
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
