"""Nothing that one test's process calculated is kept for the next: row numbers come again after a rollback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from democracy.recalculation.staging import forget_everything


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    forget_everything()
    yield
    forget_everything()
