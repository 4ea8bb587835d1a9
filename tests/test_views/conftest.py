"""Forget after each test what a process keeps of its communities: those of the next test have the same ids."""

from __future__ import annotations

import pytest

from democracy.recalculation import staging


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    staging.forget_everything()
