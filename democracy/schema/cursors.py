"""Cursors: opaque text that says where in a list a page ended, by the values that the list is ordered by.

# Note [Sealed cursors]
The values may be what nobody is told: numbers of rows count what others do, and a result's tell when somebody voted.
So they are encrypted, and always come out as the same text, so that clients may compare them. They are bound to one
list: its order, the thing below which it is, and what filters it. Otherwise the place at which another list goes on
behind a row would tell what the row does not: between which results of one decision that of another one was stored.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings
from django.utils.crypto import salted_hmac

from democracy.errors import InvalidInput

# Texts come in lengths of so many bytes: the length of a cursor does not tell that of its values.
_BLOCK = 32
# Tells a cursor from other opaque texts.
_MARK = "row."


class InvalidCursor(InvalidInput):
    code = "INVALID_CURSOR"
    field = "after"

    def __init__(self) -> None:
        super().__init__("This is not a cursor of this list.")


def name_list(kind: str, *, parent: tuple[str, int | None], order: Any = None, filters: Any = None) -> str:
    """The name of one list, to seal its cursors with: what it lists, below which thing (type and id), in which order.

    `order` and `filters` are told apart by how they are written (`repr`).
    """
    return repr((kind, parent, order, filters))


def seal(listing: str, values: Sequence[Any]) -> str:
    """The cursor behind the row with these values (numbers, texts, truth values, times or None); `listing`: its list's
    name.
    """
    text = json.dumps([one.isoformat() if isinstance(one, datetime) else one for one in values]).encode()
    padded = text.ljust(-(-len(text) // _BLOCK) * _BLOCK)
    sealed = _cipher(settings.SECRET_KEY).encrypt(padded, [listing.encode()])
    return _MARK + base64.urlsafe_b64encode(sealed).decode()


def unseal(listing: str, cursor: str) -> list[Any]:
    """The values in a cursor of the list of this name, times as text. Raises InvalidCursor."""
    try:
        sealed = base64.b64decode(cursor.removeprefix(_MARK).encode("ascii"), altchars=b"-_", validate=True)
        values: list[Any] = json.loads(_cipher(settings.SECRET_KEY).decrypt(sealed, [listing.encode()]))
    except (UnicodeError, binascii.Error, ValueError, InvalidTag):
        raise InvalidCursor from None
    return values


@lru_cache(maxsize=4)
def _cipher(secret: str) -> AESSIV:
    return AESSIV(salted_hmac("democracy.schema.cursors", "", secret=secret, algorithm="sha256").digest())
