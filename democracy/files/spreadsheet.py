"""Ballots as a table that can be opened in a spreadsheet without running anything."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from democracy.access import Viewer
from democracy.files.ballot_columns import OWN
from democracy.files.csv_tables import safe_cell
from democracy.models import BallotColumns, Choice, Decision
from democracy.reading.ballots import ballot_rows, read_rows
from graph import STAR

# Without it, spreadsheets take UTF-8 for something else.
BYTE_ORDER_MARK = "\ufeff"


def ballots_as_csv(viewer: Viewer, decision: Decision, choices: Sequence[Choice], columns: BallotColumns) -> str:
    """Write a line for each ballot, in the order of the ballots page; stars to the last microstar."""
    file = io.StringIO()
    file.write(BYTE_ORDER_MARK)
    writer = csv.writer(file)
    titles = [safe_cell(choice.title) for choice in choices]
    writer.writerow([*OWN, *titles])
    for row in read_rows(viewer, decision, columns, ballot_rows(decision, columns)):
        writer.writerow(
            [
                safe_cell(row.owner.name),
                row.owner.handle,
                row.kind,
                "lobbyist" if row.owner.is_lobbyist else "voter",
                "yes" if row.is_counted else "no",
                safe_cell(", ".join(row.tags)),
                safe_cell(row.comment),
                *(f"{microstars / STAR:.6f}" for microstars in row.microstars),
            ]
        )
    return file.getvalue()
