"""Rows hold microstars in the same bytes on every machine."""

from __future__ import annotations

import pytest

from democracy.models.packed import pack, unpack


def test_microstars_are_packed_as_little_endian_integers_of_32_bits() -> None:
    assert pack([1, 5_000_000]) == b"\x01\x00\x00\x00\x40\x4b\x4c\x00"


def test_ballots_are_unpacked_one_a_row() -> None:
    assert unpack(pack([[1, 2, 3], [4, 5, 5_000_000]]), choices=3).tolist() == [[1, 2, 3], [4, 5, 5_000_000]]


def test_half_a_ballot_is_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        unpack(pack([1, 2, 3]), choices=2)
