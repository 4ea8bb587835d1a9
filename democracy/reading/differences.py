"""Differences between the two contents of a ledger entry, part by part, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """A part of an entry's content in words: what it is, as it was and as it is now."""

    name: str
    before: str
    after: str
    is_changed: bool


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[Difference]:
    """The contents of an entry, part by part, those that changed first."""
    before, after = before or {}, after or {}
    keys = [*after, *(key for key in before if key not in after)]
    for key in sorted(keys, key=lambda key: before.get(key) == after.get(key)):
        yield Difference(
            _PARTS.get(key, key),
            _in_words(before[key]) if key in before else "",
            _in_words(after[key]) if key in after else "",
            before.get(key) != after.get(key) or (key in before) != (key in after),
        )


def _in_words(value: Any) -> str:
    match value:
        case None | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name}: {number}" for name, number in value.items()) or "–"
        case [{"title": _}, *_]:
            return "\n".join(_choice(choice) for choice in value)
        case [{"text": _}, *_]:
            return "\n".join(f"{one['at']}: {one['text']}" for one in value)
        case list():
            return ", ".join(map(str, value)) or "–"
        case _:
            return str(value)


def _choice(choice: dict[str, Any]) -> str:
    lot = f" (lot {choice['lot']})" if choice["lot"] is not None else ""
    return f"{choice['title']}{lot}"


_PARTS = {
    "name": "Name",
    "description": "Description",
    "visibility": "Who may read it",
    "auto_approve": "Applications are approved at once",
    "joining": "People join",
    "created": "Made",
    "member": "Member",
    "active": "Belongs to the community",
    "role": "Role",
    "manager": "Manager",
    "anonymous": "Anonymous",
    "removed": "Was removed",
    "joined": "Joined",
    "left": "Left",
    "file_id": "Id in files",
    "applicant": "Applicant",
    "status": "Status",
    "message": "Message",
    "decided": "Decided",
    "decided_by": "Decided by",
    "follower": "Follower",
    "followee": "Followed",
    "tags": "Topics",
    "order": "Place in the list",
    "title": "Question",
    "results_visibility": "Results are shown",
    "published": "Published",
    "opens_at": "Voting opens",
    "closes_at": "Voting closes",
    "lot_seed": "Seed of the lots",
    "choices": "Choices",
    "clarifications": "Clarifications",
    "topics": "Topics",
    "called_off": "Called off",
    "pinned": "Pinned",
    "reminder_hours": "Hours before closing at which people are reminded",
    "link": "Number of the link",
    "voter": "Cast by",
    "stars": "Stars",
    "abstain": "Abstains",
    "comment": "Comment",
    "cast": "Cast",
    "pseudonym": "Pseudonym",
    "requested": "Asked for",
    "reason": "Reason",
    "stand_in": "Stands in its place",
    "hidden": "Hidden",
    "ended": "Shown again",
}
