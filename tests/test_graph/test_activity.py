"""Parts of finding the fixed point: rows listed once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graph.activity import once


@given(st.lists(st.integers(0, 9), max_size=30))
def test_rows_are_listed_once_whatever_was_written_before(rows: list[int]) -> None:
    scratch = np.full(10, 3)
    for _ in range(2):
        assert sorted(once(np.array(rows, dtype=np.int64), scratch).tolist()) == sorted(set(rows))
