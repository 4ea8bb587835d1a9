"""The tables: inputs that people write, the ledger of their changes, and what the calculation derives from them.

Inputs (Community ... Vote) are written by the commands in `democracy.services` and nowhere else; every change of one
appends a `LedgerEntry`. Derived rows (`StagedBallot`, `DecisionSnapshot`) and the bookkeeping beside them are written
by the calculation, in bulk.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

MIN_CHOICES, MAX_CHOICES = 2, 50
MAX_STARS = 5
MAX_FOLLOWINGS = 1_000


class KeepsCounters(models.Model):
    """A row whose non-editable columns belong to the ledger and the calculation: saving it otherwise leaves them alone.

    Else whoever saves a row they read a while ago would turn its counters back.
    """

    class Meta:
        abstract = True

    def save(self, **kwargs: Any) -> None:
        if not self._state.adding and kwargs.get("update_fields") is None:
            kwargs["update_fields"] = [
                field.name for field in self._meta.concrete_fields if field.editable and not field.primary_key
            ]
        super().save(**kwargs)


class Community(KeepsCounters):
    """People who decide together. Nothing in one community affects another."""

    class Visibility(models.TextChoices):
        PUBLIC = "public", "Everybody may read its decisions and results"
        MEMBERS = "members", "Only members may read its decisions and results"

    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, max_length=5_000)
    visibility = models.CharField(max_length=10, choices=Visibility, default=Visibility.MEMBERS)
    auto_approve = models.BooleanField(default=False, help_text="Applications are approved at once.")
    created_at = models.DateTimeField(default=timezone.now)
    # The number of its last ledger entry; the row lock taken to raise it puts the community's writers in order.
    revision = models.PositiveBigIntegerField(default=0, editable=False)

    class Meta:
        verbose_name_plural = "communities"
        constraints: ClassVar = [models.UniqueConstraint(Lower("name"), name="community_name_unique")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person in one community. Somebody who left keeps the row, with `left_at`, so that closed decisions stay
    explained.
    """

    class Role(models.TextChoices):
        VOTER = "voter", "Voter"
        LOBBYIST = "lobbyist", "Lobbyist"

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.VOTER)
    is_manager = models.BooleanField(default=False)
    is_anonymous = models.BooleanField(default=False)
    joined_at = models.DateTimeField(default=timezone.now)
    left_at = models.DateTimeField(null=True, blank=True)
    # Whoever a manager removed needs a manager to come back.
    was_removed = models.BooleanField(default=False)
    # The name this member bears in imported and exported files; empty: the row's own id.
    file_id = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["community", "user"], name="membership_unique"),
            models.CheckConstraint(
                condition=Q(is_anonymous=False) | Q(role="voter"), name="membership_only_voters_are_anonymous"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["community", "left_at"])]

    def __str__(self) -> str:
        return f"membership {self.pk}"

    @property
    def is_current(self) -> bool:
        return self.left_at is None


class Application(models.Model):
    """A person's wish to join a community."""

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="applications")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="applications")
    message = models.TextField(blank=True, max_length=2_000)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    created_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["community", "user"], condition=Q(status="pending"), name="application_one_pending"
            )
        ]

    def __str__(self) -> str:
        return f"application {self.pk}"


class Following(models.Model):
    """Follower inherits from followee, on the topics in `tags` (none = everything). `order` is for display only."""

    follower = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="followings")
    followee = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="followers")
    tags = models.JSONField(default=list, blank=True)
    order = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["follower", "followee"], name="following_unique"),
            models.CheckConstraint(condition=~Q(follower=F("followee")), name="following_not_oneself"),
        ]

    def __str__(self) -> str:
        return f"following {self.pk}"


class Decision(KeepsCounters):
    """A question put to a community, with 2 to 50 choices.

    Two counters say whether its stored result is current. They are revisions of the community's ledger:
    `input_revision` of the last change that affects the decision, `calculated_revision` of the inputs that the stored
    result reflects. Stale: calculated < input.
    """

    class Visibility(models.TextChoices):
        LIVE = "live", "Results are shown live"
        BATCHED = "batched", "Results are shown after every five changed ballots"
        AFTER_CLOSE = "after_close", "Results are shown after closing"

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        SCHEDULED = "scheduled", "Scheduled"
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    class CalculationStatus(models.TextChoices):
        CURRENT = "current", "Current"
        STALE = "stale", "Stale"
        CALCULATING = "calculating", "Calculating"
        FAILED = "failed", "Failed"

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="decisions")
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=20_000)
    results_visibility = models.CharField(max_length=12, choices=Visibility, default=Visibility.LIVE)
    created_at = models.DateTimeField(default=timezone.now)
    published_at = models.DateTimeField(null=True, blank=True)
    opens_at = models.DateTimeField(null=True, blank=True)
    closes_at = models.DateTimeField(null=True, blank=True)
    file_id = models.CharField(max_length=80, blank=True)

    input_revision = models.PositiveBigIntegerField(default=0, editable=False)
    calculated_revision = models.PositiveBigIntegerField(default=0, editable=False)
    last_calculated = models.DateTimeField(null=True, blank=True, editable=False)
    # The input revision whose calculation failed, and why; cleared by the next calculation that succeeds.
    failed_revision = models.PositiveBigIntegerField(default=0, editable=False)
    failed_at = models.DateTimeField(null=True, blank=True, editable=False)
    calculation_error = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["community", "closes_at"]), models.Index(fields=["closes_at"])]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(published_at=None)
                | Q(opens_at__isnull=False, closes_at__isnull=False, closes_at__gt=F("opens_at")),
                name="decision_published_has_times",
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def status(self) -> Status:
        """Where the decision stands by the clock: draft, scheduled (published, not open yet), open or closed."""
        if self.published_at is None or self.opens_at is None or self.closes_at is None:
            return self.Status.DRAFT
        now = timezone.now()
        if now >= self.closes_at:
            return self.Status.CLOSED
        return self.Status.OPEN if now >= self.opens_at else self.Status.SCHEDULED

    @property
    def is_stale(self) -> bool:
        return self.calculated_revision < self.input_revision

    @property
    def is_calculating(self) -> bool:
        """A run holds the community's claim and has this decision still to do."""
        return self.calculation_status == self.CalculationStatus.CALCULATING

    @property
    def is_final_calculation(self) -> bool:
        """The stored result is the one calculated once from the inputs as they stood at `closes_at`."""
        return DecisionSnapshot.objects.filter(decision=self, is_final=True).exists()

    @property
    def calculation_status(self) -> CalculationStatus:
        claim = CalculationClaim.objects.filter(community=self.community_id).first()
        return self.derive_calculation_status(
            is_final=self.is_final_calculation, is_claimed=claim is not None and claim.is_live
        )

    def derive_calculation_status(self, *, is_final: bool, is_claimed: bool) -> CalculationStatus:
        """The status from the counters and marks; `is_claimed`: a run holds the community."""
        status = self.CalculationStatus
        finished = is_final if self.status == self.Status.CLOSED else not self.is_stale
        if finished or self.status == self.Status.DRAFT:
            return status.CURRENT
        if is_claimed:
            return status.CALCULATING
        if self.calculation_error and self.failed_revision >= self.input_revision:
            return status.FAILED
        return status.STALE


