"""Commands on one's own notices. They change no input, so the ledger has no entry of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import transaction
from django.utils import timezone

from democracy import access
from democracy.access import Viewer
from democracy.database.turns import turn
from democracy.errors import InvalidInput
from democracy.live import publishing
from democracy.models import NoticePreference
from democracy.notices.kinds import USUAL_WAYS, Way
from democracy.reading.notices import notices_visible_to
from democracy.services.commands import command


@command
def mark_notices_read(viewer: Viewer, keys: Collection[int] | None = None) -> int:
    """Mark these notices of the viewer as read, or all of them. Returns how many were unread.

    Others' notices are left as they are, as if they were not there. Raises PermissionDenied for visitors.
    """
    user = access.require_user(viewer)
    unread = notices_visible_to(user).filter(read_at=None)
    if keys is not None:
        unread = unread.filter(key__in=keys)
    with turn(), transaction.atomic():
        marked = unread.update(read_at=timezone.now())
        if marked:
            transaction.on_commit(lambda: publishing.notices_changed([user.pk]), robust=True)
    return marked


@command
def set_notice_preferences(viewer: Viewer, community_id: int, ways: Mapping[str, str]) -> None:
    """Choose how to be told of these kinds of things in a community. Members only.

    `ways`: by kind. It holds for what is told from now on. Raises PermissionDenied, InvalidInput.
    """
    member = access.require_own_membership(viewer, community_id)
    for kind, way in ways.items():
        if kind not in USUAL_WAYS or way not in Way.values:
            raise InvalidInput("This is no kind of notice, or no way to be told of it.", field="preferences")
    with turn(), transaction.atomic():
        for kind, way in ways.items():
            NoticePreference.objects.update_or_create(
                person=member.user, address="", community_id=community_id, kind=kind, defaults={"way": way}
            )
