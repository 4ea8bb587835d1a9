"""The admission of operations: so many in a minute, and what the headers of an answer tell of that.

The headers are those of draft-ietf-httpapi-ratelimit-headers: `RateLimit-Policy` has the limit (q) and its window (w),
`RateLimit` what remains (r) and the seconds until the window ends (t).
"""

from __future__ import annotations

import asyncio

from django.conf import settings

from accounts import ratelimit
from accounts.api import RequestContext
from accounts.errors import TooManyRequests
from accounts.ratelimit import Rate
from crowdvote.api.concurrency import limits_of

_SECONDS = 60
HEADERS = {"RateLimit-Policy", "RateLimit"}


async def admit(context: RequestContext) -> None:
    """Count one more operation in this minute, before reading any of it. Raises TooManyRequests."""
    limit = settings.OPERATIONS_PER_MINUTE
    if not limit:
        return
    who, _ = limits_of(context)[0]
    try:
        rate = await asyncio.to_thread(ratelimit.hit, "operations", who, limit=limit, seconds=_SECONDS)
    except TooManyRequests as error:
        _tell(context, Rate(limit, _SECONDS, remaining=0, reset=error.wait))
        raise
    _tell(context, rate)


def _tell(context: RequestContext, rate: Rate) -> None:
    """Write the rate into the headers of the answer; a message over WebSocket has none.

    The visitors of an address share a rate. What remains of it would tell one of them how much the others ask, so they
    are told the limit alone until it is reached.
    """
    if context.response is None:
        return
    context.response["RateLimit-Policy"] = f'"operations";q={rate.limit};w={rate.seconds}'
    if context.viewer.pk or not rate.remaining:
        context.response["RateLimit"] = f'"operations";r={rate.remaining};t={rate.reset}'
