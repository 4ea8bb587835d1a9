"""Commands for signing in, the profile and API tokens. Pages and GraphQL call these and nothing beneath them."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import authenticate, login
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import punycode
from django.utils.http import urlencode
from sesame.utils import get_token, get_user

from accounts import codes, mail, ratelimit, rights
from accounts.errors import (
    HandleTaken,
    InvalidCode,
    InvalidEmail,
    InvalidHandle,
    InvalidLink,
    InvalidName,
    NotADemoAccount,
    NotYourToken,
    TooManyTokens,
)
from accounts.models import ApiToken, NameChanges, User, UserManager
from accounts.prepared import prepared
from accounts.signals import sign_in_failed
from accounts.text import clean_name, handle_letters

LINK_BACKEND = "accounts.backends.SignInLinkBackend"
MAX_TOKENS = 20
_FAILURES = "sign-ins that failed for one client"
_SIGN_UP_SALT = "accounts.sign-up"
_ADDRESS_SALT = "accounts.sign-in-address"
SIGN_IN_CODE = "sign_in_code"
_SIGN_UP_ATTEMPTS = 10
_LONGEST_SUGGESTION = 30
_TOKEN_PREFIX = "cv_"
_TAKEN = "Somebody else has this handle; choose another."
_LAST_USE_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class SignInLink:
    """A valid link: its address, and the person it belongs to if they have an account."""

    email: str
    user: User | None


# Note [Signing up is signing in]
# Anybody who can read an address's mail may have an account, so an unknown address gets a link too, and asking tells
# nothing about accounts. That link is not a django-sesame token, which needs a row: rows for addresses that anybody
# can type would fill the table and reserve people's handles. It is the signed address. It works once, because the
# account that it creates is unique by its address.


def request_sign_in_link(
    email: str, *, client: str, next_path: str = "", purpose: str = "", session: SessionBase | None = None
) -> None:
    """Mail a link to `email` that signs in or, for an unknown address, signs up.

    The caller does not learn whether there is an account. `client` comes from `ratelimit.client_of`. `next_path` is the
    page to go to afterwards, checked by whoever redirects there; `purpose` says in words what for. The mail also has a
    code, for the browser of this `session` alone. Raises InvalidEmail, TooManyRequests, MailNotSent.
    """
    address = checked_address(email)
    limit_mails(address, client=client)
    user = User.objects.filter(email=address).first()
    token = get_token(user) if user is not None else signing.dumps(address, salt=_SIGN_UP_SALT)
    query = {"to": signing.dumps(address, salt=_ADDRESS_SALT)} | ({"next": next_path} if next_path else {})
    url = f"{settings.SITE_URL}{reverse('sign-in-link', args=[token])}?{urlencode(query)}"
    code = None
    if session is not None:
        code = codes.keep(session, SIGN_IN_CODE, address=address, token=token, next=next_path)
    is_closed = user is not None and not user.is_active
    mail.send_sign_in_link(address, url, code=code, purpose=purpose, is_closed=is_closed)


def limit_mails(address: str, *, client: str) -> None:
    """Count a mail to an address that somebody typed. Raises TooManyRequests."""
    # The first limit protects the addressee. The second is higher: a client may be a hall of people at one address.
    ratelimit.hit("sign-in links for one address", address, limit=settings.SIGN_IN_LIMIT_PER_ADDRESS)
    ratelimit.hit("sign-in links for one client", client, limit=settings.SIGN_IN_LIMIT_PER_CLIENT)


def address_of_link(signed: str) -> str:
    """Return the address in a link's `to`, which asks for a new link in place of the old one. Raises InvalidLink."""
    try:
        address: str = signing.loads(signed, salt=_ADDRESS_SALT)
    except (signing.BadSignature, UnicodeError):
        raise InvalidLink from None
    return address


def sign_in_with_code(code: str, request: HttpRequest) -> User:
    """Sign in by the code in the mail that this browser asked for last, as by its link.

    Raises InvalidCode, InvalidLink (the link was used meanwhile), TooManyRequests.
    """
    try:
        kept = codes.redeem(request.session, SIGN_IN_CODE, code)
    except InvalidCode:
        _failure(ratelimit.client_of(request))
        raise
    return sign_in(kept["token"], request)


def peek_sign_in(token: str, *, client: str) -> SignInLink:
    """Return the content of a link without using it up: mail programs open links, too.

    Raises InvalidLink, TooManyRequests.
    """
    link = _read(token)
    if link is None:
        raise _failure(client)
    return link


def sign_in(token: str, request: HttpRequest | None = None) -> User:
    """Use up the link and sign its person in, creating the account at first. Without a request no session begins.

    Raises InvalidLink (used, expired, never made, account closed), TooManyRequests.
    """
    client = ratelimit.client_of(request) if request is not None else ratelimit.UNKNOWN_CLIENT
    user = _use_up(token)
    if user is None:
        raise _failure(client)
    if request is not None:
        begin_session(user, request)
    else:
        user_logged_in.send(sender=User, request=None, user=user)
    return user


