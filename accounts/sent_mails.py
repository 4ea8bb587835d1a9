"""The mails that the embedded default has written to files, read again for the page on which a demo shows them.

# Note [Nobody reads others' mails]
Mails hold links that sign their addressees in, and invitations. On a site that people use, nobody may read them, an
operator in the admin neither. So the page is there only in a demo: where mails go to files and CROWDVOTE_DEMO_SIGN_IN
lets anybody enter as anybody of the demo. Debugging alone does not show it. People who work in the admin are no part of
a demo: mails to them, by which one could become them, are for superusers alone.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from accounts.mail import FILE_BACKEND
from accounts.models import User

# The newest; older ones are in the folder.
SHOWN = 100
# As ConsoleAndFileBackend names its files.
_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6})Z-[0-9a-f]{8}")


def are_shown() -> bool:
    """Whether this site shows its mails. See Note [Nobody reads others' mails]."""
    return bool(settings.DEMO_SIGN_IN and settings.EMAIL_BACKEND == FILE_BACKEND)


@dataclass(frozen=True)
class SentMail:
    """A mail as it was written to its file, which bears its `name`."""

    name: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def recipients(self) -> str:
        return str(self.message["To"] or "")

    @property
    def written_at(self) -> datetime:
        found = _NAME.fullmatch(self.name)
        assert found is not None
        return datetime.strptime(found[1], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in self.message.items()]

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        """The mail as HTML, "" where it has none."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


def newest_mails(viewer: User | AnonymousUser) -> list[SentMail]:
    """The newest mails that the viewer may read, the newest first; none where mails are not shown."""
    return list(_readable(viewer, sorted(_names(), reverse=True)[:SHOWN]))


def find_mail(viewer: User | AnonymousUser, name: str) -> SentMail | None:
    """The mail with this name, if the viewer may read it."""
    return next(_readable(viewer, [name] if name in _names() else []), None)


def _names() -> set[str]:
    if not are_shown():
        return set()
    return {path.stem for path in Path(settings.MAIL_DIR).glob("*.eml") if _NAME.fullmatch(path.stem)}


def _readable(viewer: User | AnonymousUser, names: list[str]) -> Iterator[SentMail]:
    closed = set() if viewer.is_superuser else _addresses_in_the_admin()
    for name in names:
        mail = _read(name)
        if mail is not None and closed.isdisjoint(_addressees(mail)):
            yield mail


def _read(name: str) -> SentMail | None:
    try:
        data = (Path(settings.MAIL_DIR) / f"{name}.eml").read_bytes()
    except FileNotFoundError:
        return None
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return SentMail(name, message)


def _addressees(mail: SentMail) -> set[str]:
    fields = [str(value) for name in ("To", "Cc", "Bcc") for value in mail.message.get_all(name, [])]
    return {address.lower() for _, address in getaddresses(fields)}


def _addresses_in_the_admin() -> set[str]:
    people = User.objects.filter(Q(is_staff=True) | Q(is_superuser=True)).exclude(email=None)
    return {address.lower() for address in people.values_list("email", flat=True) if address}
