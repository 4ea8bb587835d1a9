"""Tables in text files: the separator between columns, the header, and the rows with their lines."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from democracy.files.malformed import Malformed

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
# Excel's own: a first line that names the separator and is no part of the table.
_SEPARATOR_LINE = re.compile(r'\A"?sep=(.)"?[,;\t]*[ ]*(?=[\r\n]|\Z)', re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_FIRST_RECORD = re.compile(r'\s*((?:"(?:[^"]|"")*"|[^"\r\n])*)')
_ENTITY = re.compile(r"&#?\w+;")
# A cell that begins with one of these is taken for a formula by some spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Row:
    """A row of a table. `line`: of the file, on which it begins, from 1."""

    line: int
    cells: tuple[str, ...]

    @property
    def is_blank(self) -> bool:
        return not any(self.cells)


@dataclass(frozen=True)
class Table:
    """A header and its rows. Cells are trimmed; empty lines are left out, rows of separators alone are not."""

    separator: str
    header: Row
    rows: tuple[Row, ...]


def named_separator(text: str) -> tuple[str, str]:
    """Take the separator that a line `sep=;` at the top names, or none, and the text with that line emptied.

    Raises Malformed where it names something else.
    """
    found = _SEPARATOR_LINE.match(text)
    if found is None:
        return "", text
    if found[1] not in ",;\t|":
        raise Malformed("line 1", "columns are separated by commas, semicolons, tabs or bars.")
    return found[1], text[found.end() :]


def read_table(text: str) -> Table:
    """Read a table whose first row is the header. Raises Malformed naming the line."""
    separator, text = named_separator(text)
    separator = separator or (_separator(text) if text.strip() else ",")
    rows = tuple(_rows(text, separator))
    if not rows:
        raise Malformed("", "There is no header line.")
    return Table(separator, rows[0], rows[1:])


def _separator(text: str) -> str:
    """Find the separator between the columns of the header; of several, the one that cuts all rows alike."""
    record = _FIRST_RECORD.match(text)
    bare = _ENTITY.sub("", _QUOTED.sub("", record[1] if record else ""))
    possible = [separator for separator in ",;\t" if separator in bare]
    if len(possible) > 1:
        possible = [separator for separator in possible if _cuts_alike(text, separator)] or possible
    if len(possible) == 1:
        return possible[0]
    if not possible:
        raise Malformed("line 1", "this is one column only; commas, semicolons or tabs stand between columns.")
    names = " or ".join(SEPARATORS[separator] for separator in possible)
    raise Malformed("line 1", f"the columns may be separated by {names}: say which by a first line such as sep=;")


def _cuts_alike(text: str, separator: str) -> bool:
    try:
        widths = {len(row.cells) for row in _rows(text, separator)}
    except Malformed:
        return False
    return len(widths) == 1


def _rows(text: str, separator: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            if len(cells) > 1 or any(cell.strip() for cell in cells):
                yield Row(line, tuple(cell.strip() for cell in cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise Malformed(f"line {line}", f"this is not CSV: {error}.") from error


def safe_cell(text: str) -> str:
    """Put an apostrophe before a text that could be taken for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def unsafe_cell(text: str) -> str:
    """Undo `safe_cell`."""
    return text[1:] if text.startswith("'") and safe_cell(text[1:]) == text else text