def account_of_addressee(address: str, *, name: str = "") -> User:
    """Return the account of somebody who has just proven that an address is theirs, creating it at first.

    `address`: as `checked_address` returns it. `name`: for a new account, which gets a handle made from it. Raises
    InvalidLink where the account is closed.
    """
    user = User.objects.filter(email=address).first()
    if user is None:
        user = _sign_up(address, name)
    # Of two requests at once, the second finds the account that the first one made.
    user = user or User.objects.filter(email=address).first()
    if user is None or not user.is_active:
        raise InvalidLink("This account is closed: nobody can sign in to it.")
    return user


def begin_session(user: User, request: HttpRequest, *, backend: str = LINK_BACKEND) -> None:
    """Sign somebody in who has proven who they are, such as by a mailed link that has been used up."""
    codes.forget(request.session, SIGN_IN_CODE)
    login(request, user, backend=backend)


def sign_in_demo(handle: str, request: HttpRequest) -> User:
    """Sign in as a person of the demo communities, where DEMO_SIGN_IN is on. Raises NotADemoAccount."""
    user = authenticate(request, demo_handle=handle) if _is_allowed_handle(handle) else None
    if not isinstance(user, User):
        raise NotADemoAccount("There is no such demo account.")
    login(request, user)
    return user


def _read(token: str) -> SignInLink | None:
    """Return the content of a link; None if it was used, has expired or was never made."""
    try:
        email = signing.loads(token, salt=_SIGN_UP_SALT, max_age=settings.SESAME_MAX_AGE)
    except (signing.BadSignature, UnicodeError):
        user = get_user(token, update_last_login=False)
        return SignInLink(user.email, user) if isinstance(user, User) and user.email else None
    return None if User.objects.filter(email=email).exists() else SignInLink(email, None)


def _use_up(token: str) -> User | None:
    """Use up a link, and return its person, new or known; None if it does not work or another request was first."""
    link = _read(token)
    if link is None:
        return None
    return _sign_up(link.email) if link.user is None else _claim(link.user)


def _claim(user: User) -> User | None:
    """Use up the link of this person: its signature covers `last_login`. Returns None if another request was first."""
    now = timezone.now()
    if not User.objects.filter(pk=user.pk, last_login=user.last_login, is_active=True).update(last_login=now):
        return None
    user.last_login = now
    return user


def _sign_up(email: str, name: str = "") -> User | None:
    """Make an account. Nothing of its address is in name and handle, which everybody sees. Returns None if another
    request made one first.
    """
    shown = shown_name(name)
    for _ in range(_SIGN_UP_ATTEMPTS):
        if User.objects.filter(email=email).exists():
            return None
        handle = suggested_handle(shown) or _neutral_handle()
        try:
            with transaction.atomic():
                return User.objects.create_user(email, name=shown or handle, handle=handle, last_login=timezone.now())
        except (ValidationError, IntegrityError):
            # Somebody else took the handle (try the next one), or this link was used twice at once (give up).
            continue
    return None


def shown_name(name: str) -> str:
    """Return a name that somebody else wrote for a person; "" if it is an address, which is not to be shown."""
    return "" if "@" in name else clean_name(name)


def suggested_handle(name: str) -> str:
    """Return a free handle made from a name; "" if it holds too few letters of handles."""
    letters = handle_letters(shown_name(name))[:_LONGEST_SUGGESTION].strip("_")
    return _free_handle(letters) if _is_allowed_handle(letters) else ""


def _neutral_handle() -> str:
    """Return a handle that tells nothing of the person. One that is taken is refused when the account is made."""
    return f"member_{100_000 + secrets.randbelow(900_000)}"


def _free_handle(text: str) -> str:
    """Return a handle like `text` that nobody has."""
    base = handle_letters(text)[:_LONGEST_SUGGESTION]
    if not _is_allowed_handle(base):
        base = "member"
    taken = set(User.objects.filter(handle__startswith=base).values_list("handle", flat=True))
    handle, number = base, 1
    while handle in taken:
        number += 1
        handle = f"{base}_{number}"
    return handle


def _is_allowed_handle(handle: str) -> bool:
    try:
        User._meta.get_field("handle").run_validators(handle)
    except ValidationError:
        return False
    return bool(handle)


def checked_address(email: str) -> str:
    """Return the address as accounts keep it. Mail goes to this form only, never to another spelling. Raises
    InvalidEmail.
    """
    local, at, domain = UserManager.normalize_email(email).rpartition("@")
    try:
        address = f"{local}{at}{punycode(domain)}"
        validate_email(address)
    except (ValidationError, UnicodeError):
        address = ""
    if not address.isascii() or not 0 < len(address) <= 254:
        raise InvalidEmail("This is not an e-mail address.")
    return address


