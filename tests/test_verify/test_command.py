"""The command as an auditor runs it: a file alone, an isolated Python, exit codes and what is printed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_verify.bundles import VERIFIER, answered, bundle, calculated

VILLAGE = bundle({"m1": {"A": 5}, "m2": {"B": 4}}, ["m3 > m1", "m4 > m3"], choices="AB", bystanders=["m5"])


def run(*arguments: str | Path, text: str = "") -> tuple[int, list[str], list[str]]:
    done = subprocess.run(
        [sys.executable, "-I", VERIFIER, *arguments], input=text.encode(), capture_output=True, check=False
    )
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode().splitlines()


@pytest.fixture
def right(tmp_path):
    path = tmp_path / "right.json"
    path.write_text(json.dumps(answered(VILLAGE)), encoding="utf-8")
    return path


@pytest.fixture
def wrong(tmp_path):
    record = answered(VILLAGE)
    record["decisions"][0]["result"]["winner"] = "B"
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def test_a_right_file_is_ok(right):
    assert run(right) == (
        0,
        [
            f"OK {right} decisions[0] d1: winner A; 4 ballots counted (2 cast, 2 inherited); "
            "4 staged ballots checked; lots taken as given; "
            "question, titles and numbers of the choices not signed by a site"
        ],
        [],
    )


def test_a_wrong_file_is_told_apart_from_the_right_one_beside_it(right, wrong):
    code, printed, errors = run(wrong, right)
    assert (code, errors) == (1, [])
    assert printed[:2] == [
        f"DIFFERS {wrong} decisions[0] d1: 1 differences",
        '  decisions[0].result.winner: the file says "B", calculated "A"',
    ]
    assert printed[2].startswith(f"OK {right} decisions[0] d1: ")
    assert len(printed) == 3


def test_a_bundle_comes_by_standard_input_too(right):
    code, printed, errors = run("-", text=right.read_text(encoding="utf-8"))
    assert (code, errors) == (0, [])
    assert printed[0].startswith("OK - decisions[0] d1: winner A; ")


def test_what_cannot_be_read_is_code_two_whatever_else_is_right(right, tmp_path):
    missing, binary, empty = tmp_path / "missing.json", tmp_path / "binary.json", tmp_path / "empty.json"
    binary.write_bytes(b"\xff\xfe{}")
    empty.write_text(json.dumps({**VILLAGE, "decisions": []}), encoding="utf-8")
    code, printed, errors = run(missing, binary, empty, right)
    assert code == 2
    assert errors == [
        f"{missing}: can't be read: No such file or directory",
        f"{binary}: not UTF-8 text",
        f"{empty}: decisions: empty, nothing to verify",
    ]
    assert [line[:3] for line in printed] == ["OK "]


def test_only_the_first_twenty_differences_are_listed(tmp_path):
    record = answered(bundle({f"m{n}": {"A": 5} for n in range(30)}, choices="AB"))
    for row in record["decisions"][0]["staged"]:
        row["microstars"]["A"] = 1
    path = tmp_path / "many.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    code, printed, _ = run(path)
    assert (code, len(printed)) == (1, 22)
    assert printed[0] == f"DIFFERS {path} decisions[0] d1: 30 differences"
    assert printed[20] == "  decisions[0].staged[19].microstars.A: the file says 1, calculated 5000000"
    assert printed[21] == "  ... and 10 more"


def test_a_file_without_a_result_is_an_error_unless_asked_to_calculate_it(tmp_path):
    path = tmp_path / "bare.json"
    path.write_text(json.dumps(VILLAGE), encoding="utf-8")
    assert run(path) == (
        2,
        [],
        [f"{path}: decisions[0].result: missing, nothing to verify (--calculate prints what it should be)"],
    )
    code, printed, errors = run("--calculate", path)
    assert (code, errors) == (0, [])
    assert json.loads("\n".join(printed)) == {"decisions": [calculated(VILLAGE)]}


def test_names_in_any_script_are_printed_on_any_terminal(tmp_path):
    record = answered(bundle({"m1": {"Äpfel\ud800": 5, "B": 1}}, choices=["Äpfel\ud800", "B"]))
    path = tmp_path / "names.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    code, printed, errors = run(path)
    assert (code, errors) == (0, [])
    assert "winner Äpfel\\ud800; 1 ballots" in printed[0]


def test_it_needs_nothing_but_the_standard_library():
    tree = ast.parse(VERIFIER.read_text(encoding="utf-8"))
    imports = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imports - sys.stdlib_module_names == set()
