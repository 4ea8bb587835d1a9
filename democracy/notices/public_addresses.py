"""Addresses that webhooks may be posted to: those of the public internet, whatever a name leads to.

Anybody may manage a community, so whoever adds a webhook must not reach through this server what only this server
reaches: other programs of its machine and network. Names are looked up before each message, and the connection goes to
an address that was looked at, so that a name which leads elsewhere a moment later gains nothing.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from democracy.errors import InvalidInput
from democracy.models.webhooks import LONGEST_URL

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(ip: IPAddress) -> bool:
    """Whether an address is one of the public internet, to which one computer answers.

    Addresses of IPv6 that stand for one of IPv4 are refused: what they reach is for the machine's network to say.
    """
    if isinstance(ip, ipaddress.IPv6Address):
        embeds = ip.ipv4_mapped is not None or ip.sixtofour is not None or ip.teredo is not None
        if embeds or ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def is_allowed(ip: IPAddress) -> bool:
    """Whether the site may post to an address, by CROWDVOTE_WEBHOOKS_TO."""
    return settings.WEBHOOKS_TO == "any" or is_public(ip)


def checked_url(text: str) -> str:
    """Clean the address of a webhook. Raises InvalidInput, with the field `url`."""
    url = text.strip()
    if len(url) > LONGEST_URL:
        raise InvalidInput(f"An address has at most {LONGEST_URL} characters.", field="url")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidInput("An address has no spaces, and letters other than a to z are encoded.", field="url")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or "@" in parts.netloc or parts.fragment:
        raise InvalidInput("This is no whole address, such as https://example.org/hooks.", field="url")
    if parts.scheme not in _schemes():
        raise InvalidInput("An address begins with https://, so that nobody on the way reads along.", field="url")
    ip = literal(host)
    if (ip is not None and not is_allowed(ip)) or (not _is_somewhere(host, ip) and settings.WEBHOOKS_TO != "any"):
        raise InvalidInput("This address is not one of the public internet.", field="url")
    return url


def _schemes() -> set[str]:
    return {"https", "http"} if settings.WEBHOOKS_TO == "any" else {"https"}


def _is_somewhere(host: str, ip: IPAddress | None) -> bool:
    """Whether a host can be public by its form: a name with a dot in it that is not a number in disguise."""
    return ip is not None or ("." in host.strip(".") and not host.rstrip(".").rpartition(".")[2].isdigit())


def literal(host: str) -> IPAddress | None:
    """The address that a host is written as; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def port_of(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)
