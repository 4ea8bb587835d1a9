"""Comparison of headers and names with known words, and with what options name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from accounts.text import whole_number
from democracy.files.malformed import Malformed


def words(text: str) -> frozenset[str]:
    """Split a vocabulary that is written with white space between its words."""
    return frozenset(text.split())


def plain_word(cell: str) -> str:
    """Strip a cell of all that people vary in headers: case, spaces, hyphens, underscores."""
    folded = unicodedata.normalize("NFKC", cell).casefold()
    return "".join(character for character in folded if character.isalnum())


def name_key(cell: str) -> str:
    """Make a key that is equal for equal titles and names: NFC, case-folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFC", cell).casefold().split())


def named_column(wanted: str, names: Mapping[int, Iterable[str]], option: str, place: str, *, numbered: int = 0) -> int:
    """Find the column that an option names: by one of its names or, up to `numbered`, by its number from 1.

    Raises Malformed where no column or several are called so.
    """
    found = [at for at, called in names.items() if name_key(wanted) in map(name_key, called)]
    number = whole_number(wanted)
    if not found and number is not None and 1 <= number <= numbered:
        return number - 1
    if len(found) != 1:
        many = f"{len(found)} columns are" if found else "no column is"
        raise Malformed(place, f"{many} called {wanted!r}, which {option} names.")
    return found[0]
