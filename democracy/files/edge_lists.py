"""Followings from an edge list: `from to [weight]` a line, or columns that a header names. Nothing here writes.

# Note [How an edge list is cut]
Nobody says which separator stands in a file, and ids are read as they stand: a wrong cut makes followings that nobody
meant. So every separator that all lines have is tried on the whole file, and an id with a separator in it makes a
reading fail. The file is taken only where one reading is left, or all that are left say the same.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeAlias

from democracy.files.csv_tables import SEPARATORS, Row, named_separator
from democracy.files.edge_cells import is_number, read_id, read_weight, weight_tag
from democracy.files.edge_columns import (
    WORDS_DECIDE,
    EdgeColumns,
    Wanted,
    named_columns,
    names_an_end,
    names_both_ends,
    numbered_columns,
)
from democracy.files.edge_formats import Lines, lines_of
from democracy.files.graph_files import read_graph
from democracy.files.malformed import Malformed, on_line

Pair: TypeAlias = tuple[str, str]

_TOKEN = re.compile(r'"((?:[^"]|"")*)"(?=\s|\Z)|(\S+)')
# Pairs of letters that head columns as often as they are ids.
_LETTERS = ({"i", "j"}, {"x", "y"}, {"s", "t"})


@dataclass(frozen=True)
class Edge:
    """A following: the line that says it, or 0 where the format has no lines, and its tags."""

    line: int
    tags: tuple[str, ...] = ()


@dataclass
class EdgeList:
    """`edges` by (follower, followee), in the order of the file; of a pair that is there again, the last counts."""

    ids: set[str] = field(default_factory=set)
    edges: dict[Pair, Edge] = field(default_factory=dict)
    self_loops: int = 0
    negative: int = 0
    repeated: int = 0
    comments: int = 0
    # In words: the way the file was read, and what may not have been meant.
    reading: str = ""
    remarks: list[str] = field(default_factory=list)

    def take(self, row: Row, columns: EdgeColumns, *, tag_by_weight: bool) -> None:
        """Add what a row says. Raises Malformed."""
        follower, followee = (read_id(row.cells[at], row.line) for at in (columns.follower, columns.followee))
        written = row.cells[columns.weight] if columns.weight is not None and columns.weight < len(row.cells) else ""
        weight = read_weight(written, row.line) if written else None
        if tag_by_weight and weight is None:
            raise Malformed(on_line(row.line), "there is no weight to make a tag of.")
        self.ids.update((follower, followee))
        if follower == followee:
            self.self_loops += 1
        elif weight is not None and weight < 0:
            self.negative += 1
        else:
            self.repeated += (follower, followee) in self.edges
            tags = (weight_tag(weight),) if tag_by_weight and weight is not None else ()
            self.edges[follower, followee] = Edge(row.line, tags)


def read_edge_list(text: str, *, wanted: Wanted = WORDS_DECIDE, tag_by_weight: bool = False) -> EdgeList:
    """Read followings from text of any known kind: columns, MatrixMarket, DIMACS, GML, GraphML, Pajek, DOT.

    With `tag_by_weight` a weight becomes the following's tag (".8" is "0.8"). Raises Malformed naming the line.
    """
    graph = read_graph(text)
    if graph is not None:
        found = EdgeList(reading=f"{graph.format}: an arc goes from who follows to who is followed")
        found.ids.update(read_id(node, 0) for node in graph.nodes)
        for edge in graph.edges:
            found.take(Row(0, edge), EdgeColumns(0, 1, 2), tag_by_weight=tag_by_weight)
        return found
    separator, text = named_separator(text)
    lines = lines_of(text)
    if not lines.data:
        raise Malformed("", "There is no line with two ids.")
    found = _read(lines, separator, wanted, tag_by_weight=tag_by_weight)
    found.comments = len(lines.comments)
    found.remarks += _remarks(found, lines)
    return found


def _read(lines: Lines, separator: str, wanted: Wanted, *, tag_by_weight: bool) -> EdgeList:
    """Find the one reading of the lines (Note [How an edge list is cut])."""
    readings: dict[str, EdgeList] = {}
    faults: list[Malformed] = []
    for each in [separator] if separator else _separators(lines):
        try:
            readings[each] = _read_cut(lines, each, wanted, tag_by_weight=tag_by_weight)
        except Malformed as fault:
            faults.append(fault)
    # A comma between figures may stand in a number: "a b 0,8" is cut by spaces, or not at all.
    if "," in readings and len(readings) + len(faults) > 1 and all(_only_in_numbers(line) for _, line in lines.data):
        del readings[","]
    if not readings:
        raise max(faults, key=_line_of)
    first, *others = readings.values()
    if any((other.ids, other.edges) != (first.ids, first.edges) for other in others):
        names = " or ".join(SEPARATORS[each] for each in readings)
        line = lines.data[0][0]
        raise Malformed(
            f"line {line}", f"the columns may be separated by {names}: say which by a first line such as sep=;"
        )
    return first


def _only_in_numbers(line: str) -> bool:
    return "," not in re.sub(r"(?<=\d),(?=\d)", "", line)


def _line_of(fault: Malformed) -> int:
    number = re.search(r"\d+", fault.field or "")
    return int(number[0]) if number else 0


def _separators(lines: Lines) -> list[str]:
    """Find the separators that stand in every line. Raises Malformed naming a line without the one that others have."""
    texts = [line for _, line in lines.data]
    found = [each for each in ",;\t" if all(each in line for line in texts)]
    if all(len(line.split(None, 1)) > 1 for line in texts):
        found.insert(0, " ")
    if found:
        return found
    usual = max(",;\t ", key=lambda each: sum(each in line for line in texts))
    number = next(number for number, line in lines.data if usual not in line)
    raise Malformed(
        f"line {number}",
        "two ids are needed: from and to, with spaces, tabs, commas or semicolons between them, the same in all lines.",
    )


def _read_cut(lines: Lines, separator: str, wanted: Wanted, *, tag_by_weight: bool) -> EdgeList:
    rows = [Row(number, _cut(line, separator, number)) for number, line in lines.data]
    first = rows[0]
    header = _header(first, lines, wanted)
    if header is not None:
        rows = rows[1:]
        columns, reading = header, f"line {first.line} is a header: {_ends(header)}"
    else:
        columns, reading = _without_header(rows, lines, wanted)
    found = EdgeList(reading=f"{SEPARATORS[separator]} between columns; {reading}")
    width = len(columns.titles) or _width(rows)
    if not rows:
        raise Malformed(f"line {first.line}", "there is a header and no following.")
    others = columns.others(width)
    for row in rows:
        if len(row.cells) < 2:
            raise Malformed(f"line {row.line}", "two ids are needed: from and to.")
        if tag_by_weight and (columns.weight is None or len(row.cells) <= columns.weight):
            raise Malformed(f"line {row.line}", "there is no weight to make a tag of (see --weight-column).")
        if len(row.cells) < width or any(row.cells[width:]):
            raise Malformed(f"line {row.line}", f"there are {len(row.cells)} columns, not {width} as elsewhere.")
        _check_others(row, others, has_weight=columns.weight is not None)
        found.take(row, columns, tag_by_weight=tag_by_weight)
    if header is not None and not wanted.by_title:
        _require_no_row(header, found.ids, first)
    if not wanted.is_said:
        _require_no_other_header(found)
    if columns.titles and others:
        found.remarks.append(f"columns passed over: {', '.join(columns.titles[at] for at in others)}")
    return found


def _cut(line: str, separator: str, number: int) -> tuple[str, ...]:
    """The cells of a line; quotes as in CSV."""
    if not line.isascii():
        line = unicodedata.normalize("NFC", line)
    if separator == " ":
        if '"' not in line:
            return tuple(line.split())
        return tuple((quoted or plain).replace('""', '"') for quoted, plain in _TOKEN.findall(line))
    if '"' not in line:
        return tuple(cell.strip() for cell in line.split(separator))
    try:
        [cells] = csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True)
    except csv.Error as error:
        raise Malformed(f"line {number}", f"this is not CSV: {error}.") from error
    return tuple(cell.strip() for cell in cells)


# --- The first line ---------------------------------------------------------------------------------------------------


def _header(first: Row, lines: Lines, wanted: Wanted) -> EdgeColumns | None:
    """The columns that the first row names; None where it is no header. Raises Malformed."""
    titles = first.cells[: _width([first])]
    if wanted.by_title or not (lines.format or any(map(is_number, titles))):
        return named_columns(titles, wanted, f"line {first.line}")
    return None


def _without_header(rows: Sequence[Row], lines: Lines, wanted: Wanted) -> tuple[EdgeColumns, str]:
    """Find the columns, and say how they are known. Raises Malformed where the first row may be a header."""
    first, width = rows[0], _width(rows)
    in_comment = None if lines.format or wanted.is_said else _header_in_comments(lines, width, wanted)
    if not (lines.format or in_comment):
        _require_a_row(first, rows[1:])
    if in_comment is not None:
        return in_comment, f"a comment names them: {_ends(in_comment)}"
    columns = numbered_columns(wanted, f"line {first.line}", width=width)
    if width > 3 and not (wanted.is_said or lines.format):
        raise Malformed(
            f"line {first.line}",
            f"there are {width} columns without a header: put one before them, or number those that count with "
            "--from-column, --to-column and --weight-column.",
        )
    if len(first.cells) < 2:
        return columns, ""
    ends = f"{first.cells[columns.follower]!r} follows {first.cells[columns.followee]!r}"
    return columns, f"{lines.format or 'no header'}: line {first.line} says that {ends}"


def _header_in_comments(lines: Lines, width: int, wanted: Wanted) -> EdgeColumns | None:
    """The columns that a comment before the first row names, as SNAP's files do: `# FromNodeId ToNodeId`."""
    first = lines.data[0][0]
    for _, comment in reversed([(number, line) for number, line in lines.comments if number < first]):
        titles = re.split(r"[\s,;]+", comment.strip("#% \t"))
        if len(titles) == width:
            try:
                columns = named_columns(titles, wanted, "")
            except Malformed:
                continue
            if columns is not None:
                return columns
    return None


