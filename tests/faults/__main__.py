"""`python -m tests.faults`: a long run. Exits with 1 when anything was lost or wrong; the report says what."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.faults.run import Plan, run
from tests.faults.services import missing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--executor", choices=["threads", "celery"], default="celery")
    parser.add_argument("--rate", type=float, default=30.0, help="operations a second")
    parser.add_argument("--first-port", type=int, default=18_120, help="of the eight that are used")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report there as JSON")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="keep the cluster's files there")
    chosen = parser.parse_args()
    if reason := missing():
        parser.error(reason)
    plan = Plan(
        seconds=chosen.minutes * 60,
        kills=chosen.kills,
        seed=chosen.seed,
        executor=chosen.executor,
        rate=chosen.rate,
        first_port=chosen.first_port,
    )
    with tempfile.TemporaryDirectory(prefix="crowdvote-faults-", ignore_cleanup_errors=True) as made:
        directory = chosen.keep or Path(made) / "run"
        # PostgreSQL's user has to reach its own part of it.
        Path(made).chmod(0o755)
        report = run(plan, directory)
    sys.stdout.write(report.text() + "\n")
    if chosen.report:
        chosen.report.write_text(report.json())
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
