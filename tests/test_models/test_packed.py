"""Rows hold columns of numbers in the same bytes on every machine."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from democracy.models.packed import expand, squeeze

WHOLE = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50)


def test_numbers_are_packed_by_byte_planes_the_lowest_first() -> None:
    packed = squeeze(np.array([1, 5_000_000], dtype=np.int32))
    assert zlib.decompress(packed, -15) == b"\x01\x40\x00\x4b\x00\x4c\x00\x00"
    assert squeeze(np.array([1, 5_000_000], dtype=">i4")) == packed


@given(WHOLE)
def test_columns_come_back_as_they_were(numbers: list[int]) -> None:
    packed = squeeze(np.array(numbers, dtype=np.int64))
    assert expand(packed, "<i8", len(numbers)).tolist() == numbers
    assert expand(memoryview(packed), "<i8").tolist() == numbers


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_numbers_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="a column of 8 bytes"):
        expand(squeeze(np.array([1, 2], dtype=np.int32)), "<i4", count)


def test_half_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="a column of 3 bytes"):
        expand(squeeze(np.array([1, 2, 3], dtype=np.uint8)), "<i4")


def test_bytes_that_are_no_column_are_refused() -> None:
    with pytest.raises(ValueError, match="a column can't be read"):
        expand(b"\xff\xff", "<i4", 2)
