"""JSON written piece by piece, for files that are sent while they are made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

Row = TypeVar("Row")
_ROWS_A_PIECE = 1_000
_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class TextRows:
    """The rows of a list that are written as JSON already: `as_text` of their parts, put together."""

    rows: Iterator[str]


def as_text(value: Any) -> str:
    """Write a value as it stands in a file."""
    return _encode(value)


def in_pieces(content: Mapping[str, Any], *, end: str = "}") -> Iterator[str]:
    """An object as text, a key a line; an iterator is a list with a row a line, so that two files can be compared.

    A tuple is a list of objects with iterators of their own.
    """
    start = "{"
    for key, value in content.items():
        yield f"{start}{json.dumps(key)}: "
        if isinstance(value, Iterator):
            yield from _list(map(_many, _some(value)))
        elif isinstance(value, TextRows):
            yield from _list(map(",\n".join, _some(value.rows)))
        elif isinstance(value, tuple):
            for number, one in enumerate(value):
                yield ",\n" if number else "[\n"
                yield from in_pieces(one)
            yield "]"
        else:
            yield _encode(value)
        start = ",\n"
    yield end


def _some(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while some := list(islice(rows, _ROWS_A_PIECE)):
        yield some


def _list(pieces: Iterable[str]) -> Iterator[str]:
    start = "[\n"
    for piece in pieces:
        yield start + piece
        start = ",\n"
    yield "[]" if start == "[\n" else "]"


def _many(rows: list[dict[str, Any]]) -> str:
    """Rows that begin with the same key and hold no lists of objects, a row a line.

    All at once, which takes a third of the time. A row begins where this stands, and nowhere else: in a string a
    quotation mark follows a backslash, and after one that ends a string comes no letter.
    """
    begin = f"{{{_encode(next(iter(rows[0])))}: "
    return _encode(rows)[1:-1].replace(f"}}, {begin}", f"}},\n{begin}")
