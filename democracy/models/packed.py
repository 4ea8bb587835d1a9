"""The form in which rows hold what a calculation has in arrays: sets of tags as JSON, microstars as bytes."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from django.db.models import TextField
from django.db.models.functions import Cast

_MICROSTARS = np.dtype("<i4")
# Tags as the database's own text. Most rows share few sets of tags, so each text is parsed once and each set kept once.
TAGS_TEXT = Cast("tags", TextField())


@lru_cache(maxsize=100_000)
def tag_set(text: str) -> frozenset[str]:
    """The tags in a JSON list, as one shared object per text."""
    return frozenset(json.loads(text))


def pack(microstars: npt.ArrayLike) -> bytes:
    """Microstars, of one ballot or of many one after the other, as little-endian 32-bit integers."""
    return np.ascontiguousarray(microstars, dtype=_MICROSTARS).tobytes()


def unpack_one(packed: bytes | memoryview) -> tuple[int, ...]:
    """The microstars of one packed ballot, in the order of the choices."""
    return tuple(np.frombuffer(packed, dtype=_MICROSTARS).tolist())


def unpack(packed: bytes | memoryview, *, choices: int) -> npt.NDArray[np.int32]:
    """The microstars of packed ballots: ballots x choices. Raises ValueError for bytes that are not whole ballots."""
    return np.frombuffer(packed, dtype=_MICROSTARS).reshape(-1, choices)
