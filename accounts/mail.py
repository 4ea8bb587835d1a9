"""Mails about accounts, and the backend of the embedded default, which sends nothing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, send_mail
from django.core.mail.backends.console import EmailBackend
from django.template.loader import render_to_string
from django.utils import timezone

from accounts import codes
from accounts.errors import MailNotSent

# The backend of the embedded default, below.
FILE_BACKEND = "accounts.mail.ConsoleAndFileBackend"


def send_sign_in_link(address: str, url: str, *, code: str | None, purpose: str, is_closed: bool) -> None:
    """Mail `url` and `code` to `address` or, if the account is closed, say so instead. Raises MailNotSent."""
    context = {
        "url": url,
        "code": code and codes.spaced(code),
        "purpose": purpose,
        "is_closed": is_closed,
        "minutes": settings.SESAME_MAX_AGE // 60,
    }
    send(address, f"Sign in to CrowdVote at {site_name()}", "accounts/mail/sign_in.txt", context)


def site_name() -> str:
    """Return the site's name as people type it, such as vote.example.org."""
    return urlsplit(settings.SITE_URL).netloc


def send(address: str, subject: str, template: str, context: Mapping[str, object]) -> None:
    """Mail the text that the template makes of `context`, the site's address and its operator. Raises MailNotSent."""
    operator = settings.OPERATOR_CONTACT or settings.OPERATOR_NAME
    text = render_to_string(template, {"site": settings.SITE_URL, "operator": operator, **context})
    try:
        send_mail(subject, text, None, [address])
    except OSError as error:  # smtplib's errors are OSErrors too
        raise MailNotSent("The mail could not be sent. Try again in a few minutes.") from error


class ConsoleAndFileBackend(EmailBackend):
    """Write each message to the console and to a file in `settings.MAIL_DIR`.

    Only the file's owner may read it, because it may hold a sign-in link.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.MAIL_DIR)
        for message in email_messages:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{timezone.now():%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}.eml"
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(message.message().as_bytes())
        return super().send_messages(email_messages) or 0
