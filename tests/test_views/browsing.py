"""Looking at pages as somebody, and saying what came back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from tests import rules


def as_(user: User | None) -> Client:
    """A browser in which this person is signed in; None: a visitor."""
    client = Client()
    if user is not None:
        client.force_login(user, backend="accounts.backends.SignInLinkBackend")
    return client


# White space at the edges of these shows nowhere.
_BLOCKS = re.compile(
    r" ?(</?(?:dd|div|dl|dt|figcaption|figure|h[1-6]|li|main|ol|p|section|table|tbody|td|th|thead|tr|ul)\b[^>]*>) ?"
)


def text(response: Any) -> str:
    """The page as one line, so that sentences can be found however the template breaks them."""
    return _BLOCKS.sub(r"\1", " ".join(response.content.decode().split()))


def told(response: Any) -> list[str]:
    """The messages that the next page shows."""
    return [str(message) for message in get_messages(response.wsgi_request)]


@contextmanager
def nothing_written() -> Iterator[None]:
    before = rules.written()
    yield
    assert rules.written() == before


def queries(client: Client, address: str, **headers: str) -> int:
    """The number of SQL queries of a page once the session is known."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address, headers=headers).status_code == 200
    return len(captured)
