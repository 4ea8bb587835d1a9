"""Passkeys: keys that people's devices keep, by which they sign in without a mail. Only if the settings say so.

fido2 does the protocol (WebAuthn). Beside what it checks, a challenge works once, the origin is exactly this site's,
and the device's counter must rise.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from accounts import mail, ratelimit, services
from accounts.addresses import require_own
from accounts.errors import InvalidPasskey, MailNotSent, NotYourPasskey, TooManyPasskeys
from accounts.models import Passkey, User

if TYPE_CHECKING:
    from fido2.server import Fido2Server

Checked = TypeVar("Checked")

logger = logging.getLogger(__name__)
BACKEND = "accounts.backends.PasskeyBackend"
MAX_PASSKEYS = 20
_ADDING, _SIGNING_IN = "new_passkey", "passkey_sign_in"
# Seconds within which people answer their device.
_PATIENCE = 10 * 60
# Characters of an answer; those of real devices have some thousand.
_LONGEST = 50_000
_NAME_IT = "Give the passkey a name that says where it is kept, in at most 80 characters."


# --- Adding, renaming, removing ---------------------------------------------------------------------------------------


def adding_options(user: User, session: SessionBase) -> dict[str, Any]:
    """Return what a device has to know to make a passkey, for JSON. The session keeps the challenge.

    Raises DemoAccount, TooManyPasskeys.
    """
    from fido2.webauthn import AttestedCredentialData, PublicKeyCredentialUserEntity, ResidentKeyRequirement

    known = _before_another(user)
    handle = bytes(known[0].user_handle) if known else secrets.token_bytes(32)
    options, state = _server().register_begin(
        PublicKeyCredentialUserEntity(id=handle, name=user.email or user.handle, display_name=user.name),
        credentials=[AttestedCredentialData(bytes(one.credential)) for one in known],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=_verification(),
    )
    _keep(session, _ADDING, state, user=user.pk, user_handle=handle.hex())
    return dict(options)


def add(user: User, name: str, answer: str, *, session: SessionBase) -> Passkey:
    """Keep the passkey that a device has made, and tell its owner by mail. `answer`: the device's, as JSON.

    Raises InvalidName, InvalidPasskey, DemoAccount, TooManyPasskeys.
    """
    name = services.checked_name(name, _NAME_IT)
    _before_another(user)
    kept = _use_up(session, _ADDING)
    if kept["user"] != user.pk:
        raise _nothing_asked()
    made = _checked(lambda said: _server().register_complete(kept["state"], said), answer)
    credential = made.credential_data
    assert credential is not None  # fido2 has checked it
    try:
        with transaction.atomic():
            passkey = Passkey.objects.create(
                user=user,
                name=name,
                digest=_digest(credential.credential_id),
                credential=bytes(credential),
                user_handle=bytes.fromhex(kept["user_handle"]),
                sign_count=made.counter,
            )
            transaction.on_commit(partial(_tell, user, name), robust=True)
    except IntegrityError as error:
        raise InvalidPasskey("This passkey was added before.") from error
    return passkey


def rename(user: User, passkey_id: int, name: str) -> Passkey:
    """Call a passkey otherwise. Raises InvalidName, NotYourPasskey."""
    name = services.checked_name(name, _NAME_IT)
    if not user.passkeys.filter(pk=passkey_id).update(name=name):
        raise NotYourPasskey("You have no such passkey.")
    return user.passkeys.get(pk=passkey_id)


def remove(user: User, passkey_id: int) -> None:
    """Forget a passkey: it signs nobody in any more. Raises NotYourPasskey."""
    if not user.passkeys.filter(pk=passkey_id).delete()[0]:
        raise NotYourPasskey("You have no such passkey.")


def _before_another(user: User) -> list[Passkey]:
    """Return the passkeys of somebody who may add one. Raises DemoAccount, TooManyPasskeys."""
    require_own(user)
    known = list(user.passkeys.order_by("pk"))
    if len(known) >= MAX_PASSKEYS:
        raise TooManyPasskeys(f"You have {MAX_PASSKEYS} passkeys already. Remove one that you no longer use.")
    return known


def _tell(user: User, name: str) -> None:
    if not user.email:
        return
    context = {"name": name, "address": user.email}
    try:
        mail.send(user.email, "A passkey was added to your account", "accounts/mail/passkey_added.txt", context)
    except MailNotSent as error:
        logger.warning("somebody was not told that a passkey was added to their account: %s", error)


# --- Signing in -------------------------------------------------------------------------------------------------------


def sign_in_options(session: SessionBase, *, client: str) -> dict[str, Any]:
    """Return what a device has to know to sign somebody in, for JSON. The session keeps the challenge.

    It is the same for everybody: the device, not the site, knows who has a passkey. Raises TooManyRequests.
    """
    ratelimit.hit("sign-ins by passkey of one client", client, limit=settings.SIGN_IN_LIMIT_PER_CLIENT)
    options, state = _server().authenticate_begin(user_verification=_verification())
    _keep(session, _SIGNING_IN, state)
    return dict(options)


def sign_in(answer: str, request: HttpRequest) -> User:
    """Sign in whose device answered the challenge of this session. `answer`: the device's, as JSON.

    Raises InvalidPasskey, TooManyRequests.
    """
    try:
        passkey = _proven(answer, request.session)
    except InvalidPasskey:
        services.count_failure(ratelimit.client_of(request), "passkey")
        raise
    services.begin_session(passkey.user, request, backend=BACKEND)
    return passkey.user


def _proven(answer: str, session: SessionBase) -> Passkey:
    """Return the passkey that answered this session's challenge, and note its use. Raises InvalidPasskey."""
    from fido2.webauthn import AttestedCredentialData, AuthenticationResponse

    kept = _use_up(session, _SIGNING_IN)
    said = _checked(lambda said: AuthenticationResponse.from_dict(dict(said)), answer)
    passkey = Passkey.objects.filter(digest=_digest(said.raw_id)).select_related("user").first()
    if passkey is None or said.response.user_handle != bytes(passkey.user_handle):
        raise InvalidPasskey("This passkey is not known here, or was removed. Sign in by mail.")
    known = AttestedCredentialData(bytes(passkey.credential))
    _checked(lambda said: _server().authenticate_complete(kept["state"], [known], said), answer)
    count = said.response.authenticator_data.counter
    rises = Q(sign_count__lt=count) if count else Q(sign_count=0)
    usable = Passkey.objects.filter(rises, pk=passkey.pk, user__is_active=True)
    if not usable.update(sign_count=count, last_used_at=timezone.now()):
        raise InvalidPasskey("This passkey does not sign you in. Sign in by mail.")
    return passkey