def _failure(client: str) -> InvalidLink:
    """Count a failure of this client and return the error to raise. Raises TooManyRequests."""
    count_failure(client, "magic link")
    return InvalidLink()


def count_failure(client: str, what: str) -> None:
    """Count that this client failed to sign in with `what`, and tell so. Raises TooManyRequests."""
    ratelimit.hit(_FAILURES, client, limit=settings.FAILURES_PER_CLIENT)
    sign_in_failed.send_robust(sender=None, what=what)


@dataclass(frozen=True)
class HandleCheck:
    """The verdict on a handle: free or, if not, the problem and a free suggestion."""

    handle: str
    is_free: bool
    problem: str = ""
    suggestion: str = ""


def is_unintroduced(user: User) -> bool:
    """Tell whether the account still has the name it was made with, its handle."""
    return user.name == user.handle


def suggested_name(user: User) -> str:
    """Return the person's name; "" if they have said none."""
    return "" if is_unintroduced(user) else user.name


def check_handle(user: User, text: str) -> HandleCheck:
    """Tell whether `update_profile` would accept this handle now."""
    handle = _typed_handle(text)
    if handle == user.handle:
        return HandleCheck(handle, is_free=True)
    problem = _fault_of_handle(handle, user)
    if not problem and User.objects.filter(handle=handle).exists():
        problem = _TAKEN
    if problem:
        return HandleCheck(handle, is_free=False, problem=problem, suggestion=_free_handle(handle))
    return HandleCheck(handle, is_free=True)


def _fault_of_handle(handle: str, user: User) -> str:
    """Return what is wrong with a handle, whoever has it; "" if nothing is."""
    try:
        User._meta.get_field("handle").clean(handle, user)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def _typed_handle(text: str) -> str:
    return text.strip().removeprefix("@").lower()


def update_profile(user: User, *, name: str | None = None, handle: str | None = None) -> User:
    """Change the name or handle, where given. Raises InvalidName, InvalidHandle, HandleTaken."""
    new_name = (
        user.name if name is None else checked_name(name, "Say how you want to be called, in at most 80 characters.")
    )
    new_handle = user.handle if handle is None else _typed_handle(handle)
    if new_handle != user.handle and (fault := _fault_of_handle(new_handle, user)):
        raise InvalidHandle(fault)
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(name=new_name, sort_name=new_name.casefold(), handle=new_handle)
            NameChanges.add()
    except IntegrityError as error:
        raise HandleTaken(_TAKEN) from error
    user.name, user.handle = new_name, new_handle
    return user


def checked_name(text: str, otherwise: str) -> str:
    """Return the name as it is kept. Raises InvalidName, in the words of `otherwise`."""
    name = clean_name(text)
    if not 0 < len(name) <= 80 or not any(character.isprintable() and not character.isspace() for character in name):
        raise InvalidName(otherwise)
    return name


def create_api_token(user: User, name: str) -> tuple[ApiToken, str]:
    """Create a bearer token. Returns its row and itself, never readable again. Raises InvalidName, TooManyTokens."""
    name = checked_name(name, "Give the token a name that says what it is for, in at most 80 characters.")
    if user.api_tokens.filter(revoked_at=None).count() >= MAX_TOKENS:
        raise TooManyTokens(f"You have {MAX_TOKENS} API tokens already. Revoke one that you no longer need.")
    raw = _TOKEN_PREFIX + secrets.token_urlsafe(32)
    return ApiToken.objects.create(user=user, name=name, digest=token_digest(raw)), raw


def revoke_api_token(user: User, token_id: int) -> None:
    """Revoke a token for good. Revoking it again changes nothing. Raises NotYourToken."""
    mine = ApiToken.objects.filter(pk=token_id, user=user)
    if mine.filter(revoked_at=None).update(revoked_at=timezone.now()):
        rights.changed(user.pk)
    elif not mine.exists():
        raise NotYourToken("You have no such API token.")


def user_for_token(raw: str) -> User | None:
    """Return the owner of a bearer token, or None if it is unknown, revoked or of a closed account. Records the use, at
    most once a minute.
    """
    token = next(iter(_usable_tokens(token_digest(raw))), None)
    if token is None:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at <= now - _LAST_USE_EVERY:
        unused = Q(last_used_at=None) | Q(last_used_at__lte=now - _LAST_USE_EVERY)
        ApiToken.objects.filter(unused, pk=token.pk).update(last_used_at=now)
    return token.user


@prepared
def _usable_tokens(digest: str) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(digest=digest, revoked_at=None, user__is_active=True).select_related("user")


def token_digest(raw: str) -> str:
    # The token has 256 random bits: a plain hash cannot be reversed by search, so it needs neither salt nor stretching.
    return hashlib.sha256(raw.encode("utf-8", "replace")).hexdigest()
