"""A short fault run; `make faults` is the long one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.services import missing

pytestmark = [
    # It needs none of those that answer, but what it starts itself comes with the same packages.
    pytest.mark.services("postgres", "celery"),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that PostgreSQL's user may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="crowdvote-faults-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_nothing_is_lost_while_everything_is_killed(directory: Path) -> None:
    # psycopg, which comes with an optional package.
    from tests.faults.run import Plan, run

    report = run(Plan(seconds=30, kills=10, executor="celery", towns=2, members=20, rate=20), directory / "run")
    assert report.violations == [], report.text()
    assert report.kills == 10
    assert any(one.outcome == "acknowledged" for one in report.operations), report.text()