class Choice(models.Model):
    """One of the things a decision is between. `lot`: its public last tie-break, drawn when it is published."""

    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="choices")
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=5_000)
    position = models.PositiveSmallIntegerField(default=0)
    lot = models.PositiveSmallIntegerField(null=True, blank=True)
    file_id = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering: ClassVar = ["position", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["decision", "lot"], name="choice_lot_unique"),
            models.UniqueConstraint(fields=["decision", "title"], name="choice_title_unique"),
        ]

    def __str__(self) -> str:
        return self.title


class Ballot(models.Model):
    """What a member cast in a decision: stars per choice (`Vote`), tags, a comment; or an abstention."""

    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="ballots")
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="ballots")
    tags = models.JSONField(default=list, blank=True)
    comment = models.TextField(blank=True, max_length=2_000)
    abstain = models.BooleanField(default=False)
    cast_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["decision", "membership"], name="ballot_unique")]

    def __str__(self) -> str:
        return f"ballot {self.pk}"


class Vote(models.Model):
    """The stars one ballot gives one choice. A choice without a row is unrated: 0 stars."""

    ballot = models.ForeignKey(Ballot, on_delete=models.CASCADE, related_name="votes")
    choice = models.ForeignKey(Choice, on_delete=models.CASCADE, related_name="votes")
    stars = models.PositiveSmallIntegerField(validators=[MaxValueValidator(MAX_STARS)])

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ballot", "choice"], name="vote_unique"),
            models.CheckConstraint(condition=Q(stars__gte=0, stars__lte=MAX_STARS), name="vote_stars_0_to_5"),
        ]

    def __str__(self) -> str:
        return f"vote {self.pk}"


class LedgerEntry(models.Model):
    """One change of the inputs of a community: number `revision`, without gaps, chained by hash, never changed.

    `subject` names what changed ("ballot:12:7"); `before` and `after` are its whole content, null where it did not or
    does not exist. Decision, membership and actor are plain numbers without a database constraint: the entry outlives
    what it speaks of.
    """

    class Kind(models.TextChoices):
        COMMUNITY = "community", "Community"
        APPLICATION = "application", "Application"
        MEMBERSHIP = "membership", "Membership"
        FOLLOWING = "following", "Following"
        DECISION = "decision", "Decision"
        BALLOT = "ballot", "Ballot"
        RECALCULATION = "recalculation", "Recalculation"

    community = models.ForeignKey(
        Community, on_delete=models.DO_NOTHING, db_constraint=False, related_name="ledger_entries"
    )
    revision = models.PositiveBigIntegerField()
    time = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=Kind)
    subject = models.CharField(max_length=64)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    decision = models.ForeignKey(
        Decision, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    membership = models.ForeignKey(
        Membership, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    # Random, so that nobody can find a ballot by trying which stars give the published hash.
    salt = models.CharField(max_length=32)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "ledger entries"
        ordering: ClassVar = ["community", "revision"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["community", "revision"], name="ledger_no_fork")]
        indexes: ClassVar = [models.Index(fields=["community", "subject", "revision"])]

    def __str__(self) -> str:
        return f"entry {self.revision} of community {self.community_id}"


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

    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="staged_ballots")
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="staged_ballots")
    kind = models.CharField(max_length=10, choices=Kind)
    # Microstars per choice in the order of the choices, 4 bytes each, little-endian.
    microstars = models.BinaryField()
    tags = models.JSONField(default=list)
    is_counted = models.BooleanField(default=False)
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
    # Keys are those of a bundle's `result` (DESIGN section 9); ids are database ids as text.
    result = models.JSONField()

    class Meta:
        ordering: ClassVar = ["decision", "-is_final", "-revision"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["decision", "revision", "is_final"], name="snapshot_unique"),
            models.UniqueConstraint(fields=["decision"], condition=Q(is_final=True), name="snapshot_one_final"),
        ]

    def __str__(self) -> str:
        return f"snapshot {self.pk}"


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
