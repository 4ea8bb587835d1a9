"""Lists of people to invite: a table whose header says what the columns hold, or pasted e-mail addresses.

The table may be separated by commas, semicolons or tabs, and come from any spreadsheet. Without a header, a list holds
addresses alone, as `mary@example.org` or `Mary Ann <mary@example.org>`, on lines of their own or separated by commas or
semicolons; or on each line a name and an address, as two columns copied from a spreadsheet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from accounts.errors import DomainError
from democracy.errors import FaultyLines, InvalidInput
from democracy.files.csv_tables import Row, Table, read_table
from democracy.files.header_words import plain_word, words
from democracy.files.malformed import Malformed, on_line
from democracy.models import Membership
from democracy.services.inviting import Invitee, checked_people

_ADDRESS = words(
    "address email emailaddress emails mail mailaddress e mailadresse emailadresse adresse correo courriel"
)
_NAME = words("name fullname membername displayname nombre nom nome")
_FIRST_NAME = words("firstname givenname forename vorname prenom prénom")
_LAST_NAME = words("lastname surname familyname nachname apellido apellidos")
_ROLE = words("role rolle")
_MANAGER = words("manager ismanager managers admin isadmin")
_TAGS = words("tags tag topics topic tagstofollow topicstofollow follow themen temas thèmes")
_YES = words("yes y true 1 x on ja sí si oui manager")
_NO = words("no n false 0 off nein non") | {""}
_ROLES = {"": Membership.Role.VOTER, "voter": Membership.Role.VOTER, "member": Membership.Role.VOTER}
_ROLES |= {"lobbyist": Membership.Role.LOBBYIST}
_NAMED_ADDRESS = re.compile(r'\s*"?(?P<name>[^"<>]*?)"?\s*<\s*(?P<address>[^<>\s]+)\s*>\s*')
# Between pasted addresses. A comma inside a quoted name, as mail programs write it, is part of the name.
_BETWEEN = re.compile(r'[,;\t](?=(?:[^"]*"[^"]*")*[^"]*$)')
# In one cell.
_BETWEEN_TAGS = re.compile(r"[,;|]")
_NO_HEADER = (
    "the first line names no column of e-mail addresses. Begin the list with a line such as “address,name,role”, or "
    "give addresses alone."
)


@dataclass(frozen=True)
class MemberList:
    """The people on a list, and the titles of columns that were passed over."""

    people: tuple[Invitee, ...]
    passed_over: tuple[str, ...] = ()


def read_member_list(text: str) -> MemberList:
    """Read a list of people.

    Raises Malformed where the list as a whole can't be read, FaultyLines naming every line that can't.
    """
    if not text.strip():
        raise Malformed("", "This list is empty.")
    if _is_pasted(text):
        return MemberList(tuple(_pasted(text)))
    table = _table(text)
    columns = _columns(table)
    people: list[Invitee] = []
    faults: list[tuple[int, DomainError]] = []
    for row in table.rows:
        if row.is_blank:
            continue
        try:
            people.append(_invitee(row, columns, width=len(table.header.cells)))
        except Malformed as error:
            faults.append((row.line, InvalidInput(f"{error.field.capitalize()}: {error.message}")))
    faults += checked_people(people)[1]
    if faults:
        in_order = sorted(faults, key=lambda fault: fault[0])
        raise FaultyLines([error for _, error in in_order], field="people")
    if not people:
        raise Malformed("", "There is nobody below the header.")
    return MemberList(tuple(people), columns.passed_over)


# --- Pasted addresses -------------------------------------------------------------------------------------------------


def _is_pasted(text: str) -> bool:
    """Whether the first line holds an address: then it is no header."""
    first = next(line for line in text.splitlines() if line.strip())
    return "@" in first


def _pasted(text: str) -> Iterator[Invitee]:
    """Yield the addresses of a list without a header. Raises FaultyLines."""
    faults: list[DomainError] = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = [part for part in (one.strip() for one in _BETWEEN.split(line)) if part]
        if len(parts) == 2 and sum(map(_is_address, parts)) == 1 and not any(map(_NAMED_ADDRESS.fullmatch, parts)):
            name, address = sorted(parts, key=_is_address)
            yield Invitee(address, name.strip('"').strip(), line=number)
            continue
        for part in parts:
            found = _NAMED_ADDRESS.fullmatch(part)
            if found:
                yield Invitee(found["address"], found["name"], line=number)
            elif _is_address(part):
                yield Invitee(part, line=number)
            else:
                faults.append(InvalidInput(f"Line {number}: “{part[:80]}” is not an e-mail address."))
    if faults:
        hint = InvalidInput("A list with more columns than addresses begins with a line that names them.")
        raise FaultyLines([*faults[: FaultyLines.told - 1], hint], field="people")


def _is_address(part: str) -> bool:
    return "@" in part and not any(character.isspace() for character in part)


# --- Tables -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Columns:
    """The places of the columns: -1 where there is none."""

    address: int
    name: int
    first_name: int
    last_name: int
    role: int
    manager: int
    tags: int
    passed_over: tuple[str, ...]


def _table(text: str) -> Table:
    """Read the table. A header of one column has no separator, so addresses below it are read as a table of one."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.strip())
    if plain_word(lines[start]) in _ADDRESS:
        below = enumerate(lines[start + 1 :], start=start + 2)
        rows = tuple(Row(number, (line.strip().strip('"').strip(),)) for number, line in below)
        return Table(",", Row(start + 1, (lines[start].strip(),)), rows)
    if not any(separator in lines[start] for separator in ",;\t"):
        raise Malformed(on_line(start + 1), _NO_HEADER)
    return read_table(text)


