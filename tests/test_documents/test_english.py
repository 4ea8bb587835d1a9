"""Docstrings begin with a verb or a noun."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_documents.reading import PROJECT

ROOMS = ("accounts", "crowdvote", "democracy", "graph", "tests", "verify")
# A clause about something unnamed, where a sentence could say what the thing is or does.
CLAUSE = re.compile(r"(?:What|Whom?|Whose|How|The same)\b")


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_begin_with_a_verb_or_a_noun(room: str) -> None:
    modules = sorted((PROJECT / room).rglob("*.py"))
    assert modules
    wrong = [
        f"{path.relative_to(PROJECT)}: {text.splitlines()[0]}"
        for path in modules
        for text in docstrings(path)
        if CLAUSE.match(text)
    ]
    assert wrong == []


def test_a_clause_is_found_wherever_it_stands(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('"""Numbers."""\n\n\nclass One:\n    def two(self):\n        """What it says."""\n')
    assert [text for text in docstrings(module) if CLAUSE.match(text)] == ["What it says."]
    assert not CLAUSE.match("Whole numbers.")
