"""The ledger of all changes of inputs."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from democracy.models.communities import Community, Membership
from democracy.models.decisions import Decision


class LedgerEntry(models.Model):
    """One change of a community's inputs. Entries are numbered by `revision` without gaps, chained by hash, and never
    changed.

    `subject` names what changed ("ballot:12:7"). `before` and `after` are its whole content, null where it did not or
    does not exist. `commitment` is the hash of salt, content and time; `hash` is that of the previous hash, the
    revision and the commitment.

    Decision, membership and actor are plain numbers without a database constraint: the entry outlives the rows that it
    names. They have no index, since entries are read by revision and by subject; but for the followings of a follower,
    whose subjects nobody knows beforehand.
    """

    class Kind(models.TextChoices):
        COMMUNITY = "community", "Community"
        APPLICATION = "application", "Application"
        MEMBERSHIP = "membership", "Membership"
        FOLLOWING = "following", "Following"
        DECISION = "decision", "Decision"
        BALLOT = "ballot", "Ballot"
        RECALCULATION = "recalculation", "Recalculation"
        PUBLICATION = "publication", "Published result"
        MODERATION = "moderation", "Moderation"

    community = models.ForeignKey(
        Community, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="ledger_entries"
    )
    revision = models.PositiveBigIntegerField()
    time = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=Kind)
    subject = models.CharField(max_length=64)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    decision = models.ForeignKey(
        Decision, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    membership = models.ForeignKey(
        Membership, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    # Random, so that nobody can find a ballot by trying which stars give the published commitment.
    salt = models.CharField(max_length=32)
    commitment = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "ledger entries"
        ordering: ClassVar = ["community", "revision"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["community", "revision"], name="ledger_no_fork")]
        indexes: ClassVar = [
            models.Index(fields=["community", "subject", "revision"]),
            models.Index(fields=["membership", "revision"], condition=Q(kind="following"), name="ledger_followings"),
        ]

    def __str__(self) -> str:
        return f"entry {self.revision} of community {self.community_id}"


class Checkpoint(models.Model):
    """A signed statement of the site: a community's ledger had this hash at this revision. Ledgers are checked against
    it.
    """

    # It outlives the community, as entries do. Indexed by the constraint below.
    community = models.ForeignKey(
        Community, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="checkpoints"
    )
    revision = models.PositiveBigIntegerField()
    hash = models.CharField(max_length=64)
    # When it was signed.
    time = models.DateTimeField()
    key = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["community", "revision"], name="checkpoint_unique")]

    def __str__(self) -> str:
        return f"checkpoint {self.revision} of community {self.community_id}"
