"""Closing an account: what names the person goes, and what others rest on stays under a made-up name."""

from __future__ import annotations

import secrets

from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType

from accounts import rights
from accounts.models import NameChanges, User

NAME = "Closed account"
_PREFIX = "closed_"


def close(user: User) -> None:
    """Take name, address, rights, API tokens, passkeys and every way to sign in from the account, for good.

    The administration's own history calls it as it is called from now on.
    Its sessions and links end with it: they need an active account, and hang on the password, which changes.
    """
    user.api_tokens.all().delete()
    user.passkeys.all().delete()
    user.groups.clear()
    user.user_permissions.clear()
    handle = _PREFIX + secrets.token_hex(6)
    there = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk))
    there.update(object_repr=handle)
    User.objects.filter(pk=user.pk).update(
        email=None,
        name=NAME,
        sort_name=NAME.casefold(),
        handle=handle,
        password=make_password(None),
        last_login=None,
        is_active=False,
        is_staff=False,
        is_superuser=False,
    )
    NameChanges.add()
    rights.changed(user.pk)
