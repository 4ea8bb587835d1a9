"""Rate limits, counted in the cache, and the client that they count.

A window begins with its first hit and ends with all its counts, so nobody is locked out for longer than one window.
While the shared cache does not answer, each process counts by itself: an outage neither refuses anybody nor lets
requests pass uncounted.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.http import HttpRequest

from accounts.errors import TooManyRequests
from accounts.signals import limit_reached

logger = logging.getLogger(__name__)

T = TypeVar("T")

UNKNOWN_CLIENT = "unknown"

# Seconds before a shared cache that did not answer is asked again, so that not every request waits for it.
_PAUSE = 5.0
_asked_again_at = 0.0

# A counter tells when its window ends, too, so that one step reads both: the second (Unix time), times this, plus the
# count.
_SECOND = 10**8


@dataclass(frozen=True)
class Rate:
    """The rest of a limit: `remaining` of `limit` in a window of `seconds`, which ends after `reset` seconds."""

    limit: int
    seconds: int
    remaining: int
    reset: int


def hit(kind: str, key: str, *, limit: int, seconds: int | None = None) -> Rate:
    """Count one more of `kind` by `key`, and return what is left.

    Raises TooManyRequests beyond `limit` in a window of `seconds`, which defaults to RATE_LIMIT_SECONDS. Count only
    failures of what can fail: somebody who guesses must not lock out those who know.
    """
    seconds = seconds or settings.RATE_LIMIT_SECONDS
    number, reset = _counted(kind, key, seconds)
    if number == limit + 1:
        # Log once a window: repeated attempts must not fill the log.
        message = f"{kind.capitalize()}: {limit} in {_minutes(seconds)}"
        limit_reached.send_robust(sender=None, message=message)
    if number > limit:
        raise TooManyRequests(f"Too many attempts. Try again in {_minutes(seconds)}.", wait=reset)
    return Rate(limit, seconds, limit - number, reset)


def count(kind: str, key: str, *, seconds: int | None = None) -> int:
    """Count one more of `kind` by `key`, and return the count in the current window."""
    number, _ = _counted(kind, key, seconds or settings.RATE_LIMIT_SECONDS)
    return number


def _counted(kind: str, key: str, window: int) -> tuple[int, int]:
    """Count one more, and return the count in the current window and the seconds until that ends."""
    name, now = _name(kind, key), math.floor(time.time())
    none_yet = (now + window) * _SECOND

    def one_more(cache: BaseCache) -> int:
        cache.add(name, none_yet, timeout=window)
        try:
            return int(cache.incr(name))
        except ValueError:  # the window ended between the two calls
            cache.set(name, none_yet + 1, timeout=window)
            return none_yet + 1

    end, number = divmod(in_cache(one_more), _SECOND)
    # Another machine's clock may have begun the window.
    return number, min(max(end - now, 1), window)


def in_cache(operation: Callable[[BaseCache], T]) -> T:
    """Run the operation in the shared cache or, while that does not answer, in this process's own."""
    global _asked_again_at  # noqa: PLW0603
    if time.monotonic() >= _asked_again_at:
        try:
            return operation(caches["default"])
        except Exception as error:  # each cache raises errors of its own
            logger.warning("rate limits are counted by each process for itself: %s", error)
            _asked_again_at = time.monotonic() + _PAUSE
    return operation(caches["process"])


def client_of(request: HttpRequest) -> str:
    """Return the network address that limits count.

    This is the peer's or, behind `TRUSTED_PROXIES` = n proxies, the n-th from the right of X-Forwarded-For: addresses
    further left are the client's own claim. An IPv6 client controls a whole /64, which counts as one.
    """
    return _client(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def client_of_scope(scope: Mapping[str, Any]) -> str:
    """Return the network address that limits count, for a connection as ASGI describes it."""
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
    # Hashed: cache keys have a limited alphabet, and people's addresses do not belong in a shared cache.
    return f"rate:{hashlib.sha256(f'{kind}:{key}'.encode('utf-8', 'replace')).hexdigest()}"


def _minutes(seconds: int) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
