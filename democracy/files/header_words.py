"""Comparison of headers and names with known words."""

from __future__ import annotations

import unicodedata


def words(text: str) -> frozenset[str]:
    """Split a vocabulary that is written with spaces between its words."""
    return frozenset(text.split())


def plain_word(cell: str) -> str:
    """Strip a cell of all that people vary in headers: case, spaces, hyphens, underscores."""
    folded = unicodedata.normalize("NFKC", cell).casefold()
    return "".join(character for character in folded if character.isalnum())


def name_key(cell: str) -> str:
    """Make a key that is equal for equal titles and names: NFC, case-folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFC", cell).casefold().split())
