"""`make quick`: what a change touches, within half a minute: its unit tests, the linter, the types.

The change is whatever differs from BASE (main), committed or not. Each changed file stands for the tests that mirror
it, the nearest first. When the time is up, no further test begins; the summary says how many have not run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
SECONDS = 22.0
# The folder of a room's tests, where its name is not the room's. The longest path decides.
_ROOMS = {
    "accounts": "test_accounts",
    "crowdvote": "test_crowdvote",
    "crowdvote/api": "test_graphql",
    "crowdvote/management": "test_commands",
    "crowdvote/operations": "test_operations",
    "democracy": "test_democracy",
    "democracy/benchmarks": "test_commands/test_bench.py",
    "democracy/demo": "test_commands/test_load_demo.py",
    "democracy/forms": "test_views",
    "democracy/management": "test_commands",
    "democracy/migrations": "test_models",
    "democracy/schema": "test_graphql",
    "democracy/signals.py": "test_signals",
    "democracy/static": "test_views",
    "democracy/templates": "test_views",
    "democracy/templatetags": "test_views",
    "deploy": "test_deploy",
    "docs": "test_documents",
    "graph": "test_graph",
    "verify": "test_verify",
}
# Tests that take seconds: they wait for browsers, servers and clocks, or try many worlds.
LONG = (
    "test_browser",
    "test_faults",
    "test_integration",
    "test_privacy",
    "test_real_data.py",
    "test_commands/test_bench.py",
)


def changed(base: str) -> list[str]:
    """The files that differ from where this branch left `base`, and those that git does not know yet."""
    left = _git("merge-base", base, "HEAD") or ["HEAD"]
    return sorted(
        {*_git("diff", "--name-only", "--relative", left[0]), *_git("ls-files", "--others", "--exclude-standard")}
    )


def _git(*arguments: str) -> list[str]:
    run = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    return run.stdout.split("\n")[:-1]


def nearest(paths: list[str]) -> list[str]:
    """Test files and folders that mirror these files, below tests/: the nearest first, none of the long ones."""
    near, far = [], []
    for path in paths:
        if path.startswith("tests/"):
            name = path.removeprefix("tests/")
            folder = name.partition("/")[0]
            if Path(name).name.startswith("test_") and name.endswith(".py"):
                near.append(name)
            elif folder.startswith("test_"):
                far.append(folder)
        elif place := _mirror(path):
            own = f"{place}/test_{Path(path).stem}.py"
            if path.endswith(".py") and (PROJECT / "tests" / own).is_file():
                near.append(own)
            far.append(place)
    return [
        name for name in dict.fromkeys(near + far) if not name.startswith(LONG) and (PROJECT / "tests" / name).exists()
    ]


def _mirror(path: str) -> str:
    """The folder, or file, of tests for a file of the code; "" for none."""
    if path.endswith(".md"):
        return "test_documents"
    parts = path.split("/")
    for length in range(len(parts), 0, -1):
        room = "/".join(parts[:length])
        if room in _ROOMS:
            return _ROOMS[room]
        if length == 2 and (PROJECT / "tests" / f"test_{parts[1]}").is_dir():
            return f"test_{parts[1]}"
    return ""


def commands(paths: list[str]) -> list[list[str]]:
    """The linters and the type checker that these files need."""
    there = [path for path in paths if (PROJECT / path).is_file() and "/vendor/" not in path]
    templates = [path for path in there if "/templates/" in path and path.endswith(".html")]
    scripts = [path for path in there if "/static/" in path and path.endswith(".js")]
    found = [["ruff", "format", "--check", "--quiet"], ["ruff", "check", "--quiet"], ["mypy", "--no-error-summary"]]
    if templates:
        found.append(["djlint", "--quiet", "--lint", *templates])
    if scripts:
        found.append(["oxlint", "--report-unused-disable-directives", *scripts])
    return found


def _program(name: str, *arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name(name)), *arguments]


class Budget:
    """Lets no test begin when the time is up, and no file be read when half of it is."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._unread: list[Path] = []
        self._not_run = 0

    def _is_spent(self, share: float) -> bool:
        return time.monotonic() > self._began + share * SECONDS

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        if collection_path.suffix == ".py" and self._is_spent(0.5):
            self._unread.append(collection_path)
            return True
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> bool | None:
        if not self._is_spent(1):
            return None
        self._not_run += 1
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._not_run or self._unread:
            terminalreporter.write_line(
                f"The time is up: {self._not_run} tests have not run, nor those of {len(self._unread)} files."
            )


def main() -> int:
    parser = argparse.ArgumentParser(description="Check what a change touches.")
    parser.add_argument("--base", default="main", help="the branch that the change will be merged into")
    budget = Budget(time.monotonic())
    paths = changed(parser.parse_args().base)
    tools = [subprocess.Popen(_program(*command), cwd=PROJECT) for command in commands(paths)]
    tests = [str(PROJECT / "tests" / name) for name in nearest(paths)]
    failures = [int(pytest.main(["--quiet", "--exitfirst", *tests], plugins=[budget]))] if tests else []
    failures += [tool.wait() for tool in tools]
    return int(any(failures))


if __name__ == "__main__":
    sys.exit(main())
