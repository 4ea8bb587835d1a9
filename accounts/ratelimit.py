"""Rate limits as counters in the cache, and who the client is that they count.

A window begins with its first hit and forgets everything at its end, so nobody is locked out for longer than one
window. While the shared cache does not answer, each process counts for itself: nobody is refused, and nothing let
through without counting, for want of a counter.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.http import HttpRequest

from accounts.errors import TooManyRequests
from accounts.signals import limit_reached

logger = logging.getLogger(__name__)

UNKNOWN_CLIENT = "unknown"

# Seconds in which a shared cache that did not answer is not asked again, so that not every request waits for it.
_PAUSE = 5.0
_asked_again_at = 0.0


def hit(kind: str, key: str, *, limit: int, seconds: int | None = None) -> None:
    """Count one more of `kind` by `key`. Raises TooManyRequests beyond `limit` within the window of so many seconds
    (RATE_LIMIT_SECONDS).

    Of what may fail only failures are counted: whoever tries what is wrong must not keep others from what is right.
    """
    seconds = seconds or settings.RATE_LIMIT_SECONDS
    number = count(kind, key, seconds=seconds)
    if number == limit + 1:
        # Once a window, when the limit bites first: whoever goes on knocking does not fill the log.
        message = f"{kind.capitalize()}: {limit} in {_minutes(seconds)}"
        limit_reached.send_robust(sender=None, message=message)
    if number > limit:
        raise TooManyRequests(f"Too many attempts. Try again in {_minutes(seconds)}.")


def count(kind: str, key: str, *, seconds: int | None = None) -> int:
    """Count one more of `kind` by `key`; returns how many there are in the window now."""
    name, window = _name(kind, key), seconds or settings.RATE_LIMIT_SECONDS

    def one_more(cache: BaseCache) -> int:
        cache.add(name, 0, timeout=window)
        try:
            return int(cache.incr(name))
        except ValueError:  # the window ended between the two calls
            cache.set(name, 1, timeout=window)
            return 1

    return _counting(one_more)


def _counting(operation: Callable[[BaseCache], int]) -> int:
    """Do it in the shared cache, or, while that does not answer, in this process's own."""
    global _asked_again_at  # noqa: PLW0603
    if time.monotonic() >= _asked_again_at:
        try:
            return operation(caches["default"])
        except Exception as error:  # each cache raises errors of its own
            logger.warning("rate limits are counted by each process for itself: %s", error)
            _asked_again_at = time.monotonic() + _PAUSE
    return operation(caches["process"])


def client_of(request: HttpRequest) -> str:
    """The network address that limits count: the peer's or, behind `TRUSTED_PROXIES` = n proxies, the n-th from the
    right of X-Forwarded-For.

    What stands further left in that header is the client's own claim. An IPv6 client commands a whole /64, which counts
    as one.
    """
    return _client(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def client_of_scope(scope: Mapping[str, Any]) -> str:
    """The same, of a connection as ASGI describes it."""
    forwarded = [value for name, value in scope.get("headers", ()) if name == b"x-forwarded-for"]
    return _client((scope.get("client") or ("",))[0], b",".join(forwarded).decode("latin-1"))


def _client(peer: str, forwarded_for: str) -> str:
    proxies = settings.TRUSTED_PROXIES
    forwarded = forwarded_for.split(",")
    named = forwarded[-proxies] if 0 < proxies <= len(forwarded) else ""
    return _network(named) or _network(peer) or UNKNOWN_CLIENT


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address.strip().strip("[]"))
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip), 64), strict=False))


def _name(kind: str, key: str) -> str:
    # Hashed: a cache key has a limited alphabet, and addresses of people do not belong in a shared cache.
    return f"ratelimit:{hashlib.sha256(f'{kind}:{key}'.encode('utf-8', 'replace')).hexdigest()}"


def _minutes(seconds: int) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
