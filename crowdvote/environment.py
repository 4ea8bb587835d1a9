"""Variables of the environment, as settings read them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def flag(name: str, default: bool = False) -> bool:
    """Return whether the variable is 1, true, yes or on."""
    return os.environ.get(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def names(name: str, default: str = "") -> list[str]:
    """Return the names in the variable, which has commas between them."""
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def origins(name: str) -> list[str]:
    """Return the origins in the variable, such as https://example.org. Raises ImproperlyConfigured if one is none."""
    found = names(name)
    for origin in found:
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?", origin):
            raise ImproperlyConfigured(
                f"{name} has origins such as https://example.org, in small letters and without a path, not {origin!r}."
            )
    return found


def number(name: str, default: float) -> float:
    """Return the number in the variable, from 0 on. Raises ImproperlyConfigured if it is none."""
    value = os.environ.get(name, default)
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ImproperlyConfigured(f"{name} is a number, not {value!r}.")
    if found < 0:
        raise ImproperlyConfigured(f"{name} is a number from 0 on, not {value!r}.")
    return found


def whole_number(name: str, default: int) -> int:
    """Return the whole number in the variable, from 0 on. Raises ImproperlyConfigured if it is none."""
    found = number(name, default)
    if not found.is_integer():
        raise ImproperlyConfigured(f"{name} is a whole number, not {os.environ[name]!r}.")
    return int(found)


def one_of(name: str, default: str, *others: str) -> str:
    """Return the word in the variable. Raises ImproperlyConfigured if it is none of these."""
    value = os.environ.get(name, default)
    if value not in {default, *others}:
        raise ImproperlyConfigured(f"{name} is {', '.join([default, *others[:-1]])} or {others[-1]}, not {value!r}.")
    return value


def documents(name: str, path: str) -> Mapping[str, str] | None:
    """Return the GraphQL documents in the file that the variable names, by their SHA-256; None if it names none.

    Raises ImproperlyConfigured if the file cannot be read or is no such list.
    """
    if not path:
        return None
    try:
        found = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ImproperlyConfigured(f"{name} names a file in JSON, which {path!r} is not: {error}") from error
    if not found or not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ImproperlyConfigured(f"{name} names a file with one JSON object, of hashes and documents: not {path!r}.")
    for key, text in found.items():
        # JSON may have halves of characters, which are no text.
        if hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() != key:
            raise ImproperlyConfigured(
                f"{name}: in {path!r}, {key!r} is not the SHA-256 of its document, in small hexadecimal digits. "
                'graphql-codegen writes it with hashAlgorithm: "sha256", Relay with "algorithm": "SHA256".'
            )
    return found
