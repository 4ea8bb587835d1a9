"""Rules for every request and every answer, whichever view it is for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseBase
from django.utils.cache import patch_cache_control
from django.utils.decorators import sync_and_async_middleware

from accounts.api_failures import failure, is_api
from accounts.requests import HtmxRequest

Handler = Callable[[HtmxRequest], Any]
# A number with more digits than any id has.
_LARGE = re.compile(r"/[0-9]{19,}(/|$)")


@sync_and_async_middleware
def private_answers(get_response: Handler) -> Handler:
    """Keep personal answers out of every cache, the browser's included.

    Personal are pages of signed-in people, fragments, and answers of the API. An answer that sets its own caching keeps
    it.
    """
    if iscoroutinefunction(get_response):

        async def in_loop(request: HtmxRequest) -> HttpResponseBase:
            return _private(request, await get_response(request))

        return in_loop

    def in_thread(request: HtmxRequest) -> HttpResponseBase:
        return _private(request, get_response(request))

    return in_thread


def _private(request: HtmxRequest, response: HttpResponseBase) -> HttpResponseBase:
    is_somebodys = (
        settings.SESSION_COOKIE_NAME in request.COOKIES
        or settings.SESSION_COOKIE_NAME in response.cookies
        or "Authorization" in request.headers
        or request.htmx
        or is_api(request.path_info)
    )
    if is_somebodys and not response.has_header("Cache-Control"):
        patch_cache_control(response, private=True, no_store=True)
    return response


@sync_and_async_middleware
def readable_requests(get_response: Handler) -> Handler:
    """Refuse addresses and cookies that cannot be ours: with U+0000, or with a number that no row can have."""
    if iscoroutinefunction(get_response):

        async def in_loop(request: HtmxRequest) -> HttpResponseBase:
            return _refusal(request) or await get_response(request)

        return in_loop

    def in_thread(request: HtmxRequest) -> HttpResponseBase:
        return _refusal(request) or get_response(request)

    return in_thread


def _refusal(request: HttpRequest) -> HttpResponseBase | None:
    is_readable = (
        "\0" not in request.path_info
        and not _LARGE.search(request.path_info)
        and "%00" not in request.META.get("QUERY_STRING", "")
        and not any("\0" in value for value in request.COOKIES.values())
    )
    if is_readable:
        return None
    message = "This is no address of this site."
    return failure(400, message) if is_api(request.path_info) else HttpResponseBadRequest(message)
