"""The meaning of the columns in a file of ballots, by the words in its header, never by their position."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from html.entities import html5

from democracy.files.csv_tables import Row, Table
from democracy.files.header_words import name_key, named_column, plain_word, words
from democracy.files.malformed import Malformed

# The column that says whose ballot a row is. The first group that a header has a word of decides: a person before a
# ballot before a name.
_ID_WORDS = (
    words("""
        voter voterid voterno voternumber voterhandle member memberid memberno user userid username handle
        participant participantid respondent respondentid
    """),
    words("ballot ballotid id uid uuid responseid"),
    words("name votername membername fullname yourname email emailaddress mail"),
)
_TIME_WORDS = words("""
    time votetime votedat timestamp date datetime votedate submitted submittedat created createdat
    updated updatedat zeitstempel horodateur marcatemporal carimbodedatahora
""")
_POLL_WORDS = words("poll pollid election electionid")
_PRECINCT_WORDS = words("precinct precinctid")
_TEXT_WORDS = words("comment comments")
# BetterVoting gives these to ranked races.
_RANKED_WORDS = words("overvoterank hasduplicaterank")
_SUMMARY_ROWS = words("""
    average avg averagescore mean median total totals totalscore totalstars grandtotal subtotal sum
    sumofstars weight weights stddev summe gesamt gesamtsumme durchschnitt mittelwert mittel
    suma promedio somme moyenne médiane soma média somma totale gemiddelde totaal
""")
_SUMMARY_COLUMNS = _SUMMARY_ROWS | words("count score scores stars rank ranking min max")
_ROW_NUMBERS = {"#", "№", "no.", "nr.", "nr", "row", "index", "unnamed: 0"}
# The first columns of CrowdVote's own ballots.csv; the choices follow.
OWN = ("name", "handle", "kind", "role", "counted", "tags", "comment")

_RACE = re.compile(r"(.*?\S)\s*!!\s*(\S.*)")
_COMPACT = re.compile(r"(\d+)\s*:(.*)", re.DOTALL)
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|\w+);")
STARS = re.compile(r"([0-5])(?:\.0+|,0{1,2}|,0{6})?", re.ASCII)


class Layout(Enum):
    """The program or form that writes ballots so; the value is its name for people."""

    SHEET = "a spreadsheet"
    STAR_VOTE = "star.vote"
    BETTER_VOTING = "BetterVoting"
    GOOGLE_FORMS = "Google Forms"
    COMPACT = "compact rows"
    OWN = "CrowdVote's own"


@dataclass(frozen=True)
class Race:
    """One decision's choices and the columns they stand in. `title`: none where it is the only one."""

    title: str
    choices: tuple[str, ...]
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Columns:
    """`voter`: the column that says whose ballot it is, if any. `others`: those that are passed over."""

    layout: Layout
    voter: int | None
    races: tuple[Race, ...]
    others: tuple[int, ...]


def unescaped(cell: str) -> str:
    """Turn HTML entities into characters: star.vote writes them. Only those that end with a semicolon are taken."""

    def character(found: re.Match[str]) -> str:
        entity = found[0]
        return html.unescape(entity) if entity[1] == "#" or entity[1:] in html5 else entity

    return _ENTITY.sub(character, cell)


def is_summary(cell: str) -> bool:
    """Whether a row with this cell holds averages or sums instead of a ballot."""
    return plain_word(cell) in _SUMMARY_ROWS


def compact(cell: str) -> tuple[int, str] | None:
    """The number of like ballots and the first rating, of a cell such as "34:5"."""
    found = _COMPACT.fullmatch(cell)
    return (int(found[1][:9]), found[2].strip()) if found else None


def read_columns(
    table: Table, *, id_column: str = "", choices: Sequence[str] = (), excluded: Sequence[str] = ()
) -> Columns:
    """Read the columns that the header names, or that `id_column` and `choices` name instead.

    Raises Malformed naming the column.
    """
    return _Header(table, excluded).read(id_column, choices)


