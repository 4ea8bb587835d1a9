"""Small bundles for the tests of the verifier, and the verifier itself, loaded by path as an auditor has it."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

VERIFIER = Path(__file__).resolve().parents[2] / "verify" / "crowdvote_verify.py"

_spec = importlib.util.spec_from_file_location("crowdvote_verify", VERIFIER)
assert _spec is not None
assert _spec.loader is not None
verifier: Any = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = verifier
_spec.loader.exec_module(verifier)


def bundle(
    ballots: Mapping[str, Mapping[str, Any]],
    followings: Iterable[str] = (),
    *,
    choices: Iterable[str] = ("c1",),
    lobbyists: Collection[str] = (),
    bystanders: Iterable[str] = (),
) -> dict[str, Any]:
    """Make a bundle of one decision without a result.

    Ballots are {member: {choice: stars, "tags": [...], "abstain": ...}}, followings "A > B" or "A > B: tag, tag"; lots
    are in the order of the choices.
    """
    rows: list[dict[str, Any]] = []
    for following in followings:
        who, _, tags = following.partition(":")
        follower, followee = (name.strip() for name in who.split(">"))
        rows.append({"follower": follower, "followee": followee, "tags": [tag for tag in tags.split(",") if tag]})
    named = [row[end] for row in rows for end in ("follower", "followee")]
    members: dict[str, None] = dict.fromkeys([*ballots, *named, *lobbyists, *bystanders])
    return {
        "format": "crowdvote-bundle",
        "version": 1,
        "exported_at": "2026-03-02T00:00:00Z",
        "ledger": {"revision": 9, "hash": "ab" * 32},
        "community": {"name": "Village"},
        "members": [
            {"id": name, "name": name, "role": "lobbyist" if name in lobbyists else "voter"} for name in sorted(members)
        ],
        "followings": rows,
        "decisions": [
            {
                "id": "d1",
                "title": "Where to?",
                "status": "closed",
                "closes_at": "2026-03-01T00:00:00Z",
                "choices": [{"id": name, "title": name, "lot": lot} for lot, name in enumerate(choices, start=1)],
                "ballots": [
                    {
                        "member": member,
                        "stars": {key: stars for key, stars in ballot.items() if key not in {"tags", "abstain"}},
                        "tags": ballot.get("tags", []),
                        "abstain": ballot.get("abstain", False),
                    }
                    for member, ballot in ballots.items()
                ],
            }
        ],
    }


def read(record: object) -> Any:
    return verifier.read_bundle(json.dumps(record))


def calculated(record: dict[str, Any]) -> dict[str, Any]:
    """Return {"id", "result", "staged"} as the verifier calculates them for the bundle's only decision."""
    village = read(record)
    answer: dict[str, Any] = verifier.calculate(village, village.decisions[0])
    return answer


def answered(record: dict[str, Any]) -> dict[str, Any]:
    """Return the bundle with the calculated `result` and `staged` written into it."""
    [decision] = record["decisions"]
    return {**record, "decisions": [{**decision, **calculated(record)}]}


def staged_ballots(record: dict[str, Any]) -> dict[str, tuple[str, dict[str, int], list[str]]]:
    """Return {member: (kind, microstars, tags)} of the bundle's only decision."""
    return {row["member"]: (row["kind"], row["microstars"], row["tags"]) for row in calculated(record)["staged"]}


def differences(record: dict[str, Any]) -> list[str]:
    """Return what the verifier finds to differ in the bundle's only decision."""
    village = read(record)
    return list(verifier.verify(village, village.decisions[0])[0])
