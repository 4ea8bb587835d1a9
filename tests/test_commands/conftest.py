"""Fixtures of commands. Row numbers repeat after a rollback, so tests must not keep calculations of the one before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from democracy.recalculation.staging import forget_everything


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    forget_everything()
    yield
    forget_everything()
