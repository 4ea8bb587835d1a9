"""The mail of one notice or of a day's digest, as text and HTML, with one-click unsubscribing (RFC 8058)."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.crypto import salted_hmac

from accounts.services import suggested_name
from accounts.text import single_line
from democracy.database import clock
from democracy.ledger import checkpoints
from democracy.models import Checkpoint, Notice
from democracy.notices import unsubscribing
from democracy.notices.wording import words_of_mail


def address_of(notice: Notice) -> str:
    """The address to which a notice is mailed; empty where there is none any more."""
    if notice.person is None:
        return notice.address
    return (notice.person.email or "") if notice.person.is_active else ""


def mail(notices: list[Notice], address: str) -> EmailMultiAlternatives:
    """Write the mail of these notices, which are to one reader. Several are a digest."""
    said = [words_of_mail(notice) for notice in notices]
    first = notices[0]
    title = said[0].title if len(said) == 1 else f"{len(said)} things that happened"
    stop = settings.SITE_URL + reverse("unsubscribe", args=[unsubscribing.token(notices)])
    checkpoint = _checkpoint(notices)
    context = {
        "title": title,
        "greeting": _greeting(first),
        "checkpoint": _in_one_line(checkpoint) if checkpoint else "",
        "notices": [{"words": one, "url": settings.SITE_URL + one.path} for one in said],
        "is_digest": first.in_digest,
        "site": settings.SITE_URL,
        "stop": stop,
        "preferences": settings.SITE_URL + reverse("notice-preferences") if first.person_id else "",
    }
    message = EmailMultiAlternatives(
        single_line(title),
        render_to_string("democracy/mail/notice.txt", context),
        to=[address],
        headers={
            # Both copies of a mail that was sent twice have the same.
            "Message-ID": _message_id(first),
            "List-Unsubscribe": f"<{stop}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            # Automatic answers, such as of somebody on holiday, are not wanted.
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string("democracy/mail/notice.html", context), "text/html")
    return message


def _greeting(notice: Notice) -> str:
    name = suggested_name(notice.person) if notice.person is not None else ""
    return f"Dear {name}," if name else "Hello,"


def _checkpoint(notices: list[Notice]) -> Checkpoint | None:
    """The newest checkpoint kept of a community whose decisions the reader sees: mailboxes are witnesses.

    It is signed anew with the time of the mail: the one that was kept has the moment of a change, which may be an
    anonymous or hidden ballot, of which nobody else learns more than the hour. None where the mail tells of no
    decision: its reader may be no member.
    """
    community = next((notice.community_id for notice in notices if notice.decision_id is not None), None)
    kept = Checkpoint.objects.filter(community=community).order_by("-revision").first() if community else None
    return checkpoints.signed(kept.community_id, kept.revision, kept.hash, clock.now()) if kept is not None else None


def _in_one_line(checkpoint: Checkpoint) -> str:
    """A checkpoint as the verifier reads it, as short as JSON can be."""
    return json.dumps(checkpoints.content(checkpoint), separators=(",", ":"))


def _message_id(notice: Notice) -> str:
    named = salted_hmac("democracy.notices.mails", str(notice.pk), algorithm="sha256").hexdigest()[:32]
    return f"<{named}@{urlsplit(settings.SITE_URL).hostname}>"
