"""Signing in by a provider of OpenID Connect, if the settings name one.

The provider vouches for an e-mail address, and that is all that is taken from it: a verified address is worth as much
as a mailed link that was opened. So there is no second identity to keep, to export or to close. Authlib does the
protocol: discovery, PKCE, state, nonce, and checking the ID token.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts import ratelimit, services
from accounts.errors import InvalidEmail, InvalidLink, ProviderRefused
from accounts.models import User

logger = logging.getLogger(__name__)
BACKEND = "accounts.backends.ProviderBackend"
WHAT = "OpenID Connect sign-in"
# Authlib's name for the client, under which sessions keep what must come back.
_CLIENT = "provider"
# Seconds after which the provider's addresses and keys are asked for anew.
_KEPT = 60 * 60


def name() -> str:
    """Return the provider's name as people know it; "" if there is none."""
    return settings.OIDC_NAME if settings.OIDC_ISSUER else ""


def begin(request: HttpRequest, *, next_path: str = "") -> str:
    """Return the address at the provider to which the person goes. Their session keeps what must come back.

    `next_path` is the page to go to afterwards, checked by whoever redirects there. Raises ProviderRefused,
    TooManyRequests.
    """
    client = ratelimit.client_of(request)
    ratelimit.hit("sign-ins by OpenID Connect of one client", client, limit=settings.SIGN_IN_LIMIT_PER_CLIENT)
    address = settings.SITE_URL + reverse("provider-answer")
    try:
        provider = _provider()
        started = provider.create_authorization_url(address)
    except Exception as error:  # of the network, or of what the provider says of itself
        raise _unreachable(error) from error
    provider.save_authorize_data(request, redirect_uri=address, next=next_path, **started)
    url: str = started["url"]
    return url


def wanted(request: HttpRequest) -> str:
    """Return the page to which somebody wanted to go whom the provider sent back; "" if this browser knows of none."""
    from authlib.integrations.django_client import DjangoIntegration

    kept = DjangoIntegration(_CLIENT).get_state_data(request.session, request.GET.get("state"))
    next_path: str = (kept or {}).get("next", "")
    return next_path


def finish(request: HttpRequest) -> User:
    """Sign in whoever the provider sent back, creating the account at first.

    An answer works once, and only in the browser that asked for it. Raises ProviderRefused, TooManyRequests.
    """
    try:
        user = services.account_of_addressee(_verified_address(_claims(request)))
    except (ProviderRefused, InvalidLink) as refusal:
        services.count_failure(ratelimit.client_of(request), WHAT)
        raise ProviderRefused(refusal.message) from refusal
    services.begin_session(user, request, backend=BACKEND)
    return user


def _claims(request: HttpRequest) -> dict[str, Any]:
    """Return what the provider says of the person. Raises ProviderRefused."""
    from authlib.integrations.base_client import MismatchingStateError, OAuthError

    if request.GET.get("error") == "access_denied":
        raise ProviderRefused(f"You did not agree at {name()}, so you are not signed in.")
    if request.GET.get("iss", settings.OIDC_ISSUER) != settings.OIDC_ISSUER:
        raise ProviderRefused(f"This answer comes from somebody else than {name()}. Start again.")
    try:
        provider = _provider()
        issuer = {"essential": True, "value": settings.OIDC_ISSUER}
        audience = {"essential": True, "value": settings.OIDC_CLIENT_ID}
        token = provider.authorize_access_token(request, claims_options={"iss": issuer, "aud": audience})
        claims = dict(token["userinfo"])
        if "email" not in claims and "userinfo_endpoint" in provider.server_metadata:
            said = provider.userinfo(token=token)
            claims |= said if said["sub"] == claims["sub"] else {}
    except MismatchingStateError as error:
        raise ProviderRefused("This sign-in was not begun in this browser, or is over. Start again.") from error
    except OAuthError as error:
        raise ProviderRefused(f"{name()} did not sign you in. Start again.") from error
    except Exception as error:  # of the network, of the ID token, or of what the provider says of itself
        raise _unreachable(error) from error
    return claims


def _verified_address(claims: dict[str, Any]) -> str:
    """Return the address that the provider vouches for. Raises ProviderRefused."""
    # Some providers write it as a word.
    if claims.get("email_verified") not in (True, "true"):
        raise ProviderRefused(
            f"{name()} does not say that your e-mail address is verified. Have it verified there, or sign in by mail."
        )
    try:
        return services.checked_address(str(claims.get("email", "")))
    except InvalidEmail as error:
        raise ProviderRefused(f"{name()} names no e-mail address of yours. Sign in by mail.") from error


def _provider() -> Any:
    """Return Authlib's client, which knows the provider's addresses. Raises what the network raises."""
    period = int(time.time() // _KEPT)
    return _client(settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET, period)


@lru_cache(maxsize=1)
def _client(issuer: str, client_id: str, secret: str, period: int) -> Any:
    from authlib.integrations.django_client import OAuth

    client = OAuth().register(
        _CLIENT,
        client_id=client_id,
        client_secret=secret,
        server_metadata_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email",
            "code_challenge_method": "S256",
            "default_timeout": settings.OIDC_TIMEOUT,
        },
    )
    metadata = client.load_server_metadata()
    if metadata.get("issuer") != issuer:
        raise ValueError(f"the issuer calls itself {metadata.get('issuer')!r}, not {issuer!r}")
    return client


def _unreachable(error: Exception) -> ProviderRefused:
    logger.warning("the provider of OpenID Connect does not answer as it should: %s", error)
    return ProviderRefused(f"{name()} does not answer as it should. Try again in a few minutes, or sign in by mail.")
