"""Bearer tokens: `Authorization: Bearer ...` identifies the viewer, over HTTP and when a WebSocket opens.

A browser never adds this header by itself, so a request that has it needs no CSRF token. A session cookie beside it is
ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from channels.auth import get_user
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.decorators import sync_and_async_middleware

from accounts import ratelimit
from accounts.api_failures import failure
from accounts.errors import AccountError, InvalidToken, TooManyRequests
from accounts.models import User
from accounts.services import user_for_token
from accounts.signals import sign_in_failed

_FAILURES = "API tokens that failed for one client"

Response = Callable[[HttpRequest], Any]


@sync_and_async_middleware
def bearer_tokens(get_response: Response) -> Response:
    """Identify the viewer by a bearer token. Follows AuthenticationMiddleware and replaces its `request.user`.

    Answers a wrong token with 401; never treats it as a visitor.
    """
    if iscoroutinefunction(get_response):

        async def in_loop(request: HttpRequest) -> HttpResponseBase:
            refusal = await sync_to_async(_identify)(request) if _token_of(request) is not None else None
            return refusal or await get_response(request)

        return in_loop

    def in_thread(request: HttpRequest) -> HttpResponseBase:
        return _identify(request) or get_response(request)

    return in_thread


def _identify(request: HttpRequest) -> JsonResponse | None:
    """Set the request's user from its bearer token, if it has one. Returns the refusal of a wrong token."""
    token = _token_of(request)
    if token is None:
        return None
    try:
        user = _person(token, client=ratelimit.client_of(request))
    except AccountError as error:
        return _refusal(error)

    async def auser() -> User:
        return user

    request.user = user
    request.auser = auser
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    return None


def _person(token: str, *, client: str) -> User:
    user = user_for_token(token)
    if user is None:
        ratelimit.hit(_FAILURES, client, limit=settings.FAILURES_PER_CLIENT)
        sign_in_failed.send_robust(sender=None, what="API token")
        raise InvalidToken
    return user


def _refusal(error: AccountError) -> JsonResponse:
    status = 429 if isinstance(error, TooManyRequests) else 401
    response = failure(status, error.message, error.code)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    if isinstance(error, TooManyRequests):
        response["Retry-After"] = str(error.wait)
    response["Cache-Control"] = "no-store"
    return response


def _token_of(request: HttpRequest) -> str | None:
    return bearer_token(request.META.get("HTTP_AUTHORIZATION", ""))


def bearer_token(authorization: object) -> str | None:
    """Return the token in an Authorization header, or None if the header is of another kind."""
    scheme, _, token = str(authorization or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def user_for_scope(
    scope: Mapping[str, Any], connection_params: Mapping[str, Any] | None = None
) -> User | AnonymousUser:
    """Return the person at the other end of a WebSocket, as of now.

    Ask again before sending more: an open socket outlives a sign-out. A bearer token comes in the header of the
    handshake or as `Authorization` in the connection parameters, and takes precedence over the session cookie. Raises
    InvalidToken, TooManyRequests.
    """
    token = token_of_socket(scope, connection_params or {})
    if token is not None:
        return await sync_to_async(_person)(token, client=ratelimit.client_of_scope(scope))
    session = scope.get("session")
    if session is None or session.session_key is None:
        return AnonymousUser()
    # Read the session anew: the scope's own dates from when the socket opened.
    store = import_module(settings.SESSION_ENGINE).SessionStore
    user: User | AnonymousUser = await get_user({"session": store(session.session_key)})
    return user


def token_of_socket(scope: Mapping[str, Any], connection_params: Mapping[str, Any]) -> str | None:
    """Return the bearer token of a WebSocket's connection parameters or of its handshake, or None."""
    for name, value in connection_params.items():
        if name.lower() == "authorization" and (token := bearer_token(value)) is not None:
            return token
    header = dict(scope.get("headers", ())).get(b"authorization", b"")
    return bearer_token(header.decode("latin-1"))
