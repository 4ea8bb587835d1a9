"""Text that people typed, made safe to show on one line."""

import re
import unicodedata

_TERMINAL_SEQUENCE = re.compile("(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]")
# Zero-width joiner and non-joiner: invisible too, but scripts and emoji need them.
_JOINERS = "\u200c\u200d"
_NOT_IN_HANDLES = re.compile("[^a-z0-9]+")
# Limits of a search: databases refuse longer patterns.
MOST_WORDS = 10
_LONGEST_SEARCH = 1_000
# PostgreSQL refuses U+0000, and no encoding has lone surrogates.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def single_line(text: str) -> str:
    """Return `text` on one line, without characters that steer terminals or reorder what is read.

    Line breaks and control characters become spaces. Terminal sequences and invisible format characters, such as
    bidirectional overrides, are removed. Lone surrogates, which no file can hold, become U+FFFD.
    """
    if text.isprintable():
        return text.strip()
    return "".join(map(_safe, _TERMINAL_SEQUENCE.sub("", text))).strip()


def clean_name(text: str) -> str:
    """Return a name as it is kept: on one line, with white space collapsed."""
    return " ".join(single_line(unicodedata.normalize("NFC", text)).split())


def handle_letters(text: str) -> str:
    """Write a name or address with the characters that a handle may have: "Inês Carvalho" as "ines_carvalho"."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NOT_IN_HANDLES.sub("_", plain).strip("_")


def ended(text: str) -> str:
    """End a sentence that may end with a name, such as that of an “e. V.”, with one full stop."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def whole_number(text: str) -> int | None:
    """Return the number in a part of an address or form, or None if no database could hold it."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def searchable(text: str) -> str:
    """Return a search without characters that databases cannot hold: no row has them."""
    return _UNSTORABLE.sub(" ", text)


def search_words(text: str) -> list[str]:
    """Return the words of a search, the first MOST_WORDS of them: each is a condition to the database."""
    words = dict.fromkeys(searchable(text[:_LONGEST_SEARCH]).split())
    return list(words)[:MOST_WORDS]


def _safe(character: str) -> str:
    match unicodedata.category(character):
        case "Cc" | "Zl" | "Zp":
            return " "
        case "Cs":
            return "\ufffd"
        case "Cf" if character not in _JOINERS:
            return ""
        case _:
            return character
