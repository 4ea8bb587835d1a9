"""Made-up communities as bundles, to be imported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from democracy.benchmarks.networks import Town
from democracy.files.bundle_reader import FORMAT, VERSION

DECISION = "d1"


def write(town: Town, path: Path) -> None:
    """Write the town with one decision that is open for a week from its import, a row a line."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"format": "{FORMAT}", "version": {VERSION}, "community": {{"name": "Large"}}')
        for key, rows in (("members", _members(town)), ("followings", _followings(town))):
            file.write(f',\n"{key}": [')
            file.writelines(_lines(rows))
            file.write("]")
        choices = [{"id": f"c{number}", "title": f"Choice {number}", "lot": number} for number in town.lots]
        decision = json.dumps({"id": DECISION, "title": "Which?", "choices": choices})
        file.write(f',\n"decisions": [{decision.removesuffix("}")}, "ballots": [')
        file.writelines(_lines(_ballots(town)))
        file.write("]}]}\n")


def _lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield f"{',' if number else ''}\n{json.dumps(row)}"


def _members(town: Town) -> Iterator[dict[str, Any]]:
    for number in range(1, town.members + 1):
        yield {"id": f"m{number}", "name": f"Member {number}"}


def _followings(town: Town) -> Iterator[dict[str, Any]]:
    for follower, followee in town.followings:
        yield {"follower": f"m{follower}", "followee": f"m{followee}"}


def _ballots(town: Town) -> Iterator[dict[str, Any]]:
    for voter, ballot in town.ballots.items():
        stars = {f"c{number}": count for number, count in zip(town.lots, ballot.stars, strict=True)}
        yield {"member": f"m{voter}", "stars": stars}
