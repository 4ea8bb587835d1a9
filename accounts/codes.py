"""Six-figure codes that a mail carries, for whoever reads it on another device than the one they sit at.

The browser that asked keeps in its session what the code stands for, so a code is worth nothing anywhere else. It works
once, for as long as a link does. Six figures can be guessed: each code allows few tries, and so does each address in a
day, however many codes are asked for. Links are not counted with them, so whoever guesses locks nobody out.
"""

from __future__ import annotations

import secrets
import time
import unicodedata
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts import ratelimit
from accounts.errors import InvalidCode

FIGURES = 6
TRIES = 5
TRIES_PER_ADDRESS = 20
_A_DAY = 24 * 60 * 60


def keep(session: SessionBase, purpose: str, *, address: str, **content: Any) -> str:
    """Make a code for the mail to `address`, and keep in the session what it stands for. Returns the code.

    A second code for one purpose replaces the first.
    """
    code = f"{secrets.randbelow(10**FIGURES):0{FIGURES}}"
    name = secrets.token_urlsafe(16)
    ends = time.time() + settings.SESAME_MAX_AGE
    session[purpose] = {"name": name, "digest": _digest(name, code), "address": address, "ends": ends, **content}
    return code


def waiting(session: SessionBase, purpose: str) -> dict[str, Any] | None:
    """Return what waits for a code in this session, or None."""
    kept: dict[str, Any] | None = session.get(purpose)
    return kept if kept is not None and kept["ends"] > time.time() else None


def redeem(session: SessionBase, purpose: str, typed: str) -> dict[str, Any]:
    """Use up the code that was typed, and return what it stands for. Raises InvalidCode."""
    kept = waiting(session, purpose)
    if kept is None:
        raise InvalidCode("No code waits to be typed here any more. Ask for a new mail.")
    # Every try counts before it is judged: of many at the same moment no more are judged than of one after the other.
    tries = ratelimit.count("tries of one code", kept["name"], seconds=settings.SESAME_MAX_AGE)
    of_address = ratelimit.count("tries of codes for one address", kept["address"], seconds=_A_DAY)
    if tries > TRIES or of_address > TRIES_PER_ADDRESS:
        raise InvalidCode("There were too many wrong codes. Use the link in the mail, or ask for a new mail.")
    if not constant_time_compare(kept["digest"], _digest(kept["name"], _figures(typed))):
        raise InvalidCode("This is not the code in the newest mail. Look again: it has six figures.")
    del session[purpose]
    return kept


def forget(session: SessionBase, purpose: str) -> None:
    session.pop(purpose, None)


def spaced(code: str) -> str:
    """Return the code as people read it: "123 456"."""
    return f"{code[:3]} {code[3:]}"


def _figures(typed: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKC", typed) if one.isdecimal())


def _digest(name: str, code: str) -> str:
    return salted_hmac("accounts.codes", f"{name}:{code}", algorithm="sha256").hexdigest()
