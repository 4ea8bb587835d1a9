"""The mail of one notice or of a day's digest, as text and HTML, with one-click unsubscribing (RFC 8058)."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.crypto import salted_hmac

from accounts.text import single_line
from democracy.models import Notice
from democracy.notices import unsubscribing
from democracy.notices.kinds import TELL_WHO_VOTED
from democracy.notices.wording import words

# Says that a mail tells who has not voted, so the page that shows kept mails to operators leaves it out.
PRIVATE = "X-CrowdVote-Private"


def address_of(notice: Notice) -> str:
    """The address to which a notice is mailed; empty where there is none any more."""
    if notice.person is None:
        return notice.address
    return (notice.person.email or "") if notice.person.is_active else ""


def mail(notices: list[Notice], address: str) -> EmailMultiAlternatives:
    """Write the mail of these notices, which are to one reader. Several are a digest."""
    said = [words(notice) for notice in notices]
    first = notices[0]
    title = said[0].title if len(said) == 1 else f"{len(said)} things that happened"
    stop = settings.SITE_URL + reverse("unsubscribe", args=[unsubscribing.token(notices)])
    context = {
        "title": title,
        "notices": [{"words": one, "url": settings.SITE_URL + one.path} for one in said],
        "is_digest": first.in_digest,
        "site": settings.SITE_URL,
        "stop": stop,
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
    if any(notice.kind in TELL_WHO_VOTED for notice in notices):
        message.extra_headers[PRIVATE] = "yes"
    message.attach_alternative(render_to_string("democracy/mail/notice.html", context), "text/html")
    return message


def _message_id(notice: Notice) -> str:
    named = salted_hmac("democracy.notices.mails", str(notice.pk), algorithm="sha256").hexdigest()[:32]
    return f"<{named}@{urlsplit(settings.SITE_URL).hostname}>"
