"""Inputs: decisions, their choices, and the ballots cast in them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from democracy.errors import InvalidInput
from democracy.models.communities import Community, KeepsCounters, Membership
from democracy.models.viewers import Viewer, user_id
from democracy.moments import checked_moment

MIN_CHOICES, MAX_CHOICES = 2, 50
MAX_CLARIFICATIONS = 50
MAX_PINNED = 5
# Hours before closing at which people without a ballot are reminded.
REMINDER_HOURS, MAX_REMINDER_HOURS = 24, 720
LONGEST_REASON = 2_000
MAX_STARS = 5
# So long before the end the closing is fixed where ballots are hidden, and nothing is called off. A change that began
# before the closing and was committed after it would hide ballots again that readers had seen in between.
LAST_MOMENT = timedelta(minutes=1)
# Published and not called off.
STANDING = Q(published_at__isnull=False, called_off_at=None)


class DecisionQuerySet(models.QuerySet["Decision"]):
    """The phases of decisions by the clock, as `Decision.status` says of one."""

    def drafts(self) -> Self:
        return self.filter(published_at=None)

    def published(self) -> Self:
        return self.filter(published_at__isnull=False)

    def standing(self) -> Self:
        """Keep decisions that are published and were not called off: they have a result, or will have one."""
        return self.filter(STANDING)

    def called_off(self) -> Self:
        return self.published().filter(called_off_at__isnull=False)

    def scheduled(self, at: datetime) -> Self:
        """Keep decisions that are published and not open yet."""
        return self.standing().filter(opens_at__gt=at)

    def open(self, at: datetime) -> Self:
        return self.standing().filter(opens_at__lte=at, closes_at__gt=at)

    def closed(self, at: datetime) -> Self:
        return self.standing().filter(closes_at__lte=at)

    def over(self, at: datetime) -> Self:
        """Keep decisions in which nobody can vote any more: closed ones, and those that were called off."""
        return self.published().filter(Q(closes_at__lte=at) | Q(called_off_at__isnull=False))

    def not_over(self, at: datetime) -> Self:
        """Keep drafts, scheduled and open decisions. A draft is never closed, whatever its times are."""
        return self.filter(Q(published_at=None) | Q(closes_at__gt=at, called_off_at=None))

    def live(self, at: datetime) -> Self:
        """Keep scheduled and open decisions: a change of the inputs still reaches them."""
        return self.standing().filter(closes_at__gt=at)


class Decision(KeepsCounters):
    """A question put to a community, with 2 to 50 choices.

    Two counters say whether its stored result is current. They are revisions of the community's ledger:
    `input_revision` of the last change that affects the decision, `calculated_revision` of the inputs that the stored
    result reflects. Stale: calculated < input.
    """

    class Visibility(models.TextChoices):
        LIVE = "live", "Results are shown live"
        BATCHED = "batched", "Results are shown whenever five members have voted"
        AFTER_CLOSE = "after_close", "Results are shown after closing"

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        SCHEDULED = "scheduled", "Scheduled"
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"
        CALLED_OFF = "called_off", "Called off"

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
    # Hexadecimal, drawn and shown in the moment of publishing; empty before, and where the lots came with a file.
    lot_seed = models.CharField(max_length=64, blank=True, editable=False)
    # Tags: a ballot whose caster says nothing of tags bears these.
    topics = models.JSONField(default=list, blank=True)
    # It has no result, and its ballots are kept.
    called_off_at = models.DateTimeField(null=True, blank=True, editable=False)
    called_off_reason = models.TextField(blank=True, max_length=LONGEST_REASON, editable=False)
    # A manager put it at the top of the community's list.
    is_pinned = models.BooleanField(default=False)
    # 0: nobody is reminded.
    reminder_hours = models.PositiveSmallIntegerField(
        default=REMINDER_HOURS, validators=[MaxValueValidator(MAX_REMINDER_HOURS)]
    )
    file_id = models.CharField(max_length=80, blank=True)

    input_revision = models.PositiveBigIntegerField(default=0, editable=False)
    calculated_revision = models.PositiveBigIntegerField(default=0, editable=False)
    # The ledger's time since which it has been stale; null while it is current. For operators only: the counters alone
    # decide whether it is stale.
    stale_since = models.DateTimeField(null=True, blank=True, editable=False)
    last_calculated = models.DateTimeField(null=True, blank=True, editable=False)
    # Written with its final result, so that the sweep need not look through all that ever closed. The result itself
    # says whether it is there.
    has_final_result = models.BooleanField(default=False, db_default=False, editable=False)
    # The input revision whose calculation failed, and why; cleared by the next calculation that succeeds.
    failed_revision = models.PositiveBigIntegerField(default=0, editable=False)
    failed_at = models.DateTimeField(null=True, blank=True, editable=False)
    calculation_error = models.CharField(max_length=500, blank=True, editable=False)

    objects = DecisionQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["community", "closes_at"]),
            models.Index(fields=["closes_at"]),
            # The sweep's: see `ledger.staleness.stale_decisions`.
            models.Index(
                fields=["closes_at"],
                name="decision_stale",
                condition=STANDING & Q(calculated_revision__lt=F("input_revision")),
            ),
            models.Index(
                fields=["closes_at"], name="decision_without_final", condition=STANDING & Q(has_final_result=False)
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(published_at=None)
                | Q(opens_at__isnull=False, closes_at__isnull=False, closes_at__gt=F("opens_at")),
                name="decision_published_has_times",
            ),
            models.CheckConstraint(
                condition=Q(called_off_at=None) | Q(published_at__isnull=False), name="decision_called_off_is_published"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        for field in ("opens_at", "closes_at"):
            moment = getattr(self, field)
            try:
                if moment is not None:
                    checked_moment(moment, field=field)
            except InvalidInput as error:
                raise ValidationError({field: error.message}) from error

    @property
    def status(self) -> Status:
        """The phase of the decision by the clock: draft, scheduled (published, not open yet), open or closed; or that
        it was called off.
        """
        if self.published_at is None or self.opens_at is None or self.closes_at is None:
            return self.Status.DRAFT
        if self.called_off_at is not None:
            return self.Status.CALLED_OFF
        now = timezone.now()
        if now >= self.closes_at:
            return self.Status.CLOSED
        return self.Status.OPEN if now >= self.opens_at else self.Status.SCHEDULED

    @property
    def is_over(self) -> bool:
        """Whether nobody can vote in it any more."""
        return self.status in {self.Status.CLOSED, self.Status.CALLED_OFF}

    def is_about_to_end(self, now: datetime | None = None) -> bool:
        """Whether it is the last moment of a published decision that hides its ballots, or later."""
        if self.results_visibility == self.Visibility.LIVE or self.closes_at is None:
            return False
        return (now or timezone.now()) >= self.closes_at - LAST_MOMENT

    @property
    def is_stale(self) -> bool:
        return self.calculated_revision < self.input_revision

    @property
    def is_calculating(self) -> bool:
        """Whether a run holds the community's claim and has this decision still to do."""
        return self.calculation_status == self.CalculationStatus.CALCULATING

    @property
    def is_final_calculation(self) -> bool:
        """Whether the final result is stored, calculated from the inputs as they stood at `closes_at`."""
        return self.snapshots.filter(is_final=True).exists()

    @property
    def calculation_status(self) -> CalculationStatus:
        claimed = Community.objects.filter(pk=self.community_id, claim__expires_at__gt=timezone.now())
        return self.derive_calculation_status(is_final=self.is_final_calculation, is_claimed=claimed.exists())

    def derive_calculation_status(self, *, is_final: bool, is_claimed: bool) -> CalculationStatus:
        """Derive the status from the counters and marks. `is_final`: the final result is stored; `is_claimed`: a run
        holds the community.
        """
        status = self.CalculationStatus
        finished = is_final if self.status == self.Status.CLOSED else not self.is_stale
        if finished or self.status in {self.Status.DRAFT, self.Status.CALLED_OFF}:
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


