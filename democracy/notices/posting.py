"""Posting of webhooks' messages over HTTP, several at the same time, each within a few seconds.

The connection must go to the address that was checked (`public_addresses`), under the name that the certificate is
for; no redirect may be followed, and nothing of an answer but its status is wanted. Clients such as urllib look a name
up themselves, and wait so long for each piece, not for the whole, so that a receiver that drips holds them for ever.
h11, which uvicorn brings, writes and reads HTTP over a connection that we open, and limits an answer's head.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import h11

from democracy.notices.public_addresses import is_allowed, port_of

# Seconds for one message: looking up the name, connecting, posting and the head of the answer.
TIMEOUT = 10.0
_CHUNK = 65_536


@dataclass(frozen=True)
class Letter:
    """A message, and the headers that sign it."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """The outcome: the `status`, None where there was none, and the `problem` in words, "" where it was taken."""

    status: int | None
    problem: str = ""

    @property
    def is_taken(self) -> bool:
        return not self.problem


class _Unreachable(Exception):
    """A receiver that nothing is posted to; the message is for managers."""


def post_all(letters: Sequence[Letter]) -> list[Answer]:
    """Post these messages at the same time. Returns an answer for each."""

    async def together() -> list[Answer]:
        return await asyncio.gather(*map(_post, letters))

    return asyncio.run(together()) if letters else []


async def _post(letter: Letter) -> Answer:
    # The words say no more of this server's network than that there is nothing public.
    try:
        async with asyncio.timeout(TIMEOUT):
            return _answer(await _exchange(letter))
    except _Unreachable as error:
        return Answer(None, str(error))
    except TimeoutError:
        return Answer(None, f"It did not answer within {TIMEOUT:.0f} seconds.")
    except ssl.SSLCertVerificationError:
        return Answer(None, "Its certificate is not valid.")
    except (OSError, h11.ProtocolError):
        return Answer(None, "The connection failed.")


def _answer(status: int) -> Answer:
    if 200 <= status < 300:
        return Answer(status)
    if 300 <= status < 400:
        return Answer(status, f"It answered {status}. Redirects are not followed: give the address that they lead to.")
    return Answer(status, f"It answered {status}.")


async def _exchange(letter: Letter) -> int:
    """Post one message. Returns the status of the answer."""
    parts = urlsplit(letter.url)
    reader, writer = await _connection(parts)
    try:
        http = h11.Connection(our_role=h11.CLIENT)
        for event in (_request(letter, parts), h11.Data(data=letter.body), h11.EndOfMessage()):
            writer.write(http.send(event) or b"")
        await writer.drain()
        while True:
            answer = http.next_event()
            if answer is h11.NEED_DATA:
                http.receive_data(await reader.read(_CHUNK))
            elif isinstance(answer, h11.Response):
                return answer.status_code
            elif not isinstance(answer, h11.InformationalResponse):
                raise _Unreachable("The connection failed.")
    finally:
        # The rest of the answer, however long, is not wanted.
        writer.transport.abort()


def _request(letter: Letter, parts: SplitResult) -> h11.Request:
    target = parts._replace(scheme="", netloc="").geturl() or "/"
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(letter.body)),
        "User-Agent": "CrowdVote",
        "Connection": "close",
        **letter.headers,
    }
    return h11.Request(
        method="POST", target=target if target.startswith("/") else f"/{target}", headers=list(headers.items())
    )


async def _connection(parts: SplitResult) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the first address of the host that answers. Raises _Unreachable where one is not public."""
    host, port = parts.hostname or "", port_of(parts)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    problem: OSError | None = None
    for address in await _addresses(host, port):
        try:
            return await asyncio.open_connection(
                address, port, ssl=context, server_hostname=host if context is not None else None
            )
        except ssl.SSLError:
            raise
        except OSError as error:
            problem = error
    raise problem or _Unreachable("The connection failed.")


async def _addresses(host: str, port: int) -> list[str]:
    """Look a host up, once. Raises _Unreachable unless all its addresses may be posted to."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses or not all(is_allowed(ipaddress.ip_address(one)) for one in addresses):
        raise _Unreachable("Its name leads to no address of the public internet.")
    return addresses
