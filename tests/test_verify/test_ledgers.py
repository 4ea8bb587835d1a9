"""Ledger files that are long, odd or broken, as the command reads them: line by line, each judged as it stands."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from democracy.benchmarks import ledgers
from tests.test_verify.bundles import verifier
from tests.test_verify.desks import rechained
from tests.test_verify.test_command import run

pytestmark = pytest.mark.django_db
ENTRIES = 64


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("ledgers") / "ledger.jsonl"
    ledgers.write(ENTRIES, path)
    return path.read_text().splitlines()


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The exit code and all that is printed on a ledger of these lines, but for the name of its file."""

    def checked(lines: list[str] | bytes, *more: str) -> tuple[int, str]:
        path = tmp_path / "ledger.jsonl"
        path.write_bytes(lines if isinstance(lines, bytes) else "\n".join(lines).encode())
        code = verifier.main([str(path), *more])
        printed = capsys.readouterr()
        return code, (printed.out + printed.err).replace(f"{path}", "it")

    return checked


def differing(said: str) -> list[str]:
    return [line.strip() for line in said.splitlines() if line.startswith("  ")]


def test_a_ledger_comes_as_a_file_and_through_a_pipe(written: list[str], tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text("\n".join(written))
    fine = f"{ENTRIES} entries, chained; {ENTRIES} of them opened, each as it was committed"
    last = json.loads(written[-1])["hash"]
    for name, text in ((str(path), ""), ("-", path.read_text()), ("/dev/stdin", path.read_text())):
        code, printed, errors = run(name, last, text=text)
        assert (code, errors, printed[0]) == (0, [], f"OK {name}: {fine}")
        assert printed[-1] == f"OK {last}: entry {ENTRIES} of {name}"


def test_no_entry_is_kept_longer_than_it_is_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    most = []
    for entries in (500, 2_500):
        ledgers.write(entries, tmp_path / "ledger.jsonl")
        tracemalloc.start()
        try:
            assert verifier.main([str(tmp_path / "ledger.jsonl")]) == 0
            most.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert f"OK {tmp_path}/ledger.jsonl: 2500 entries" in capsys.readouterr().out
    # Bytes: its hash, and what a ballot among sixteen entries left. The text of an entry alone has 500.
    assert (most[1] - most[0]) / 2_000 < 150


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda row: json.dumps(row, indent=None, separators=(" , ", " : ")),
        lambda row: json.dumps(dict(reversed(row.items())), sort_keys=False),
        lambda row: json.dumps(row | {"said": 1.5, "more": {"and": ["more"]}}),
        lambda row: json.dumps(row).replace('"kind"', '"\\u006bind"'),
        lambda row: f"\n\r\n  {json.dumps(row)} \r",
    ],
)
def test_an_entry_is_what_it_says_however_its_line_is_written(
    written: list[str], check: Callable[..., tuple[int, str]], rewrite: Callable[[Any], str]
) -> None:
    code, said = check([written[0], *(rewrite(json.loads(line)) for line in written[1:])])
    assert (code, said.splitlines()[0]) == (
        0,
        f"OK it: {ENTRIES} entries, chained; {ENTRIES} of them opened, each as it was committed",
    )


def test_texts_in_any_script_are_committed_as_they_are(check: Callable[..., tuple[int, str]]) -> None:
    content: dict[str, Any] = {"kind": "community", "subject": "community", "community": 1}
    content["after"] = {"name": "Äpfel & \N{DECIDUOUS TREE} \ud800 \x7f\u2028"}
    row: dict[str, Any] = {"salt": "0" * 32, "content": content, "time": "2026"}
    checkpoint = {"community": 1, "time": "2026", "key": "", "signature": ""}
    header = {"format": "crowdvote-ledger", "version": 1, "community": {"id": 1}, "checkpoint": checkpoint}
    rows = [header, row]
    rechained(rows)
    said = [
        check([json.dumps(rows[0]), json.dumps(row, ensure_ascii=ascii).replace("\ud800", "\\ud800")])[1]
        for ascii in (True, False)
    ]
    assert said[0] == said[1]
    assert said[0].startswith("OK it: 1 entries, chained; 1 of them opened")


@pytest.mark.parametrize(
    ("line", "change", "found"),
    [
        (7, lambda row: row.update(hash="A" * 64), ["entry 7.hash: the file says", "entry 8.hash: the file says"]),
        (7, lambda row: row.update(hash=""), ['entry 7.hash: the file says ""', "entry 8.hash: the file says"]),
        (7, lambda row: row.update(revision=8), ["entry 7.revision: the file says 8, calculated 7"]),
        (7, lambda row: row["content"]["after"].update(tags=["forged"]), ["entry 7.commitment: the file says"]),
        (
            16,
            lambda row: row["content"].update(before={"stars": {}}),
            ["entry 16.commitment: the file says", "entry 16.before: an entry on this ballot is not opened"],
        ),
    ],
)
def test_what_was_changed_is_named(
    written: list[str],
    check: Callable[..., tuple[int, str]],
    line: int,
    change: Callable[[Any], None],
    found: list[str],
) -> None:
    row = json.loads(written[line])
    change(row)
    code, said = check([*written[:line], json.dumps(row), *written[line + 1 :]], "A" * 64)
    assert (code, [text.startswith(start) for text, start in zip(differing(said), found, strict=False)]) == (
        1,
        [True] * len(found),
    )
    assert len(differing(said)) == len(found) + 1
    assert differing(said)[-1] == "no entry of the given ledgers has this hash"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"kind"', '"kind":1,"kind"', 'line 9: not a ledger: an object has the key "kind" twice'),
        ("{", "\ufeff{", "line 9: not JSON: Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"),
        ("}}", "}", "line 9: not JSON: Expecting ',' delimiter"),
        ('"order":1', '"order":NaN', "line 9: not JSON: NaN"),
        ('"kind":"following"', '"kind":null', "line 9.content.kind: should be text"),
        ('"revision":8', '"revision":true', "line 9.revision: should be a whole number"),
    ],
)
def test_what_is_no_entry_is_refused_with_its_line(
    written: list[str], check: Callable[..., tuple[int, str]], old: str, new: str, message: str
) -> None:
    assert old in written[8]
    lines = [*written[:8], written[8].replace(old, new, 1), *written[9:]]
    code, said = check(lines)
    assert (code, said.startswith(f"it: {message}")) == (2, True), said
    # Where the rest is no text at all, that is said first.
    assert check("\n".join(lines).encode() + b"\xff") == (2, "it: not UTF-8 text\n")


def test_a_moderation_that_says_nothing_of_its_subject_is_refused(
    written: list[str], check: Callable[..., tuple[int, str]]
) -> None:
    row = json.loads(written[7])
    row["content"] |= {"kind": "moderation", "after": {"leaves": {"name": "?"}}}
    assert check([*written[:7], json.dumps(row)]) == (2, "it: entry 7: after.of: missing\n")
