"""Comparing what stands in headers and names with words that are known."""

from __future__ import annotations

import unicodedata


def words(text: str) -> frozenset[str]:
    """Split a vocabulary that is written with spaces between its words."""
    return frozenset(text.split())


def plain_word(cell: str) -> str:
    """A cell without what people vary in headers: case, spaces, hyphens, underscores."""
    folded = unicodedata.normalize("NFKC", cell).casefold()
    return "".join(character for character in folded if character.isalnum())


def name_key(cell: str) -> str:
    """A key under which titles and names are the same: NFC, case-folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFC", cell).casefold().split())
