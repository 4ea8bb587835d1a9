"""Reading a large JSON object whose long lists stay in the text, and are read an item at a time.

As Python's objects, a list of a million rows takes ten times the memory of its text. So the lists of the object, and
those of the objects in lists that are named, are checked once and then read anew each time they are gone through.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Container, Iterator
from typing import Any, NoReturn

from democracy.files.malformed import Malformed

_SPACE = re.compile(r"[ \t\n\r]*")
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")

# Reads the value at a place of the text; returns it with the place after it.
Scan = Callable[[str, int], tuple[Any, int]]


class JsonList:
    """A list in a text that was checked, from the bracket at `start` on. Going through it reads it."""

    def __init__(self, text: str, start: int) -> None:
        self._text, self._start = text, start

    def __iter__(self) -> Iterator[Any]:
        for item, _ in _items(self._text, self._start, _read):
            yield item


def parse(text: str, *, deep: Container[str] = ()) -> dict[str, Any]:
    """Read the JSON object in a file. Its lists become JsonList; those that are named in `deep` become lists whose
    objects have such lists. Raises Malformed with line and column.
    """
    try:
        start = _after_space(text, 0)
        found, end = _object_with_lists(text, start, deep) if text.startswith("{", start) else _check(text, start)
        if _after_space(text, end) != len(text):
            raise json.JSONDecodeError("Extra data", text, _after_space(text, end))
    except json.JSONDecodeError as error:
        raise Malformed(f"line {error.lineno}, column {error.colno}", f"this is not JSON: {error.msg}.") from error
    except ValueError as error:
        raise Malformed("", "A number has more digits than any number in a bundle.") from error
    except RecursionError as error:
        raise Malformed("", "This is nested too deeply to be a bundle.") from error
    if not isinstance(found, dict):
        raise Malformed("", "A bundle is a JSON object.")
    return found


def _object_with_lists(text: str, start: int, deep: Container[str]) -> tuple[dict[str, Any], int]:
    pairs: list[tuple[str, Any]] = []
    at = _after_space(text, start + 1)
    while not text.startswith("}", at) or pairs:
        if not text.startswith('"', at):
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        key, at = _check(text, at)
        at = _after_space(text, at)
        if not text.startswith(":", at):
            raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
        at = _after_space(text, at + 1)
        value, at = _list(text, at, is_deep=key in deep) if text.startswith("[", at) else _check(text, at)
        pairs.append((key, value))
        comma = _COMMA.match(text, at)
        if comma is None:
            at = _after_space(text, at)
            if not text.startswith("}", at):
                raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
            break
        at = comma.end()
    return _object(pairs), at + 1


def _list(text: str, start: int, *, is_deep: bool) -> tuple[Any, int]:
    """Check the list at this place."""
    kept, end = [], start + 1
    for item, after in _items(text, start, _check_deep if is_deep else _check):
        end = after
        if is_deep:
            kept.append(item)
    return kept if is_deep else JsonList(text, start), _after_space(text, end) + 1


def _check_deep(text: str, at: int) -> tuple[Any, int]:
    return _object_with_lists(text, at, deep=()) if text.startswith("{", at) else _check(text, at)


def _items(text: str, start: int, scan: Scan) -> Iterator[tuple[Any, int]]:
    """Each item of a list with the place after it."""
    at = _after_space(text, start + 1)
    if text.startswith("]", at):
        return
    while True:
        item, at = scan(text, at)
        yield item, at
        comma = _COMMA.match(text, at)
        if comma is None:
            break
        at = comma.end()
    if not text.startswith("]", _after_space(text, at)):
        raise json.JSONDecodeError("Expecting ',' delimiter", text, _after_space(text, at))


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise Malformed("", f"An object has the key {twice!r} twice.")
    return found


def _constant(name: str) -> NoReturn:
    raise Malformed("", f"{name} is no number of JSON.")


_check: Scan = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant).raw_decode
# What was checked is read without calling back into Python.
_read: Scan = json.JSONDecoder().raw_decode
