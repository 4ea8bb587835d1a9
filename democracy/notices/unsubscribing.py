"""Unsubscribing by the link in a mail, without signing in: the link itself says, signed, who wants no more of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db import transaction

from accounts.models import User
from democracy.database.turns import turn
from democracy.models import Community, Notice, NoticePreference
from democracy.notices.kinds import Kind, Way

_SIGNER = signing.Signer(salt="democracy.notices.unsubscribe")


class NoSuchLink(Exception):
    """The link was cut off or made up, or its person or communities are gone."""


@dataclass(frozen=True)
class Wish:
    """Somebody wants no more mails of these kinds, each in a community, named by the pair of its key and the kind."""

    person_id: int | None
    address: str
    about: tuple[tuple[int, str], ...]


def token(notices: Sequence[Notice]) -> str:
    """Sign the wish to get no more mails like these, which are to one reader. It never expires: people keep mails."""
    about = sorted({(notice.community_id, notice.kind) for notice in notices if notice.community_id is not None})
    return _SIGNER.sign_object([notices[0].person_id, notices[0].address, about])


def read(token: str) -> Wish:
    """Read a link. Raises NoSuchLink."""
    try:
        person_id, address, about = _SIGNER.unsign_object(token)
    except (signing.BadSignature, ValueError) as error:
        raise NoSuchLink from error
    there = set(Community.objects.filter(pk__in=[pk for pk, _ in about]).values_list("pk", flat=True))
    wish = Wish(person_id, address, tuple((pk, kind) for pk, kind in about if pk in there))
    # A closed account gets no mails, and nothing of it is written any more.
    if not wish.about or (person_id is not None and not User.objects.filter(pk=person_id, is_active=True).exists()):
        raise NoSuchLink
    return wish


def described(wish: Wish) -> list[str]:
    """Say in words what the mails of a wish are about."""
    names = dict(Community.objects.filter(pk__in=[pk for pk, _ in wish.about]).values_list("pk", "name"))
    return [f"{Kind(kind).label} ({names[pk]})" for pk, kind in wish.about]


def unsubscribe(wish: Wish) -> None:
    """Fulfil a wish, and take what waits to be mailed of it out of the mail. The site still shows it."""
    with turn(), transaction.atomic():
        for community_id, kind in wish.about:
            whose: dict[str, Any] = {
                "person_id": wish.person_id,
                "address": wish.address,
                "community_id": community_id,
                "kind": kind,
            }
            NoticePreference.objects.update_or_create(**whose, defaults={"way": Way.SITE})
            Notice.objects.filter(**whose, due_at__isnull=False).update(due_at=None)
