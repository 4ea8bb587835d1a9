"""Reading STAR ballots from a file that another program, a form or a spreadsheet wrote. Nothing here writes."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from democracy.errors import InvalidInput
from democracy.files import ballot_columns, lengths
from democracy.files.ballot_columns import (
    OWN,
    STARS,
    Columns,
    Layout,
    Race,
    cells_outside,
    compact,
)
from democracy.files.csv_tables import Row, Table, read_table, unsafe_cell
from democracy.files.header_words import name_key
from democracy.files.malformed import Malformed
from democracy.models import MAX_CHOICES, MAX_STARS, MIN_CHOICES
from democracy.services import validation
from democracy.tags import normalise_tags

_MOST_BALLOTS = 1_000_000


@dataclass(frozen=True)
class FileBallot:
    """A ballot of the file.

    `voter`: empty where the file does not say. `stars`: of all races' choices, one after another; None where not rated.
    """

    line: int
    voter: str
    stars: tuple[int | None, ...]
    name: str = ""
    is_lobbyist: bool = False
    tags: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True)
class BallotFile:
    """A file of ballots as it was read. `passed_over`: the parts that are no ballots, in words."""

    layout: Layout
    separator: str
    voter_column: str
    races: tuple[Race, ...]
    ballots: tuple[FileBallot, ...]
    passed_over: tuple[str, ...]

    def of_race(self, race: Race) -> Iterator[tuple[int | None, ...]]:
        """The stars of each ballot in a race, in the order of `ballots`."""
        start = sum(len(other.choices) for other in self.races[: self.races.index(race)])
        return (ballot.stars[start : start + len(race.choices)] for ballot in self.ballots)


def names_in(option: str) -> list[str]:
    """The names in an option, with commas between them; quoted as in CSV where one has a comma itself."""
    rows = list(csv.reader(io.StringIO(option), skipinitialspace=True))
    return [name.strip() for row in rows for name in row if name.strip()]


def read_ballots(
    text: str, *, id_column: str = "", choices: Sequence[str] = (), excluded: Sequence[str] = ()
) -> BallotFile:
    """Read a file of ballots.

    `id_column` and `choices` name columns where the header's words do not tell; `excluded` names columns and rows to
    pass over. Raises Malformed naming line and column.
    """
    table = read_table(text)
    columns = ballot_columns.read_columns(table, id_column=id_column, choices=choices, excluded=excluded)
    titles = [ballot_columns.unescaped(cell) for cell in table.header.cells]
    races = columns.races
    if columns.layout is Layout.OWN:
        races = tuple(replace(race, choices=tuple(map(unsafe_cell, race.choices))) for race in races)
    columns = replace(columns, races=tuple(_checked(race, table.header.line) for race in races))
    passed_over: Counter[str] = Counter()
    rows = _rows(table, columns, excluded, passed_over)
    read = {Layout.COMPACT: _compact, Layout.OWN: _own}.get(columns.layout, _plain)
    ballots: list[FileBallot] = []
    for row in rows:
        ballots += read(row, columns, titles, passed_over)
        if len(ballots) > _MOST_BALLOTS:
            raise Malformed(f"line {row.line}", f"a file holds at most {_MOST_BALLOTS:,} ballots.")
    _one_each(ballots)
    _all_found(excluded, titles, passed_over)
    return BallotFile(
        columns.layout,
        table.separator,
        "" if columns.voter is None else titles[columns.voter],
        columns.races,
        tuple(ballots),
        (*(f"column {titles[at]!r}" for at in columns.others), *(f"{n:,} {what}" for what, n in passed_over.items())),
    )


# --- Choices ----------------------------------------------------------------------------------------------------------


def _checked(race: Race, line: int) -> Race:
    if not MIN_CHOICES <= len(race.choices) <= MAX_CHOICES:
        of_race = f"race {race.title!r} has" if race.title else "there are"
        raise Malformed(
            f"line {line}", f"{of_race} {len(race.choices)} choices; a decision has {MIN_CHOICES} to {MAX_CHOICES}."
        )
    titles: list[str] = []
    for column, written in zip(race.columns, race.choices, strict=True):
        title = _title(written, f"line {line}, column {column + 1}")
        if name_key(title) in map(name_key, titles):
            raise Malformed(f"line {line}, column {column + 1}", f"there is a choice {title!r} already.")
        titles.append(title)
    return replace(race, choices=tuple(titles))


def _title(written: str, place: str) -> str:
    try:
        title = validation.line(written, field="")
    except InvalidInput as error:
        raise Malformed(place, "a choice needs a title without control characters.") from error
    if len(title) > lengths.CHOICE_TITLE:
        raise Malformed(place, f"a title has at most {lengths.CHOICE_TITLE} characters.")
    return title


# --- Rows -------------------------------------------------------------------------------------------------------------


def _rows(table: Table, columns: Columns, excluded: Sequence[str], passed_over: Counter[str]) -> Iterator[Row]:
    """The rows that hold ballots."""
    width = len(table.header.cells)
    last = max((*(at for race in columns.races for at in race.columns), columns.voter or 0))
    out = {name_key(name): name for name in excluded}
    for row in table.rows:
        outside = cells_outside(row, columns)
        named = next((out[name_key(cell)] for cell in outside if name_key(cell) in out), None)
        if named is not None:
            passed_over[f"rows {named!r}"] += 1
        elif row.is_blank and columns.voter is not None:
            passed_over["empty rows"] += 1
        elif any(map(ballot_columns.is_summary, outside)) and columns.layout is not Layout.OWN:
            label = next(filter(ballot_columns.is_summary, outside))
            raise Malformed(
                f"line {row.line}", f"{label!r} looks like a sum, not a ballot: leave the row out, or --exclude it."
            )
        elif len(row.cells) <= last or any(row.cells[width:]):
            raise Malformed(f"line {row.line}", f"{len(row.cells)} cells, not {width} as in the header.")
        else:
            yield row


def _plain(row: Row, columns: Columns, titles: list[str], passed_over: Counter[str]) -> Iterator[FileBallot]:
    voter = "" if columns.voter is None else _voter(row, columns.voter)
    yield FileBallot(row.line, voter, _stars(row, columns, titles))


def _compact(row: Row, columns: Columns, titles: list[str], passed_over: Counter[str]) -> Iterator[FileBallot]:
    """Read a row such as `34:5,3,4`: 34 like ballots; one where it has no number."""
    count, first = compact(row.cells[0]) or (1, row.cells[0])
    if not 1 <= count <= _MOST_BALLOTS:
        raise Malformed(f"line {row.line}", f"the number of ballots is 1 to {_MOST_BALLOTS:,}.")
    stars = _stars(Row(row.line, (first, *row.cells[1:])), columns, titles)
    for _ in range(count):
        yield FileBallot(row.line, "", stars)


def _own(row: Row, columns: Columns, titles: list[str], passed_over: Counter[str]) -> Iterator[FileBallot]:
    """Read a row of CrowdVote's own ballots.csv, if it was cast: inherited ballots follow from the followings."""
    name, handle, kind, role, counted, tags, comment = map(unsafe_cell, row.cells[: len(OWN)])
    if kind not in ("cast", "abstained", "inherited"):
        raise Malformed(f"line {row.line}, column 'kind'", f"must be cast, abstained or inherited, not {kind!r}.")
    if role not in ("voter", "lobbyist"):
        raise Malformed(f"line {row.line}, column 'role'", f"must be voter or lobbyist, not {role!r}.")
    if kind == "inherited":
        passed_over["inherited ballots"] += 1
        return
    if kind == "cast" and role == "voter" and counted != "yes":
        passed_over["ballots that were not counted"] += 1
        return
    stars = _stars(row, columns, titles) if kind == "cast" else (None,) * sum(len(r.choices) for r in columns.races)
    voter = _id(handle or name, f"line {row.line}, column {'handle' if handle else 'name'!r}")
    try:
        name, comment = validation.line(name, field="name"), validation.text(comment, field="comment")
        wanted = normalise_tags(tags.split(",")) if tags else []
    except InvalidInput as error:
        raise Malformed(f"line {row.line}, column {error.field!r}", error.message) from error
    for field, text, most in (("name", name, lengths.MEMBER_NAME), ("comment", comment, lengths.COMMENT)):
        if len(text) > most:
            raise Malformed(f"line {row.line}, column {field!r}", f"has more than {most:,} characters.")
    yield FileBallot(row.line, voter, stars, name, role == "lobbyist", tuple(wanted), comment)


