"""What a process keeps of communities must not outlive the test that made them: the next one's have the same ids."""

from __future__ import annotations

import pytest

from democracy.services import calculation


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    calculation.forget_everything()
