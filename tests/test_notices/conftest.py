from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.test_notices.smtp import Mailbox, serving


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    """A mail server that Django's own backend sends to."""
    found = Mailbox()
    with serving(found) as port:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 2
        yield found
