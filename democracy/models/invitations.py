"""Invitations to a community: personal ones, mailed to an address, and links that many people may use."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import CharField, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Concat
from django.utils import timezone
from django.utils.crypto import get_random_string, salted_hmac

from democracy.models.communities import Community, Membership
from democracy.models.decisions import Decision
from democracy.models.notices import Notice

VALID_FOR = timedelta(days=30)
# Nobody is mailed again sooner: a mail needs time to arrive, and its reader to come.
MAIL_PAUSE = timedelta(hours=1)
_SUBJECT = "invitation:"
# Letters and digits that people type from a poster without taking one for another; 16 of them are 79 random bits.
_TYPED = "abcdefghjkmnpqrstuvwxyz23456789"
MAX_INVITED = 20_000


def new_key() -> str:
    return secrets.token_hex(16)


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def token_of(key: str) -> str:
    """The secret of the link with this key. See Note [The token is worked out]."""
    digest = salted_hmac("democracy.invitation", key, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def pending(self, at: datetime) -> Self:
        """Keep the invitations that can be accepted at this time."""
        return self.filter(accepted_at=None, revoked_at=None, issued_at__gt=at - VALID_FOR)

    def mailed(self, at: datetime) -> Self:
        """Keep the pending invitations whose mail was asked for and not refused."""
        return self.pending(at).with_refusals().filter(refusal="", sent_at__isnull=False)

    def with_refusals(self) -> Self:
        """Read `refusal` for each: why the mail server did not take its mail, "" where it did."""
        subject = Concat(Value(_SUBJECT), OuterRef("key"), output_field=CharField())
        told = Notice.objects.to_addresses().filter(
            address=OuterRef("address"), kind=Notice.Kind.INVITED, subject=subject
        )
        return self.annotate(refusal=Coalesce(Subquery(told.values("refused")[:1]), Value("")))


# Note [The token is worked out]
# A mailed link signs its addressee in, so the table must not hold it: it holds the token's digest. Whoever sends the
# mail works the token out from the row's `key` and the site's secret, so neither the table nor the outbox is enough to
# enter. A new key makes a new link, and the old one ends.


class Invitation(models.Model):
    """An address that a manager invited to a community. One row for each address; inviting again renews it.

    The link of the mail works once, for 30 days after `issued_at`. `sent_at`: when the mail was last put into the
    outbox, null where nobody asked for a mail. `membership`: of whoever accepted.
    """

    class State(models.TextChoices):
        LISTED = "listed", "On the list, no mail sent"
        INVITED = "invited", "Invited"
        REFUSED = "refused", "Refused by the mail server"
        JOINED = "joined", "Joined"
        EXPIRED = "expired", "Expired"
        REVOKED = "revoked", "Taken back"

    # Indexed by the constraint below.
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="invitations", db_index=False)
    address = models.EmailField(max_length=254)
    name = models.CharField(max_length=80, blank=True)
    role = models.CharField(max_length=10, choices=Membership.Role, default=Membership.Role.VOTER)
    is_manager = models.BooleanField(default=False)
    # Topics on which the person is led to follow somebody. Whom, they choose themselves.
    tags = models.JSONField(default=list, blank=True)
    decision = models.ForeignKey(Decision, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    key = models.CharField(max_length=32, default=new_key)
    digest = models.CharField(max_length=64, unique=True)
    issued_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    membership = models.ForeignKey(Membership, null=True, on_delete=models.SET_NULL, related_name="+")

    # The mail server's words, where it refused the mail and `with_refusals` has read them.
    refusal: str = ""

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["community", "address"], name="invitation_one_for_each_address")
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk}"

    def issue(self, at: datetime) -> None:
        """Make a new link, in this object alone; the old one ends when it is saved."""
        self.key, self.issued_at = new_key(), at
        self.digest = digest_of(token_of(self.key))
        self.accepted_at = self.revoked_at = self.membership = None

    @property
    def subject(self) -> str:
        """The name of this link among the notices: a new link is mailed again."""
        return f"{_SUBJECT}{self.key}"

    @property
    def expires_at(self) -> datetime:
        return self.issued_at + VALID_FOR

    @property
    def state(self) -> State:
        if self.accepted_at is not None:
            return self.State.JOINED
        if self.revoked_at is not None:
            return self.State.REVOKED
        if self.expires_at <= timezone.now():
            return self.State.EXPIRED
        if self.sent_at is None:
            return self.State.LISTED
        return self.State.REFUSED if self.refusal else self.State.INVITED

    def get_state(self) -> str:
        """The state in words, for templates."""
        return str(self.state.label)

    @property
    def is_pending(self) -> bool:
        return self.state in {self.State.LISTED, self.State.INVITED, self.State.REFUSED}


class InvitationLinkQuerySet(models.QuerySet["InvitationLink"]):
    def usable(self, at: datetime) -> Self:
        """Keep the links by which people may join at this time."""
        is_free = Q(max_uses=None) | Q(uses__lt=models.F("max_uses"))
        return self.filter(is_free, Q(ends_at=None) | Q(ends_at__gt=at), revoked_at=None)


def new_token() -> str:
    return get_random_string(16, _TYPED)


class InvitationLink(models.Model):
    """A link, or a QR code on a poster, by which anybody who has it may join. It says nothing about who they are: they
    sign in first. `needs_approval`: it leads to an application that a manager decides on.
    """

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="invitation_links")
    # Not hashed, since managers show it to people again and again; it signs nobody in.
    token = models.CharField(max_length=32, unique=True, default=new_token)
    role = models.CharField(max_length=10, choices=Membership.Role, default=Membership.Role.VOTER)
    needs_approval = models.BooleanField(default=False)
    ends_at = models.DateTimeField(null=True, blank=True)
    max_uses = models.PositiveIntegerField(null=True, blank=True)
    uses = models.PositiveIntegerField(default=0)
    decision = models.ForeignKey(Decision, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationLinkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"invitation link {self.pk}"

    @property
    def is_usable(self) -> bool:
        is_over = self.ends_at is not None and self.ends_at <= timezone.now()
        is_used_up = self.max_uses is not None and self.uses >= self.max_uses
        return self.revoked_at is None and not is_over and not is_used_up