# --- Challenges and answers -------------------------------------------------------------------------------------------


def _server() -> Fido2Server:
    from fido2.server import Fido2Server
    from fido2.webauthn import PublicKeyCredentialRpEntity

    site = urlsplit(settings.SITE_URL)
    origin = f"{site.scheme}://{site.netloc}"
    # Left to itself, fido2 would take the answers of every name below the site's, too.
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=site.hostname, name="CrowdVote"), verify_origin=lambda found: found == origin
    )


def _verification() -> Any:
    """Return that devices ask for a PIN or finger where they can. (Some keys can't, and are better than none.)"""
    from fido2.webauthn import UserVerificationRequirement

    return UserVerificationRequirement.PREFERRED


def _keep(session: SessionBase, purpose: str, state: dict[str, Any], **content: Any) -> None:
    """Keep a challenge in the session. A second one for one purpose replaces the first."""
    session[purpose] = {"state": state, "ends": timezone.now().timestamp() + _PATIENCE, **content}


def _use_up(session: SessionBase, purpose: str) -> dict[str, Any]:
    """Take the challenge out of the session, once. Raises InvalidPasskey."""
    kept: dict[str, Any] | None = session.pop(purpose, None)
    if kept is None or kept["ends"] < timezone.now().timestamp():
        raise _nothing_asked()
    # Of two requests at once, both find it in the session.
    if ratelimit.count("uses of one challenge", kept["state"]["challenge"], seconds=_PATIENCE) > 1:
        raise _nothing_asked()
    return kept


def _nothing_asked() -> InvalidPasskey:
    return InvalidPasskey("That took too long, or was sent twice. Try again.")


def _checked(check: Callable[[Any], Checked], answer: str) -> Checked:
    """Return what `check` makes of a device's answer. Raises InvalidPasskey."""
    try:
        if len(answer) > _LONGEST:
            raise ValueError("the answer is too long")
        return check(json.loads(answer))
    except Exception as error:  # fido2 raises many kinds for what no device says
        raise InvalidPasskey("This passkey's answer is not valid. Try again, or sign in by mail.") from error


def _digest(credential_id: bytes) -> str:
    return hashlib.sha256(credential_id).hexdigest()