class _Header:
    def __init__(self, table: Table, excluded: Sequence[str]) -> None:
        self.rows, self.place = table.rows, f"line {table.header.line}"
        self.titles = [unescaped(cell) for cell in table.header.cells]
        self.words = [plain_word(title) for title in self.titles]
        out = {name_key(title) for title in excluded}
        # Without a title and without cells: what a spreadsheet leaves at the right end.
        self.used = [at for at in range(len(self.titles)) if self.titles[at] and name_key(self.titles[at]) not in out]
        for at, title in enumerate(self.titles):
            if not title and self.cell_where(at, bool):
                raise Malformed(f"{self.place}, column {at + 1}", "this column has cells and no title.")

    def read(self, id_column: str, choices: Sequence[str]) -> Columns:
        if tuple(self.words[: len(OWN)]) == OWN and not (id_column or choices):
            return self.columns(Layout.OWN, OWN.index("handle"), [at for at in self.used if at >= len(OWN)])
        voter = self.named(id_column, "--id-column") if id_column else self.voter()
        if choices:
            chosen = [self.named(choice, "--choices") for choice in choices]
            layout = Layout.GOOGLE_FORMS if set(chosen) <= set(self.grid()) else Layout.SHEET
            return self.columns(layout, voter, chosen)
        grid = self.grid()
        if grid:
            return self.columns(Layout.GOOGLE_FORMS, voter, grid)
        rest = [at for at in self.used if at != voter and not self.is_passed_over(at, voter)]
        for at in rest:
            self.refuse_summary(at)
        if voter is None:
            self.require_compact(rest)
            return self.columns(Layout.COMPACT, None, rest)
        return self.columns(self.layout(voter), voter, rest)

    def require_compact(self, choices: Sequence[int]) -> None:
        """Refuse a file that does not say whose ballots they are, unless its rows begin like `34:5`."""
        if len(choices) < len(self.used) or not any(compact(row.cells[0]) for row in self.rows):
            raise Malformed(
                self.place,
                "no column says whose ballot a row is: name it with --id-column, or, where the file does not say, "
                "name the choices with --choices.",
            )
        if compact(self.titles[0]):
            raise Malformed(self.place, "this is a row of ballots: a header with the choices comes before it.")

    def named(self, wanted: str, option: str) -> int:
        names = {at: {self.titles[at], _choice(self.titles[at])} for at in self.used}
        # A number would mean the choice of that name.
        numbered = len(self.titles) if option == "--id-column" else 0
        return named_column(wanted, names, option, self.place, numbered=numbered)

    def voter(self) -> int | None:
        if self.is_abbreviated():
            return 0
        for group in _ID_WORDS:
            found = [at for at in self.used if self.words[at] in group]
            if len(found) > 1:
                both = " and ".join(repr(self.titles[at]) for at in found)
                raise Malformed(self.place, f"{both} may both say whose ballot it is: name one with --id-column.")
            if found:
                return found[0]
        return None

    def is_abbreviated(self) -> bool:
        return self.words[:3] == ["v", "t", "p"]

    def is_passed_over(self, at: int, voter: int | None) -> bool:
        """Times, polls, precincts and comments are no choices, unless they hold stars: then nobody knows."""
        if self.words[at] in _RANKED_WORDS:
            raise Malformed(
                f"{self.place}, column {at + 1}",
                f"{self.titles[at]!r} belongs to a race of ranks, not of stars: name the choices of a STAR race with "
                "--choices.",
            )
        known = _TIME_WORDS | _POLL_WORDS | _PRECINCT_WORDS | _TEXT_WORDS
        abbreviated = self.is_abbreviated() and at < 3
        by_name = any(self.words[at] in group for group in _ID_WORDS)
        if not (self.words[at] in known or abbreviated or by_name):
            return False
        beside_id = self.words[at] in _PRECINCT_WORDS and voter == at - 1
        beside_time = self.words[at] in _POLL_WORDS | {"p"} and at and self.words[at - 1] in _TIME_WORDS | {"t"}
        if not (beside_id or beside_time or by_name) and self.holds_stars(at):
            raise Malformed(
                f"{self.place}, column {at + 1}",
                f"{self.titles[at]!r} holds stars and may be a choice: name the choices with --choices.",
            )
        return True

    def refuse_summary(self, at: int) -> None:
        if self.words[at] in _SUMMARY_COLUMNS or name_key(self.titles[at]) in _ROW_NUMBERS:
            raise Malformed(
                f"{self.place}, column {at + 1}",
                f"{self.titles[at]!r} looks like a sum, a weight or a row's number: leave it out with --exclude, or "
                "name the choices with --choices.",
            )

    def grid(self) -> list[int]:
        """The columns `Question [Choice]`, where each question has several choices."""
        questions: dict[str, list[int]] = {}
        for at in self.used:
            cut = _question(self.titles[at])
            if cut:
                questions.setdefault(name_key(cut[0]), []).append(at)
        if not questions or min(map(len, questions.values())) < 2:
            return []
        return sorted(at for columns in questions.values() for at in columns)

    def layout(self, voter: int) -> Layout:
        if self.words[voter] == "ballotid":
            return Layout.BETTER_VOTING
        is_star_vote = bool(_POLL_WORDS.intersection(self.words) and _TIME_WORDS.intersection(self.words))
        return Layout.STAR_VOTE if is_star_vote or self.is_abbreviated() else Layout.SHEET

    def columns(self, layout: Layout, voter: int | None, choices: Sequence[int]) -> Columns:
        own = set(range(len(OWN))) if layout is Layout.OWN else set()
        others = set(range(len(self.titles))) - own - {voter, *choices}
        cut = _question if layout is Layout.GOOGLE_FORMS else _race
        return Columns(layout, voter, self.races(choices, cut), tuple(at for at in sorted(others) if self.titles[at]))

    def races(self, choices: Sequence[int], cut: Callable[[str], tuple[str, str] | None]) -> tuple[Race, ...]:
        """The choices by race, in the order of the file."""
        if not choices:
            raise Malformed(self.place, "there is no column with a choice.")
        found: dict[str, list[tuple[str, int]]] = {}
        titles: dict[str, str] = {}
        pairs = [(at, cut(self.titles[at])) for at in choices]
        alone = [at for at, pair in pairs if pair is None]
        if alone and len(alone) < len(pairs):
            raise Malformed(
                f"{self.place}, column {alone[0] + 1}",
                f"{self.titles[alone[0]]!r} belongs to no race, while other columns do (Race!!Choice): name the "
                "choices with --choices.",
            )
        for at, pair in pairs:
            race, choice = pair or ("", self.titles[at])
            titles.setdefault(name_key(race), race)
            found.setdefault(name_key(race), []).append((choice, at))
        return tuple(
            Race(titles[race] if len(found) > 1 else "", tuple(c for c, _ in of_race), tuple(at for _, at in of_race))
            for race, of_race in found.items()
        )

    def holds_stars(self, at: int) -> bool:
        """Whether all its cells that are not blank are ratings."""
        return self.cell_where(at, bool) and not self.cell_where(at, lambda cell: cell and not STARS.fullmatch(cell))

    def cell_where(self, at: int, condition: Callable[[str], object]) -> bool:
        return any(len(row.cells) > at and condition(row.cells[at]) for row in self.rows)


def _race(title: str) -> tuple[str, str] | None:
    found = _RACE.fullmatch(title)
    return (found[1], found[2]) if found else None


def _question(title: str) -> tuple[str, str] | None:
    """Question and choice of `Question [Choice]`; the choice may have brackets in it."""
    if not title.endswith("]"):
        return None
    depth = 0
    for at in range(len(title) - 1, -1, -1):
        depth += {"]": 1, "[": -1}.get(title[at], 0)
        if depth == 0:
            question, choice = title[:at].strip(), title[at + 1 : -1].strip()
            return (question, choice) if question and choice else None
    return None


def _choice(title: str) -> str:
    """The choice's own title, without race or question."""
    cut = _race(title) or _question(title)
    return cut[1] if cut else title


def cells_outside(row: Row, columns: Columns) -> list[str]:
    """The cells of a row that are no ratings."""
    rated = {at for race in columns.races for at in race.columns}
    return [cell for at, cell in enumerate(row.cells) if at not in rated]
