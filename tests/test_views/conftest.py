"""What a process keeps of communities must not outlive the test that made them: the next one's have the same ids."""

from __future__ import annotations

import pytest

from democracy.recalculation import staging


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    staging.forget_everything()
