"""Lines of edge lists, without their comments and the parts that KONECT, MatrixMarket and DIMACS put around edges."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from democracy.files.malformed import Malformed

NumberedLine = tuple[int, str]

_KONECT = re.compile(r"%\s*(sym|asym|bip)\s+\w+", re.IGNORECASE)
_MATRIX = re.compile(r"%%MatrixMarket\s+(\w+)\s+(\w+)\s+(\w+)\s+(\S+)", re.IGNORECASE)
_DIMACS = re.compile(r"p\s+(\w+)\s+\d+\s+(\d+)")
_UNDIRECTED = "here an edge has no direction: write each following as a line of its own, from and to."


@dataclass(frozen=True)
class Lines:
    """The lines of an edge list. `format`: one whose columns are known without a header, or none."""

    data: Sequence[NumberedLine]
    comments: Sequence[NumberedLine]
    format: str = ""


def lines_of(text: str) -> Lines:
    """Split a text into lines, without blank ones. Raises Malformed where they are no edges from person to person."""
    numbered = enumerate(re.split(r"\r\n|\r|\n", text), start=1)
    written = [(number, line) for number, line in numbered if line.strip()]
    comments = [(number, line.strip()) for number, line in written if line.lstrip()[0] in "#%"]
    data = [(number, line) for number, line in written if line.lstrip()[0] not in "#%"]
    for number, line in data:
        if line.lstrip()[0] in "{[":
            raise Malformed(f"line {number}", "this is JSON, not an edge list: write `from to` a line, or CSV.")
    if comments and comments[0][0] == written[0][0]:
        if comments[0][1].lower().startswith("%%matrixmarket"):
            return _matrix(data, comments)
        konect = _KONECT.match(comments[0][1])
        if konect:
            if konect[1].lower() != "asym":
                raise Malformed(f"line {comments[0][0]}", _UNDIRECTED)
            return Lines(data, comments, "KONECT")
    if any(_DIMACS.fullmatch(line.strip()) for _, line in data):
        return _dimacs(data, comments)
    return Lines(data, comments)


def _matrix(data: Sequence[NumberedLine], comments: Sequence[NumberedLine]) -> Lines:
    """MatrixMarket: a row and a column of the matrix follow one another where a number stands."""
    first, banner = comments[0]
    found = _MATRIX.match(banner)
    if found is None or (found[1].lower(), found[2].lower()) != ("matrix", "coordinate"):
        raise Malformed(f"line {first}", "of MatrixMarket, only matrices of coordinates can be read.")
    if found[3].lower() not in ("real", "integer", "pattern"):
        raise Malformed(f"line {first}", f"entries are real, integer or pattern, not {found[3]}.")
    if found[4].lower() != "general":
        raise Malformed(f"line {first}", _UNDIRECTED)
    if not data:
        raise Malformed(f"line {first}", "the line with the size is missing.")
    (line, size), *entries = data
    numbers = size.split()
    if len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        raise Malformed(f"line {line}", "the size is three numbers: rows, columns, entries.")
    if numbers[0] != numbers[1]:
        raise Malformed(f"line {line}", "rows and columns are not the same people: the matrix is not square.")
    _require(len(entries), int(numbers[2]), line)
    return Lines(entries, comments, "MatrixMarket")


def _dimacs(data: Sequence[NumberedLine], comments: Sequence[NumberedLine]) -> Lines:
    """DIMACS: `c` comments, one line `p sp NODES ARCS`, and `a FROM TO WEIGHT` a line."""
    remarks = [(number, line) for number, line in data if line.split()[0] == "c"]
    (line, problem), *arcs = [(number, line) for number, line in data if line.split()[0] != "c"]
    found = _DIMACS.fullmatch(problem.strip())
    if found is None:
        raise Malformed(f"line {line}", "in DIMACS, a line `p sp NODES ARCS` comes before the arcs.")
    for number, arc in arcs:
        if arc.split()[0] == "e":
            raise Malformed(f"line {number}", _UNDIRECTED)
        if arc.split()[0] != "a":
            raise Malformed(f"line {number}", "in DIMACS, an arc is `a FROM TO WEIGHT`.")
    _require(len(arcs), int(found[2]), line)
    return Lines([(number, arc.lstrip()[1:].strip()) for number, arc in arcs], [*comments, *remarks], "DIMACS")


def _require(found: int, said: int, line: int) -> None:
    if found != said:
        raise Malformed(f"line {line}", f"the file says {said} entries and has {found}: is a part of it missing?")
