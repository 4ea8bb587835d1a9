"""Places of people's texts in the contents of ledger entries.

A place is a key (`title`), or says which choice or clarification has the text: `choice:ID:title`, `clarification:2`
(the second). `called_off` is the reason of a calling off.
"""

from __future__ import annotations

from typing import Any

from democracy.ledger.changes import Content


def text_at(content: Content, place: str) -> str:
    """The text at a place of a content; empty where there is none."""
    part = _part(content or {}, place)
    return "" if part is None else str(part[0].get(part[1]) or "")


def write_at(content: dict[str, Any], place: str, text: str) -> None:
    """Put a text at a place of a content, if the content has the place."""
    part = _part(content, place)
    if part is not None:
        part[0][part[1]] = text


def _part(content: dict[str, Any], place: str) -> tuple[dict[str, Any], str] | None:
    """The part of a content that has the place's text, and the key of the text in it."""
    match place.split(":"):
        case ["choice", pk, key]:
            parts = [one for one in content.get("choices", []) if str(one["id"]) == pk]
            return (parts[0], key) if parts else None
        case ["clarification", number]:
            parts = content.get("clarifications", [])[int(number) - 1 : int(number)]
            return (parts[0], "text") if parts else None
        case ["called_off"]:
            return (content["called_off"], "reason") if content.get("called_off") else None
        case _:
            return (content, place) if place in content else None
