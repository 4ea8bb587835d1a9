"""The viewer: whoever asks, signed in or not."""

from __future__ import annotations

from typing import TypeAlias

from django.contrib.auth.models import AnonymousUser

from accounts.models import User

Viewer: TypeAlias = User | AnonymousUser


def user_id(viewer: Viewer) -> int | None:
    """The key of the viewer's account; None for a guest, whom no row is of."""
    return viewer.pk if viewer.is_authenticated else None