def _require_a_row(first: Row, rest: Sequence[Row]) -> None:
    """Raises Malformed where the first row, none of whose cells is a known word, may be a header all the same."""
    ends, others = set(first.cells[:2]), {cell for row in rest for cell in row.cells[:2]}
    if any(map(is_number, first.cells[:3])):
        is_row = not names_an_end(first.cells)
    elif rest and len(ends) == 2:
        is_alike = all(any(_alike(end, other) for other in others) for end in ends)
        is_alike = is_alike and {end.casefold() for end in ends} not in _LETTERS
        is_row = (is_alike or not ends.isdisjoint(others)) and not any(first.cells[2:])
    else:
        is_row = True
    if not is_row:
        cells = ", ".join(map(repr, first.cells))
        raise Malformed(
            f"line {first.line}",
            f"this may be a header or a following: {cells}. If it is a header, name its columns with --from-column and "
            "--to-column; if it is a following, put a line with `from` and `to` before it.",
        )


def _require_no_row(header: EdgeColumns, ids: set[str], first: Row) -> None:
    for title in (header.titles[header.follower], header.titles[header.followee]):
        if title in ids:
            raise Malformed(
                f"line {first.line}",
                f"this may be a header or a following, for {title!r} is an id, too: name the columns with "
                "--from-column and --to-column, or put a line with `from` and `to` before it.",
            )


