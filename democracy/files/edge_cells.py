"""Cells of an edge list: ids and weights, and whatever speaks against taking a text for one."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from democracy.files import lengths
from democracy.files.malformed import Malformed, on_line
from democracy.tags import normalise_tag

# Beyond this a weight is no tag, and no weight either.
_MOST_DIGITS = 30
# The colon at the end: of a list of whom each one follows, `1: 2 3`.
_NOT_IN_IDS = re.compile(r"""[,;\t|"{}“”„«»`]|\A'|'\Z|:\Z""")
_NUMBERS = re.compile(r"[-+\d.]+(?: +[-+\d.]+)+")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")


def read_id(text: str, line: int) -> str:
    """Read an id, normalised. Raises Malformed."""
    found, fault = _checked_id(text)
    if fault:
        raise Malformed(on_line(line), fault)
    return found


# The same ids and weights come again and again.
@lru_cache(maxsize=100_000)
def _checked_id(text: str) -> tuple[str, str]:
    """Normalise an id, and say what speaks against it."""
    found = unicodedata.normalize("NFC", text)
    if not 1 <= len(found) <= lengths.ID or not found.isprintable():
        return found, f"an id has 1 to {lengths.ID} printable characters."
    if _NOT_IN_IDS.search(found):
        return found, (
            f"{found!r} is no id: it has a separator, quote or brace in it. Between the columns of a file stand "
            "spaces, tabs, commas or semicolons: one of them."
        )
    if any(found.count(opening) != found.count(closing) for opening, closing in ("()", "[]", "<>")):
        return found, f"{found!r} is no id: a bracket in it has no counterpart."
    if _NUMBERS.fullmatch(found) or not any(map(str.isalnum, found)):
        return found, f"{found!r} is no id: it is several numbers, or has no letter or figure."
    return found, ""


def is_number(text: str) -> bool:
    """Tell whether a cell is a number, also where it is not certain which one: 1,000."""
    return _number(text) is not None or _THOUSANDS.fullmatch(text) is not None


def read_weight(text: str, line: int) -> Decimal:
    """Read a weight. Raises Malformed where it is no number, or may be two."""
    if _THOUSANDS.fullmatch(text):
        raise Malformed(on_line(line), f"the weight {text!r} may be thousands or have decimals: write it with a point.")
    weight = _number(text)
    if weight is None:
        raise Malformed(on_line(line), f"the weight {text!r} is not a number.")
    return weight


@lru_cache(maxsize=100_000)
def _number(text: str) -> Decimal | None:
    # Python reads 1_000 as a number; files of data don't write so.
    if _THOUSANDS.fullmatch(text) or "_" in text:
        return None
    try:
        number = Decimal(text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < _MOST_DIGITS > len(text) else None


@lru_cache(maxsize=100_000)
def weight_tag(weight: Decimal) -> str:
    """Write a weight as a tag, however it was written before: .8 and 0.80 are "0.8"."""
    return normalise_tag(format(abs(weight).normalize(), "f"))
