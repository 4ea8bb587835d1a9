"""Inputs: communities, who belongs to them, and who follows whom."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from democracy.models.viewers import Viewer, user_id

MAX_FOLLOWINGS = 1_000


class KeepsCounters(models.Model):
    """A row whose non-editable columns are written by the ledger and the calculation, and by no other `save()`.

    Otherwise, saving a row that was read a while ago would turn its counters back.
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

    class Joining(models.TextChoices):
        OPEN = "open", "Everybody who asks is in at once"
        REQUEST = "request", "People apply, and a manager decides"
        INVITED = "invited", "Only people whom a manager invited"

    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, max_length=5_000)
    visibility = models.CharField(max_length=10, choices=Visibility, default=Visibility.MEMBERS)
    joining = models.CharField(max_length=10, choices=Joining, default=Joining.REQUEST, db_default=Joining.REQUEST)
    created_at = models.DateTimeField(default=timezone.now)
    # An operator has hidden it: its members find it, and nobody reads it.
    is_hidden = models.BooleanField(default=False, db_default=False, editable=False)
    # The number of its last ledger entry. The row lock that raising it takes puts the community's writers in order.
    revision = models.PositiveBigIntegerField(default=0, editable=False)

    class Meta:
        verbose_name_plural = "communities"
        constraints: ClassVar = [models.UniqueConstraint(Lower("name"), name="community_name_unique")]

    def __str__(self) -> str:
        return self.name


class MembershipQuerySet(models.QuerySet["Membership"]):
    def current(self) -> Self:
        """Keep the memberships of people who have not left."""
        return self.filter(left_at=None)

    def of(self, viewer: Viewer) -> Self:
        return self.filter(user=user_id(viewer))

    def managers(self) -> Self:
        return self.filter(is_manager=True)


class Membership(models.Model):
    """One person in one community. The row stays when the person leaves, with `left_at`, so that closed decisions can
    still be explained.
    """

    class Role(models.TextChoices):
        VOTER = "voter", "Voter"
        LOBBYIST = "lobbyist", "Lobbyist"

    # Indexed by the constraint below.
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="memberships", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.VOTER)
    is_manager = models.BooleanField(default=False)
    is_anonymous = models.BooleanField(default=False)
    joined_at = models.DateTimeField(default=timezone.now)
    left_at = models.DateTimeField(null=True, blank=True)
    # A manager removed this person, and only a manager can let them come back.
    was_removed = models.BooleanField(default=False)
    # The name of this member in imported and exported files; if empty, the row's own id.
    file_id = models.CharField(max_length=80, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["community", "user"], name="membership_unique"),
            models.CheckConstraint(
                condition=Q(is_anonymous=False) | Q(role="voter"), name="membership_only_voters_are_anonymous"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["community", "left_at"]),
            models.Index(fields=["community"], condition=Q(is_manager=True), name="membership_managers"),
        ]

    def __str__(self) -> str:
        return f"membership {self.pk}"

    @property
    def is_current(self) -> bool:
        return self.left_at is None


class ApplicationQuerySet(models.QuerySet["Application"]):
    def pending(self) -> Self:
        return self.filter(status=Application.Status.PENDING)

    def of(self, viewer: Viewer) -> Self:
        return self.filter(user=user_id(viewer))


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
    # The link by which somebody came who needs approval; it says in which role they come in.
    link = models.ForeignKey("InvitationLink", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    created_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["community", "user"], condition=Q(status="pending"), name="application_one_pending"
            )
        ]

    def __str__(self) -> str:
        return f"application {self.pk}"


class Greeting(models.Model):
    """A mark of a member whom a manager let in and no page has welcomed yet. It is no input: nothing rests on it."""

    membership = models.OneToOneField(Membership, on_delete=models.CASCADE, related_name="greeting")

    def __str__(self) -> str:
        return f"greeting {self.pk}"


class FollowingQuerySet(models.QuerySet["Following"]):
    def by(self, viewer: Viewer) -> Self:
        """Keep the followings by which the viewer, as a current member, follows somebody."""
        return self.filter(follower__user=user_id(viewer), follower__left_at=None)

    def current(self) -> Self:
        """Keep the followings between current members."""
        return self.filter(follower__left_at=None, followee__left_at=None)


class Following(models.Model):
    """A following: the follower inherits from the followee, on the topics in `tags` (none: on everything). `order` is
    for display only.
    """

    # Indexed by the constraint below.
    follower = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="followings", db_index=False)
    followee = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="followers")
    tags = models.JSONField(default=list, blank=True)
    order = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    objects = FollowingQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["follower", "followee"], name="following_unique"),
            models.CheckConstraint(condition=~Q(follower=F("followee")), name="following_not_oneself"),
        ]

    def __str__(self) -> str:
        return f"following {self.pk}"