class Clarification(models.Model):
    """An addition to the text of a published decision, which itself is frozen once voting opens."""

    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="clarifications")
    text = models.TextField(max_length=2_000)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["at", "pk"]

    def __str__(self) -> str:
        return f"clarification {self.pk}"


class BallotQuerySet(models.QuerySet["Ballot"]):
    def of(self, viewer: Viewer) -> Self:
        """Keep the ballots that the viewer cast."""
        return self.filter(membership__user=user_id(viewer))


class Ballot(models.Model):
    """A ballot as a member cast it: stars per choice (`Vote`), tags and a comment; or an abstention."""

    # Indexed by the constraint below.
    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="ballots", db_index=False)
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="ballots")
    tags = models.JSONField(default=list, blank=True)
    comment = models.TextField(blank=True, max_length=2_000)
    abstain = models.BooleanField(default=False)
    # It was cast under a pseudonym. It stays so whatever its caster does later: a change would tell whose it is.
    is_anonymous = models.BooleanField(default=False)
    cast_at = models.DateTimeField(default=timezone.now)

    objects = BallotQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["decision", "membership"], name="ballot_unique")]

    def __str__(self) -> str:
        return f"ballot {self.pk}"


class Vote(models.Model):
    """The stars one ballot gives one choice. A choice without a row is unrated: 0 stars."""

    # Indexed by the constraint below.
    ballot = models.ForeignKey(Ballot, on_delete=models.CASCADE, related_name="votes", db_index=False)
    choice = models.ForeignKey(Choice, on_delete=models.CASCADE, related_name="votes")
    stars = models.PositiveSmallIntegerField(validators=[MaxValueValidator(MAX_STARS)])

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ballot", "choice"], name="vote_unique"),
            models.CheckConstraint(condition=Q(stars__gte=0, stars__lte=MAX_STARS), name="vote_stars_0_to_5"),
        ]

    def __str__(self) -> str:
        return f"vote {self.pk}"
