"""Notices: what people are told of, the mails that tell them, and how they want to be told. None of it is an input."""

from __future__ import annotations

import secrets
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from democracy.models.communities import Community
from democracy.models.decisions import Decision
from democracy.models.outgoing import Outgoing, OutgoingQuerySet


class NoticeQuerySet(OutgoingQuerySet["Notice"]):
    def to_addresses(self) -> Self:
        """Keep those to addresses without an account. An index of these alone is used only where a query says so."""
        return self.exclude(address="")


def new_key() -> int:
    """Draw a number by which its reader can name a notice: one that fits into an id of the API."""
    return 1 + secrets.randbelow(10**18 - 1)


class Notice(Outgoing):
    """Something that one person, or one address without an account, is told once.

    `subject` names what it is about ("decision:12"); nobody is told twice of one kind and subject. `due_at`: when it is
    mailed next; null where it is on the site alone, was sent, or was refused for good (`refused` says why).
    """

    class Kind(models.TextChoices):
        INVITED = "invited", "You are invited to a community"
        APPLICATION_DECIDED = "application_decided", "Your application is decided"
        OPENED = "opened", "A decision opens"
        CLARIFIED = "clarified", "A decision is clarified"
        CALLED_OFF = "called_off", "A decision is called off"
        CLOSES_SOON = "closes_soon", "A decision closes soon, and you have not voted"
        RESULT = "result", "A final result is there"
        INHERITED_MOVED = "inherited_moved", "A ballot that you inherit moves"
        FOLLOWEE_GONE = "followee_gone", "Somebody you follow leaves or becomes anonymous"
        FOLLOWED = "followed", "People follow you, and you have not voted"
        NEW_FOLLOWER = "new_follower", "Somebody new follows you"
        APPLICATION_WAITING = "application_waiting", "An application waits for you"
        HIDDEN = "hidden", "The site's operator hides something of yours"
        CALCULATION_FAILED = "calculation_failed", "A decision of yours could not be calculated"

    # The number that its reader sees. Numbers of rows count up, so that the gap between two of one's own would tell how
    # many others were told something: that they have not voted where ballots are hidden, say.
    key = models.BigIntegerField(unique=True, default=new_key, editable=False)
    community = models.ForeignKey(Community, null=True, on_delete=models.CASCADE, related_name="notices")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="notices", db_index=False
    )
    # Of somebody without an account; empty for people.
    address = models.EmailField(blank=True)
    kind = models.CharField(max_length=20, choices=Kind)
    subject = models.CharField(max_length=100)
    decision = models.ForeignKey(Decision, null=True, on_delete=models.CASCADE, related_name="notices")
    data = models.JSONField(default=dict)
    read_at = models.DateTimeField(null=True)
    # It goes out with the person's other notices of the day.
    in_digest = models.BooleanField(default=False)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["person", "kind", "subject"], condition=Q(person__isnull=False), name="notice_person_once"
            ),
            models.UniqueConstraint(
                fields=["address", "kind", "subject"], condition=~Q(address=""), name="notice_address_once"
            ),
            models.CheckConstraint(
                condition=Q(person__isnull=False, address="") | (Q(person=None) & ~Q(address="")),
                name="notice_has_one_recipient",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="notice_due"),
            models.Index(fields=["person", "-id"], name="notice_of_person"),
            models.Index(fields=["person"], condition=Q(read_at=None), name="notice_unread"),
        ]

    def __str__(self) -> str:
        return f"notice {self.pk}"


class NoticePreference(models.Model):
    """The way in which one person is told of one kind of thing in one community; without a row, as the kind says.

    An address without an account can only say that it wants no mails of a kind.
    """

    class Way(models.TextChoices):
        AT_ONCE = "at_once", "By mail, at once"
        DAILY = "daily", "By mail, once a day"
        SITE = "site", "On this site only"

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="notice_preferences", db_index=False
    )
    address = models.EmailField(blank=True)
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="notice_preferences")
    kind = models.CharField(max_length=20, choices=Notice.Kind)
    way = models.CharField(max_length=8, choices=Way)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["person", "community", "kind"], condition=Q(person__isnull=False), name="preference_person_once"
            ),
            models.UniqueConstraint(
                fields=["address", "community", "kind"], condition=~Q(address=""), name="preference_address_once"
            ),
        ]

    def __str__(self) -> str:
        return f"notice preference {self.pk}"


class NoticeCursor(models.Model):
    """The revision up to which a community's ledger has been turned into notices."""

    community = models.OneToOneField(Community, on_delete=models.CASCADE, primary_key=True, related_name="+")
    revision = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"notice cursor of community {self.pk}"


class NoticeMark(models.Model):
    """A mark that people were told of something that time brings to a decision, such as its opening."""

    class What(models.TextChoices):
        OPENED = "opened", "It opened"
        HALF_TIME = "half_time", "Half of its time is over"
        CLOSES_SOON = "closes_soon", "It closes soon"
        CLOSED = "closed", "It closed"
        RESULT = "result", "Its final result is there"

    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="notice_marks", db_index=False)
    what = models.CharField(max_length=12, choices=What)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["decision", "what"], name="notice_mark_once")]

    def __str__(self) -> str:
        return f"notice mark {self.pk}"


class ExtraReminder(models.Model):
    """A manager's last wish that whoever has no ballot of their own in a decision is reminded of it.

    `is_told`: the notices were added. Nothing says to whom, or to how many.
    """

    decision = models.OneToOneField(Decision, on_delete=models.CASCADE, primary_key=True, related_name="extra_reminder")
    asked_at = models.DateTimeField()
    is_told = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"extra reminder of decision {self.pk}"


class MailPace(models.Model):
    """One row for the site: when senders may lease the next mails. It keeps all senders together to the rate."""

    next_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"next mail at {self.next_at}"
