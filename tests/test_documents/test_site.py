"""The site that `make docs` makes: complete, without warnings, and asking no other host for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_documents.reading import DOCS, PROJECT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(made)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


def test_every_document_is_a_page(site: Path) -> None:
    wanted = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    renamed = {path.with_name("index.html") if path.stem == "README" else path for path in wanted}
    assert {path for path in renamed if not (site / path).is_file()} == set()


def test_no_page_asks_another_host(site: Path) -> None:
    asked = re.compile(
        r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["'](?:https?:)?//|<link\b[^>]*\bhref=["'](?:https?:)?//"""
    )
    styled = re.compile(r"""url\(["']?(?:https?:)?//|@import\s+["'](?:https?:)?//""")
    assert [path.name for path in site.rglob("*.html") if asked.search(path.read_text())] == []
    assert [path.name for path in site.rglob("*.css") if styled.search(path.read_text())] == []
