"""JSON written piece by piece, for files that are sent while they are made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

_ROWS_A_PIECE = 1_000
_encode = json.JSONEncoder(ensure_ascii=False).encode


def in_pieces(content: Mapping[str, Any], *, end: str = "}") -> Iterator[str]:
    """An object as text, a key a line; an iterator is a list with a row a line, so that two files can be compared.

    A tuple is a list of objects with iterators of their own.
    """
    start = "{"
    for key, value in content.items():
        yield f"{start}{json.dumps(key)}: "
        if isinstance(value, Iterator):
            yield from _list(value)
        elif isinstance(value, tuple):
            for number, one in enumerate(value):
                yield ",\n" if number else "[\n"
                yield from in_pieces(one)
            yield "]"
        else:
            yield _encode(value)
        start = ",\n"
    yield end


def _list(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    """Rows that begin with the same key and hold no lists of objects, a row a line."""
    start = "[\n"
    while some := list(islice(rows, _ROWS_A_PIECE)):
        # All at once, which takes a third of the time. A row begins where this stands, and nowhere else: in a string a
        # quotation mark follows a backslash, and after one that ends a string comes no letter.
        begin = f"{{{_encode(next(iter(some[0])))}: "
        yield start + _encode(some)[1:-1].replace(f"}}, {begin}", f"}},\n{begin}")
        start = ",\n"
    yield "[]" if start == "[\n" else "]"