def _stars(row: Row, columns: Columns, titles: list[str]) -> tuple[int | None, ...]:
    stars: list[int | None] = []
    for race in columns.races:
        for at in race.columns:
            cell = row.cells[at]
            found = STARS.fullmatch(cell)
            if cell and found is None:
                raise Malformed(
                    f"line {row.line}, column {titles[at]!r}",
                    f"stars are whole numbers from 0 to {MAX_STARS}, not {cell!r}. If {titles[at]!r} is no choice, "
                    "name the choices with --choices.",
                )
            stars.append(int(found[1]) if found else None)
    return tuple(stars)


# --- Voters -----------------------------------------------------------------------------------------------------------


def _voter(row: Row, column: int) -> str:
    return _id(row.cells[column], f"line {row.line}, column {column + 1}")


def _id(written: str, place: str) -> str:
    voter = unicodedata.normalize("NFC", written)
    if not 1 <= len(voter) <= lengths.ID or not voter.isprintable():
        raise Malformed(place, f"a voter id has 1 to {lengths.ID} printable characters.")
    return voter


def _one_each(ballots: Sequence[FileBallot]) -> None:
    """Refuse two ballots of one voter, and two spellings that may be one person."""
    seen: dict[str, FileBallot] = {}
    for ballot in ballots:
        if not ballot.voter:
            continue
        other = seen.setdefault(name_key(ballot.voter), ballot)
        if other is ballot:
            continue
        if other.voter == ballot.voter:
            raise Malformed(f"line {ballot.line}", f"{ballot.voter!r} has a ballot already, on line {other.line}.")
        raise Malformed(
            f"line {ballot.line}", f"{ballot.voter!r} is nearly {other.voter!r} on line {other.line}: one of them?"
        )


def _all_found(excluded: Sequence[str], titles: Sequence[str], passed_over: Counter[str]) -> None:
    """Refuse names to exclude that stand nowhere: a slip there might let a sum through."""
    columns = set(map(name_key, titles))
    for name in excluded:
        if name_key(name) not in columns and not any(what == f"rows {name!r}" for what in passed_over):
            raise Malformed("", f"There is no column and no row {name!r} to exclude.")
