"""Contents of the mails that were sent."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from django.core.mail import EmailMessage


def link_in(mail: EmailMessage) -> str:
    """Return the path, with its query, of the one link in the mail."""
    (link,) = re.findall(r"^https?://\S+$", str(mail.body), re.MULTILINE)
    parts = urlsplit(link)
    return urlunsplit(("", "", parts.path, parts.query, ""))


def token_in(mail: EmailMessage) -> str:
    return link_in(mail).partition("?")[0].removeprefix("/sign-in/").removesuffix("/")


def code_in(mail: EmailMessage) -> str:
    """Return the six-figure code in the mail, as it is read."""
    (code,) = re.findall(r"^ +(\d{3} \d{3})$", str(mail.body), re.MULTILINE)
    return code