def _require_no_other_header(found: EdgeList) -> None:
    """Raises Malformed where a line further down names the ends, as where two files were put into one."""
    known = {file_id for file_id in found.ids if not file_id.isdecimal() and names_an_end([file_id])}
    for pair, edge in found.edges.items() if len(known) > 1 else ():
        if known.issuperset(pair) and names_both_ends(pair):
            raise Malformed(
                on_line(edge.line),
                f"this may be a header: {pair[0]!r}, {pair[1]!r}. Lines below it may be meant the other way round: put "
                "each header's lines into a file of their own, or name the columns with --from-column and --to-column.",
            )


def _ends(columns: EdgeColumns) -> str:
    return f"{columns.titles[columns.follower]!r} follows {columns.titles[columns.followee]!r}"


def _alike(one: str, other: str) -> bool:
    """Whether two ids are written alike: the same runs of letters and figures, and no great difference in length."""
    return _shape(one) == _shape(other) and len(one) <= 2 * len(other) and len(other) <= 2 * len(one)


def _shape(cell: str) -> str:
    kinds = ("A" if c.isupper() else "a" if c.isalpha() else "0" if c.isdigit() else c for c in cell)
    return "".join(kind for kind, _ in groupby(kinds))


def _width(rows: Iterable[Row]) -> int:
    """The number of columns, without empty ones at the right end."""
    return max(at for row in rows for at, cell in enumerate(("", *row.cells)) if cell or not at)


# --- The whole file ---------------------------------------------------------------------------------------------------


def _check_others(row: Row, others: Sequence[int], *, has_weight: bool) -> None:
    """Refuse cells that would be passed over, but turn a following into its opposite or leave it without direction."""
    for at in others:
        cell = row.cells[at]
        if cell.casefold() == "undirected":
            raise Malformed(f"line {row.line}", "here an edge has no direction: who follows whom?")
        if not has_weight and cell.startswith("-") and is_number(cell):
            raise Malformed(
                f"line {row.line}", f"{cell} may be a negative weight: name its column with --weight-column."
            )


def _remarks(found: EdgeList, lines: Lines) -> list[str]:
    """List what somebody who knows the file should look at."""
    remarks = []
    marked = sorted(file_id for file_id in found.ids if file_id[0] in "#%")
    if marked and lines.comments:
        remarks.append(
            f"{marked[0]!r} is an id, but lines that begin with {marked[0][0]} were passed over as comments: "
            "quote the ids on them if they are followings"
        )
    times = Counter(file_id.casefold() for file_id in found.ids)
    nearly = sum(count for count in times.values() if count > 1)
    if nearly:
        remarks.append(f"{nearly} ids differ from another only in capitals")
    return remarks
