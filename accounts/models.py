"""People: their identity, and their means of proving it. Nothing here knows of communities or votes."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.fields import SortKeyField
from accounts.text import searchable


class UserManager(BaseUserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return the address in lower case: addresses are compared without regard to case."""
        return super().normalize_email(email).strip().lower()

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=self.normalize_email(username))

    def create_user(self, email: str | None, *, name: str, handle: str, **fields: Any) -> User:
        """Create a person who signs in by mailed link or, without an address, cannot sign in (imported)."""
        user = self.model(email=self.normalize_email(email) if email else None, name=name, handle=handle, **fields)
        user.set_unusable_password()
        user.full_clean()
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, *, name: str, handle: str, password: str | None = None) -> User:
        """Create an administrator. The password is ignored: administrators sign in by mailed link too."""
        return self.create_user(email, name=name, handle=handle, is_staff=True, is_superuser=True)


def named(word: str, *, person: str = "user") -> models.Q:
    """Return a condition that a name or handle contains `word`, whatever the case.

    `person` is the path from the row to its user.
    """
    word = searchable(word).strip().removeprefix("@").casefold()
    return models.Q((f"{person}__sort_name__contains", word)) | models.Q((f"{person}__handle__contains", word))


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The e-mail address is the identity, `name` is shown, `handle` is public and unique.

    Imported people have no e-mail address and cannot sign in.
    """

    email = models.EmailField(unique=True, null=True, blank=True)
    name = models.CharField("display name", max_length=80)
    # Case-folding may triple the length. The release before this one writes no key: such rows come first.
    sort_name = SortKeyField(of="name", max_length=240, db_default="", editable=False)
    handle = models.CharField(
        max_length=40,
        unique=True,
        validators=[
            RegexValidator(r"\A[a-z0-9_]{2,40}\Z", "2 to 40 of a-z, 0-9 and _."),
            # The event log and pages use these names for the system, for anonymous members and for closed accounts.
            RegexValidator(r"\A(system\Z|anonymous|closed_)", "This handle is reserved.", inverse_match=True),
        ],
        help_text="2 to 40 of a-z, 0-9 and _; public.",
    )
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    # Made by load_demo; with DEMO_SIGN_IN, anybody may sign in as this person.
    is_demo = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name", "handle"]

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_lower_case"),
            models.CheckConstraint(condition=models.Q(handle=Lower("handle")), name="user_handle_lower_case"),
        ]

    def __str__(self) -> str:
        return self.handle

    def clean(self) -> None:
        self.email = UserManager.normalize_email(self.email) or None

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name

    def save(self, **kwargs: Any) -> None:
        """Save the row, and count a change of the name or handle: of these columns alone, or of all."""
        written = kwargs.get("update_fields")
        if self._state.adding or (written is not None and not {"name", "handle"}.intersection(written)):
            super().save(**kwargs)
            return
        with transaction.atomic(using=kwargs.get("using")):
            super().save(**kwargs)
            NameChanges.add()


class NameChanges(models.Model):
    """The number of changes of names and handles on this site, in one row: what is kept in the order of names is right
    as long as it is the same.
    """

    changes = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "name changes"

    def __str__(self) -> str:
        return f"{self.changes} changes of names"

    @classmethod
    def add(cls) -> None:
        """Count one more, in the transaction that changes a name."""
        cls._default_manager.bulk_create([cls(pk=1)], ignore_conflicts=True)
        cls._default_manager.filter(pk=1).update(changes=models.F("changes") + 1)

    @classmethod
    def number(cls) -> int:
        """Read how many there were."""
        return cls._default_manager.filter(pk=1).values_list("changes", flat=True).first() or 0


class ApiToken(models.Model):
    """A bearer token for the API, shown once when it is made and kept only as its SHA-256."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"


class Passkey(models.Model):
    """The public half of a key that a person's device keeps, by which it signs them in."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=80)
    # The SHA-256 of the credential's id, which may be long.
    digest = models.CharField(max_length=64, unique=True, editable=False)
    # Id and public key of the credential, as authenticators write them (attested credential data).
    credential = models.BinaryField(editable=False)
    # What the person's devices call the account: random, and the same in all passkeys of a person.
    user_handle = models.BinaryField(editable=False)
    # Rises with each use, unless the device counts nothing; one that does not rise is a copy's.
    sign_count = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"
