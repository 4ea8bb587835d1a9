"""The documents of the repository, as text: their links, anchors, tables and named paths."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"
# Where paths of the repository begin.
_FOLDERS = (
    "accounts",
    "client",
    "crowdvote",
    "democracy",
    "deploy",
    "docs",
    "examples",
    "graph",
    "requirements",
    "tests",
    "verify",
    ".github",
)


@cache
def documents() -> list[Path]:
    """Every Markdown file of ours."""
    places = [PROJECT, *(PROJECT / name for name in (".github", "client/python", "client/typescript", "examples"))]
    found = [path for place in places for path in place.glob("*.md")] + list(DOCS.rglob("*.md"))
    return sorted(found)


def name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@cache
def prose(path: Path) -> str:
    """A document without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def blocks(path: Path, language: str) -> list[str]:
    """The blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)


def links(path: Path) -> list[str]:
    """The targets of a document's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(path))


def anchors(path: Path) -> set[str]:
    """The fragments by which headings of a document can be linked to."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def paths(path: Path) -> list[str]:
    """The paths of the repository that a document names."""
    named = re.findall(r"`([\w.-]+(?:/[\w.@-]+)+/?)`", prose(path))
    return [one for one in named if one.split("/")[0] in _FOLDERS]


def rows(path: Path, header: str) -> Iterator[list[str]]:
    """The cells of each row of the tables that begin with this header."""
    for table in path.read_text().split(header + "\n")[1:]:
        for line in table.splitlines()[1:]:
            if not line.startswith("|"):
                break
            yield [cell.strip() for cell in line.strip("|").split("|")]


@cache
def tracked() -> list[Path]:
    """The files of the repository that are text of ours."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False).stdout
    found = [PROJECT / one for one in listed.split("\0") if one and "/vendor/" not in one]
    return [path for path in found if path.is_file() and path.suffix not in {".png", ".woff2"}]
