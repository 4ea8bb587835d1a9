"""Checks of texts and rows before they are written. An error names the field."""

from __future__ import annotations

import unicodedata

from django.core.exceptions import ValidationError
from django.db import models

from accounts.text import clean_name
from democracy.errors import ChangedMeanwhile, InvalidInput, TextHidden
from democracy.ledger import newest_entry
from democracy.reading.moderation import is_hidden


def line(value: str, *, field: str) -> str:
    """Clean a one-line text: trimmed, without invisible characters that reorder or hide what is read.

    Raises InvalidInput where nothing visible is left or where it has control characters.
    """
    if not value.isprintable() and _has_controls("".join(value.split())):
        raise InvalidInput("This must not have control characters.", field=field)
    cleaned = clean_name(value)
    if all(unicodedata.category(character) in {"Cf", "Zs"} for character in cleaned):
        raise InvalidInput("This must not be empty.", field=field)
    return cleaned


def text(value: str, *, field: str) -> str:
    """Trim a text of any number of lines.

    Raises InvalidInput for control characters other than line breaks and tabs.
    """
    cleaned = value.replace("\r\n", "\n").strip()
    if not cleaned.isprintable() and _has_controls(cleaned.replace("\n", "").replace("\t", "")):
        raise InvalidInput("This must not have control characters.", field=field)
    return cleaned


def _has_controls(value: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in value)


def check_unchanged(community_id: int, subject: str, if_revision: int | None) -> None:
    """Refuse a change of what the ledger has changed after `if_revision`; None asks nothing. Call it under the lock.

    Raises ChangedMeanwhile.
    """
    if if_revision is None:
        return
    entry = newest_entry(community_id, subject)
    if entry is not None and entry.revision > if_revision:
        raise ChangedMeanwhile


def check_not_hidden(words: str, community_id: int, subject: str, place: str) -> None:
    """Refuse the words that an operator has hidden at this place. Raises TextHidden."""
    if words and is_hidden(community_id, subject, place, words):
        raise TextHidden("The site's operator has hidden these words. Write others.", field=place)


def check(row: models.Model) -> None:
    """Check a row's own fields (lengths, choices). Raises InvalidInput naming the first field at fault."""
    # Relations were found by the command itself; checking them again would cost a query each.
    relations = {field.name for field in row._meta.fields if field.is_relation}
    try:
        row.clean_fields(exclude=relations)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidInput(messages[0], field=field) from error
    # Django leaves the length of a text of many lines to its forms.
    for column in row._meta.fields:
        most = column.max_length if isinstance(column, models.TextField) else None
        if most and len(getattr(row, column.name)) > most:
            raise InvalidInput(f"This has at most {most:,} characters.", field=column.name)
