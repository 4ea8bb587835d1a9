"""`make quick` finds the tests of what has changed."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.quick import PROJECT, SECONDS, Budget, changed, commands, nearest


def test_the_test_of_the_same_name_comes_first_then_those_of_the_room() -> None:
    paths = ["democracy/reading/decisions.py", "democracy/services/ballots.py"]
    assert nearest(paths) == [
        "test_reading/test_decisions.py",
        "test_services/test_ballots.py",
        "test_reading",
        "test_services",
    ]


def test_a_test_stands_for_itself_and_what_tests_share_for_its_folder() -> None:
    assert nearest(["tests/test_graph/test_tally.py", "tests/test_views/browsing.py"]) == [
        "test_graph/test_tally.py",
        "test_views",
    ]


def test_a_room_whose_tests_are_called_otherwise_is_found() -> None:
    assert nearest(["crowdvote/api/limits.py"]) == ["test_graphql/test_limits.py", "test_graphql"]
    assert nearest(["crowdvote/templates/home.html"]) == ["test_crowdvote"]
    assert nearest(["README.md"]) == ["test_documents"]


def test_long_tests_and_files_that_are_gone_are_left_out() -> None:
    assert nearest(["tests/test_browser/test_walk.py", "tests/test_graph/test_gone.py", "Makefile"]) == []


def test_templates_and_scripts_have_linters_of_their_own() -> None:
    script = "crowdvote/static/crowdvote/gone.js"
    paths = ["accounts/urls.py", "crowdvote/templates/home.html", "tests/test_browser/gallery.html", script]
    assert [command[0] for command in commands(["accounts/urls.py"])] == ["ruff", "ruff", "mypy"]
    assert commands(paths)[3:] == [["djlint", "--quiet", "--lint", "crowdvote/templates/home.html"]]


def test_every_module_has_tests() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=PROJECT, capture_output=True, text=True, check=True)
    rooms = ("accounts/", "crowdvote/", "democracy/", "graph/", "verify/")
    modules = [path for path in listed.stdout.split() if path.startswith(rooms)]
    assert [path for path in modules if not nearest([path]) and "benchmarks/" not in path] == []


def test_a_change_is_what_is_committed_what_is_not_and_what_git_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, check=True)

    monkeypatch.setattr("tests.quick.PROJECT", tmp_path)
    git("init", "--initial-branch", "main")
    for name in ("kept", "edited", "committed"):
        (tmp_path / name).write_text("before")
    git("add", ".")
    git("commit", "--message", "before")
    git("switch", "--create", "branch")
    (tmp_path / "committed").write_text("after")
    git("commit", "--all", "--message", "after")
    (tmp_path / "edited").write_text("after")
    (tmp_path / "new").write_text("new")
    assert changed("main") == ["committed", "edited", "new"]


def test_a_file_is_read_in_the_first_half_of_the_time_and_a_test_begins_before_its_end() -> None:
    file, now = Path("test_one.py"), time.monotonic()
    fresh, half, spent = (Budget(now - share * SECONDS) for share in (0, 0.6, 1))
    assert [budget.pytest_ignore_collect(file) for budget in (fresh, half, spent)] == [None, True, True]
    assert [budget.pytest_runtest_protocol() for budget in (fresh, half, spent)] == [None, None, True]
