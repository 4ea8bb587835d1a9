"""Mail of the embedded default: printed, and kept in one file per message. Nothing is sent."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.console import EmailBackend
from django.utils import timezone


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