def _columns(table: Table) -> _Columns:
    cells = [plain_word(cell) for cell in table.header.cells]
    places = {
        kind: [number for number, cell in enumerate(cells) if cell in known]
        for kind, known in (
            *(("address", _ADDRESS), ("name", _NAME), ("first_name", _FIRST_NAME), ("last_name", _LAST_NAME)),
            *(("role", _ROLE), ("manager", _MANAGER), ("tags", _TAGS)),
        )
    }
    line = on_line(table.header.line)
    if not places["address"]:
        raise Malformed(line, _NO_HEADER)
    for kind, found in places.items():
        if len(found) > 1:
            titles = " and ".join(f"“{table.header.cells[number]}”" for number in found)
            raise Malformed(line, f"{titles} may both be the {kind.replace('_', ' ')}: rename or remove one of them.")
    known = {number for found in places.values() for number in found}
    return _Columns(
        **{kind: found[0] if found else -1 for kind, found in places.items()},
        passed_over=tuple(cell for number, cell in enumerate(table.header.cells) if cell and number not in known),
    )


def _invitee(row: Row, columns: _Columns, *, width: int) -> Invitee:
    place = on_line(row.line)
    if len(row.cells) > width and any(row.cells[width:]):
        raise Malformed(place, "there are more cells than the header has titles.")
    address = _cell(row, columns.address)
    if not address:
        raise Malformed(place, "there is no e-mail address.")
    named = _NAMED_ADDRESS.fullmatch(address)
    parts: Sequence[str] = (_cell(row, columns.first_name), _cell(row, columns.last_name))
    name = _cell(row, columns.name) or " ".join(filter(None, parts)) or (named["name"] if named else "")
    role, manager = _cell(row, columns.role).casefold(), _cell(row, columns.manager).casefold()
    if role == "manager":
        role, manager = "voter", "yes"
    if role not in _ROLES:
        raise Malformed(place, f"“{role[:20]}” is no role: write voter or lobbyist.")
    if manager not in _YES | _NO:
        raise Malformed(place, f"“{manager[:20]}” does not say who is a manager: write yes or no.")
    tags = tuple(filter(None, map(str.strip, _BETWEEN_TAGS.split(_cell(row, columns.tags)))))
    return Invitee(named["address"] if named else address, name, _ROLES[role], manager in _YES, row.line, tags)


def _cell(row: Row, number: int) -> str:
    return row.cells[number] if 0 <= number < len(row.cells) else ""
