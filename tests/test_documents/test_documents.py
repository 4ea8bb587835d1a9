"""Documents are right: their links, paths, commands, queries and numbers; and none points out of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands
from graphql import parse, validate

from crowdvote.api import limits
from crowdvote.api.schema import schema
from tests.test_documents.reading import DOCS, PROJECT, anchors, blocks, documents, links, name, paths, prose, tracked

DECISIONS = DOCS / "decisions"
SITE = yaml.safe_load((PROJECT / "mkdocs.yml").read_text())
TARGETS = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))

every_document = pytest.mark.parametrize("document", documents(), ids=name)


@every_document
def test_every_link_leads_somewhere(document: Path) -> None:
    wrong = []
    for link in links(document):
        if re.match(r"https?://|#$", link):
            continue
        place, _, anchor = link.partition("#")
        target = (document.parent / place).resolve() if place else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


@every_document
def test_every_path_is_there(document: Path) -> None:
    assert [path for path in paths(document) if not (PROJECT / path).exists()] == []


def test_every_module_that_code_names_is_there() -> None:
    named = re.compile(r"(?<![\w./-])(?:accounts|crowdvote|democracy|graph|verify|tests)/[\w/]+\.py\b")
    code = [
        path
        for path in tracked()
        if path.suffix in {".py", ".js", ".html", ".css"} and not name(path).startswith("tests/")
    ]
    wrong = {
        f"{name(path)}: {one}"
        for path in code
        for one in named.findall(path.read_text())
        if not (PROJECT / one).exists()
    }
    assert wrong == set()


@every_document
def test_every_target_of_make_is_there(document: Path) -> None:
    named = re.findall(r"(?:^|`)make ([a-z-]+(?: [a-z-]+)*)", document.read_text(), re.MULTILINE)
    assert {target for targets in named for target in targets.split()} <= TARGETS


@every_document
def test_every_query_can_be_asked(document: Path) -> None:
    for block in blocks(document, "graphql"):
        assert validate(schema._schema, parse(block)) == []


def test_every_page_of_the_site_is_in_its_contents() -> None:
    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        children = entry.values() if isinstance(entry, dict) else entry
        return [page for child in children for page in pages(child)]  # type: ignore[attr-defined]

    there = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    decisions = {f"decisions/{path.name}" for path in DECISIONS.glob("*.md")} - {"decisions/README.md"}
    assert sorted(pages(SITE["nav"])) == sorted(there - decisions)


def test_the_index_of_decisions_names_each_once() -> None:
    there = sorted(path.name for path in DECISIONS.glob("*.md") if path.name != "README.md")
    assert sorted(links(DECISIONS / "README.md")) == there


def test_every_command_of_ours_is_described() -> None:
    ours = {command for command, app in get_commands().items() if app in {"crowdvote", "democracy", "accounts"}}
    described = set(re.findall(r"^\| `(\w+)", (DOCS / "commands.md").read_text(), re.MULTILINE))
    assert described == ours


def test_the_limits_of_the_api_are_those_of_the_code() -> None:
    said = (DOCS / "api.md").read_text().partition("## Limits")[2].partition("\n## ")[0]
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\b\d[\d,]*\d\b", said)]
    most = [
        *(limits.MAX_CHARACTERS, limits.MAX_DEPTH, limits.MAX_ALIASES, limits.MAX_SELECTIONS),
        *(limits.MAX_COST, limits.MAX_EVENT_COST),
    ]
    assert numbers[: len(most)] == most


def test_the_readme_fits_on_two_screens() -> None:
    assert len((PROJECT / "README.md").read_text().splitlines()) <= 100


def test_each_invariant_has_the_test_that_bears_its_number() -> None:
    said = prose(DOCS / "architecture.md").partition("## The eight invariants")[2].partition("\n## ")[0]
    tests = (PROJECT / "tests/test_democracy/test_invariants.py").read_text()
    numbered = re.findall(r"^(\d)\. \*\*.*?(?=^\d\. |\Z)", said, re.MULTILINE | re.DOTALL)
    assert numbered == list("12345678")
    assert re.findall(r"`test_invariant_(\d)`", said) == numbered
    assert re.findall(r"def test_invariant_(\d)_", tests) == numbered


def test_the_public_checks_call_targets_that_are_there() -> None:
    workflow = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text())
    steps = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert {step.removeprefix("make ") for step in steps if step.startswith("make ")} == {
        "check",
        "test",
        "test-services",
    }


def test_nothing_points_at_a_document_outside_the_repository() -> None:
    # The pattern is split so that it does not find itself.
    outside = re.compile(
        r"\b(?:DE" r"SIGN|LAY" r"OUT|ST" r"YLE|ST" r"ACK)(?:\.md| \d| section)|feature[ -](?:plan|\d{4})|issue #?\d"
    )
    if not (files := tracked()):
        pytest.skip("this is no clone: git knows no files")
    found = []
    for path in files:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if outside.search(line):
                found.append(f"{name(path)}:{number}: {line.strip()}")
    assert found == []
