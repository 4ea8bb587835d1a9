"""Ways to sign in: by mailed link, provider of OpenID Connect, passkey or, in a demonstration, as one of its people.

There are no passwords. Switching a way off ends the sessions that began with it.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.db.models import QuerySet
from django.http import HttpRequest
from sesame import backends, tokens

from accounts.models import User


class SignInLinkBackend(backends.ModelBackend):
    """Accept django-sesame's tokens of active people who have an e-mail address."""

    def authenticate(
        self, request: HttpRequest | None, sesame: str, scope: str = "", max_age: int | None = None
    ) -> User | None:
        user: User | None = tokens.parse_token(sesame, self._get_addressee, scope, max_age)
        return user

    def _get_addressee(self, user_id: Any) -> User | None:
        # A token names its user before its signature is checked. The address is part of what is signed, so somebody
        # without one has no token.
        user: User | None = self.get_user(user_id)
        return user if user is not None and user.email else None


class DemoBackend(BaseBackend):
    """Let anybody sign in as a person of the demo while DEMO_SIGN_IN is on."""

    def authenticate(self, request: HttpRequest | None, demo_handle: str) -> User | None:  # type: ignore[override]
        return _demo_people().filter(handle=demo_handle).first()

    def get_user(self, user_id: int) -> User | None:
        return _demo_people().filter(pk=user_id).first()


class _SessionBackend(backends.ModelBackend):
    """Keeps the sessions of people who have proven elsewhere who they are. It takes no credentials."""

    def authenticate(self, request: HttpRequest | None) -> None:
        return None


class ProviderBackend(_SessionBackend):
    """Keep the sessions of people whose address a provider vouched for: see accounts.provider."""

    def get_user(self, user_id: int) -> User | None:
        return super().get_user(user_id) if settings.OIDC_ISSUER else None


class PasskeyBackend(_SessionBackend):
    """Keep the sessions of people who signed in with a passkey: see accounts.passkeys."""

    def get_user(self, user_id: int) -> User | None:
        return super().get_user(user_id) if settings.PASSKEYS else None


def _demo_people() -> QuerySet[User]:
    if not settings.DEMO_SIGN_IN:
        return User.objects.none()
    return User.objects.filter(is_demo=True, is_active=True, is_staff=False, is_superuser=False)
