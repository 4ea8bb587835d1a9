"""Ballots of a STAR election from a CSV file: voter id, time, poll id, then one column for each choice."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from democracy.errors import InvalidInput
from democracy.models import MAX_CHOICES, MAX_STARS, MIN_CHOICES, Decision, Membership
from democracy.services import validation
from democracy.services.edge_lists import adding_to, by_number, community_name, new_members
from democracy.services.importing import (
    OPEN_FOR,
    Malformed,
    NewBallot,
    NewChoice,
    NewDecision,
    add_ballots,
    add_decision,
)
from democracy.tags import normalise_tags

_BEFORE_CHOICES = 3
_LONGEST_ID = 80
_LONGEST_TITLE = 200
_STARS = {str(stars): stars for stars in range(MAX_STARS + 1)}


@dataclass(frozen=True)
class BallotFile:
    """The titles of the choices and, for each voter in the order of the file, stars in the same order."""

    choices: list[str]
    ballots: list[tuple[str, list[int]]]


def read_ballots(text: str) -> BallotFile:
    """Every cell is a rating, so a row of zeros is a ballot, no abstention. Raises Malformed naming line and column."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    choices: list[str] = []
    ballots: list[tuple[str, list[int]]] = []
    voters: set[str] = set()
    try:
        for row in reader:
            if not any(row):
                continue
            if not choices:
                choices = _choices(row, reader.line_num)
            else:
                ballots.append(_ballot(row, choices, voters, f"line {reader.line_num}"))
    except csv.Error as error:
        raise Malformed(f"line {reader.line_num}", f"this is not CSV: {error}.") from error
    if not choices:
        raise Malformed("", "There is no header line.")
    return BallotFile(choices, ballots)


def _choices(header: list[str], line: int) -> list[str]:
    written = header[_BEFORE_CHOICES:]
    if not MIN_CHOICES <= len(written) <= MAX_CHOICES:
        raise Malformed(
            f"line {line}",
            f"after voter, time and poll there are {MIN_CHOICES} to {MAX_CHOICES} choices, not {len(written)}.",
        )
    titles: list[str] = []
    for column, cell in enumerate(written, start=_BEFORE_CHOICES + 1):
        place = f"line {line}, column {column}"
        try:
            title = validation.line(html.unescape(cell), field="")
        except InvalidInput as error:
            raise Malformed(place, "a choice needs a title without control characters.") from error
        if len(title) > _LONGEST_TITLE:
            raise Malformed(place, f"a title has at most {_LONGEST_TITLE} characters.")
        if title.casefold() in {other.casefold() for other in titles}:
            raise Malformed(place, f"there is a choice {title!r} already.")
        titles.append(title)
    return titles


def _ballot(row: list[str], choices: list[str], voters: set[str], place: str) -> tuple[str, list[int]]:
    expected = _BEFORE_CHOICES + len(choices)
    if len(row) != expected:
        raise Malformed(place, f"{len(row)} cells, not {expected} as in the header.")
    voter = row[0].strip()
    if not 1 <= len(voter) <= _LONGEST_ID or not voter.isprintable():
        raise Malformed(f"{place}, column 1", f"a voter id has 1 to {_LONGEST_ID} printable characters.")
    if voter in voters:
        raise Malformed(f"{place}, column 1", f"{voter!r} has a ballot already.")
    voters.add(voter)
    stars = []
    for title, cell in zip(choices, row[_BEFORE_CHOICES:], strict=True):
        if cell.strip() not in _STARS:
            raise Malformed(
                f"{place}, column {title!r}", f"stars are whole numbers from 0 to {MAX_STARS}, not {cell!r}."
            )
        stars.append(_STARS[cell.strip()])
    return voter, stars


def import_ballots(
    file: BallotFile, *, community: str, title: str, tags: Iterable[str] = (), open_for: timedelta = OPEN_FOR
) -> Decision:
    """A decision, open from now on, with these ballots; all or nothing.

    The first ballot is cast for the member with the lowest id, and so on; where there are too few members, further
    ones are made. Raises Malformed, InvalidInput.
    """
    name, title = community_name(community), validation.line(title, field="title")
    if len(title) > _LONGEST_TITLE:
        raise InvalidInput(f"A title has at most {_LONGEST_TITLE} characters.", field="title")
    wanted = normalise_tags(tags)
    with adding_to(name) as (recording, is_new):
        rows = Membership.objects.filter(community=recording.community, left_at=None)
        present = {file_id or f"{pk}": pk for pk, file_id in rows.values_list("pk", "file_id")}
        voters = sorted(present, key=by_number)[: len(file.ballots)]
        missing = [voter for voter, _ in file.ballots[len(voters) :]]
        taken = set(Membership.objects.filter(community=recording.community).values_list("file_id", flat=True))
        missing = [_free(voter, taken | present.keys()) for voter in missing]
        present |= new_members(recording, missing, is_new=is_new)
        voters += missing
        decision = add_decision(
            recording,
            NewDecision(
                id="",
                title=title,
                choices=[NewChoice(f"c{number}", choice) for number, choice in enumerate(file.choices, start=1)],
                opens_at=recording.time,
                closes_at=recording.time + open_for,
            ),
        )
        ids = [f"c{number}" for number in range(1, len(file.choices) + 1)]
        ballots = [
            NewBallot(voter, dict(zip(ids, stars, strict=True)), wanted)
            for voter, (_, stars) in zip(voters, file.ballots, strict=True)
        ]
        add_ballots(recording, decision, present, ballots)
    return decision


def _free(voter: str, taken: set[str]) -> str:
    """The voter's id, or, where a member of the community bears it, one that is not taken."""
    number, free = 1, voter
    while free in taken:
        number += 1
        ending = f"-{number}"
        free = voter[: _LONGEST_ID - len(ending)] + ending
    taken.add(free)
    return free
