"""The form in which rows hold what a calculation has in arrays: sets of tags as JSON, columns of numbers as bytes."""

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import TextField
from django.db.models.functions import Cast

# Tags as the database's own text. Most rows share few sets of tags, so each text is parsed once and each set kept once.
TAGS_TEXT = Cast("tags", TextField())
# Bytes without zlib's head, and with the longest window.
_RAW = -15
_MEMORY = 9


@lru_cache(maxsize=100_000)
def tag_set(text: str) -> frozenset[str]:
    """The tags in a JSON list, as one shared object per text."""
    return frozenset(json.loads(text))


@lru_cache(maxsize=10_000)
def tag_sets(text: str) -> tuple[frozenset[str], ...]:
    """The sets of tags in a JSON list of lists, as shared objects."""
    return tuple(frozenset(tags) for tags in json.loads(text))


def squeeze(numbers: npt.NDArray[Any]) -> bytes:
    """Compress integers, byte plane by byte plane: their high bytes are much alike and all but vanish.

    Their low bytes are noise mostly. Runs alone are looked for in it, which takes a third of the time of a search for
    repetitions and comes out no longer.
    """
    little = np.ascontiguousarray(numbers, dtype=numbers.dtype.newbyteorder("<"))
    planes = little.reshape(-1).view(np.uint8).reshape(little.size, little.dtype.itemsize).T
    packer = zlib.compressobj(1, zlib.DEFLATED, _RAW, _MEMORY, zlib.Z_RLE)
    return packer.compress(planes.tobytes()) + packer.flush()


def expand(squeezed: bytes | memoryview, dtype: str, count: int | None = None) -> npt.NDArray[Any]:
    """The integers of `squeeze`, in one dimension. Raises ValueError where they are none, or not `count`."""
    kind = np.dtype(dtype)
    try:
        planes = np.frombuffer(zlib.decompress(squeezed, _RAW), dtype=np.uint8)
    except zlib.error as error:
        raise ValueError(f"a column can't be read: {error}") from error
    if len(planes) % kind.itemsize or count not in {None, len(planes) // kind.itemsize}:
        raise ValueError(f"a column of {len(planes)} bytes has not {count or 'whole'} numbers")
    numbers: npt.NDArray[Any] = np.ascontiguousarray(planes.reshape(kind.itemsize, -1).T).view(kind).reshape(-1)
    return numbers
