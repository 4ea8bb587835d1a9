"""Changing the address that one signs in with: the new address confirms by a code, the old one is told.

Whoever reads the new mailbox and sits at the browser that asked is the person. A link would let a stranger into the
account, if the address was mistyped: only this browser's session knows what the code stands for.
"""

from __future__ import annotations

import logging
from functools import partial

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import IntegrityError, transaction

from accounts import codes, mail, ratelimit, services
from accounts.errors import AddressTaken, DemoAccount, InvalidCode, InvalidEmail, MailNotSent
from accounts.models import User

logger = logging.getLogger(__name__)
CODE = "new_address_code"


def request_change(user: User, email: str, *, client: str, session: SessionBase) -> None:
    """Mail a code to the new address, and tell the old one.

    The caller does not learn whether somebody has an account with the new address: only its mailbox is told. Raises
    InvalidEmail, TooManyRequests, MailNotSent, DemoAccount.
    """
    require_own(user)
    address = services.checked_address(email)
    if address == user.email:
        raise InvalidEmail("This is your address already.")
    ratelimit.hit("changes of one account's address", str(user.pk), limit=settings.SIGN_IN_LIMIT_PER_ADDRESS)
    services.limit_mails(address, client=client)
    is_taken = User.objects.filter(email=address).exists()
    code = codes.keep(session, CODE, address=address, user=user.pk)
    told = {"old": user.email, "new": address}
    if user.email:
        mail.send(user.email, "Somebody asks to change your address", "accounts/mail/address_asked.txt", told)
    shown = None if is_taken else codes.spaced(code)
    context = {"code": shown, "minutes": settings.SESAME_MAX_AGE // 60, **told}
    mail.send(
        address, f"Your new address for CrowdVote at {mail.site_name()}", "accounts/mail/new_address.txt", context
    )


def waiting_address(user: User, session: SessionBase) -> str | None:
    """Return the new address whose code this session waits for, or None."""
    kept = codes.waiting(session, CODE)
    return kept["address"] if kept and kept["user"] == user.pk else None


def confirm_change(user: User, code: str, *, session: SessionBase) -> User:
    """Change the address to the one that the code was mailed to. Raises InvalidCode, AddressTaken."""
    if waiting_address(user, session) is None:
        raise InvalidCode("No new address waits to be confirmed here. Ask for a mail to it.")
    address = codes.redeem(session, CODE, code)["address"]
    old = user.email
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk, is_active=True).update(email=address)
            if old:
                transaction.on_commit(partial(_tell, old, address), robust=True)
    except IntegrityError as error:
        raise AddressTaken("There is another account with this address. Close that one first.") from error
    user.email = address
    return user


def require_own(user: User) -> None:
    """Refuse for people of the demo: everybody may be signed in as they. Raises DemoAccount."""
    if user.is_demo:
        raise DemoAccount("This account belongs to the demo: everybody may sign in to it, so it stays as it is.")


def _tell(old: str, new: str) -> None:
    context = {"old": old, "new": new}
    try:
        mail.send(old, "Your address was changed", "accounts/mail/address_changed.txt", context)
    except MailNotSent as error:
        logger.warning("an old address was not told that it is none any more: %s", error)
