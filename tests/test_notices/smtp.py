"""A mail server on loopback, that takes mails, refuses addresses, is slow or goes away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.servers import free_port


class Mailbox:
    """The mails that the server took, `pause` seconds each. `on_recipient` may answer in its place, with a line of
    SMTP.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.on_recipient: Callable[[str], str | None] = lambda address: None
        self.pause = 0.0
        self.arrived = threading.Condition()

    def addresses(self) -> list[str]:
        return [str(mail["To"]) for mail in self.mails]

    def wait_for(self, count: int, timeout: float = 20) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.mails) >= count, timeout), self.addresses()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        answer = self.on_recipient(address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        await asyncio.sleep(self.pause)
        with self.arrived:
            self.mails.append(message_from_bytes(envelope.content, EmailMessage, policy=policy.default))
            self.arrived.notify_all()
        return "250 OK"


@contextmanager
def serving(mailbox: Mailbox, port: int = 0) -> Iterator[int]:
    """Serve the mailbox. Yields the port."""
    controller = Controller(mailbox, hostname="127.0.0.1", port=port or free_port(), ready_timeout=20)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
