"""Credentials: what an open connection identified its viewer by, and whether many of them say the same as before.

To identify one viewer takes several queries. To find out that nothing has changed for a thousand takes three.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import ApiToken, User
from accounts.services import token_digest

# What a credential and its viewer's account say. Equal words identify the same viewer.
Words: TypeAlias = Hashable


@dataclass(frozen=True)
class Credential:
    """A session or an API token, as the SHA-256 that is stored of it, and the viewer whom it identified (None: a
    visitor).
    """

    viewer_id: int | None
    session_key: str = ""
    token_digest: str = ""


def credential_of(viewer_id: int | None, *, session: Any, token: str | None) -> Credential:
    """Return what a viewer was identified by; a token takes precedence over a session."""
    if token is not None:
        return Credential(viewer_id, token_digest=token_digest(token))
    return Credential(viewer_id, session_key=getattr(session, "session_key", None) or "")


def words_of(credentials: Iterable[Credential]) -> dict[Credential, Words]:
    """Return what each of these credentials says now; those that have expired or were revoked say nothing at all."""
    asked = set(credentials)
    sessions = dict(
        Session.objects.filter(
            pk__in={one.session_key for one in asked} - {""}, expire_date__gt=timezone.now()
        ).values_list("session_key", "session_data")
    )
    usable = ApiToken.objects.filter(digest__in={one.token_digest for one in asked} - {""}, revoked_at=None)
    tokens = set(usable.values_list("digest", flat=True))
    people = {one.viewer_id for one in asked if one.viewer_id is not None}
    active = User.objects.filter(pk__in=people, is_active=True)
    accounts = {pk: rest for pk, *rest in active.values_list("pk", "password", "is_staff", "is_superuser")}
    said: dict[Credential, Words] = {}
    for one in asked:
        is_known = one.token_digest in tokens if one.token_digest else one.session_key in {"", *sessions}
        if is_known and (one.viewer_id is None or one.viewer_id in accounts):
            said[one] = (sessions.get(one.session_key), *accounts.get(one.viewer_id or 0, ()))
    return said
